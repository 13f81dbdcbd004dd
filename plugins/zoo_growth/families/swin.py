"""Swin: stages of windowed attention, each twice as wide as the one before.

Liu et al., ICCV 2021 (arXiv 2103.14030).
"""

from __future__ import annotations

import copy
import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from zoo.errors import InputError
from zoo.growing.depth import deepened_names, stacked
from zoo.growing.sizes import check_size, deepened, sized
from zoo.growing.tables import KEEPS, linear, norm, parameter, resolve, writes
from zoo.types.growing import Axis, Blueprint, Deepen
from zoo_growth.families.convolutional import check_alike
from zoo_growth.families.encoders import list_path, restaged, whole_width

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from zoo.growing.tables import Rules
    from zoo.types.growers import WholeNetwork
    from zoo.types.growing import Stack, Widen

_SIZES, _LISTS = ("embed_dim", "mlp_ratio"), ("depths", "num_heads")
_FOLLOW = ("hidden_size", "stage_names", "out_features", "out_indices")


class Swin:
    """Implements :class:`zoo.types.growers.Family`."""

    def grown(self, config: Any, steps: Sequence[Widen | Deepen]) -> Any:
        """Give the larger configuration; sizes are those of the first stage."""
        larger = copy.deepcopy(config)
        for step in steps:
            if isinstance(step, Deepen):
                larger.depths = deepened("depth", step.depth, larger.depths)
            else:
                _widened(larger, step)
        larger.hidden_size = larger.embed_dim * 2 ** (len(larger.depths) - 1)
        return restaged(larger, len(larger.depths))

    def blueprint(
        self, network: WholeNetwork, config: Any, *, place: Literal["end", "between"] = "end"
    ) -> Blueprint:
        """Say how every parameter grows."""
        old, new = network.config, config
        check_alike(old, new, _SIZES, _LISTS, may=_FOLLOW)
        path = list_path(network.module, "encoder.layers")
        stacks = tuple(
            _stack(f"{path}.{stage}.blocks", old.depths[stage], new.depths[stage], place)
            for stage in range(len(old.depths))
        )
        axes = _axes(old, new)
        names = deepened_names(network.module.state_dict(), stacks)
        last = f"hidden {len(old.depths) - 1}"
        return Blueprint(
            axes=axes,
            rules=resolve(_table(old, new), names, axes),
            stacks=stacks,
            outputs={"last_hidden_state": (-1, last), "pooler_output": (-1, last)},
            casts=getattr(old, "_attn_implementation", "") == "eager",
        )


