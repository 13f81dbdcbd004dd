"""Registry files as lock files: pin, check against this machine, compare."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import msgspec

from zoo.errors import ZooError
from zoo.events import Event, Listener, ignore
from zoo.registry import Registry
from zoo.types.failure import Failure

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from zoo.types.model import Candidate, ModelEntry
    from zoo.types.protocols import Source

_WORKERS = 8


class Locked(msgspec.Struct, frozen=True, kw_only=True):
    """What locking a registry gave.

    Attributes:
        registry: with every entry that could be resolved.
        changed: references of the entries that gained something.
        failures: the entries that stay as they were, and why.
    """

    registry: Registry
    changed: tuple[str, ...] = ()
    failures: tuple[Failure, ...] = ()


class FileCheck(msgspec.Struct, frozen=True, kw_only=True):
    """One registered file against this machine.

    Attributes:
        state: ``ok``, ``changed``, ``missing`` (a folder's file has gone) or ``absent`` (a file of
            the Hub that was never downloaded, which is no fault).
    """

    model: str
    file: str
    state: str
    expected: str
    found: str = ""


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One field that differs between two registries."""

    model: str
    field: str
    old: Any
    new: Any


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """What differs between two registries; entries are matched without their revision."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[Change, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether they say the same."""
        return not (self.added or self.removed or self.changed)


def lock(registry: Registry, sources: Mapping[str, Source], on_event: Listener = ignore) -> Locked:
    """Resolve every entry to a commit, digests and sizes; those that have them are checked.

    An entry that cannot be resolved stays as it is and is reported.
    """
    entries: list[ModelEntry] = []
    changed: list[str] = []
    failures: list[Failure] = []
    answers = resolve(registry.candidates(), sources, on_event)
    for entry, answer in zip(registry.entries, answers, strict=True):
        if isinstance(answer, ZooError):
            failures.append(Failure.of(answer, stage="inspect", model=entry.ref))
            entries.append(entry)
            continue
        entries.append(answer)
        if answer != entry:
            changed.append(answer.ref)
    return Locked(
        registry=registry.replace(entries), changed=tuple(changed), failures=tuple(failures)
    )


def resolve(
    candidates: Sequence[Candidate], sources: Mapping[str, Source], on_event: Listener = ignore
) -> list[ModelEntry | ZooError]:
    """Inspect candidates side by side; the answers, errors among them, come in their order."""

    def inspect(candidate: Candidate) -> ModelEntry | ZooError:
        try:
            entry = _source(candidate, sources).inspect(candidate)
        except ZooError as error:
            if len(candidates) > 1:
                on_event(Event(kind="failure", model=candidate.model, message=error.message))
            return error
        on_event(Event(kind="model", model=candidate.model))
        return entry

    with ThreadPoolExecutor(_WORKERS, thread_name_prefix="inspect") as pool:
        return list(pool.map(inspect, candidates))


def verify(registry: Registry, sources: Mapping[str, Source]) -> list[FileCheck]:
    """Hash every registered file that is on this machine; nothing is downloaded."""
    from zoo.hub.verify import digest_of

    checks = []
    for candidate in registry.candidates():
        entry = candidate.entry
        here = _local_files(candidate, sources)
        gone = "absent" if entry.parsed.source == "hub" else "missing"
        for path, expected in entry.files.items():
            found = digest_of(here[path], expected) if path in here else ""
            state = ("ok" if found == expected else "changed") if found else gone
            checks.append(
                FileCheck(model=entry.ref, file=path, state=state, expected=expected, found=found)
            )
    return checks


def diff(old: Registry, new: Registry) -> Difference:
    """Compare two registries entry by entry and field by field."""
    before = {_identity(entry): entry for entry in old.entries}
    after = {_identity(entry): entry for entry in new.entries}
    changes = [
        Change(
            model=after[name].ref,
            field=field,
            old=getattr(before[name], field),
            new=getattr(after[name], field),
        )
        for name in sorted(before.keys() & after.keys())
        for field in before[name].__struct_fields__
        if getattr(before[name], field) != getattr(after[name], field)
    ]
    return Difference(
        added=tuple(after[name].ref for name in sorted(after.keys() - before.keys())),
        removed=tuple(before[name].ref for name in sorted(before.keys() - after.keys())),
        changed=tuple(changes),
    )


def put(registry: Registry, entry: ModelEntry) -> Registry:
    """Add an entry, in place of one for the same checkpoint at any revision."""
    others = [each for each in registry.entries if _identity(each) != _identity(entry)]
    return registry.replace([*others, entry])


def _identity(entry: ModelEntry) -> str:
    return str(msgspec.structs.replace(entry.parsed, revision=None))


def _source(candidate: Candidate, sources: Mapping[str, Source]) -> Source:
    from zoo.plan import source_of

    return source_of(candidate, dict(sources))


def _local_files(candidate: Candidate, sources: Mapping[str, Source]) -> Mapping[str, Path]:
    """Ask a source for the files it holds; a stranger's source need not know."""
    ask = getattr(_source(candidate, sources), "local_files", None)
    files: Mapping[str, Path] = ask(candidate) if ask else {}
    return files
