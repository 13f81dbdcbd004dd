"""``zoo.grow_module``: growth of a person's own module, with its proof."""

from __future__ import annotations

import copy
import math
from typing import TYPE_CHECKING, Any

import msgspec

from zoo.errors import CheckpointError, InputError
from zoo.growing.proof import Difference, prove
from zoo.growing.work import Drawing, carry_out, draw
from zoo.types.growing import Blueprint, Deepen

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from torch import Tensor, nn

    from zoo.catalogue import Catalogue
    from zoo.settings import Settings
    from zoo.types.growers import Grower, ModuleFamily, WholeNetwork
    from zoo.types.growing import Widen
    from zoo.types.specs import GrowerSpec

#: Generated inputs that the two modules are compared on, at least.
COMPARED = 32


class ModuleProof(msgspec.Struct, frozen=True, kw_only=True):
    """How a larger module differs from the one that it was grown from.

    Attributes:
        differences: in float64 where the module can compute in it, and in float32, over the
            person's inputs and generated ones.
        before: parameters, each once.
        after: of the larger module.
        reasons: why the function is not kept; empty where it is.
        notes: what a person should know, one sentence each.
    """

    differences: tuple[Difference, ...]
    before: int
    after: int
    reasons: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether both compute the same function."""
        return all(each.passed for each in self.differences)


def grow_module(
    module: nn.Module,
    example: Any,
    steps: Sequence[Widen | Deepen],
    *,
    method: str = "",
    options: Mapping[str, Any] | None = None,
    seed: int = 0,
    allow_inexact: bool = False,
    settings: Settings | None = None,
) -> tuple[nn.Module, ModuleProof]:
    """Make a module of your own wider or deeper; by default it computes what it computed before.

    What goes in and what comes out stays as wide as it is. The given module is not changed; the
    larger one is of the same class, on the same device, in the same numbers.

    Args:
        module: a network, such as an MLP or a CNN.
        example: a batch of its inputs: a tensor, a tuple of arguments, or a dictionary of named
            ones. It is traced with it, batch norms of new layers are set by it, and the two are
            compared on it; take real inputs.
        steps: one after another, such as ``[Widen(width="1.5x"), Deepen(depth="+1")]``.
            ``Widen(width="fc1=2x,conv2=96")`` widens the parts that it names.
        method: name of the grower; by default the first that keeps the function.
        options: of the method.
        seed: of everything that is drawn.
        allow_inexact: give it even where it does not compute the same function.
        settings: which plugins to load; read from file and environment when absent.

    Returns:
        The larger module, and how it differs.

    Raises:
        InputError: it cannot be traced, or cannot grow so; with what can.
        CheckpointError: the larger module differs by more than rounding.
    """
    if not list(module.parameters()):
        raise InputError(f"{type(module).__name__} has no parameters to grow.")
    if not steps:
        raise InputError("nothing is to grow.", '[zoo.Widen(width="1.5x")]')
    family, grower, unsafe = _found(method, options, settings)
    if unsafe and not allow_inexact:
        raise InputError(
            f"{unsafe} does not keep the function.", "allow_inexact=True, or another method."
        )
    old = _prepared(module, example, family)
    network, reasons, notes = _grown(old, steps, family, grower, seed, allow_inexact=allow_inexact)
    larger = _as_before(network.module, module)
    differences = _compared(old, network, seed, casts=family.casts(old))
    if len(differences) == 1:
        notes.append("Compared in float32 alone: the module does not compute in float64.")
    proof = ModuleProof(
        differences=differences,
        before=_count(module),
        after=_count(larger),
        reasons=tuple(dict.fromkeys(reasons)),
        notes=tuple(dict.fromkeys(notes)),
    )
    if not allow_inexact:
        _require(proof)
    return larger, proof


def _found(
    method: str, options: Mapping[str, Any] | None, settings: Settings | None
) -> tuple[ModuleFamily, Grower, str]:
    """Find the family of modules, the grower, and its name where it does not keep the function."""
    from zoo.api import open_catalogue
    from zoo.settings import resolve

    catalogue: Catalogue = open_catalogue(settings or resolve().settings)
    spec: GrowerSpec = catalogue.preferred("grower", method)
    if spec.needs:
        raise InputError(
            f"{spec.name} learns from data, which is for checkpoints alone: zoo grow --help",
            "Leave the method out.",
        )
    grower: Grower = catalogue.create("grower", spec.name, dict(options or {}))
    readers = [each for each in catalogue.specs("family").values() if not each.model_types]
    if not readers:
        raise InputError(
            "no plugin grows modules of one's own.", "zoo plugins list --hook zoo_families"
        )
    family: ModuleFamily = catalogue.create("family", readers[0].name)
    return family, grower, "" if spec.preserving else spec.name


def _prepared(module: nn.Module, example: Any, family: ModuleFamily) -> WholeNetwork:
    """Copy a module, in float64 where it can compute in that, in eval mode.

    Raises:
        InputError: it does not run on the example.
    """
    args, kwargs = _arguments(example)
    wide = _running(module, "double", args, kwargs, family)
    if isinstance(wide, Exception):
        wide = _running(module, "float", args, kwargs, family)
    if isinstance(wide, Exception):
        raise InputError(
            f"{type(module).__name__} does not run on the example: {_said(wide)}",
            "A tensor, a tuple of arguments, or a dictionary of named ones.",
        ) from wide
    network, answers = wide
    if not answers:
        raise InputError(f"{type(module).__name__} answers no tensor.", "There is nothing to keep.")
    return network


def _running(
    module: nn.Module,
    numbers: str,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    family: ModuleFamily,
) -> tuple[WholeNetwork, Mapping[str, Tensor]] | Exception:
    """Give a copy in some numbers with what it answers, or what went wrong."""
    try:
        found = getattr(copy.deepcopy(module), numbers)().eval()
        network = family.whole(found, args, kwargs)
        return network, network.outputs(network.inputs(0, 0))
    except Exception as error:  # noqa: BLE001 -- whatever the person's code may raise
        return error


def _arguments(example: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    if isinstance(example, dict):
        return (), dict(example)
    return (tuple(example) if isinstance(example, tuple | list) else (example,)), {}


def _grown(
    network: WholeNetwork,
    steps: Sequence[Widen | Deepen],
    family: ModuleFamily,
    grower: Grower,
    seed: int,
    *,
    allow_inexact: bool,
) -> tuple[WholeNetwork, list[str], list[str]]:
    """Take one step after another."""
    reasons: list[str] = []
    notes: list[str] = []
    for number, step in enumerate(steps):
        if isinstance(step, Deepen):
            network, said = family.deepened(network, step)
        else:
            config = family.grown(network.config, [step])
            drawing = draw(network, family, grower, config, seed=seed + number)
            reasons += drawing.reasons
            if reasons and not allow_inexact:
                raise InputError(
                    f"it would no longer compute the same function: {reasons[0]}.",
                    'Whole copies keep it: Widen(width="2x"); or widen other parts alone, by their '
                    'names: Widen(width="fc1=1.5x"). allow_inexact=True takes it as it is.',
                )
            grown = carry_out(network, drawing, grower, seed=seed + number)
            network, said = grown.network, (*drawing.blueprint.notes, *grown.notes)
        notes += said
        _require_running(network)
    return network, reasons, notes


def _require_running(network: WholeNetwork) -> None:
    """Refuse a module whose own code speaks of the old sizes."""
    try:
        network.outputs(network.inputs(0, 0))
    except Exception as error:
        raise InputError(
            f"the forward of {type(network.module).__name__} holds a size of its own, or asks its "
            f"parts for something that a longer chain of them does not have: {_said(error)}",
            "Write x.flatten(1) or view(len(x), -1), and read sizes from tensors.",
        ) from error


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"


def _compared(
    old: WholeNetwork, new: WholeNetwork, seed: int, *, casts: bool
) -> tuple[Difference, ...]:
    """Compare on the example, and on generated inputs; both networks are in float32 afterwards."""
    import torch

    batches = [old.inputs(0, seed), *_generated(old, seed)]
    blueprint = Blueprint(axes={}, rules={}, casts=casts)
    drawing = Drawing(config=None, blueprint=blueprint, maps={})
    return prove(old, new, drawing, batches, torch.float32)


def _generated(network: WholeNetwork, seed: int) -> Iterator[Mapping[str, Tensor]]:
    first = network.inputs(1, seed)
    samples = max((len(each) for each in first.values() if each.ndim), default=1)
    for number in range(max(1, min(COMPARED, math.ceil(COMPARED / max(samples, 1))))):
        yield network.inputs(1, seed + number)


def _require(proof: ModuleProof) -> None:
    for each in proof.differences:
        if not each.passed:
            raise CheckpointError(
                f"the larger module differs by {each.largest:.1e} in {each.numbers} (allowed: "
                f"{each.tolerance * each.scale:.1e}).",
                "allow_inexact=True gives it all the same.",
            )


def _as_before(larger: nn.Module, module: nn.Module) -> nn.Module:
    """Copy a module in the numbers and the mode of the one that it was grown from."""
    import torch

    found = copy.deepcopy(larger)
    before = module.state_dict()
    usual = next((v.dtype for v in before.values() if v.is_floating_point()), torch.float32)
    with torch.no_grad():
        for name, value in found.state_dict(keep_vars=True).items():
            if value.is_floating_point():
                value.data = value.data.to(before[name].dtype if name in before else usual)
    modes = {name: each.training for name, each in module.named_modules()}
    for name, each in found.named_modules():
        each.training = modes.get(name, modes.get(name.rpartition(".")[0], module.training))
    return found


def _count(module: nn.Module) -> int:
    return sum(each.numel() for each in module.parameters())
