"""``registry.json``: the checkpoints of a zoo, read, checked, searched and written."""

from __future__ import annotations

import difflib
import json
import os
import re
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from zoo.errors import InputError, RegistryError, unknown_name
from zoo.json_lines import line_of, parse_path
from zoo.typed_paths import typed_path
from zoo.types.model import Candidate, ModelEntry, ModelRef

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SCHEMA_VERSION = 1
SCHEMA_ID = "urn:zoo:registry:1"
FILE_NAME = "registry.json"

_DIGEST = re.compile(r"[0-9a-f]{64}|sha1:[0-9a-f]{40}")


class Registry(msgspec.Struct, frozen=True, kw_only=True):
    """A registry file and what it says.

    Attributes:
        path: the file; folder references start from its folder.
        entries: one a checkpoint.
    """

    path: Path
    entries: tuple[ModelEntry, ...] = ()

    @property
    def base(self) -> Path:
        """Absolute folder that relative references start from."""
        return self.path.absolute().parent

    def candidates(self) -> tuple[Candidate, ...]:
        """Every entry, with the folder its relative paths start from."""
        base = str(self.base)
        return tuple(Candidate(entry=entry, base=base) for entry in self.entries)

    def replace(self, entries: Iterable[ModelEntry]) -> Registry:
        """Give the same file other entries, sorted as they are written."""
        return Registry(path=self.path, entries=tuple(sorted(entries, key=_order)))


