"""What the flags, a ``run.yaml`` and a preset make together: a recipe.

Flags and YAML keys have the same names: ``--learning-rate 1e-4`` is ``learning_rate: 1e-4``. The
files that Zoo writes hold the recipe itself, ``schedule: {learning_rate: 1e-4}``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin, get_type_hints

import msgspec

from zoo.building.naming import forget_others
from zoo.building.presets import DEFAULT, preset_values
from zoo.building.recipe import (
    Command,
    Recipe,
    Schedule,
    SoftTargets,
    StudentChoice,
    TeacherChoice,
    Views,
)
from zoo.errors import InputError, unknown_name
from zoo.types.protocols import ProbeOptions

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

#: Spellings of the command line -> where the recipe keeps the value.
NAMES: Mapping[str, str] = {
    "teacher": "teachers",
    "eval": "evaluation",
    "set": "options",
    "weight": "loss_weights",
    "labels": "label_map",
    "temperature": "targets.temperature",
    "gate": "targets.gate",
    "gate_temperature": "targets.gate_temperature",
    "initial": "student.initial",
    "head": "student.head",
    "label": "probe.label",
    "text": "probe.text",
    "image": "probe.image",
    "split": "probe.split",
    **{name: f"schedule.{name}" for name in Schedule.__struct_fields__},
}
_NESTED: Mapping[str, type] = {
    "targets": SoftTargets,
    "schedule": Schedule,
    "views": Views,
    "student": StudentChoice,
    "probe": ProbeOptions,
}
_ALIAS = re.compile(r"([A-Za-z0-9][\w.-]*)=(.+)", re.DOTALL)
#: Relative paths in these fields start from the recipe's folder.
_PATHS = ("data", "evaluation", "label_map")
_TRUST = "trust_remote_code"


@dataclass(frozen=True, slots=True, kw_only=True)
class Assembled:
    """A recipe, and how it came about.

    Attributes:
        free: dotted names of what neither person nor file nor preset said, so that it may be
            chosen because of the data.
        notes: what a person should know about the merging, one sentence each.
    """

    recipe: Recipe
    free: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()


def assemble(flags: Mapping[str, Any], config: Path | None = None) -> Assembled:
    """Merge preset < file < flags into a recipe.

    Args:
        flags: what was typed, under names of flags or of the recipe's fields.
        config: a ``run.yaml``, whole or a few keys of it.

    Raises:
        InputError: an unknown key or a wrong value, with the file or flag named.
    """
    filed = read_values(config) if config else {}
    # Recipes are passed on: whose code runs here is for whoever types the command to say.
    trusted = filed.pop(_TRUST, ())
    typed = canonical(flags, "")
    _check_command(filed, typed, config)
    _resolve_against(filed, typed)
    forgotten = forget_others(filed, typed)
    said = _merged(filed, typed)
    preset = str(said.get("preset", DEFAULT))
    given = frozenset(_paths(said))
    command = str(said.get("command", "amalgamate"))
    values = _merged(preset_values(preset, command), said)
    values.setdefault("folder", str(Path.cwd()))
    origins = {path: f"{config}, {path}" for path in _paths(filed)}
    origins |= {path: _flag_of(path, flags) for path in _paths(typed)}
    recipe = convert(values, origins)
    known = frozenset(_paths(msgspec.to_builtins(recipe)))
    # What a preset says is a default: the data may still speak against it.
    own = frozenset(_paths(preset_values(preset, command)))
    fixed = given | own if preset == "paper" else given
    notes = (*_unheard(preset, command, filed, typed), *forgotten, *_untrusted(trusted, recipe))
    return Assembled(recipe=recipe, free=known - fixed - {_TRUST}, notes=notes)


def load_recipe(path: Path) -> Recipe:
    """Read a whole recipe as :func:`to_yaml` wrote it.

    Raises:
        InputError: it cannot be read, or is none.
    """
    values = read_values(path)
    return convert(values, {each: f"{path}, {each}" for each in _paths(values)})


def to_yaml(recipe: Recipe) -> str:
    """Write everything that the recipe says, in its own order."""
    import yaml

    values = msgspec.to_builtins(recipe)
    text = yaml.safe_dump(values, sort_keys=False, allow_unicode=True)
    if yaml.safe_load(text) == yaml.safe_load(yaml.safe_dump(values)):
        return str(text)
    # Some characters are ends of lines to YAML, and are lost unless they are escaped.
    return str(yaml.safe_dump(values, sort_keys=False))


def read_values(path: Path) -> dict[str, Any]:
    """Read a YAML file of recipe keys, nested as the recipe is.

    Raises:
        InputError: no such file, no YAML, or an unknown key.
    """
    import yaml

    try:
        text = path.expanduser().read_text(encoding="utf-8")
        found = _loader()(text).get_single_data()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise InputError(
            f"the recipe {str(path)!r} cannot be read: {reason}.", "--config FILE.yaml"
        ) from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        what = getattr(error, "problem", None) or "it cannot be parsed"
        raise InputError(f"{path}{line}: not valid YAML: {what}.", "name: value") from error
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise InputError(
            f"{path} holds no keys of a recipe, but a {_kind(found)}.", "method: NAME, a key a line"
        )
    return canonical(found, str(path))


def canonical(values: Mapping[Any, Any], file: str) -> dict[str, Any]:
    """Nest values as the recipe does, whichever of the two spellings they have.

    Raises:
        InputError: an unknown key.
    """
    where = f"{file}: " if file else ""
    found: dict[str, Any] = {}
    for key, value in values.items():
        name = str(key).replace("-", "_")
        if name not in NAMES and name not in Recipe.__struct_fields__:
            raise _unknown(where, str(key), (*Recipe.__struct_fields__, *NAMES))
        path = NAMES.get(name, name)
        found = _merged(found, _nested(path, _plain(path, value, where)))
    return found


def convert(values: Mapping[str, Any], origins: Mapping[str, str]) -> Recipe:
    """Check and build a recipe.

    Raises:
        InputError: a wrong value, with the words of ``origins`` for where it comes from.
    """
    try:
        return msgspec.convert(values, Recipe, strict=False)
    except msgspec.ValidationError as error:
        message, _, dotted = str(error).partition(" - at `$.")
        path = dotted.rstrip("`")
        plain = re.sub(r"\[.*", "", path)
        origin = origins.get(plain) or origins.get(path) or path or "the recipe"
        said = message[:1].lower() + message[1:]
        raise InputError(f"{origin}: {said}.", _choices(plain)) from error


def parse_teacher(text: str) -> dict[str, str]:
    """Take ``alias=MODEL`` apart; a reference alone has no alias yet."""
    found = _ALIAS.fullmatch(text)
    return {"model": found[2], "alias": found[1]} if found else {"model": text}


def _plain(path: str, value: Any, where: str) -> Any:
    """Turn the short forms of a value into the recipe's own, and check the keys inside it."""
    if path == "teachers":
        items = value if isinstance(value, list | tuple) else [value]
        return tuple(_teacher(each, where) for each in items)
    value = _long(path, value)
    kind = _NESTED.get(path)
    if kind is None or not isinstance(value, dict):
        return value
    return {_known(path, str(key), kind, where): each for key, each in value.items()}


