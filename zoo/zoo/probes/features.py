"""What a schema says of its columns: class names, images, audio; and column kinds."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa

_MEDIA = {"bytes", "path"}


@dataclass(frozen=True, slots=True)
class Declared:
    """What the ``datasets`` library wrote about one column.

    Attributes:
        type: ``ClassLabel``, ``Image``, ``Audio``, ``Value`` ...
        names: the class names of a ClassLabel, alone or in a list.
    """

    type: str
    names: tuple[str, ...] = ()


def of_schema(schema: pa.Schema) -> dict[str, Declared]:
    """Read the features that the ``datasets`` library keeps in a schema's metadata."""
    raw = (schema.metadata or {}).get(b"huggingface")
    try:
        found = json.loads(raw)["info"]["features"] if raw else {}
    except (ValueError, KeyError, TypeError):
        return {}
    return of_features(found) if isinstance(found, dict) else {}


def of_features(found: Mapping[str, Any]) -> dict[str, Declared]:
    """Read ``Features.to_dict()``."""
    return {name: _declared(each) for name, each in found.items()}


def _declared(feature: Any) -> Declared:
    if isinstance(feature, list) and feature:
        return Declared("List", _declared(feature[0]).names)
    if not isinstance(feature, dict):
        return Declared("")
    inner = feature.get("feature")
    names = feature.get("names") or (_declared(inner).names if inner is not None else ())
    return Declared(str(feature.get("_type", "")), tuple(str(name) for name in names))


def of_card(text: str) -> dict[str, Declared]:
    """Read the class names of a data set card: ``dataset_info`` in its YAML front matter."""
    import yaml

    parts = text.split("---", 2)
    if len(parts) < 3 or parts[0].strip():
        return {}
    try:
        front = yaml.safe_load(parts[1])
    except yaml.YAMLError:
        return {}
    info = front.get("dataset_info") if isinstance(front, dict) else None
    info = info[0] if isinstance(info, list) and len(info) == 1 else info
    listed = info.get("features") if isinstance(info, dict) else None
    found = {}
    for each in listed if isinstance(listed, list) else []:
        names = _card_names(each) if isinstance(each, dict) else ()
        if names:
            found[str(each.get("name"))] = Declared("ClassLabel", names)
    return found


def _card_names(feature: dict[str, Any]) -> tuple[str, ...]:
    for key in ("dtype", "sequence", "list"):
        inner = feature.get(key)
        if isinstance(inner, dict) and isinstance(inner.get("class_label"), dict):
            names = inner["class_label"].get("names")
            if isinstance(names, dict):
                return tuple(str(names[key]) for key in sorted(names, key=int))
            return tuple(str(name) for name in names or ())
    return ()


def heavy_columns(schema: pa.Schema) -> tuple[str, ...]:
    """Name the columns of encoded images or sounds: ``{bytes, path}`` or plain binary."""
    return tuple(each.name for each in schema if _is_media(each.type))


def _is_media(kind: Any) -> bool:
    import pyarrow as pa

    if pa.types.is_struct(kind):
        return {kind.field(number).name for number in range(kind.num_fields)} == _MEDIA
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def plain(table: pa.Table) -> pa.Table:
    """Undo dictionary encoding, so that equal values look equal everywhere."""
    import pyarrow as pa

    for number, each in enumerate(table.schema):
        if pa.types.is_dictionary(each.type):
            decoded = table.column(number).cast(each.type.value_type)
            table = table.set_column(number, each.name, decoded)
    return table


def is_text(kind: Any) -> bool:
    """Whether a column holds strings."""
    import pyarrow as pa

    checks = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
    return any(check(kind) for check in checks)


def is_whole(kind: Any) -> bool:
    """Whether a column holds integers or booleans."""
    import pyarrow as pa

    return bool(pa.types.is_integer(kind) or pa.types.is_boolean(kind))


def is_real(kind: Any) -> bool:
    """Whether a column holds floating-point or decimal numbers."""
    import pyarrow as pa

    return bool(pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def is_list(kind: Any) -> bool:
    """Whether a column holds lists."""
    import pyarrow as pa

    checks = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
    return any(check(kind) for check in checks)
