"""``zoo registry``: the file that says which checkpoints there are."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from zoo.errors import ExitCode, InputError, RegistryError, ZooError
from zoo.render.quantities import some
from zoo.types.failure import Failure
from zoo_cli import options
from zoo_cli.context import noun_group, zoo_command
from zoo_cli.output import Column
from zoo_cli.progress import listening
from zoo_cli.values import expand_lists

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zoo.types import ModelEntry
    from zoo_cli.context import Context
    from zoo_cli.documents.models import Written

registry = noun_group("registry", "Add, remove, lock, verify and diff entries.")

_FILE = "registry.json"
_STATES = ("ok", "changed", "missing", "absent")


def parse_tags(
    ctx: click.Context, param: click.Parameter, values: tuple[str, ...]
) -> dict[str, str]:
    """Turn ``key=value`` texts into a table."""
    tags = {}
    for text in expand_lists(ctx, param, values):
        key, equals, value = text.partition("=")
        if not (equals and key.strip() and value.strip()):
            raise InputError(
                f"--tag {text!r} is not of the form key=value.", "--tag pretraining=imagenet-21k"
            )
        tags[key.strip()] = value.strip()
    return tags


@zoo_command(
    "add",
    parent=registry,
    examples=(
        "zoo registry add ./my-checkpoint",
        "zoo registry add hub:google/vit-base-patch16-224 --registry team.json",
        "zoo registry add ./a ./b --tag pretraining=imagenet-1k",
    ),
)
@click.argument("models", metavar="FOLDER|hub:REF...", nargs=-1, required=True)
@options.option(
    "--tag",
    "tags",
    metavar="KEY=VALUE",
    multiple=True,
    callback=parse_tags,
    variable="ZOO_TAG",
    default_shown="none",
    help="A fact to keep with the entry. Repeat it.",
)
@options.registry
def add(context: Context, *, models: tuple[str, ...], tags: dict[str, str]) -> int:
    """Look at checkpoints and write what is found into the registry; the file is created.

    A checkpoint that is already there is looked at again. Folders are written relative to the file.
    """
    from zoo.lock import put, resolve
    from zoo.registry import Registry, candidate_for, load_registry, save_registry
    from zoo.sources import open_sources
    from zoo_cli.documents.models import AddedModels

    path = _target(context)
    known = load_registry(path) if path.exists() else Registry(path=path)
    models = tuple(_with_dot(text) for text in models)
    candidates = [candidate_for(text, None, base=Path.cwd()) for text in models]
    with listening(context, models=len(models)) as listener:
        sources = open_sources(context.catalogue, context.settings, listener)
        answers = resolve(candidates, sources, listener)
    added, errors = [], {}
    for text, answer in zip(models, answers, strict=True):
        if isinstance(answer, ZooError):
            errors[text] = answer
            continue
        ref = _relative(answer, path)
        known = put(known, msgspec.structs.replace(answer, ref=ref, tags=answer.tags | tags))
        added.append(ref)
    if not added:
        raise next(iter(errors.values()))
    save_registry(known)
    failures = [Failure.of(error, stage="add", model=text) for text, error in errors.items()]
    document = AddedModels(registry=str(path), added=tuple(added), failures=tuple(failures))
    return _report(context, document, "added", added)


@zoo_command("remove", parent=registry, examples=("zoo registry remove hub:org/name",))
@click.argument("models", metavar="MODEL...", nargs=-1, required=True)
@options.registry
def remove(context: Context, *, models: tuple[str, ...]) -> int:
    """Take entries out of the registry; the checkpoints themselves stay where they are."""
    from zoo.registry import find_entry, load_registry, save_registry, unknown_model
    from zoo_cli.documents.models import RemovedModels

    known = load_registry(_existing(context))
    removed = []
    for text in models:
        entry = find_entry(text, known, base=Path.cwd())
        if entry is None:
            raise unknown_model(text, known.entries)
        known = known.replace(each for each in known.entries if each != entry)
        removed.append(entry.ref)
    save_registry(known)
    document = RemovedModels(registry=str(known.path), removed=tuple(removed))
    return _report(context, document, "removed", removed)


@zoo_command(
    "lock",
    parent=registry,
    examples=("zoo registry lock", "zoo registry lock --registry team.json"),
)
@options.registry
def lock_(context: Context) -> int:
    """Pin every entry to a commit and write down digests, sizes and facts; no weight is fetched.

    Entries that are locked stay as they are. What cannot be resolved is listed and kept.
    """
    from zoo.lock import lock
    from zoo.registry import load_registry, save_registry
    from zoo.sources import open_sources
    from zoo_cli.documents.models import LockedModels

    known = load_registry(_existing(context))
    with listening(context, models=len(known.entries)) as listener:
        sources = open_sources(context.catalogue, context.settings, listener)
        locked = lock(known, sources, listener)
    if locked.changed:
        save_registry(locked.registry)
    document = LockedModels(
        registry=str(known.path), locked=locked.changed, failures=locked.failures
    )
    return _report(context, document, "locked", locked.changed)


@zoo_command(
    "verify", parent=registry, examples=("zoo registry verify", "zoo registry verify --json")
)
@options.registry
def verify_(context: Context) -> int:
    """Compare every registered file that is on this machine with its digest; no network.

    Ends with 1 when a file is not what was registered.
    """
    from zoo.lock import verify
    from zoo.registry import load_registry
    from zoo.sources import open_sources
    from zoo_cli.documents.models import VerifiedRegistry

    known = load_registry(_existing(context))
    sources = open_sources(context.catalogue, context.settings)
    checks = verify(known, sources)
    wrong = [check for check in checks if check.state in {"changed", "missing"}]
    counts = {state: sum(check.state == state for check in checks) for state in _STATES}
    without = [entry.ref for entry in known.entries if not entry.files]
    document = VerifiedRegistry(
        registry=str(known.path), files=counts, unlocked=tuple(without), wrong=tuple(wrong)
    )
    columns = (
        Column("model", key=True),
        Column("file"),
        Column("state"),
        Column("expected", flexible=True, priority=1),
        Column("found", flexible=True, priority=2),
    )
    if wrong or context.output.machine:
        rows = [msgspec.to_builtins(check) for check in wrong]
        context.output.rows(columns, rows, document=document)
    absent = f", {counts['absent']} not downloaded" if counts["absent"] else ""
    context.output.note(f"{some(counts['ok'], 'file')} as registered{absent}.")
    if without:
        context.output.note(f"{some(len(without), 'model')} without digests.")
        context.output.hint("zoo registry lock")
    if wrong:
        context.output.warn(f"{some(len(wrong), 'file')} not as registered.")
    return ExitCode.FAILED if wrong else ExitCode.DONE


@zoo_command("diff", parent=registry, examples=("zoo registry diff old.json new.json",))
@click.argument("old", type=click.Path(path_type=Path))
@click.argument("new", type=click.Path(path_type=Path))
def diff_(context: Context, *, old: Path, new: Path) -> int:
    """Show which models two registries do not share, and which facts of the others differ."""
    from zoo.lock import diff
    from zoo.registry import load_registry
    from zoo_cli.documents.models import RegistryDifference

    found = diff(load_registry(old), load_registry(new))
    rows = [{"change": "removed", "model": ref} for ref in found.removed]
    rows += [{"change": "added", "model": ref} for ref in found.added]
    rows += [{"change": "changed"} | msgspec.to_builtins(change) for change in found.changed]
    columns = (
        Column("change"),
        Column("model", key=True),
        Column("field"),
        Column("old", flexible=True, priority=1),
        Column("new", flexible=True, priority=1),
    )
    document = RegistryDifference(**msgspec.structs.asdict(found))
    if rows or context.output.machine:
        context.output.rows(columns, rows, document=document)
    if found.empty:
        context.output.note("The two registries say the same.")
    return ExitCode.DONE


def _target(context: Context) -> Path:
    """Choose the file to write: the one asked for, else the nearest that is the person's own."""
    from zoo.registry import find_registry, packaged_registry

    asked = context.settings.registry
    if asked:
        path = Path(asked).expanduser()
        if path.is_dir():
            raise RegistryError(f"{asked} is a folder, not a registry file.")
        return path
    found = find_registry()
    return Path(_FILE) if found == packaged_registry() else found