def _long(path: str, value: Any) -> Any:
    """Write a short form out: ``views: 2`` is ``views: {kind: fixed, count: 2}``."""
    long = value
    match path, value:
        case "student", str():
            long = {"model": value}
        case "targets", str():
            long = {"kind": value}
        case "views", "random":
            long = {"kind": "random"}
        case "views", int() | str():
            long = {"kind": "fixed", "count": value}
        case "cache", bool():
            long = "yes" if value else "no"
        case (("keep" | "trust_remote_code" | "probe.text" | "probe.label"), str()):
            long = (value,)
        case (("options" | "loss_weights"), None):
            long = {}
    return long


def _teacher(value: Any, where: str) -> Any:
    if isinstance(value, str):
        return parse_teacher(value)
    if not isinstance(value, dict):
        return value
    return {_known("teachers", str(key), TeacherChoice, where): each for key, each in value.items()}


def _known(path: str, key: str, kind: type, where: str) -> str:
    name = key.replace("-", "_")
    own = [each.name for each in fields(kind)] if kind is ProbeOptions else _fields(kind)
    if name not in own:
        raise _unknown(where, f"{path}.{key}", [f"{path}.{each}" for each in own])
    return name


def _fields(kind: Any) -> list[str]:
    return list(kind.__struct_fields__)


