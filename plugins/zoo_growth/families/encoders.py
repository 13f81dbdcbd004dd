"""What transformers have in common: fields of their configurations, axes of their heads."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zoo.errors import InputError
from zoo.growing.sizes import check_size, factor_of, sized
from zoo.growing.tables import linear
from zoo.types.growing import Axis, Deepen, Widen

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import nn

    from zoo.growing.tables import Rules


@dataclass(frozen=True, kw_only=True)
class Fields:
    """Names of the sizes in a configuration; empty where it has none of its own."""

    hidden: str
    heads: str
    mlp: str
    depth: str
    kv_heads: str = ""
    head_dim: str = ""


def grown(config: Any, steps: Sequence[Widen | Deepen], fields: Fields) -> Any:
    """Give the configuration of a larger transformer.

    Raises:
        InputError: a size that cannot be, with the nearest that can.
    """
    larger = copy.deepcopy(config)
    for step in steps:
        if isinstance(step, Deepen):
            depth = getattr(larger, fields.depth)
            setattr(larger, fields.depth, sized("depth", step.depth, depth))
        else:
            _widened(larger, step, fields)
    return larger


def _widened(config: Any, step: Widen, fields: Fields) -> None:
    hidden, heads = getattr(config, fields.hidden), getattr(config, fields.heads)
    free = bool(fields.head_dim and getattr(config, fields.head_dim, None))
    head = getattr(config, fields.head_dim) if free else hidden // heads
    per_group = heads // getattr(config, fields.kv_heads) if fields.kv_heads else 1
    new_heads, new_hidden = heads, hidden
    if step.width:
        new_heads = whole_width(step.width, heads, "attention heads", per_group)
        new_hidden = hidden * new_heads // heads
    if step.hidden:
        new_hidden = sized("hidden size", step.hidden, hidden)
        if not step.heads and not free:
            new_heads = new_hidden // head if new_hidden % head == 0 else new_heads
    if step.heads:
        new_heads = sized("number of heads", step.heads, heads)
        if not free and not step.hidden and not step.width:
            new_hidden = head * new_heads
    if not free:
        check_size("hidden size", new_hidden, hidden, multiple=new_heads)
        check_size("width of a head", new_hidden // new_heads, head)
    setattr(config, fields.hidden, new_hidden)
    setattr(config, fields.heads, new_heads)
    if fields.kv_heads:
        kv = getattr(config, fields.kv_heads)
        new_kv = sized("number of kv heads", step.kv_heads, kv) if step.kv_heads else 0
        setattr(config, fields.kv_heads, new_kv or _groups(heads, kv, new_heads))
        check_size("number of heads", new_heads, heads, multiple=getattr(config, fields.kv_heads))
    elif step.kv_heads:
        raise InputError("every query of this architecture has keys of its own.", "--heads")
    if fields.mlp and (step.mlp or step.width):
        mlp = getattr(config, fields.mlp) or 4 * hidden
        size = step.mlp or f"{new_hidden / hidden}x"
        setattr(config, fields.mlp, sized("intermediate size", size, mlp))


def whole_width(size: str | float, old: int, of: str, multiple: int) -> int:
    """A width that gives a whole number of heads.

    Raises:
        InputError: it does not; with the nearest widths that do.
    """
    factor = factor_of(size)
    exact = old * factor
    new = round(exact / multiple) * multiple
    if abs(new - exact) > 1e-6 * old:
        below = max(old, int(exact // multiple) * multiple)
        near = sorted({below, below + multiple} - {old})
        raise InputError(
            f"{factor:.4g}x of {old} {of} is {exact:g}, which is no whole number of them"
            + (f" in groups of {multiple}." if multiple > 1 else "."),
            "The nearest: " + " or ".join(f"{each / old:.4g}x ({each} heads)" for each in near),
        )
    check_size(f"number of {of}", new, old)
    return new


def _groups(heads: int, kv: int, new_heads: int) -> int:
    """Keep the queries of a group together, where that is possible."""
    per_group = heads // kv
    return new_heads // per_group if new_heads % per_group == 0 else kv


def list_path(module: nn.Module, end: str) -> str:
    """Find the whole name of a list of layers by how it ends."""
    found: list[str] = [
        name for name, _ in module.named_modules() if f".{name}".endswith(f".{end}")
    ]
    if not found:
        raise InputError(f"the network has no part called {end!r}.", "Another class of the family?")
    return found[0]


def restaged(config: Any, stages: int) -> Any:
    """Name the stages of a backbone anew, whose answer is the last one as a rule."""
    last = config.out_features == [config.stage_names[-1]]
    config.stage_names = ["stem", *(f"stage{number + 1}" for number in range(stages))]
    if last:
        config.out_features = [config.stage_names[-1]]
    return config


def tied_head(module: Any) -> bool:
    """Whether the head that names tokens is the table that embeds them."""
    head = module.get_output_embeddings()
    return head is not None and head.weight is module.get_input_embeddings().weight


def sizes_of(config: Any, fields: Fields) -> dict[str, int]:
    """Give the sizes of one layer: ``heads``, ``head`` (the width of one), ``mlp``, ``kv``."""
    hidden, heads = getattr(config, fields.hidden), getattr(config, fields.heads)
    head = getattr(config, fields.head_dim, None) if fields.head_dim else None
    found = {"heads": heads, "head": head or hidden // heads}
    if fields.mlp:
        found["mlp"] = getattr(config, fields.mlp) or 4 * hidden
    if fields.kv_heads:
        found["kv"] = getattr(config, fields.kv_heads)
    return found


def axes_of_layers(
    fields: Fields, old: Any, new: Any, **more: Mapping[str, Any]
) -> dict[str, Axis]:
    """Give every layer of the larger network axes of its own: ``heads 0``, ``mlp 0`` ...

    Args:
        fields: names of the sizes.
        old: configuration.
        new: of the larger network.
        more: name of a size -> further fields of its axes.

    Raises:
        InputError: one of them would shrink.
    """
    before, after = sizes_of(old, fields), sizes_of(new, fields)
    if fields.kv_heads:
        check_size("number of heads", after["heads"], before["heads"], multiple=after["kv"])
    for name, size in before.items():
        check_size("width of a head" if name == "head" else f"size {name!r}", after[name], size)
    found = {}
    for layer in range(getattr(new, fields.depth)):
        for name, size in before.items():
            label, told = f"{name} {layer}", dict(more.get(name, {}))
            if name == "heads" and "kv" in before:
                told["follows"] = f"kv {layer}"
            found[label] = Axis(name=label, old=size, new=after[name], **told)
    return found


def keys(layout: str, into: str, fields: Fields, old: Any, new: Any) -> Rules:
    """Rule of the keys: where heads become wider, scores must stay what they are.

    The scores q k / sqrt(d) of heads of width d' = k d are those of before if the copies of a key
    share what it was, times sqrt(d' / d).
    """
    before, after = sizes_of(old, fields)["head"], sizes_of(new, fields)["head"]
    return linear(layout, into, shared="head {0}", factor=(after / before) ** 0.5)


def unlike(old: Any, new: Any, fields: Sequence[str], *, may: Sequence[str] = ()) -> None:
    """Refuse a larger configuration that differs in more than sizes.

    Args:
        old: configuration.
        new: of the larger network.
        fields: that grow; none may shrink.
        may: other fields that may differ.

    Raises:
        InputError: what differs.
    """
    if old.model_type != new.model_type:
        raise InputError(
            f"a {old.model_type} cannot grow into a {new.model_type}.",
            "Name a configuration of the same architecture.",
        )
    free = {*fields, *may, "architectures", "dtype", "torch_dtype", "transformers_version"}
    free |= {"_name_or_path", "id2label", "label2id", "use_cache", "layer_types"}
    before, after = _plain(old), _plain(new)
    for name in sorted(set(before) | set(after)):
        if name not in free and before.get(name) != after.get(name):
            raise InputError(
                f"{name} would become {after.get(name)!r} and is {before.get(name)!r}; growing "
                "changes sizes alone.",
                f"Leave {name} as it is, or train the other network: zoo distill --help",
            )
    for name in fields:
        if isinstance(before.get(name), int):
            check_size(name, after[name], before[name])


def _plain(config: Any) -> dict[str, Any]:
    """Its fields as JSON would have them: a tuple is a list."""
    fields = config.to_dict().items()
    return {name: list(value) if isinstance(value, tuple) else value for name, value in fields}