class Document(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The JSON of a registry file."""

    models: tuple[ModelEntry, ...]
    schema_version: int = SCHEMA_VERSION
    schema: str = msgspec.field(name="$schema", default=SCHEMA_ID)


def load_registry(path: Path) -> Registry:
    """Read and check a registry file.

    Raises:
        RegistryError: the file is missing, no JSON, or has a wrong field; the message names the
            file, the line and the JSON path.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise RegistryError(
            f"there is no registry {path}.", f"zoo registry add ./folder --registry {path}"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise RegistryError(f"the registry {path} cannot be read: {error}.") from error
    try:
        tree = json.loads(text)
    except json.JSONDecodeError as error:
        raise RegistryError(f"{path}, line {error.lineno}: not valid JSON: {error.msg}.") from error
    for where, message, hint in _faults(tree):
        raise RegistryError(_at(path, text, where, message), hint)
    try:
        document = msgspec.convert(tree, Document)
    except msgspec.ValidationError as error:
        message, _, dotted = str(error).partition(" - at `")
        where = parse_path(dotted.rstrip("`"))
        raise RegistryError(_at(path, text, where, message)) from error
    for where, message in _wrong_values(document):
        raise RegistryError(_at(path, text, where, message))
    return Registry(path=path, entries=document.models)


def save_registry(registry: Registry) -> None:
    """Write the file whole or not at all: sorted entries, two spaces, reviewable differences."""
    from zoo.files import write_atomically

    entries = [
        msgspec.structs.replace(
            entry, files=dict(sorted(entry.files.items())), tags=dict(sorted(entry.tags.items()))
        )
        for entry in registry.replace(registry.entries).entries
    ]
    content = {
        "$schema": SCHEMA_ID,
        "schema_version": SCHEMA_VERSION,
        "models": msgspec.to_builtins(entries),
    }
    text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    registry.path.absolute().parent.mkdir(parents=True, exist_ok=True)
    write_atomically(registry.path.absolute(), text.encode())


def find_registry(explicit: str = "", folder: Path | None = None) -> Path:
    """Choose the file: ``--registry``, ``ZOO_REGISTRY``, ``./registry.json``, the user's, ours.

    Args:
        explicit: what was asked for, if anything.
        folder: where ``./registry.json`` is looked for; the working directory when None.

    Raises:
        RegistryError: the file that was asked for does not exist.
    """
    from platformdirs import user_config_path

    asked = explicit or os.environ.get("ZOO_REGISTRY", "")
    if asked:
        path = typed_path(asked)
        if not path.is_file():
            raise RegistryError(
                f"there is no registry {asked}.", f"zoo registry add ./folder --registry {asked}"
            )
        return path
    for path in ((folder or Path()) / FILE_NAME, user_config_path("zoo") / FILE_NAME):
        if path.is_file():
            return path
    return packaged_registry()


def packaged_registry() -> Path:
    """Locate the registry that comes with Zoo: in the wheel, or in a checkout's root."""
    shipped = Path(str(resources.files("zoo") / FILE_NAME))
    return shipped if shipped.is_file() else Path(__file__).parents[2] / FILE_NAME


def candidate_for(text: str, registry: Registry | None, *, base: Path) -> Candidate:
    """Turn what a person typed after ``-m`` into a candidate.

    A registry entry answers to its reference, its reference without the revision, its name, and
    the last part of its name when no other entry has the same. Everything else is a reference of
    its own. A folder keeps the text that the person typed, unless it is only found from the
    registry's own folder, as rankings name it.

    Raises:
        InputError: nothing answers to the text, several entries or a folder without ``./`` do, or
            the folder is missing.
    """
    here = str(base.absolute())
    known = find_entry(text, registry, base=base) if registry else None
    if _is_folder(text):
        if registry and known and not _folder(text, base).is_dir():
            return Candidate(entry=known, base=str(registry.base))
        _need_folder(text, base)
        entry = msgspec.structs.replace(known, ref=text) if known else ModelEntry(ref=text)
        return Candidate(entry=entry, base=here)
    if registry and known:
        return Candidate(entry=known, base=str(registry.base))
    if text and _folder(text, base).is_dir():
        raise InputError(
            f"{text!r} could be the folder ./{text} or a model of the Hub.",
            f"Write ./{text} for the folder, hub:{text} for the Hub.",
        )
    if "/" not in text and ":" not in text:
        raise unknown_model(text, registry.entries if registry else ())
    return Candidate(entry=ModelEntry(ref=str(ModelRef.parse(text))), base=here)


def find_entry(text: str, registry: Registry, *, base: Path) -> ModelEntry | None:
    """Find the entry that answers to a text; a folder is the entry of the same folder on disk.

    Raises:
        InputError: several entries answer.
    """
    if _is_folder(text):
        wanted = _folder(text, base).resolve()
        for candidate in registry.candidates():
            if candidate.folder and candidate.folder.resolve() == wanted:
                return candidate.entry
    exact = next((entry for entry in registry.entries if entry.ref == text), None)
    if exact or _is_folder(text):
        return exact
    found = [entry for entry in registry.entries if answers(entry, text)]
    if len(found) > 1:
        listed = ", ".join(entry.ref for entry in found)
        raise InputError(f"{text!r} could be any of {listed}.", "Type the whole reference.")
    return found[0] if found else None


def schema() -> dict[str, Any]:
    """Make the JSON Schema that is published at ``zoo/schemas/registry.schema.json``."""
    from msgspec.json import schema_components

    (reference,), components = schema_components([Document], ref_template="#/$defs/{name}")
    for definition in components.values():
        definition["additionalProperties"] = False
    entry = components["ModelEntry"]["properties"]
    entry["ref"]["minLength"] = 1
    entry["files"]["additionalProperties"]["pattern"] = f"^({_DIGEST.pattern})$"
    for count in ("parameters", "bytes", "labels"):
        entry[count]["anyOf"][0]["minimum"] = 0
    components["Document"]["properties"]["schema_version"].update({"const": SCHEMA_VERSION})
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": SCHEMA_ID,
        "title": "Zoo registry",
        **reference,
        "$defs": components,
    }


def _is_folder(text: str) -> bool:
    return text.startswith((".", "/", "~"))


def _folder(text: str, base: Path) -> Path:
    return base / typed_path(text)


def _need_folder(text: str, base: Path) -> None:
    folder = _folder(text, base)
    if not folder.is_dir():
        kind = "is a file, not a folder" if folder.exists() else "does not exist"
        raise InputError(
            f"the model folder {text} {kind}.",
            "A checkpoint of the Hub is written hub:org/name.",
        )


def answers(entry: ModelEntry, text: str) -> bool:
    """Whether a text means an entry: its reference, with or without the revision, or its name."""
    ref = entry.parsed
    if text in {ref.name, ref.name.rstrip("/").rpartition("/")[2]}:
        return True
    if "/" not in text and ":" not in text:
        return False
    wanted = ModelRef.parse(text)
    same = (wanted.source, wanted.name, wanted.file) == (ref.source, ref.name, ref.file)
    return same and wanted.revision in {None, ref.revision}


def unknown_model(text: str, entries: Iterable[ModelEntry]) -> InputError:
    """Say that no entry answers to a text, and which name is the nearest."""
    names = [entry.parsed.name.rstrip("/").rpartition("/")[2] for entry in entries]
    hint = "Write hub:org/name for the Hub, ./folder for a folder; zoo models list shows the rest."
    if len(names) <= 12:
        return unknown_name("model", text, names, hint)
    close = difflib.get_close_matches(text, names, n=1)
    guess = f" Did you mean {close[0]!r}?" if close else ""
    return InputError(f"no model called {text!r} among the {len(names)} known.{guess}", hint)


def _at(path: Path, text: str, where: tuple[str | int, ...], message: str) -> str:
    dotted = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in where)
    message = message[0].lower() + message[1:].rstrip(".")
    return f"{path}, line {line_of(text, where)}, ${dotted}: {message}."


