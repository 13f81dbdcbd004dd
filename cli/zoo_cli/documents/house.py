"""What the commands that keep house print: cache, config, doctor, completion."""

# ruff: noqa: TC001 -- msgspec reads the types of the fields

from __future__ import annotations

from typing import Any

import msgspec

from zoo.settings import Settings
from zoo_cli.diagnosis.finding import Diagnosis
from zoo_cli.documents.base import Document


class KeptKind(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of what is kept.

    Attributes:
        kind: its name.
        files: how many.
        bytes: their size.
        oldest: seconds since the longest unused was used; ``null`` without any.
        prunable: whether ``zoo cache prune`` may remove it.
        what: in words.
    """

    kind: str
    files: int
    bytes: int
    oldest: float | None
    prunable: bool
    what: str


class CacheDocument(Document, frozen=True, kw_only=True):
    """What Zoo keeps on this machine.

    Attributes:
        folder: where.
        bytes: size of everything.
        kinds: one a kind.
    """

    folder: str
    bytes: int
    kinds: tuple[KeptKind, ...]


class PrunedItem(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that can go without the others.

    Attributes:
        path: where it lies.
        kind: what it is.
        bytes: its size.
        unused: seconds since its last use.
    """

    path: str
    kind: str
    bytes: int
    unused: float


class PrunedCache(Document, frozen=True, kw_only=True):
    """What was removed, or would be.

    Attributes:
        dry_run: true: nothing was removed.
        bytes: size of what goes.
        removed: one an item.
    """

    dry_run: bool
    bytes: int
    removed: tuple[PrunedItem, ...]


class SettingsDocument(Document, frozen=True, kw_only=True):
    """The settings in force.

    Attributes:
        settings: name -> value.
        origins: name -> where the value comes from.
    """

    settings: Settings
    origins: dict[str, str]


class SettingsPath(msgspec.Struct, frozen=True, kw_only=True):
    """One place that settings come from.

    Attributes:
        what: ``home``, ``settings`` or ``project``.
        path: a file, or the folder that Zoo keeps.
        exists: whether it is there.
    """

    what: str
    path: str
    exists: bool


class SettingsPaths(Document, frozen=True, kw_only=True):
    """Where settings are read from.

    Attributes:
        paths: one a place.
    """

    paths: tuple[SettingsPath, ...]


class Examination(Document, frozen=True, kw_only=True):
    """How this machine is.

    Attributes:
        healthy: no check failed.
        checks: one an examination.
    """

    healthy: bool
    checks: tuple[Diagnosis, ...]


class CompletionScript(Document, frozen=True, kw_only=True):
    """What makes a shell complete command lines.

    Attributes:
        shell: which one.
        script: for the shell to read.
    """

    shell: str
    script: str


def settings_document(settings: Settings, origins: dict[str, Any]) -> SettingsDocument:
    """Show the settings with the folder that is really used."""
    whole = msgspec.structs.replace(settings, home=str(settings.folder))
    return SettingsDocument(settings=whole, origins=origins)
