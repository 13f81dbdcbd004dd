"""``zoo config``: the settings in force, and where each comes from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from zoo.settings import FILE_NAME
from zoo_cli.context import noun_group, zoo_command
from zoo_cli.output import Column

if TYPE_CHECKING:
    from zoo_cli.context import Context

config = noun_group("config", "Show settings and where each comes from.")


@zoo_command("show", parent=config, examples=("zoo config show", "ZOO_SEED=7 zoo config show"))
def show(context: Context) -> None:
    """Show every setting, its value and its origin.

    A flag wins over the environment, the environment over zoo.toml (or [tool.zoo] of
    pyproject.toml), and that over the default.
    """
    from zoo_cli.documents.house import settings_document

    document = settings_document(context.settings, context.resolved.origins)
    settings: dict[str, Any] = msgspec.to_builtins(document.settings)
    rows = [
        {"setting": name, "value": value, "origin": context.resolved.origins[name]}
        for name, value in settings.items()
    ]
    columns = (Column("setting"), Column("value", show=_shown), Column("origin", flexible=True))
    context.output.rows(columns, rows, document=document)


@zoo_command("path", parent=config, examples=("zoo config path",))
def path(context: Context) -> None:
    """Show the files that settings are read from, and the folder that Zoo keeps."""
    from zoo_cli.documents.house import SettingsPath, SettingsPaths

    here = Path.cwd()
    paths = {
        "home": context.settings.folder,
        "settings": here / FILE_NAME,
        "project": here / "pyproject.toml",
    }
    found = tuple(
        SettingsPath(what=what, path=str(where), exists=where.exists())
        for what, where in paths.items()
    )
    rows = [msgspec.to_builtins(each) for each in found]
    columns = (Column("path"), Column("what"), Column("exists", show=_shown))
    context.output.rows(columns, rows, document=SettingsPaths(paths=found))


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) or "none" if isinstance(value, (list, tuple)) else str(value)
