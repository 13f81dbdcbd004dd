"""Which commands plugins add: kept in the store, so that help imports no plugin.

What was found holds as long as Zoo is the same, the same distributions advertise the same modules,
and none of the files that were read then has changed.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from zoo import __version__

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping, Sequence
    from typing import TypeAlias

    from zoo.catalogue import Provided
    from zoo.host import InstalledPlugin, PluginHost
    from zoo.types.failure import Failure

    #: What the file holds: ``key``, ``files`` with when each was changed, ``commands``.
    Kept: TypeAlias = dict[str, Any]

#: Files of one package that are looked at; a plugin of more is rarely edited in place.
_MOST_FILES = 200
_MODULE = "module:"
#: What settings are read from; reading them takes longer than all of help.
_SETTINGS = ("zoo.toml", "pyproject.toml")


@dataclass(frozen=True, slots=True)
class PluginCommand:
    """A command of a plugin, before it is imported."""

    name: str
    target: str
    summary: str
    plugin: str


def plugin_commands(
    advertised: Sequence[str], taken: Container[str] = ()
) -> dict[str, PluginCommand]:
    """Map the name of each command that a plugin adds to where it is.

    Args:
        advertised: what changes with every installation, see :mod:`zoo_cli.lazy`.
        taken: names that no plugin gets.
    """
    disabled = os.environ.get("ZOO_DISABLE_PLUGINS", "")
    stamps = {os.path.abspath(name): _stamp(name) for name in _SETTINGS}  # noqa: PTH100
    settings = [f"{path} {stamp}" for path, stamp in stamps.items() if stamp]
    key = [sys.version, __version__, *advertised, disabled, *settings]
    path = _path()
    kept = _read(path, key)
    if kept is None or any(_changed(kept["files"])):
        kept = _discovered(key)
        _write(path, kept)
    commands = [PluginCommand(**each) for each in kept["commands"]]
    return {each.name: each for each in commands if each.name not in taken}


def _path() -> str:
    """One file an environment; where a file of settings puts the store is not asked."""
    import zlib

    home = os.environ.get("ZOO_HOME")
    if not home:
        from platformdirs import user_cache_dir

        home = user_cache_dir("zoo")
    where = zlib.crc32("\n".join([sys.prefix, os.environ.get("PYTHONPATH", "")]).encode())
    return os.path.join(os.path.expanduser(home), "plugins", f"commands-{where:08x}.json")  # noqa: PTH111, PTH118


def _read(path: str, key: list[str]) -> Kept | None:
    try:
        with open(path, encoding="utf-8") as file:  # noqa: PTH123 -- pathlib costs as much as the rest
            kept: Kept = json.load(file)
    except (OSError, ValueError):
        return None
    return kept if isinstance(kept, dict) and kept.get("key") == key else None


def _write(path: str, kept: Kept) -> None:
    from pathlib import Path

    from zoo.files import write_atomically

    with suppress(OSError):  # a store that cannot be written to costs time, nothing else
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        write_atomically(Path(path), json.dumps(kept).encode())


def _changed(files: dict[str, int]) -> Iterable[bool]:
    return (_stamp(name) != stamp for name, stamp in files.items())


def _stamp(name: str) -> int:
    """Say when a file was changed, and of ``module:NAME`` whether it is there."""
    if name.startswith(_MODULE):
        return int(bool(_sources(name.removeprefix(_MODULE))))
    try:
        return os.stat(name).st_mtime_ns  # noqa: PTH116 -- asked for hundreds of files a start
    except OSError:
        return 0


def broken_plugins() -> list[Failure]:
    """Load every plugin, and give what is wrong with those that may have had a command."""
    host, _ = _asked()
    return host.failures


def _asked() -> tuple[PluginHost, Mapping[str, Provided]]:
    """Ask the plugins for commands; what they print must not stand in the help of Zoo."""
    from zoo.catalogue import Catalogue
    from zoo.errors import ZooError
    from zoo.host import PluginHost
    from zoo.settings import Settings, resolve
    from zoo_cli.standard_output import turned_away

    try:
        settings = resolve().settings
    except ZooError:  # help must work; whatever is run says what is wrong with the settings
        settings = Settings()
    with turned_away():
        host = PluginHost(disabled=settings.disable_plugins).discover()
        return host, Catalogue(host).provided("command")


def _discovered(key: list[str]) -> Kept:
    from zoo.distributions import OURS

    host, provided = _asked()
    strangers = [each for each in host.installed if each.distribution != OURS]
    found = [
        PluginCommand(each.spec.name, each.spec.target, each.spec.summary, each.plugin)
        for each in provided.values()
    ]
    return {
        "key": key,
        "files": {name: _stamp(name) for each in strangers for name in _files(each)},
        "commands": [asdict(each) for each in found],
    }


def _files(plugin: InstalledPlugin) -> list[str]:
    """Name the files that shape what a plugin advertises, the sources of its package."""
    top = plugin.module.partition(":")[0].partition(".")[0]
    if plugin.status == "disabled" or not top:
        return []
    loaded = [
        each.__file__
        for name, each in list(sys.modules.items())
        if name.partition(".")[0] == top and getattr(each, "__file__", None)
    ]
    if plugin.status == "failed":  # what did not load is in no table of modules
        loaded += [f"{_MODULE}{top}", *_sources(top)]
    return sorted({each for each in loaded if each})


def _sources(top: str) -> list[str]:
    try:
        found = importlib.util.find_spec(top)
    except (ImportError, ValueError, AttributeError):
        return []
    if found is None:
        return []
    from pathlib import Path

    folders = [Path(each) for each in found.submodule_search_locations or ()]
    inside = [str(each) for folder in folders for each in folder.rglob("*.py")]
    return [*([found.origin] if found.origin else []), *inside[:_MOST_FILES]]