def _unknown(where: str, key: str, known: Any) -> InputError:
    unknown = unknown_name("key", key, known)
    return InputError(f"{where}{unknown.message}", "docs/reference/recipe.md lists every key.")


def _nested(path: str, value: Any) -> dict[str, Any]:
    for part in reversed(path.split(".")):
        value = {part: value}
    found: dict[str, Any] = value
    return found


def _merged(low: Mapping[str, Any], high: Mapping[str, Any]) -> dict[str, Any]:
    """Merge two nested tables; the second wins, table by table."""
    found = dict(low)
    for key, value in high.items():
        both = isinstance(value, dict) and isinstance(found.get(key), dict)
        found[key] = _merged(found[key], value) if both else value
    return found


def _paths(values: Mapping[str, Any], above: str = "") -> Iterator[str]:
    """Name every value by its dotted path; options and weights are one value each."""
    for key, value in values.items():
        path = f"{above}{key}"
        if isinstance(value, dict) and key in _NESTED and not above:
            yield from _paths(value, f"{path}.")
        else:
            yield path


def _flag_of(path: str, flags: Mapping[str, Any]) -> str:
    names = [name for name in flags if NAMES.get(name, name) == path]
    name = names[0] if names else path.partition(".")[0]
    return f"--{name.replace('_', '-')}"


def _unheard(
    preset: str, command: str, filed: Mapping[str, Any], typed: Mapping[str, Any]
) -> tuple[str, ...]:
    """Say that a file keeps its own values where another preset is typed."""
    if "preset" not in typed or filed.get("preset", preset) == preset:
        return ()
    own = set(_paths(preset_values(preset, command)))
    kept = sorted(set(_paths(filed)) & own - {"preset"})
    if not kept:
        return ()
    return (f"The file's own {', '.join(kept)} stay; --preset {preset} fills what it leaves out.",)


def _untrusted(trusted: Any, recipe: Recipe) -> tuple[str, ...]:
    """Say whose code a file would let run."""
    named = trusted if isinstance(trusted, list | tuple) else [trusted]
    left = [str(each) for each in named if each not in recipe.trust_remote_code]
    flags = " ".join(f"--trust-remote-code {each}" for each in left)
    return (f"The file lets checkpoints run their own code; only you can: {flags}",) if left else ()


def _check_command(filed: Mapping[str, Any], typed: Mapping[str, Any], config: Path | None) -> None:
    """Refuse a recipe that another command wrote."""
    filed_for = filed.get("command")
    if "command" in typed and filed_for in get_args(Command) and filed_for != typed["command"]:
        raise InputError(
            f"{str(config)!r} is a recipe of `zoo {filed_for}`, not of `zoo {typed['command']}`.",
            f"zoo {filed_for} --config {config}",
        )


def _resolve_against(filed: Mapping[str, Any], typed: dict[str, Any]) -> None:
    """Make typed paths absolute where the file's relative ones start from another folder."""
    folder = filed.get("folder")
    if not folder or Path(folder) == Path.cwd():
        return
    for name in _PATHS:
        path = Path(str(typed.get(name, ""))).expanduser()
        if name in typed and path.exists():
            typed[name] = str(path.absolute())


def _choices(path: str) -> str:
    """List the words that a value may be."""
    head, _, tail = path.partition(".")
    kind: Any = _NESTED.get(head, Recipe) if tail else Recipe
    hint = get_type_hints(kind).get(tail or head)
    words = get_args(hint) if get_origin(hint) is Literal else ()
    return f"Write {', '.join(words[:-1])} or {words[-1]}." if len(words) > 1 else ""


def _kind(value: Any) -> str:
    return "list" if isinstance(value, list) else "single value"


def _loader() -> Any:
    """Read numbers such as 1e-4 as numbers, which YAML 1.1 takes for words."""
    import yaml

    class Loader(yaml.SafeLoader):  # type: ignore[misc]
        pass

    Loader.add_implicit_resolver(
        "tag:yaml.org,2002:float",
        re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$"),
        list("-+.0123456789"),
    )
    return Loader
