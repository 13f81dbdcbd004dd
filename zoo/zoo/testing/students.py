"""Whether a regulariser keeps its promises, found out by running it.

:data:`KIT` has them as checks with names, which ``zoo plugins check`` asks too;
``assert not check_regulariser(spec)`` asks all at once. What else helps a student without a
teacher stands beside it: :mod:`zoo.testing.augmenters`, :mod:`zoo.testing.pretexts`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from zoo.catalogue import build
from zoo.testing.augmenters import check_augmenter
from zoo.testing.classrooms import Study
from zoo.testing.findings import METHODS, Found, broken_promises, named, promised, stopped, under
from zoo.testing.kit import Kit
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
    unnamed,
    unreached,
    weights_of,
)
from zoo.testing.pretexts import check_pretext
from zoo.testing.promises import BrokenPromiseError, asking, lacking
from zoo.testing.student_trials import MORE, among_students, first_student, tapped
from zoo.types.distilling import Regulariser

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import nn

    from zoo.testing.kit import Trial
    from zoo.testing.lessons import Networks
    from zoo.types.specs import RegulariserSpec

__all__ = ["KIT", "check_augmenter", "check_pretext", "check_regulariser"]


def check_regulariser(spec: RegulariserSpec, method: object = None) -> list[str]:
    """Find out which promises a regulariser breaks.

    Students that ``watch`` refuses with an :class:`zoo.errors.InputError` are left out, unless it
    refuses all.

    Args:
        spec: what the plugin advertises.
        method: its object; None makes one with the default options.

    Returns:
        One sentence a broken promise, of the first student with which one is broken.
    """
    return broken_promises(_found, spec, method)


def _found(spec: RegulariserSpec, method: Any) -> Iterator[Found]:
    with asking("making it with its default options"):
        tried = build(spec) if method is None else method
    if missing := lacking(tried, Regulariser):
        yield Found(METHODS, f"it {missing}")
        return
    yield Found(METHODS)
    if spec.smallest_batch < 1:
        few = f"smallest_batch must be 1 or more, and is {spec.smallest_batch}"
        yield Found("smallest-batch", few)
        return
    with promised("losses"):
        weights = weights_of(tried.weights)
        if not weights:
            raise BrokenPromiseError("it has no losses")
    with torch.random.fork_rng(devices=[]):
        yield from among_students(
            "watch",
            lambda networks: _Watching.of(spec, tried, networks).found(weights),
            spec.expected_failures,
        )


@dataclass(frozen=True, slots=True)
class _Watching:
    """A regulariser with a student."""

    spec: RegulariserSpec
    method: Regulariser
    study: Study

    @classmethod
    def of(cls, spec: RegulariserSpec, method: Regulariser, networks: Networks) -> _Watching:
        """Ask what it watches.

        Raises:
            InputError: a student without such a layer, says the method.
        """
        student = networks.student
        with promised("layers"):
            watched = tapped("watch", lambda: method.watch(student), student)
            if not watched:
                raise BrokenPromiseError("watch names no layer, and refuses nothing either")
        study = Study(networks=networks, watched=watched, batch=spec.smallest_batch)
        return cls(spec, method, study)

    def found(self, weights: dict[str, float]) -> Iterator[Found]:
        """Say what is wrong; what is built on it is not asked then."""
        yield Found("layers")
        with promised("build"):
            module = made(self._build)
        yield Found("build")
        given: set[str] = set()
        for check, batch in (("losses", self._many), ("smallest-batch", self.study.batch)):
            found = list(self._one_step(module, batch, weights, given, check))
            yield from found
            if stopped(found, self.spec.expected_failures):
                return
        yield from under("losses", absent(given, weights))
        left = unreached(module)
        yield from under(
            "gradients", (f"no gradient reaches its parameter {each!r}" for each in left)
        )
        yield from under("resumable", self._resumed(module))

    def losses_and_gradients(self) -> dict[str, Any]:
        """Go one step, as a training does."""
        return one_step(self._build, self.study.sized(self._many).lesson().lesson)

    @property
    def _many(self) -> int:
        return self.study.batch + MORE

    def _one_step(
        self,
        module: nn.Module,
        batch: int,
        weights: dict[str, float],
        given: set[str],
        check: str,
    ) -> Iterator[Found]:
        with promised(check):
            drawn = self.study.sized(batch).lesson()
            losses = losses_of(module, drawn.lesson)
            wrong = [*unnamed(losses, weights), *no_losses(losses)]
            wrong = wrong or list(misshown(module, losses, batch))
        yield from under(check, wrong)
        if wrong:
            return
        with promised("gradients"):
            learn(module, losses)
        if batch > self.study.batch and not drawn.reached():
            yield Found("gradients", "no gradient reaches the student's features")
        given.update(losses)

    def _resumed(self, module: nn.Module) -> Iterator[str]:
        step(module)
        fresh = built(self._build, seed=1)
        copy_through_a_file(module, fresh)
        yield from otherwise(module, fresh, self.study.sized(MORE + 1).lesson(seed=1).lesson)

    def _build(self) -> nn.Module:
        return self.method.build(self.study.classroom())


def _exercise(trial: Trial) -> Any:
    """Go one step with the first student that it takes."""
    spec, method = trial.spec, trial.make()
    return first_student(
        lambda networks: _Watching.of(spec, method, networks).losses_and_gradients()
    )


_PROMISES = (
    (METHODS, "it can be made, and has the methods of its kind"),
    ("layers", "watch names layers that there are, of some students at least"),
    ("smallest-batch", "what its spec calls the smallest batch is enough"),
    ("build", "build gives a torch module: one seed, one module, which can be counted"),
    ("losses", "every loss is one finite number with a name and a weight"),
    ("gradients", "gradients reach the student and every parameter"),
    ("resumable", "its module, saved and loaded in the middle of a training, goes on alike"),
)
KIT = Kit(exercise=_exercise, checks=tuple(named(_found, *each) for each in _PROMISES))
