"""Set the weights of a larger network by the rules of its blueprint.

One tensor at a time: memory is that of the two networks and of what one tensor takes. The sums
are formed in float64, so that a network grown in float32 is the float32 copy of the one grown in
float64.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from zoo.errors import CheckpointError
from zoo.growing.axes import added, generator_of, joined, laid_out, read, unchanged, write
from zoo.growing.depth import Deepened, begun, fresh_part
from zoo.types.growing import Blueprint, Rule

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from torch import Tensor, nn

    from zoo.types.growing import AxisMap

#: Multiple of a weight's own spread that the noise of its readers has: see ``axes.read``.
NOISE = 1.0
#: Numbers of one block of rows.
_AT_ONCE = 1 << 20


@torch.no_grad()
def fill(
    new: nn.Module,
    old: Mapping[str, Tensor],
    blueprint: Blueprint,
    maps: Mapping[str, AxisMap],
    *,
    seed: int = 0,
    noise: float = NOISE,
    source: Callable[[str], Tensor] | None = None,
) -> None:
    """Set every parameter and buffer of a network.

    Args:
        new: the larger network, changed in place.
        old: state of the smaller one.
        blueprint: how they belong together.
        maps: axis -> how it is repeated.
        seed: of the noise.
        noise: relative size of what is added to readers where the function does not see it; 0
            leaves copies equal for ever, unless something else tells them apart.
        source: gives the smaller tensor of a name of the larger network, in the place of the
            blueprint's own choice.

    Raises:
        CheckpointError: the blueprint does not fit; nothing may be saved.
    """
    deepened = Deepened(old, blueprint.stacks)
    values = source or deepened.__getitem__
    for name, target in unshared(new, blueprint):
        fresh = fresh_part(name, blueprint.stacks)
        if fresh:
            target.copy_(begun(target, *fresh, generator_of(seed, name)))
            continue
        rule = blueprint.rules.get(name, Rule())
        gate = values(rule.gate).double() if rule.gate else None
        like = None if source else deepened.spoken(name)
        made = enlarged(
            name,
            values(name),
            rule,
            maps,
            seed=seed,
            noise=noise,
            gate=gate,
            like=like,
            out=target,
        )
        if made.shape != target.shape:
            raise CheckpointError(
                f"{name} would be {tuple(made.shape)} and must be {tuple(target.shape)}: the "
                "family has no rule, or a wrong one, for it.",
                "Report it to whoever provides the family: zoo plugins list --hook zoo_families",
            )
        if made is not target:
            target.copy_(made)


def unshared(module: nn.Module, blueprint: Blueprint) -> Iterator[tuple[str, Tensor]]:
    """List the state of a network, each tensor once: under the name that has a rule."""
    state = module.state_dict(keep_vars=True)
    owner: dict[int, str] = {}
    for name, tensor in state.items():
        if id(tensor) not in owner or (
            name in blueprint.rules and owner[id(tensor)] not in blueprint.rules
        ):
            owner[id(tensor)] = name
    return ((name, state[name].data) for name in owner.values())


def enlarged(
    name: str,
    value: Tensor,
    rule: Rule,
    maps: Mapping[str, AxisMap],
    *,
    seed: int,
    noise: float,
    gate: Tensor | None = None,
    like: Tensor | None = None,
    out: Tensor | None = None,
) -> Tensor:
    """Give one tensor of the larger network.

    Args:
        name: its name, by which the noise is drawn.
        value: the smaller tensor that it is made of.
        rule: its own.
        maps: axis -> how it is repeated.
        seed: of the noise.
        noise: size of the noise, as a multiple of the spread of ``like``.
        gate: what multiplies what it writes.
        like: tensor whose spread the noise has; ``value``, where absent.
        out: where it may be written, in the numbers of the network.
    """
    if not rule.dims and rule.factor == 1.0:
        return value
    whole = rule.part < 0 and not rule.centre
    draw = _Noise(name, seed, noise, value if like is None else like, rule.factor if whole else 1.0)
    if out is not None and _is_linear(rule, maps, value, out):
        return _linear(value, rule, maps, draw if noise else None, out)
    grown = value if _only_copied(rule, maps) else value.double()
    grown = grown * rule.factor if whole and rule.factor != 1.0 else grown
    order = sorted(enumerate(rule.dims), key=lambda each: each[1].role.startswith("writes"))
    for dim, does in order:  # what is read first, so that copies read the same
        if does.role == "keeps":
            continue
        found = laid_out(does.layout, maps)
        if does.role in {"reads", "reads_raw"}:
            if does.role == "reads":
                found = replace(found, fill="zero", volume=1.0)  # a norm comes before
            drawn = None
            if noise and len(found.index) > grown.shape[dim]:
                drawn = draw(_lengthened(grown, dim, len(added(found))), str(dim))
            grown = read(grown, dim, found, drawn)
        elif does.role in {"gains", "shifts", "gates"}:
            grown = _of_norm(grown, found, rule, does.role)
        else:
            plain = not rule.shared and rule.part < 0 and dim == order[-1][0]
            fits = out is not None and list(out.shape) == _lengthened(grown, dim, len(found.index))
            grown = write(grown, dim, found, gate, out if plain and fits else None)
            if rule.shared or rule.part >= 0:
                form = [-1 if each == dim else 1 for each in range(grown.ndim)]
                grown = grown * _factors(rule, does.layout, maps).to(grown.device).view(form)
            if noise and rule.shared and _is_repeated(maps[rule.shared]):
                unseen = _unseen(rule, does.layout, maps)
                drawn = draw(_lengthened(grown, dim, len(added(unseen))), f"{dim} shared")
                grown += read(torch.zeros_like(grown), dim, unseen, drawn)
    return grown


def _is_linear(rule: Rule, maps: Mapping[str, AxisMap], value: Tensor, out: Tensor) -> bool:
    """Whether it is what most weights are: it writes copies of channels, and reads an axis."""
    roles = [dim.role for dim in rule.dims]
    if roles != ["writes", "reads"] or rule.factor != 1.0 or rule.shared or rule.part >= 0:
        return False
    written, read_of = (laid_out(dim.layout, maps) for dim in rule.dims)
    plain = written.volume == 1.0 and bool((written.index >= 0).all())
    shape = [len(written.index), len(read_of.index), *value.shape[2:]]
    return plain and list(out.shape) == shape


def _linear(
    value: Tensor, rule: Rule, maps: Mapping[str, AxisMap], draw: _Noise | None, out: Tensor
) -> Tensor:
    """Some rows at a time, so that sums in float64 stay in the processor's cache."""
    written, found = (laid_out(dim.layout, maps) for dim in rule.dims)
    found = replace(found, fill="zero", volume=1.0)  # a norm comes before
    old, places = value.shape[0], len(added(found))
    first = torch.equal(written.index[:old], torch.arange(old))
    rows = out.narrow(0, 0, old) if first else out.new_empty([old, *out.shape[1:]])
    drawn = draw.source("1") if draw is not None and places else None
    step = max(1, _AT_ONCE // max(1, out[0].numel()))
    for start in range(0, old, step):
        some = value[start : start + step].double()
        noise = drawn([len(some), places, *some.shape[2:]]) if drawn is not None else None
        rows[start : start + step] = read(some, 1, found, noise)
    return write(rows, 0, written, out=out) if not first else _repeated(out, old, written.index)


def _repeated(out: Tensor, old: int, index: Tensor) -> Tensor:
    """Copy the first rows to where else they belong."""
    rows = out.narrow(0, 0, old)
    for start in range(old, len(index), old):
        some = index[start : start + old]
        part = out.narrow(0, start, len(some))
        if torch.equal(some, torch.arange(len(some))):
            part.copy_(rows.narrow(0, 0, len(some)))
        else:
            part.copy_(rows.index_select(0, some.to(rows.device)))
    return out


def _only_copied(rule: Rule, maps: Mapping[str, AxisMap]) -> bool:
    """Whether no number of it changes, so that its own precision will do."""
    if rule.factor != 1.0 or rule.shared or rule.part >= 0:
        return False
    if any(dim.role not in {"writes", "keeps"} for dim in rule.dims):
        return False
    found = [laid_out(dim.layout, maps) for dim in rule.dims if dim.layout]
    return all(each.fill == "zero" and each.volume == 1.0 for each in found)


class _Noise:
    """Draws for one tensor, with its own spread."""

    def __init__(self, name: str, seed: int, size: float, like: Tensor, factor: float) -> None:
        self._name, self._seed, self._like = name, seed, like
        self._size = size * abs(factor)

    def __call__(self, shape: list[int], what: str) -> Tensor:
        """Give float64 numbers; the same for every precision of the weights."""
        return self.source(what)(shape)

    def source(self, what: str) -> Callable[[list[int]], Tensor]:
        """Give what draws them piece by piece."""
        spread = float(self._like.double().std()) if self._like.numel() > 1 else 0.0
        generator = generator_of(self._seed, self._name, what)
        # Of two copies each then differs from the mean by as much as two of its own noise would.
        size, device = self._size * spread * 0.5**0.5, self._like.device

        def drawn(shape: list[int]) -> Tensor:
            return torch.randn(shape, generator=generator).to(device).double().mul_(size)

        return drawn


def _lengthened(value: Tensor, dim: int, size: int) -> list[int]:
    return [size if each == dim else old for each, old in enumerate(value.shape)]


def _of_norm(value: Tensor, found: AxisMap, rule: Rule, role: str) -> Tensor:
    extra = (found.index < 0).to(value.device)
    share = found.share.to(value.device)
    grown = value.index_select(0, found.index.clamp(min=0).to(value.device))
    if role == "gates":
        return torch.where(extra, 1.0, grown)
    if role == "shifts":
        grown = torch.where(extra, 0.0, grown)
        return grown * share / found.volume if rule.tied else grown
    grown = (grown + rule.centre) * (found.scale * (rule.factor if rule.centre else 1.0))
    if rule.tied:
        grown = grown * share / found.volume
    return torch.where(extra, 1.0, grown) - rule.centre


def _factors(rule: Rule, layout: str, maps: Mapping[str, AxisMap]) -> Tensor:
    """What a shared axis, and a part of a layout, multiply what is written by."""
    found = []
    for number, part in enumerate(layout.split("+")):
        shared = rule.shared if rule.part in {-1, number} else ""
        sharing = {
            name: maps[name] if name == shared else _whole(maps[name])
            for name in part.split("*")
            if name in maps
        }
        share = laid_out(part, sharing).share
        found.append(share * rule.factor if number == rule.part else share)
    return torch.cat(found)


def _is_repeated(found: AxisMap) -> bool:
    return not found.reason and len(found.index) > int(found.index.max()) + 1


def _unseen(rule: Rule, layout: str, maps: Mapping[str, AxisMap]) -> AxisMap:
    """How the copies of a shared axis go together, in each of what it is within.

    Queries and keys have no reader whose noise could tell their copies apart. Those of a query are
    equal, so that it does not see what sums to zero over the keys that it asks.
    """
    found = []
    for number, part in enumerate(layout.split("+")):
        shared = rule.shared if rule.part in {-1, number} else ""
        seen = {
            name: maps[name] if name == shared else unchanged(len(maps[name].index))
            for name in part.split("*")
            if name in maps
        }
        found.append(laid_out(part, seen))
    return joined(found)


def _whole(found: AxisMap) -> AxisMap:
    """The same channels, none of which divides."""
    return replace(found, share=torch.ones_like(found.share))
