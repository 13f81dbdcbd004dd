"""Whether a method of amalgamation keeps its promises, found out by running it.

:data:`KIT` has them as checks with names, which ``zoo plugins check`` asks too;
``assert not check_amalgamator(spec)`` asks all at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from zoo.building.presets import SOFT
from zoo.building.stages import make_stages
from zoo.catalogue import build
from zoo.errors import InputError
from zoo.testing.findings import (
    METHODS,
    Found,
    among,
    broken_promises,
    collected,
    named,
    promised,
    said,
    stopped,
    under,
)
from zoo.testing.kit import Check, Kit
from zoo.testing.lessons import draw_lesson, every_kind
from zoo.testing.mergers import found_of_merger, merged_tensors
from zoo.testing.modules import (
    absent,
    built,
    copy_through_a_file,
    learn,
    losses_of,
    made,
    misshown,
    no_losses,
    one_step,
    otherwise,
    step,
    touched,
    unnamed,
    unreached,
    weights_of,
)
from zoo.testing.promises import BrokenPromiseError, asking, described, lacking, sentences
from zoo.types.training import Amalgamator

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from torch import Tensor, nn

    from zoo.testing.kit import Trial
    from zoo.testing.lessons import Networks
    from zoo.types.specs import AmalgamatorSpec
    from zoo.types.training import Lesson, Stage


def check_amalgamator(spec: AmalgamatorSpec, method: object = None) -> list[str]:
    """Find out which promises a method of amalgamation breaks.

    A method that trains is asked about one to three teachers, of maps, tokens and vectors, and its
    module is run on random features; a merger is given random tensors. Networks that ``pair``
    refuses with an :class:`zoo.errors.InputError` are left out, unless it refuses all.

    Args:
        spec: what the plugin advertises.
        method: its object; None makes one with the default options.

    Returns:
        One sentence a broken promise, of the first networks with which one is broken.
    """
    return broken_promises(_found, spec, method)


def _found(spec: AmalgamatorSpec, method: Any) -> Iterator[Found]:
    with asking("making it with its default options"):
        tried = build(spec) if method is None else method
    with torch.random.fork_rng(devices=[]):
        if spec.kind == "merging":
            yield from found_of_merger(tried)
        elif spec.kind == "training":
            yield from _found_of_trainer(spec, tried)
    yield Found(METHODS)


def _found_of_trainer(spec: AmalgamatorSpec, method: Any) -> Iterator[Found]:
    if missing := lacking(method, Amalgamator):
        yield Found(METHODS, f"it {missing}")
        return
    if not 1 <= spec.smallest_batch <= spec.advised_batch:
        batches = f"{spec.smallest_batch} and {spec.advised_batch}"
        rises = f"smallest_batch and advised_batch must rise from 1, and are {batches}"
        yield Found("smallest-batch", rises)
        return

    def ask(networks: Networks, first: bool) -> Iterator[Found]:
        del first
        yield from _Amalgamation.of(spec, method, networks).found()

    refused = Found("pairs", "pair refuses all networks")
    yield from among(
        every_kind(), ask, words="with {}, ", refused=refused, expected=spec.expected_failures
    )


def _paired(spec: AmalgamatorSpec, method: Amalgamator, networks: Networks) -> tuple[Stage, ...]:
    """Ask where to compare, as preflight does.

    Raises:
        InputError: these networks cannot be paired, says the method.
        BrokenPromiseError: what it says makes no sense.
    """
    if not spec.features:
        return ()
    try:
        pairs = method.pair(networks.teachers, networks.student)
    except InputError:
        raise
    except Exception as error:
        raise BrokenPromiseError(f"pair raises {described(error)}") from error
    with asking(f"pair gives {pairs!r}, of which the core can make no stages: that"):
        stages = make_stages(networks.teachers, networks.student, pairs)
    if not stages:
        raise BrokenPromiseError("pair gives no pairs, and its spec says that it reads features")
    return stages


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Amalgamation:
    """One method, and the stages of some networks."""

    spec: AmalgamatorSpec
    method: Amalgamator
    stages: tuple[Stage, ...]
    teachers: int

    @classmethod
    def of(cls, spec: AmalgamatorSpec, method: Amalgamator, networks: Networks) -> _Amalgamation:
        """Pair some networks.

        Raises:
            InputError: they cannot be paired, says the method.
        """
        with promised("pairs"):
            stages = _paired(spec, method, networks)
        return cls(spec=spec, method=method, stages=stages, teachers=networks.count)

    def found(self) -> Iterator[Found]:
        """Say what is wrong; what is built on it is not asked then."""
        yield Found("pairs")
        smallest = self.spec.smallest_batch
        large, *small = sorted({smallest, max(smallest, 6)}, reverse=True)
        with promised("smallest-batch"):
            for batch in (large, *small):
                self._accept(batch)
        with promised("losses"):
            weights = self._weights()
        with promised("build"):
            module = made(self._build)
        yield Found("build")
        found = list(self._one_step(module, self._lesson(large), weights))
        yield from found
        if stopped(found, self.spec.expected_failures):
            return
        for batch in small:
            found = collected(self._one_step(module, self._lesson(batch), weights))
            new = [each for each in found if each.check not in self.spec.expected_failures]
            words = (each.sentence for each in said(new, after=f" with smallest_batch, {smallest}"))
            found = list(under("smallest-batch", filter(None, words)))
            yield from found
            if stopped(found, self.spec.expected_failures):
                return
        yield from under("resumable", self._resumed(module))

    def losses_and_gradients(self) -> Mapping[str, Any]:
        """Go one step, as a training does."""
        return one_step(self._build, self.lesson())

    def lesson(self) -> Lesson:
        """Give an ordinary one."""
        return self._lesson(max(self.spec.smallest_batch, 6))

    def _lesson(self, batch: int, seed: int = 0) -> Lesson:
        # Whoever reads features alone is given teachers without heads, too.
        heads = self.spec.soft or not self.spec.features
        return draw_lesson(self.stages, teachers=self.teachers, batch=batch, heads=heads, seed=seed)

    def _accept(self, batch: int) -> None:
        if not self.stages:
            return
        with asking("check"):
            said = sentences(self.method.check(self.stages, batch))
        if said:
            smallest, reason = self.spec.smallest_batch, said[0].rstrip(".")
            promised = f"its smallest_batch is {smallest}"
            raise BrokenPromiseError(f"check refuses a batch of {batch}, and {promised}: {reason}")

    def _weights(self) -> dict[str, float]:
        weights = weights_of(lambda: self.method.weights(self.teachers))
        if not self.spec.soft and not weights:
            raise BrokenPromiseError(
                "it has no losses, and its spec says that it has no soft targets"
            )
        if SOFT in weights:
            raise BrokenPromiseError(f"a loss is called {SOFT!r}, the name of the soft targets")
        return weights

    def _build(self) -> nn.Module:
        return self.method.build(self.stages)

    def _one_step(
        self, module: nn.Module, lesson: Lesson, weights: Mapping[str, float]
    ) -> Iterator[Found]:
        """Run the module forward and backward."""
        with promised("losses"):
            losses, batch = losses_of(module, lesson), _size(lesson)
            wrong = [*unnamed(losses, weights), *absent(losses, weights), *no_losses(losses)]
            wrong = wrong or list(misshown(module, losses, batch))
        yield from under("losses", wrong)
        if wrong:
            return
        yield from under("gradients", self._gradients(module, losses, lesson) if losses else ())
        yield from under("untouched-input", touched(lesson, self._lesson(batch)))

    def _gradients(
        self, module: nn.Module, losses: Mapping[str, Tensor], lesson: Lesson
    ) -> Iterator[str]:
        learn(module, losses)
        yield from _unreached(lesson)
        yield from (f"no gradient reaches its parameter {name!r}" for name in unreached(module))

    def _resumed(self, module: nn.Module) -> Iterator[str]:
        """Save the module after a step, and go on with another one that has loaded it."""
        step(module)
        fresh = built(self._build, seed=1)
        copy_through_a_file(module, fresh)
        yield from otherwise(module, fresh, self._lesson(max(self.spec.smallest_batch, 6), seed=1))


def _unreached(lesson: Lesson) -> Iterator[str]:
    """Say where at the student no gradient arrives."""
    for number, meeting in enumerate(lesson.meetings, start=1):
        if meeting.student.grad is None or not meeting.student.grad.any():
            yield f"no gradient reaches the student's features at stage {number}"
    if not lesson.meetings and (
        lesson.student_logits is None or lesson.student_logits.grad is None
    ):
        yield "no gradient reaches the student's logits"


def _size(lesson: Lesson) -> int:
    return 0 if lesson.rows is None else len(lesson.rows)


def _exercise(trial: Trial) -> Any:
    """Go one step with the first networks that it takes, or merge some tensors."""
    spec, method = trial.spec, trial.make()
    if spec.kind == "merging":
        return merged_tensors(method)
    if spec.kind == "ensemble":
        return type(method).__name__
    for networks in every_kind():
        try:
            paired = _Amalgamation.of(spec, method, networks)
        except InputError:
            continue
        return paired.losses_and_gradients()
    raise BrokenPromiseError("pair refuses all networks")


def _trains(trial: Trial) -> bool:
    return bool(trial.spec.kind == "training")


def _merges(trial: Trial) -> bool:
    return bool(trial.spec.kind == "merging")


def _of_trainers() -> Iterator[Check]:
    for name, promise in (
        ("pairs", "pair names layers that there are, of some networks at least"),
        ("smallest-batch", "what its spec calls the smallest batch is enough"),
        ("build", "build gives a torch module: one seed, one module, which can be counted"),
        ("losses", "every loss is one finite number with a name and a weight"),
        ("gradients", "gradients reach the student and every parameter"),
        ("untouched-input", "what the teachers say stays as it is"),
        ("resumable", "its module, saved and loaded in the middle of a training, goes on alike"),
    ):
        yield named(_found, name, promise, _trains)


def _of_mergers() -> Iterator[Check]:
    for name, promise in (
        ("models", "check accepts two, three or four models"),
        ("merged", "merge gives a tensor of the same shape and kind, of finite numbers"),
        ("untouched-input", "the tensors that it is given stay as they are"),
        ("seeded", "the same name and tensors give the same"),
        ("equal-models", "models that do not differ give that model"),
        ("base", "a base that it asks for is read"),
    ):
        yield named(_found, name, promise, _merges)


KIT = Kit(
    exercise=_exercise,
    checks=(
        named(_found, METHODS, "it can be made, and has the methods of its kind"),
        *_of_trainers(),
        *_of_mergers(),
    ),
)
