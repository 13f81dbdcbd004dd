"""What ``zoo plugins`` prints."""

# ruff: noqa: TC001 -- msgspec reads the types of the fields

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from zoo.host import InstalledPlugin
from zoo.types.failure import Failure
from zoo_cli.documents.base import Document


class PluginRow(InstalledPlugin, frozen=True, kw_only=True):
    """One entry point of the group ``zoo.v1``.

    Attributes:
        distribution: what is installed and uninstalled.
        version: of the distribution.
        provides: kind -> names.
    """

    provides: dict[str, list[str]]


class PluginList(Document, frozen=True, kw_only=True):
    """What is installed.

    Attributes:
        hook_api: major version of the hook contract.
        plugins: broken ones, too.
        failures: what plugins did wrong.
        warnings: what works, and should be done otherwise.
    """

    hook_api: int
    plugins: tuple[PluginRow, ...]
    failures: tuple[Failure, ...]
    warnings: tuple[Failure, ...]


class PluginCard(PluginRow, frozen=True, kw_only=True):
    """Everything about one entry point.

    Attributes:
        summary: of its distribution.
        author: of its distribution.
        license: of its distribution.
        urls: label -> address.
        hooks: those that it implements.
    """

    summary: str
    author: str
    license: str
    urls: dict[str, str]
    hooks: tuple[str, ...]


_TEXT = {"type": "string"}
_ROW = {"name": _TEXT, "kind": _TEXT, "summary": _TEXT, "plugin": _TEXT}
_CARD = _ROW | {
    "reference": _TEXT,
    "distribution": _TEXT,
    "version": _TEXT,
    "target": _TEXT,
    "error": _TEXT,
    "options": {
        "type": "object",
        "additionalProperties": {
            "type": "object",
            "required": ["type", "default", "required", "choices", "meaning"],
            "properties": {
                "type": _TEXT,
                "default": {},
                "required": {"type": "boolean"},
                "choices": {"type": "array", "items": _TEXT},
                "meaning": _TEXT,
            },
        },
    },
}
#: Beside these a spec has the fields of its kind: docs/reference/hooks.md.
SpecRow = Annotated[
    dict[str, Any],
    msgspec.Meta(extra_json_schema={"properties": _ROW, "required": sorted(_ROW)}),
]
SpecCard = Annotated[
    dict[str, Any],
    msgspec.Meta(extra_json_schema={"properties": _CARD, "required": sorted(_CARD)}),
]


class HookList(Document, frozen=True, kw_only=True):
    """What one hook provides.

    Attributes:
        hook: its name.
        specs: with the fields of their kind.
    """

    hook: str
    specs: tuple[SpecRow, ...]


class SpecCards(Document, frozen=True, kw_only=True):
    """Everything about the specs of one name, or about a plugin.

    Attributes:
        specs: with the fields of their kind.
        plugins: those of that name.
    """

    specs: tuple[SpecCard, ...]
    plugins: tuple[PluginCard, ...] = ()


class InstalledPlugins(Document, frozen=True, kw_only=True):
    """What was installed.

    Attributes:
        installed: distribution -> version.
    """

    installed: dict[str, str]


class UninstalledPlugins(Document, frozen=True, kw_only=True):
    """What was removed.

    Attributes:
        uninstalled: distributions.
    """

    uninstalled: tuple[str, ...]


class NewPlugin(Document, frozen=True, kw_only=True):
    """A distribution that was written.

    Attributes:
        folder: where.
        kind: what it provides.
        distribution: its name.
        module: what it is imported as.
        name: of what it provides.
        files: those that were written, below the folder.
        next: command lines to go on with.
    """

    folder: str
    kind: str
    distribution: str
    module: str
    name: str
    files: tuple[str, ...]
    next: tuple[str, ...]
