"""What is asked of every module that is trained beside a student, whoever makes it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from numbers import Real
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from zoo.testing.promises import BrokenPromiseError, asking

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from torch import Tensor

    from zoo.types.training import Lesson

_RATE = 1e-2


def built(build: Callable[[], Any], seed: int) -> Any:
    """Call somebody's ``build`` under a seed."""
    torch.manual_seed(seed)
    with asking("build"):
        return build()


def made(build: Callable[[], Any], counted: Callable[[], Any] | None = None) -> nn.Module:
    """Build a module.

    Args:
        build: makes it.
        counted: makes it where it is only counted; None: ``build``.

    Raises:
        BrokenPromiseError: it is none, cannot be counted, or is another one each time.
    """
    module, again = built(build, seed=0), built(build, seed=0)
    if not isinstance(module, nn.Module):
        raise BrokenPromiseError(f"build must give a torch module, and gives {module!r}")
    counting = "build under torch.device('meta'), where parameters are only counted,"
    with asking(counting), torch.device("meta"):
        (counted or build)()
    pairs = zip(module.state_dict().values(), again.state_dict().values(), strict=True)
    if not all(same(*pair) for pair in pairs):
        raise BrokenPromiseError(
            "build must draw from torch's own generator: one seed, two modules"
        )
    return module


def weights_of(weights: Callable[[], Mapping[str, float]]) -> dict[str, float]:
    """Ask for the weights of losses.

    Raises:
        BrokenPromiseError: one is no number of 0 or more.
    """
    with asking("weights"):
        given = dict(weights())
    for name, weight in given.items():
        if not is_number(weight) or weight < 0:
            raise BrokenPromiseError(f"the weight of {name!r} must be 0 or more, and is {weight!r}")
    return given


def losses_of(module: nn.Module, lesson: Lesson, what: str = "forward") -> dict[str, Tensor]:
    """Run a module over a lesson; what it draws is the same each time.

    Raises:
        BrokenPromiseError: it raises, or gives no losses by name.
    """
    torch.manual_seed(0)
    with asking(what):
        losses = module(lesson)
    if not isinstance(losses, Mapping):
        raise BrokenPromiseError(f"forward must give losses by name, and gives {kind_of(losses)}")
    return dict(losses)


def unnamed(losses: Mapping[str, Tensor], weights: Mapping[str, float]) -> Iterator[str]:
    """Say which losses have no weight."""
    for name in losses.keys() - weights.keys():
        yield f"weights must name every loss, and does not name {name!r}"


def absent(names: Collection[str], weights: Mapping[str, float]) -> Iterator[str]:
    """Say which weights are of no loss."""
    for name in weights.keys() - set(names):
        yield f"weights names {name!r}, and forward gives no such loss"


def no_losses(losses: Mapping[str, Any]) -> Iterator[str]:
    """Say which losses are none: one finite number each, with a gradient."""
    for name, value in losses.items():
        if not isinstance(value, torch.Tensor):
            yield f"the loss {name!r} must be a tensor, and is {kind_of(value)}"
        elif value.shape != ():
            yield f"the loss {name!r} must be one number, and has the shape {tuple(value.shape)}"
        elif not bool(torch.isfinite(value)):
            yield f"the loss {name!r} must be finite, and is {value.item()}"
        elif not value.requires_grad:
            yield f"the loss {name!r} has no gradient"


def misshown(module: nn.Module, losses: Mapping[str, Tensor], batch: int) -> Iterator[str]:
    """Say where ``display`` gives no number."""
    display = getattr(module, "display", None)
    if display is None:
        return
    for name, value in losses.items():
        with asking(f"display of the loss {name!r}"):
            shown = display(name, value.item(), batch)
        if not is_number(shown):
            yield f"display must give a finite number, and gives {shown!r} for the loss {name!r}"


def learn(module: nn.Module, losses: Mapping[str, Tensor]) -> None:
    """Go backward once."""
    module.zero_grad()
    if losses:
        with asking("the backward pass"):
            torch.autograd.backward(list(losses.values()))


def step(module: nn.Module) -> None:
    """Move every parameter a little against its gradient, as an optimiser does."""
    for parameter in module.parameters():
        if parameter.grad is not None:
            parameter.data.sub_(_RATE * parameter.grad)


def one_step(build: Callable[[], nn.Module], lesson: Any) -> dict[str, Any]:
    """Build a module and go one step under a seed; the process's own numbers stay.

    Returns:
        The losses, and every parameter and buffer after the step.
    """
    with torch.random.fork_rng(devices=[]):
        module = built(build, seed=0)
        losses = losses_of(module, lesson)
        learn(module, losses)
    step(module)
    return {
        "losses": {name: value.detach() for name, value in losses.items()},
        "state": dict(module.state_dict()),
    }


def unreached(module: nn.Module) -> Iterator[str]:
    """Name the parameters without a gradient."""
    for name, parameter in module.named_parameters():
        if parameter.requires_grad and parameter.grad is None:
            yield name


def touched(lesson: Lesson, before: Lesson) -> Iterator[str]:
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


def copy_through_a_file(module: nn.Module, fresh: nn.Module) -> None:
    """Save and load as a training does that is interrupted."""
    from safetensors.torch import load_model, save_model

    with TemporaryDirectory() as folder, asking("saving and loading its module"):
        path = str(Path(folder) / "module.safetensors")
        save_model(module, path)
        load_model(fresh, path)


def otherwise(module: nn.Module, loaded: nn.Module, lesson: Lesson) -> Iterator[str]:
    """Say which losses of a lesson are others after a module was saved and loaded."""
    before, after = losses_of(module, lesson), losses_of(loaded, lesson)
    for name, value in before.items():
        if not same(value, after.get(name)):
            yield (
                f"the loss {name!r} is another one after saving and loading: what a training "
                "goes on with must be a parameter or a buffer"
            )


def same(first: Any, second: Any) -> bool:
    """Whether two tensors are equal bit for bit, also where they hold no number."""
    both = isinstance(first, torch.Tensor) and isinstance(second, torch.Tensor)
    if not both or first.shape != second.shape or first.dtype != second.dtype:
        return False
    if first.is_floating_point():
        return bool(torch.equal(first.isnan(), second.isnan())) and bool(
            torch.equal(first.nan_to_num(), second.nan_to_num())
        )
    return bool(torch.equal(first, second))


def is_number(value: object) -> bool:
    """Whether it is a finite one."""
    return isinstance(value, Real) and math.isfinite(value)


def kind_of(value: object) -> str:
    """Say what something is that should be something else."""
    return f"{type(value).__name__} {value!r}"