def _widened(config: Any, step: Widen) -> None:
    if step.kv_heads:
        raise InputError("every query of this architecture has keys of its own.", "--heads")
    hidden, heads = config.embed_dim, list(config.num_heads)
    stages = range(len(heads))
    width = hidden // heads[0]
    new_hidden, new_heads = hidden, heads
    if step.width:
        common = math.gcd(*heads)
        times = whole_width(step.width, common, "attention heads", 1)
        new_hidden = hidden * times // common
        new_heads = [number * times // common for number in heads]
    if step.hidden:
        new_hidden = sized("hidden size", step.hidden, hidden)
        # As many heads as there were of their width, where that comes out even.
        if not step.heads and all(new_hidden * heads[i] % hidden == 0 for i in stages):
            new_heads = [heads[i] * new_hidden // hidden for i in stages]
    if step.heads:
        new_heads = deepened("number of heads", step.heads, heads)
        if not step.hidden and not step.width:
            new_hidden = width * new_heads[0]
    for i in stages:
        check_size(f"hidden size (stage {i + 1})", new_hidden << i, 0, multiple=new_heads[i])
        head = (hidden << i) // heads[i]
        check_size(f"width of a head (stage {i + 1})", (new_hidden << i) // new_heads[i], head)
    if step.mlp:
        mlp = sized("intermediate size", step.mlp, int(config.mlp_ratio * hidden))
        config.mlp_ratio = _ratio(mlp, new_hidden)
    config.embed_dim, config.num_heads = new_hidden, new_heads


def _ratio(mlp: int, hidden: int) -> float:
    """The factor of which the network makes an intermediate size again, rounding down."""
    ratio = mlp / hidden
    while int(ratio * hidden) < mlp:
        ratio = math.nextafter(ratio, math.inf)
    return ratio


def _stack(path: str, old: int, new: int, place: Literal["end", "between"]) -> Stack:
    """Layers with and without shifted windows take turns, so new ones come between in pairs."""
    check_size("depth", new, old)
    found = stacked(path, old, new, silent=("attention.o_proj", "mlp.fc2"))
    pairs, places = (new - old) // 2, old // 2
    if place == "end" or not pairs or not places:
        return found
    source: list[int] = []
    inserted: list[bool] = []
    for number in range(places):
        count = (number + 1) * pairs // places - number * pairs // places
        source += [2 * number, 2 * number + 1] * (1 + count)
        inserted += [False, False] + [True, True] * count
    rest = [*range(2 * places, old), *[old - 1] * ((new - old) % 2)]
    inserted += [index >= old - 2 * places for index in range(len(rest))]
    return replace(found, source=(*source, *rest), inserted=tuple(inserted))


def _axes(old: Any, new: Any) -> dict[str, Axis]:
    """Channels of every stage, and heads and MLP of every layer in it: ``heads 0 1``."""
    found = []
    for stage, depth in enumerate(new.depths):
        (hidden, *before), (_, *after) = _sizes(old, stage), _sizes(new, stage)
        why = (
            "the norm of the patches writes the stream (as in post-norm), and stages are tied to "
            f"each other, so that only multiples of {hidden} keep the function"
        )
        name, wider = f"hidden {stage}", new.embed_dim << stage
        found.append(Axis(name=name, old=hidden, new=wider, repetition="whole", why=why))
        for what, size, larger in zip(("heads", "head", "mlp"), before, after, strict=True):
            check_size(f"size {what!r} (stage {stage + 1})", larger, size)
            found += [
                Axis(name=f"{what} {stage} {layer}", old=size, new=larger) for layer in range(depth)
            ]
    return {axis.name: axis for axis in found}


def _sizes(config: Any, stage: int) -> tuple[int, int, int, int]:
    """Channels of a stage, its heads, the width of one, its intermediate size."""
    hidden, heads = config.embed_dim << stage, config.num_heads[stage]
    return hidden, heads, hidden // heads, int(config.mlp_ratio * hidden)


def _table(old: Any, new: Any) -> Mapping[str, Rules]:
    found: dict[str, Rules] = {
        "mask_token": parameter(KEEPS, KEEPS, writes("hidden 0")),
        "position_embeddings": parameter(KEEPS, KEEPS, writes("hidden 0")),
        "patch_embeddings.projection": linear("hidden 0"),
        "embeddings.norm": norm("hidden 0"),
    }
    last = len(old.depths) - 1
    for stage in range(last + 1):
        wider = (_sizes(new, stage)[2] / _sizes(old, stage)[2]) ** 0.5
        found |= _stage_table(stage, wider)
    for name, rules in (("layernorm", norm), ("classifier", _reader), ("decoder.0", _reader)):
        found[name] = rules(f"hidden {last}")
    return found


def _reader(layout: str) -> Rules:
    return linear("", layout)


def _stage_table(stage: int, wider: float) -> Mapping[str, Rules]:
    """Rules of one stage.

    Args:
        stage: which, from 0.
        wider: what keys are multiplied by, as their heads become wider.
    """
    layer, hidden, mlp = f"layers.{stage}.blocks.{{}}", f"hidden {stage}", f"mlp {stage} {{0}}"
    heads, head = f"heads {stage} {{0}}", f"head {stage} {{0}}"
    inner = f"{heads}*{head}"
    return {
        f"{layer}.layernorm_before": norm(hidden),
        f"{layer}.layernorm_after": norm(hidden),
        f"{layer}.attention.q_proj": linear(inner, hidden),
        f"{layer}.attention.k_proj": linear(inner, hidden, shared=head, factor=wider),
        f"{layer}.attention.v_proj": linear(inner, hidden),
        f"{layer}.attention.o_proj": linear(hidden, inner),
        f"{layer}.attention.relative_position_bias.relative_position_bias_table": parameter(
            KEEPS, writes(heads)
        ),
        f"{layer}.mlp.fc1": linear(mlp, hidden),
        f"{layer}.mlp.fc2": linear(hidden, mlp),
        f"layers.{stage}.downsample.norm": norm(f"4*{hidden}"),
        f"layers.{stage}.downsample.reduction": linear(f"hidden {stage + 1}", f"4*{hidden}"),
    }
