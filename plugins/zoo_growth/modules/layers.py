"""What layers with parameters do to channels: linear maps, convolutions, norms, tables."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from zoo_growth.modules.walking import Held, Joint, Setting, bound, module_of, shapes, where

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch.fx import Node

    from zoo_growth.modules.channels import Ids
    from zoo_growth.modules.walking import OpRule, Walk

_MEETS = "it meets something of fixed size"
_COMPUTED = "its reader has a weight that is computed"


def linear(walk: Walk, node: Node) -> Held | None:
    """Map linearly: x W^T + b."""
    said = bound(node)
    return _mapped(walk, node, said["input"], said["weight"], said["bias"], into=1)


def matmul(walk: Walk, node: Node) -> Held | None:
    """Multiply by a parameter: x W."""
    said = bound(node)
    first, second = said.get("self"), said.get("other", said.get("mat2"))
    return _mapped(walk, node, first, second, None, into=0)


def addmm(walk: Walk, node: Node) -> Held | None:
    """Multiply by a parameter, and add another: b + x W."""
    said = bound(node)
    return _mapped(walk, node, said["mat1"], said["mat2"], said["self"], into=0)


def _mapped(
    walk: Walk, node: Node, given: object, weights: object, bias: object, *, into: int
) -> Held | None:
    x, weight = walk.value(given), walk.held(weights)
    if x is None or weight is None or len(weight.shape) != 2:
        return None
    if not weight.live:
        walk.channels.pin(x.dims[-1], f"{_COMPUTED} {where(node)}")
        _along(walk, bias, None)
        return Held(shape=shapes(node)[0], dims=(*x.dims[:-1], None))
    if not weight.source:
        return None
    walk.channels.unite(x.dims[-1], walk.touch(weight, into, "reads"), f"{_MEETS} {where(node)}")
    out = walk.touch(weight, 1 - into, "writes")
    _along(walk, bias, out)
    return Held(shape=shapes(node)[0], dims=(*x.dims[:-1], out))


def _along(walk: Walk, given: object, ids: Ids) -> None:
    """Let a vector of parameters follow channels; the statistics of a norm, its bias."""
    vector = walk.held(given)
    if vector is not None:
        last = len(vector.dims) - 1
        walk.channels.unite(ids, walk.touch(vector, last, "writes"), _MEETS)


def convolution(walk: Walk, node: Node) -> Held | None:
    """Convolutions, grouped and depthwise ones too: a group is copied as a whole."""
    said = bound(node)
    x, weight = walk.value(said["input"]), walk.held(said["weight"])
    if x is None or weight is None or said.get("transposed"):
        return None
    groups, channel = said["groups"], len(x.shape) - len(weight.shape) + 1
    if not weight.live:
        walk.channels.pin(x.dims[channel], f"{_COMPUTED} {where(node)}")
        return _convolved(walk, node, x, channel=channel, out=None, bias=said["bias"])
    if not weight.source:
        return None
    ids, out = x.dims[channel], walk.touch(weight, 0, "writes")
    if groups == 1:
        walk.channels.unite(ids, walk.touch(weight, 1, "reads"), f"{_MEETS} {where(node)}")
    else:
        _grouped(walk, ids, out, groups)
    return _convolved(walk, node, x, channel=channel, out=out, bias=said["bias"])


def transposed_convolution(walk: Walk, node: Node) -> Held | None:
    """Convolutions that make images larger: their weights have the inputs first."""
    said = bound(node)
    x, weight = walk.value(said["input"]), walk.held(said["weight"])
    if x is None or weight is None or not weight.source:
        return None
    groups, channel = said["groups"], len(x.shape) - len(weight.shape) + 1
    if groups == 1:
        ids = walk.touch(weight, 0, "reads")
        out = walk.touch(weight, 1, "writes")
    else:
        ids = walk.touch(weight, 0, "writes")
        out = walk.channels.new(shapes(node)[0][channel])
        _grouped(walk, ids, out, groups)
    walk.channels.unite(x.dims[channel], ids, f"{_MEETS} {where(node)}")
    return _convolved(walk, node, x, channel=channel, out=out, bias=said["bias"])


def _convolved(
    walk: Walk, node: Node, x: Held, *, channel: int, out: Ids, bias: object
) -> Held | None:
    _along(walk, bias, out)
    shape = shapes(node)[0]
    dims = [each if at < channel else None for at, each in enumerate(x.dims)]
    for at in range(channel + 1, len(shape)):
        walk.channels.pin(x.dims[at], f"a kernel slides along it {where(node)}")
    dims[channel] = out
    return Held(shape=shape, dims=tuple(dims))


def _grouped(walk: Walk, ids: Ids, out: Ids, groups: int) -> None:
    if ids is None or out is None:
        walk.channels.unite(ids, out, "its convolution is grouped, over what does not grow")
        return
    inner, outer = len(ids) // groups, len(out) // groups
    for group in range(groups):
        walk.channels.merge(
            [*ids[group * inner : (group + 1) * inner], *out[group * outer : (group + 1) * outer]]
        )


def embedding(walk: Walk, node: Node) -> Held | None:
    """Rows of a table."""
    said = bound(node)
    table, indices = walk.held(said["weight"]), walk.held(said["indices"])
    if table is None or not table.source or indices is None or indices.live:
        return None
    return Held(shape=shapes(node)[0], dims=(*indices.dims, walk.touch(table, 1, "writes")))


def batch_norm(walk: Walk, node: Node) -> Held | None:
    """Batch and instance norms: every channel by itself."""
    said = bound(node)
    x = walk.value(said["input"])
    if x is None:
        return None
    for name in ("weight", "bias", "running_mean", "running_var"):
        _along(walk, said[name], x.dims[1])
    for at in (0, *range(2, len(x.dims))):
        walk.channels.pin(x.dims[at], f"a norm takes its statistics along it {where(node)}")
    _set(walk, node, "num_features", (1,), x)
    return x


def layer_norm(walk: Walk, node: Node) -> Held | None:
    """Norms over all channels of a position: whole copies of all of them keep its statistics."""
    said = bound(node)
    x = walk.value(said["input"])
    if x is None:
        return None
    over = range(len(x.dims) - len(said["normalized_shape"]), len(x.dims))
    for name in ("weight", "bias"):
        vector = walk.held(said.get(name))
        for at, dim in enumerate(over if vector is not None else ()):
            assert vector is not None
            walk.channels.unite(x.dims[dim], walk.touch(vector, at, "writes"), _MEETS)
    kind = module_of(node)[1]
    seen_together(walk, node, x, over, f"a norm sees all of it ({kind or 'layer_norm'})")
    _set(walk, node, "normalized_shape", over, x)
    return x


def group_norm(walk: Walk, node: Node) -> Held | None:
    """Norms over groups of channels: with whole copies, every group is there again."""
    said = bound(node)
    x = walk.value(said["input"])
    if x is None:
        return None
    for name in ("weight", "bias"):
        _along(walk, said[name], x.dims[1])
    seen_together(walk, node, x, (1,), f"a norm sees its groups {where(node)}", alone=True)
    _set(walk, node, "num_channels", (1,), x)
    return x


def seen_together(
    walk: Walk, node: Node, x: Held, dims: Sequence[int], why: str, *, alone: bool = False
) -> None:
    """Let channels that something sees all at once grow by whole copies alone."""
    places = []
    for dim in dims:
        walk.channels.keep_whole(x.dims[dim], why)
        places.append(walk.place((node.name, dim), x.dims[dim], x.shape[dim]))
    walk.joint.append(Joint(places=tuple(places), why=why, alone=alone))


def _set(walk: Walk, node: Node, attribute: str, dims: Sequence[int], x: Held) -> None:
    name, _ = module_of(node)
    places = tuple(walk.place((node.name, dim), x.dims[dim], x.shape[dim]) for dim in dims)
    walk.settings.append(Setting(module=name, attribute=attribute, places=places))


def prelu(walk: Walk, node: Node) -> Held | None:
    """Slopes of their own for every channel."""
    said = bound(node)
    x, slopes = walk.value(said["self"]), walk.held(said["weight"])
    if x is None or slopes is None:
        return None
    if slopes.shape[0] > 1 and len(x.dims) > 1:
        _along(walk, said["weight"], x.dims[1])
    return replace(x, shape=shapes(node)[0])


RULES: dict[str, OpRule] = {
    "linear": linear,
    "matmul": matmul,
    "mm": matmul,
    "addmm": addmm,
    **dict.fromkeys(("conv1d", "conv2d", "conv3d", "convolution"), convolution),
    **dict.fromkeys(
        ("conv_transpose1d", "conv_transpose2d", "conv_transpose3d"), transposed_convolution
    ),
    "embedding": embedding,
    "batch_norm": batch_norm,
    "instance_norm": batch_norm,
    "layer_norm": layer_norm,
    "rms_norm": layer_norm,
    "group_norm": group_norm,
    "prelu": prelu,
}