def _faults(tree: Any) -> Iterator[tuple[tuple[str | int, ...], str, str]]:
    """Yield what msgspec would let pass or explain poorly: unknown keys, a newer format."""
    if not isinstance(tree, dict):
        yield (), 'a registry is an object with a list "models"', ""
        return
    version = tree.get("schema_version", SCHEMA_VERSION)
    if isinstance(version, int) and version > SCHEMA_VERSION:
        message = f"format {version} is newer than this Zoo, which reads {SCHEMA_VERSION}"
        yield ("schema_version",), message, "pip install --upgrade zoo-reuse"
    yield from _unknown_keys(tree, (), ("$schema", "schema_version", "models"))
    models = tree.get("models", [])
    for index, model in enumerate(models if isinstance(models, list) else ()):
        if isinstance(model, dict):
            yield from _unknown_keys(model, ("models", index), ModelEntry.__struct_fields__)


def _unknown_keys(
    table: dict[str, Any], where: tuple[str | int, ...], known: tuple[str, ...]
) -> Iterator[tuple[tuple[str | int, ...], str, str]]:
    for key in table:
        if key not in known:
            close = difflib.get_close_matches(key, known, n=1)
            guess = f", did you mean {close[0]!r}" if close else ""
            yield (*where, key), f"unknown field {key!r}{guess}", f"Fields: {', '.join(known)}."


def _wrong_values(document: Document) -> Iterator[tuple[tuple[str | int, ...], str]]:
    seen: dict[str, int] = {}
    for index, entry in enumerate(document.models):
        here: tuple[str | int, ...] = ("models", index)
        try:
            known = bool(entry.parsed.name)
        except InputError as error:
            yield (*here, "ref"), error.message
            continue
        if not known:
            yield (*here, "ref"), "the reference is empty"
        if entry.ref in seen:
            yield (*here, "ref"), f"{entry.ref} is already entry {seen[entry.ref]}"
        seen[entry.ref] = index
        for name in ("parameters", "bytes", "labels"):
            if (getattr(entry, name) or 0) < 0:
                yield (*here, name), f"{getattr(entry, name)} is negative"
        for file, digest in entry.files.items():
            if file.startswith("/") or ".." in file.split("/"):
                yield (*here, "files", file), f"{file!r} leaves the checkpoint's folder"
            if not _DIGEST.fullmatch(digest):
                shown = f"{digest!r} is no sha256 (64 hex digits) or sha1:<40 hex digits>"
                yield (*here, "files", file), shown


def _order(entry: ModelEntry) -> tuple[str, str]:
    return entry.parsed.source, entry.ref.casefold()
