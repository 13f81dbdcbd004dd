"""What operators without parameters do to channels: elementwise ones, pooling, new shapes."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch

from zoo_growth.modules.layers import seen_together
from zoo_growth.modules.walking import Held, bound, fixed, operator, shapes, where

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from torch.fx import Node

    from zoo_growth.modules.channels import Ids
    from zoo_growth.modules.walking import OpRule, Walk

_MEETS = "it meets something of fixed size"
#: Elementwise, though the operator does not say so itself.
_ELEMENTWISE = (
    "hardswish log_sigmoid mish relu6 abs threshold dropout feature_dropout alpha_dropout "
    "feature_alpha_dropout to _to_copy contiguous clone detach alias lift_fresh_copy"
)


def elementwise(walk: Walk, node: Node) -> Held | None:
    """Every channel by itself; what is combined must grow alike."""
    shape = shapes(node)[0]
    given = [walk.value(each) for each in node.all_input_nodes]
    dims: list[Ids] = []
    for at in range(-len(shape), 0):
        size = shape[at]
        found = [each for each in given if each is not None and len(each.shape) >= -at]
        wide = [each.dims[at] for each in found if each.shape[at] == size]
        for each in found:
            if each.shape[at] != size:
                walk.channels.pin(each.dims[at], f"one number serves many {where(node)}")
        ids = wide[0] if wide else None
        for other in wide[1:]:
            ids = walk.channels.unite(ids, other, f"{_MEETS} {where(node)}")
        dims.append(ids)
    return Held(shape=shape, dims=tuple(dims))


def pooling(walk: Walk, node: Node) -> Held | tuple[Held, ...] | None:
    """Neighbours in an image; channels by themselves."""
    x = walk.value(node.args[0])
    digit = operator(node)[-2:][:1] if operator(node).endswith("d") else ""
    if x is None:
        return None
    spatial = int(digit) if digit.isdigit() else len(x.dims) - 2
    first = len(x.dims) - spatial
    for at in range(first, len(x.dims)):
        walk.channels.pin(x.dims[at], f"neighbours are pooled along it {where(node)}")
    dims = (*x.dims[:first], *(None for _ in range(spatial)))
    found = tuple(Held(shape=shape, dims=dims) for shape in shapes(node))
    return found if isinstance(node.meta["val"], tuple | list) else found[0]


def padding(walk: Walk, node: Node) -> Held | None:
    """Borders."""
    x, shape = walk.value(node.args[0]), shapes(node)[0]
    if x is None:
        return None
    dims = []
    for at, ids in enumerate(x.dims):
        if shape[at] != x.shape[at]:
            walk.channels.pin(ids, f"it is padded {where(node)}")
        dims.append(ids if shape[at] == x.shape[at] else None)
    return Held(shape=shape, dims=tuple(dims))


def permuted(walk: Walk, node: Node) -> Held | None:
    """Dimensions in another order; a parameter stays one."""
    x = walk.held(node.args[0])
    if x is None:
        return None
    rank, name, said = len(x.shape), operator(node), bound(node)
    order = list(range(rank))
    if name == "permute":
        order = [each % rank for each in said["dims"]]
    elif name in {"transpose", "swapaxes"}:
        one, other = (value % rank for value in list(said.values())[1:3])
        order[one], order[other] = order[other], order[one]
    elif name in {"t", "numpy_T"}:
        order = order[::-1]
    else:
        order[-2:] = order[:-3:-1]
    return replace(
        x,
        shape=tuple(x.shape[each] for each in order),
        dims=tuple(x.dims[each] for each in order),
        order=tuple(x.order[each] for each in order) if x.source else (),
    )


def reshaped(walk: Walk, node: Node) -> Held | None:
    """Another shape: dimensions may be joined, and ones come and go; what is split stays."""
    x, shape = walk.value(node.args[0]), shapes(node)[0]
    if x is None:
        return None
    dims: list[Ids] = [None] * len(shape)
    for before, after in _matched(x.shape, shape):
        wide = [at for at in before if x.shape[at] > 1] or list(before[:1])
        new = [at for at in after if shape[at] > 1] or list(after[:1])
        alive = [at for at in wide if x.dims[at] is not None]
        # A single channel among others that do not grow is one that may.
        alive = alive or [at for at in before if x.dims[at] is not None]
        if not alive:
            continue
        if len(alive) > 1 or len(new) != 1:
            for at in alive:
                walk.channels.pin(x.dims[at], f"its shape is split {where(node)}")
            continue
        dims[new[0]] = _joined(walk, x, wide, alive[0])
    return Held(shape=shape, dims=tuple(dims))


def _joined(walk: Walk, x: Held, wide: Sequence[int], alive: int) -> Ids:
    """Channels of a dimension among others that are joined with it."""
    ids = x.dims[alive]
    assert ids is not None
    inner = math.prod(x.shape[at] for at in wide if at > alive)
    outer = math.prod(x.shape[at] for at in wide if at < alive)
    if outer > 1:
        walk.channels.seam(ids, ids)
    return [each for each in ids for _ in range(inner)] * outer


def _matched(before: Sequence[int], after: Sequence[int]) -> Iterable[tuple[list[int], list[int]]]:
    """Pair runs of dimensions that hold the same numbers."""
    one, other = 0, 0
    while one < len(before) or other < len(after):
        ones: list[int] = []
        others: list[int] = []
        have, want = 1, 1
        while not ones or not others or have != want:
            if (have <= want and one < len(before)) or other >= len(after):
                if one >= len(before):
                    break
                ones.append(one)
                have *= before[one]
                one += 1
            else:
                others.append(other)
                want *= after[other]
                other += 1
        yield ones, others


def expanded(walk: Walk, node: Node) -> Held | None:
    """One number for many."""
    x, shape = walk.value(node.args[0]), shapes(node)[0]
    if x is None:
        return None
    own = [None] * (len(shape) - len(x.shape)) + list(range(len(x.shape)))
    dims: list[Ids] = []
    for size, at in zip(shape, own, strict=True):
        same = at is not None and x.shape[at] == size
        if at is not None and not same:
            walk.channels.pin(x.dims[at], f"one number serves many {where(node)}")
        dims.append(x.dims[at] if same and at is not None else None)
    return Held(shape=shape, dims=tuple(dims))


def concatenated(walk: Walk, node: Node) -> Held | None:
    """Channels after channels."""
    tensors, dim = node.args[0], bound(node).get("dim", 0)
    assert isinstance(tensors, list | tuple)
    parts = [found for each in tensors if (found := walk.value(each)) is not None]
    shape = shapes(node)[0]
    if len(parts) != len(tensors):
        return None
    at = dim % len(shape)
    dims: list[Ids] = []
    for other in range(len(shape)):
        ids = parts[0].dims[other]
        for part in parts[1:] if other != at else ():
            ids = walk.channels.unite(ids, part.dims[other], f"{_MEETS} {where(node)}")
        dims.append(ids)
    dims[at] = _one_after_another(walk, [(each.dims[at], each.shape[at]) for each in parts])
    return Held(shape=shape, dims=tuple(dims))


def _one_after_another(walk: Walk, parts: Sequence[tuple[Ids, int]]) -> Ids:
    if all(ids is None for ids, _ in parts):
        return None
    known: list[Sequence[int]] = []
    for ids, size in parts:
        if ids is None:
            ids = walk.channels.new(size)  # noqa: PLW2901 -- what does not grow has places, too
            walk.channels.pin(ids, "it comes from something of fixed size")
        known.append(ids)
    for before, after in itertools.pairwise(known):
        walk.channels.seam(before, after)
    return [each for part in known for each in part]


def parted(walk: Walk, node: Node) -> tuple[Held, ...] | None:
    """Channels in several parts."""
    x, dim = walk.value(node.args[0]), bound(node).get("dim", 0)
    if x is None:
        return None
    found, start, at = [], 0, dim % len(x.shape)
    for shape in shapes(node):
        ids = x.dims[at]
        part = None if ids is None else ids[start : start + shape[at]]
        found.append(
            Held(shape=shape, dims=tuple(part if i == at else d for i, d in enumerate(x.dims)))
        )
        start += shape[at]
    return tuple(found)


def gated(walk: Walk, node: Node) -> Held | None:
    """GLU: the first half times the sigmoid of the second."""
    x, dim = walk.value(node.args[0]), bound(node)["dim"]
    if x is None:
        return None
    at, shape = dim % len(x.shape), shapes(node)[0]
    ids = x.dims[at]
    half = None
    if ids is not None:
        half = walk.channels.unite(ids[: shape[at]], ids[shape[at] :], _MEETS)
    return Held(shape=shape, dims=tuple(half if i == at else d for i, d in enumerate(x.dims)))


def getitem(walk: Walk, node: Node) -> Held | None:
    """One of several answers."""
    assert not isinstance(node.args[0], int)
    found = walk.values.get(node.args[0])  # type: ignore[arg-type]
    return found[int(node.args[1])] if isinstance(found, tuple) else None  # type: ignore[arg-type]


def cut(walk: Walk, node: Node) -> Held | None:
    """A part of a dimension, by its numbers: channels that are counted stay."""
    x, shape = walk.value(node.args[0]), shapes(node)[0]
    at = bound(node)["dim"]
    if x is None:
        return None
    at %= len(x.shape)
    same_rank = len(shape) == len(x.shape)
    if same_rank and shape[at] == x.shape[at]:
        return x
    walk.channels.pin(x.dims[at], f"channels are picked by their numbers {where(node)}")
    kept = list(x.dims)
    if same_rank:
        kept[at] = None
    else:
        del kept[at]
    return Held(shape=shape, dims=tuple(kept))


def reduced(walk: Walk, node: Node) -> Held | tuple[Held, ...] | None:
    """Means, sums and maxima over dimensions."""
    said, name = bound(node), operator(node)
    x = walk.value(node.args[0])
    if x is None:
        return None
    rank, given = len(x.shape), said.get("dim")
    over = [given] if isinstance(given, int) else list(given or range(rank))
    over = sorted(each % rank for each in over)
    alive = [each for each in over if x.dims[each] is not None]
    if alive and name == "mean":
        seen_together(walk, node, x, alive, f"a mean is taken over it {where(node)}")
    elif name not in {"amax", "amin", "max", "min"}:
        for each in alive:
            walk.channels.pin(x.dims[each], f"{name} is taken over it {where(node)}")
    answers = tuple(_reduced(x, over, shape) for shape in shapes(node))
    return answers if isinstance(node.meta["val"], tuple | list) else answers[0]


def _reduced(x: Held, over: Sequence[int], shape: tuple[int, ...]) -> Held:
    if len(shape) == len(x.shape):
        return Held(shape=shape, dims=tuple(None if i in over else d for i, d in enumerate(x.dims)))
    return Held(shape=shape, dims=tuple(d for i, d in enumerate(x.dims) if i not in over))


def along(walk: Walk, node: Node) -> Held | None:
    """What depends on all channels of a dimension, as a softmax does: they stay."""
    x, said = walk.value(node.args[0]), bound(node)
    if x is None:
        return None
    at = said["dim"] % len(x.shape)
    walk.channels.pin(x.dims[at], f"{operator(node)} is taken over it {where(node)}")
    return replace(x, shape=shapes(node)[0])


def settled(walk: Walk, node: Node) -> Held | None:
    """Nothing that could grow goes in, and nothing comes out."""
    del walk
    return fixed(shapes(node)[0])


def is_elementwise(node: Node) -> bool:
    """Whether an operator treats every number by itself."""
    return (
        torch.Tag.pointwise in getattr(node.target, "tags", ())
        or operator(node) in _ELEMENTWISE.split()
    )


def _rules(rule: OpRule, names: str) -> dict[str, OpRule]:
    return dict.fromkeys(names.split(), rule)


RULES: dict[str, Any] = {
    **_rules(
        pooling,
        "max_pool1d max_pool2d max_pool3d avg_pool1d avg_pool2d avg_pool3d adaptive_avg_pool1d "
        "adaptive_avg_pool2d adaptive_avg_pool3d adaptive_max_pool1d adaptive_max_pool2d "
        "adaptive_max_pool3d upsample_nearest1d upsample_nearest2d upsample_nearest3d "
        "upsample_bilinear2d upsample_bicubic2d upsample_linear1d upsample_trilinear3d "
        "max_pool2d_with_indices",
    ),
    **_rules(padding, "pad constant_pad_nd reflection_pad1d reflection_pad2d replication_pad2d"),
    **_rules(permuted, "permute transpose swapaxes t numpy_T mT"),
    **_rules(reshaped, "view reshape _unsafe_view flatten unflatten squeeze unsqueeze"),
    **_rules(expanded, "expand expand_as broadcast_to"),
    **_rules(concatenated, "cat concat concatenate"),
    **_rules(parted, "split split_with_sizes chunk"),
    **_rules(gated, "glu"),
    **_rules(getitem, "getitem"),
    **_rules(cut, "slice select narrow"),
    **_rules(reduced, "mean amax amin max min sum prod var std linalg_vector_norm"),
    **_rules(along, "softmax log_softmax _softmax _log_softmax cumsum sort softmin"),
}
