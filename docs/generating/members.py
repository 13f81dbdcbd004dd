"""Signatures, fields and methods of public things, as Markdown."""

from __future__ import annotations

import dataclasses
import inspect
from typing import TYPE_CHECKING, Any, Literal, get_origin

import msgspec

from generating.docstrings import documented, first_line, prose, sections

if TYPE_CHECKING:
    from collections.abc import Iterator

_LINE = 88


def signature(name: str, function: Any, *, method: bool = False) -> str:
    """Write a signature as the source has it."""
    parts = _parameters(function, method=method)
    return f"{name}({', '.join(parts)}){_returns(function)}"


def code(text: str) -> list[str]:
    """Make a block; it is to be read, not run."""
    return ["", "```py", *text.splitlines(), "```", ""]


def wrapped(name: str, function: Any) -> str:
    """Write a signature, a parameter a line where it is long."""
    whole = signature(name, function)
    if len(whole) <= _LINE:
        return whole
    parts = [f"    {part}," for part in _parameters(function)]
    return "\n".join([f"{name}(", *parts, f"){_returns(function)}"])


def fields(cls: type, *, own: bool = False) -> list[str]:
    """Tabulate the fields of a struct or dataclass: type, default, meaning."""
    rows = [each for each in _fields(cls) if not each[0].startswith("_")]
    rows = [each for each in rows if not own or each[0] in cls.__annotations__]
    if not rows:
        return []
    lines = ["", "| field | type | default | meaning |", "|---|---|---|---|"]
    for name, written, default in rows:
        shown = f"`{default}`" if default else ""
        kind = written.replace("|", "\\|")
        lines.append(f"| `{name}` | `{kind}` | {shown} | {_meanings(cls).get(name, '')} |")
    return lines


def methods(cls: type) -> list[str]:
    """List public methods and properties with their first sentences."""
    lines = []
    for name, member in vars(cls).items():
        thing = member.__func__ if isinstance(member, classmethod | staticmethod) else member
        if name.startswith("_") or not inspect.getdoc(thing):
            continue
        if isinstance(thing, property):
            lines.append(f"* `{name}`: {first_line(thing)}")
        elif inspect.isfunction(thing):
            inner = not isinstance(member, staticmethod)
            lines.append(f"* `{signature(name, thing, method=inner)}`: {first_line(thing)}")
    return ["", *lines] if lines else []


def single_spaced(lines: list[str]) -> list[str]:
    """Leave out the second of two empty lines."""
    pairs = zip(lines, ["", *lines[:-1]], strict=True)
    return [line for line, before in pairs if line or before]


def described(name: str, thing: Any) -> list[str]:
    """Describe anything public under a heading of its own."""
    lines = [f"### {name}", ""]
    if inspect.isfunction(thing):
        return [*lines[:-1], *code(wrapped(name, thing)), *prose(thing), *sections(thing)]
    if not inspect.isclass(thing):
        return [*lines, *_constant(thing)]
    if issubclass(thing, Exception):
        return [*lines, f"{first_line(thing)} It is derived from `{thing.__mro__[1].__name__}`."]
    if dataclasses.is_dataclass(thing) or issubclass(thing, msgspec.Struct):
        return [*lines, *prose(thing), *fields(thing), *methods(thing)]
    made = [] if thing.__init__ is object.__init__ else code(wrapped(name, thing))
    return [*(lines[:-1] if made else lines), *made, *prose(thing), *methods(thing)]


def _parameters(function: Any, *, method: bool = False) -> list[str]:
    found = list(inspect.signature(function).parameters.values())[1 if method else 0 :]
    parts, marked = [], False
    for each in found:
        if each.kind is each.VAR_POSITIONAL:
            marked = True
        if each.kind is each.KEYWORD_ONLY and not marked:
            parts.append("*")
            marked = True
        stars = {each.VAR_POSITIONAL: "*", each.VAR_KEYWORD: "**"}.get(each.kind, "")
        kind = "" if each.annotation is each.empty else f": {each.annotation}"
        default = "" if each.default is each.empty else f" = {_shown(each.default)}"
        parts.append(f"{stars}{each.name}{kind}{default}")
    return parts


def _returns(function: Any) -> str:
    found = inspect.signature(function).return_annotation
    return "" if found is inspect.Signature.empty else f" -> {found}"


def _shown(value: Any) -> str:
    return value.__name__ if inspect.isfunction(value) else repr(value)


def _constant(thing: Any) -> list[str]:
    if isinstance(thing, int | str | float | tuple) or get_origin(thing) is Literal:
        return [f"`{str(thing).replace('typing.', '')}`"]
    if dataclasses.is_dataclass(thing):
        return [f"`{thing!r}`"]
    return [first_line(type(thing))]


def _fields(cls: type) -> Iterator[tuple[str, str, str]]:
    if issubclass(cls, msgspec.Struct):
        kinds = _annotations(cls)
        for each in msgspec.structs.fields(cls):
            required = each.required
            empty = each.default_factory if each.default is msgspec.NODEFAULT else each.default
            shown = empty() if inspect.isclass(empty) else empty
            yield each.name, kinds[each.name], "" if required else _shown(shown)
        return
    for field in dataclasses.fields(cls):
        if field.default is not dataclasses.MISSING:
            default = _shown(field.default)
        elif field.default_factory is not dataclasses.MISSING:
            default = repr(field.default_factory())
        else:
            default = ""
        yield field.name, str(field.type), default


def _annotations(cls: type) -> dict[str, str]:
    found: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        kinds = vars(base).get("__annotations__", {})
        found |= {name: str(kind) for name, kind in kinds.items()}
    return found


def _meanings(cls: type) -> dict[str, str]:
    return {key: text for base in reversed(cls.__mro__) for key, text in documented(base).items()}