def _existing(context: Context) -> Path:
    from zoo.registry import find_registry

    return find_registry(context.settings.registry)


def _with_dot(text: str) -> str:
    """Write a folder as one: here a checkpoint of the Hub says ``hub:``."""
    plain = not text.startswith((".", "/", "~")) and ":" not in text
    return f"./{text}" if plain and Path(text).is_dir() else text


def _relative(entry: ModelEntry, path: Path) -> str:
    """Write a folder as it is found from the registry's own folder."""
    ref = entry.parsed
    if ref.source != "folder":
        return entry.ref
    folder = Path(ref.name).expanduser().absolute()
    try:
        relative = Path(os.path.relpath(folder, path.absolute().parent)).as_posix()
    except ValueError:  # another drive
        return folder.as_posix()
    return relative if relative.startswith("..") else f"./{relative}"


def _report(context: Context, document: Written, verb: str, models: Sequence[str]) -> int:
    """Print what was done and what was not; give the exit code."""
    text = "\n".join(f"{verb} {model}" for model in models) or f"nothing {verb}"
    context.output.value(document, text, ids=models)
    for failure in document.failures:
        context.output.warn(f"{failure.model}: {failure.error}")
        context.output.hint(failure.hint)
    context.output.success(f"{some(len(models), 'model')} {verb} in {document.registry}.")
    return ExitCode.PARTIAL if document.failures else ExitCode.DONE
