"""JSON Schemas of everything that Zoo prints, made of the types that it is printed from."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

import msgspec

from generating.docstrings import documented, first_line

SCHEMAS = Path(__file__).parents[1] / "reference" / "schemas"
_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_REFERENCE = "#/$defs/{name}"


def file_of(command: str) -> Path:
    """Say where the schema of a command is published."""
    return SCHEMAS / f"{command.replace(' ', '-')}.schema.json"


def schema_files() -> dict[Path, str]:
    """Make every published schema: where -> what."""
    from zoo.registry import schema
    from zoo_cli.documents import DOCUMENTS, ERROR, document_types, load

    found = {file_of(name): _written(_schema(name, document_types(name))) for name in DOCUMENTS}
    found[file_of("error")] = _written(_schema("error", (load(ERROR),)))
    found[SCHEMAS.parent / "registry.schema.json"] = _written(schema())
    return found


def write_schemas() -> None:
    """Write them, and take away those of commands that are gone."""
    found = schema_files()
    SCHEMAS.mkdir(exist_ok=True)
    for path in {*SCHEMAS.glob("*.json")} - set(found):
        path.unlink()
    for path, text in found.items():
        path.write_text(text, encoding="utf-8")


def command_schemas() -> str:
    """Tabulate the commands with their schemas."""
    from zoo_cli.documents import DOCUMENTS, document_types

    lines = ["| command | document | schema |", "|---|---|---|"]
    for command in DOCUMENTS:
        what = "; or ".join(map(_what, document_types(command)))
        name = file_of(command).name
        lines.append(f"| `zoo {command}` | {what} | [{name}](schemas/{name}) |")
    return "\n".join(lines)


def _what(document: Any) -> str:
    sentence = first_line(document).partition(". ")[0].rstrip(".")
    return f"{sentence[0].lower()}{sentence[1:]}"


def _schema(name: str, types: tuple[Any, ...]) -> dict[str, Any]:
    references, definitions = msgspec.json.schema_components(
        types, schema_hook=_schema_of, ref_template=_REFERENCE
    )
    for each in _structs(types):
        definition = definitions.get(each.__name__)
        if definition is not None:
            _describe(definition, each)
    return {
        "$schema": _DIALECT,
        "$id": f"urn:zoo:{name.replace(' ', '-')}:1",
        "title": f"zoo {name}" if name != "error" else "zoo: a command that failed",
        **(references[0] if len(references) == 1 else {"anyOf": list(references)}),
        "$defs": {key: definitions[key] for key in sorted(definitions)},
    }


def _describe(definition: dict[str, Any], struct: type) -> None:
    """Say what each field means, and that a number that does not exist is null."""
    definition["description"] = first_line(struct)
    meanings = {key: text for base in reversed(struct.__mro__) for key, text in _said(base)}
    for field, schema in definition["properties"].items():
        if field in meanings:
            schema["description"] = meanings[field]


def _said(struct: type) -> list[tuple[str, str]]:
    return list(documented(struct).items()) if "__doc__" in vars(struct) else []


def _schema_of(kind: Any) -> dict[str, Any]:
    return {"description": str(kind)}


def _structs(types: tuple[Any, ...]) -> list[type]:
    """Find every struct and dataclass that types are made of."""
    found: dict[Any, None] = {}
    waiting = [msgspec.inspect.type_info(each) for each in types]
    while waiting:
        info = waiting.pop()
        cls = getattr(info, "cls", None)
        if inspect.isclass(cls) and hasattr(info, "fields"):
            if cls in found:
                continue
            found[cls] = None
            waiting += [each.type for each in info.fields]
        for name in ("types", "item_types"):
            waiting += getattr(info, name, ())
        for name in ("item_type", "key_type", "value_type", "type"):
            inner = getattr(info, name, None)
            waiting += [inner] if isinstance(inner, msgspec.inspect.Type) else []
    return list(found)


def _written(schema: dict[str, Any]) -> str:
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
