"""Whether a method of amalgamation keeps its promises, found out by running it.

``assert not check_amalgamator(spec)`` is a test of its own; ``zoo plugins check`` asks the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from zoo.building.presets import SOFT
from zoo.building.stages import make_stages
from zoo.catalogue import build
from zoo.errors import InputError
from zoo.testing.lessons import draw_lesson, every_kind
from zoo.testing.mergers import broken_by_merger
from zoo.testing.modules import (
    absent,
    built,
    copy_through_a_file,
    learn,
    losses_of,
    made,
    misshown,
    no_losses,
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

    from torch import nn

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
    try:
        with asking(f"{spec.name}: making it with its default options"):
            made = build(spec) if method is None else method
        with torch.random.fork_rng(devices=[]):
            return [f"{spec.name}: {each}." for each in _broken(spec, made)]
    except BrokenPromiseError as broken:
        return [f"{broken}."]


def _broken(spec: AmalgamatorSpec, method: Any) -> list[str]:
    if spec.kind == "ensemble":
        return []
    if spec.kind == "merging":
        return broken_by_merger(method)
    if missing := lacking(method, Amalgamator):
        return [f"it {missing}"]
    if not 1 <= spec.smallest_batch <= spec.advised_batch:
        batches = f"{spec.smallest_batch} and {spec.advised_batch}"
        return [f"smallest_batch and advised_batch must rise from 1, and are {batches}"]
    return _broken_by_trainer(spec, method)


def _broken_by_trainer(spec: AmalgamatorSpec, method: Amalgamator) -> list[str]:
    refusal = None
    tried = 0
    for networks in every_kind():
        try:
            stages = _paired(spec, method, networks)
        except InputError as error:
            refusal = error
            continue
        except BrokenPromiseError as broken:
            return [f"with {networks}, {broken}"]
        tried += 1
        trial = Trial(spec=spec, method=method, stages=stages, teachers=networks.count)
        found = _with_networks(trial)
        if found:
            return [f"with {networks}, {each}" for each in found]
    return [] if tried else [f"pair refuses all networks: {str(refusal).rstrip('.')}"]


def _with_networks(trial: Trial) -> list[str]:
    try:
        return list(trial.broken())
    except BrokenPromiseError as broken:
        return [str(broken)]


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
class Trial:
    """One method, and the stages of some networks."""

    spec: AmalgamatorSpec
    method: Amalgamator
    stages: tuple[Stage, ...]
    teachers: int

    def broken(self) -> Iterator[str]:
        """Say what is wrong; what is built on it is not asked then."""
        smallest = self.spec.smallest_batch
        batches = sorted({smallest, max(smallest, 6)}, reverse=True)
        for batch in batches:
            self._accept(batch)
        weights = self._weights()
        module = made(self._build)
        for batch in batches:
            lesson = self._lesson(batch)
            found = list(self._one_step(module, lesson, weights))
            if found:
                of = f" with smallest_batch, {smallest}" if batch != batches[0] else ""
                yield from (f"{each}{of}" for each in found)
                return
        yield from self._resumed(module)

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
    ) -> Iterator[str]:
        """Run the module forward and backward."""
        losses, batch = losses_of(module, lesson), _size(lesson)
        found = [*unnamed(losses, weights), *absent(losses, weights), *no_losses(losses)]
        found = found or list(misshown(module, losses, batch))
        yield from found
        if found or not losses:
            return
        learn(module, losses)
        yield from _unreached(lesson)
        yield from (f"no gradient reaches its parameter {name!r}" for name in unreached(module))
        yield from touched(lesson, self._lesson(batch))

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
