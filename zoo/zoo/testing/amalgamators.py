"""Whether a method of amalgamation keeps its promises, found out by running it.

``assert not check_amalgamator(spec)`` is a test of its own; ``zoo plugins check`` asks the same.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Real
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from zoo.building.stages import make_stages
from zoo.catalogue import build
from zoo.errors import InputError
from zoo.testing.lessons import draw_lesson, every_kind
from zoo.testing.mergers import broken_by_merger
from zoo.testing.promises import BrokenPromiseError, asking, described, lacking, sentences
from zoo.types.training import Amalgamator

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torch import Tensor

    from zoo.testing.lessons import Networks
    from zoo.types.specs import AmalgamatorSpec
    from zoo.types.training import Lesson, Stage

#: The loss that the core forms of the teachers' logits, beside those of a method.
_SOFT = "soft"
_RATE = 1e-2


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
        module = self._module()
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
        with asking("weights"):
            given = self.method.weights(self.teachers)
            weights = dict(given)
        if not self.spec.soft and not weights:
            raise BrokenPromiseError(
                "it has no losses, and its spec says that it has no soft targets"
            )
        if _SOFT in weights:
            raise BrokenPromiseError(f"a loss is called {_SOFT!r}, the name of the soft targets")
        for name, weight in weights.items():
            if not _is_number(weight) or weight < 0:
                raise BrokenPromiseError(
                    f"the weight of {name!r} must be 0 or more, and is {weight!r}"
                )
        return weights

    def _built(self, seed: int) -> nn.Module:
        torch.manual_seed(seed)
        with asking("build"):
            return self.method.build(self.stages)

    def _module(self) -> nn.Module:
        made, again = self._built(seed=0), self._built(seed=0)
        if not isinstance(made, nn.Module):
            raise BrokenPromiseError(f"build must give a torch module, and gives {made!r}")
        counting = "build under torch.device('meta'), where parameters are only counted,"
        with asking(counting), torch.device("meta"):
            self.method.build(self.stages)
        pairs = zip(made.state_dict().values(), again.state_dict().values(), strict=True)
        if not all(_equal(*pair) for pair in pairs):
            raise BrokenPromiseError(
                "build must draw from torch's own generator: one seed, two modules"
            )
        return made

    def _one_step(
        self, module: nn.Module, lesson: Lesson, weights: Mapping[str, float]
    ) -> Iterator[str]:
        """Run the module forward and backward."""
        losses = _losses(module, lesson)
        found = [*_misnamed(losses, weights), *_no_losses(losses)]
        found = found or list(_misshown(module, losses, len(_rows(lesson))))
        yield from found
        if found or not losses:
            return
        module.zero_grad()
        with asking("the backward pass"):
            torch.autograd.backward(list(losses.values()))
        yield from _unreached(module, lesson)
        yield from _touched(lesson, self._lesson(len(_rows(lesson))))

    def _resumed(self, module: nn.Module) -> Iterator[str]:
        """Save the module after a step, and go on with another one that has loaded it."""
        for parameter in module.parameters():
            if parameter.grad is not None:
                parameter.data.sub_(_RATE * parameter.grad)
        fresh = self._built(seed=1)
        _copy_through_a_file(module, fresh)
        lesson = self._lesson(max(self.spec.smallest_batch, 6), seed=1)
        before, after = _losses(module, lesson), _losses(fresh, lesson)
        for name, value in before.items():
            if not _equal(value, after.get(name)):
                yield (
                    f"the loss {name!r} is another one after saving and loading: what a training "
                    "goes on with must be a parameter or a buffer"
                )


def _losses(module: nn.Module, lesson: Lesson) -> dict[str, Tensor]:
    torch.manual_seed(0)
    with asking("forward"):
        losses = module(lesson)
    if not isinstance(losses, Mapping):
        raise BrokenPromiseError(f"forward must give losses by name, and gives {_kind(losses)}")
    return dict(losses)


def _misnamed(losses: Mapping[str, Tensor], weights: Mapping[str, float]) -> Iterator[str]:
    for name in losses.keys() - weights.keys():
        yield f"weights must name every loss, and does not name {name!r}"
    for name in weights.keys() - losses.keys():
        yield f"weights names {name!r}, and forward gives no such loss"


def _no_losses(losses: Mapping[str, Tensor]) -> Iterator[str]:
    """Say which losses are none: one finite number each, with a gradient."""
    for name, value in losses.items():
        if not isinstance(value, torch.Tensor):
            yield f"the loss {name!r} must be a tensor, and is {_kind(value)}"
        elif value.shape != ():
            yield f"the loss {name!r} must be one number, and has the shape {tuple(value.shape)}"
        elif not bool(torch.isfinite(value)):
            yield f"the loss {name!r} must be finite, and is {value.item()}"
        elif not value.requires_grad:
            yield f"the loss {name!r} has no gradient"


def _misshown(module: nn.Module, losses: Mapping[str, Tensor], batch: int) -> Iterator[str]:
    display = getattr(module, "display", None)
    if display is None:
        return
    for name, value in losses.items():
        with asking(f"display of the loss {name!r}"):
            shown = display(name, value.item(), batch)
        if not _is_number(shown):
            yield f"display must give a finite number, and gives {shown!r} for the loss {name!r}"


def _unreached(module: nn.Module, lesson: Lesson) -> Iterator[str]:
    """Say where no gradient arrives: at the student's features, or at a parameter."""
    for number, meeting in enumerate(lesson.meetings, start=1):
        if meeting.student.grad is None or not meeting.student.grad.any():
            yield f"no gradient reaches the student's features at stage {number}"
    if not lesson.meetings and (
        lesson.student_logits is None or lesson.student_logits.grad is None
    ):
        yield "no gradient reaches the student's logits"
    for name, parameter in module.named_parameters():
        if parameter.requires_grad and parameter.grad is None:
            yield f"no gradient reaches its parameter {name!r}"


def _touched(lesson: Lesson, before: Lesson) -> Iterator[str]:
    """Say what was written over: teachers speak to every student of a run."""
    fixed = [(each, "features") for meeting in lesson.meetings for each in meeting.teachers]
    fixed += [(each, "logits") for each in lesson.teacher_logits if each is not None]
    known = [each for meeting in before.meetings for each in meeting.teachers]
    known += [each for each in before.teacher_logits if each is not None]
    for (values, what), original in zip(fixed, known, strict=True):
        if values.requires_grad or values.grad is not None:
            yield f"the teachers' {what} must have no gradient, and forward gives them one"
        elif not torch.equal(values, original):
            yield f"forward changes the teachers' {what} in place, and other students learn of them"


def _copy_through_a_file(module: nn.Module, fresh: nn.Module) -> None:
    """Save and load as a training does that is interrupted."""
    from safetensors.torch import load_model, save_model

    with TemporaryDirectory() as folder, asking("saving and loading its module"):
        path = str(Path(folder) / "module.safetensors")
        save_model(module, path)
        load_model(fresh, path)


def _rows(lesson: Lesson) -> Sequence[Any]:
    return () if lesson.rows is None else lesson.rows.tolist()


def _equal(first: Any, second: Any) -> bool:
    both = isinstance(first, torch.Tensor) and isinstance(second, torch.Tensor)
    return bool(both and first.shape == second.shape and torch.equal(first, second))


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and math.isfinite(value)


def _kind(value: object) -> str:
    return f"{type(value).__name__} {value!r}"
