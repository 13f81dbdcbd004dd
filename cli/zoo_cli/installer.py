"""Installing into the interpreter that runs Zoo: the only place where plugins can be seen."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from importlib import metadata
from typing import TYPE_CHECKING

from zoo.errors import InputError, ZooError, unknown_name
from zoo.hookspecs import GROUP

if TYPE_CHECKING:
    from collections.abc import Sequence

OURS = "zoo-reuse"


def plugin_distributions() -> dict[str, str]:
    """Distribution -> version of everything that names our entry points; loads nothing."""
    points = metadata.entry_points(group=GROUP)
    return {point.dist.name: point.dist.version for point in points if point.dist}


def install(requirements: Sequence[str], *, upgrade: bool, offline: bool) -> None:
    """Install with pip, or with uv where pip is absent; their words go to standard error.

    Raises:
        ZooError: the installer failed, or there is none.
    """
    command = _installer("install")
    command += ["--upgrade"] if upgrade else []
    command += (["--offline"] if command[0].endswith("uv") else ["--no-index"]) if offline else []
    _run([*command, *requirements], f"install {' '.join(requirements)}")


def uninstall(names: Sequence[str]) -> None:
    """Remove distributions without loading any plugin.

    Raises:
        ZooError: the installer failed, or there is none.
    """
    command = _installer("uninstall")
    command += [] if command[0].endswith("uv") else ["--yes"]
    _run([*command, *names], f"uninstall {' '.join(names)}")


def removable(name: str) -> str:
    """Give the distribution of a plugin, by its own name or ``distribution:entry-point``.

    Raises:
        InputError: nobody's plugin, or Zoo itself.
    """
    wanted = name.partition(":")[0]
    known = {_normal(each): each for each in plugin_distributions()}
    if _normal(wanted) == OURS:
        raise InputError(
            "zoo-reuse is Zoo itself; its own plugins cannot be uninstalled.",
            "--no-plugin NAME leaves one out.",
        )
    if _normal(wanted) not in known:
        strangers = [each for each in known.values() if each != OURS]
        raise unknown_name("installed plugin", wanted, strangers, "zoo plugins list")
    return known[_normal(wanted)]


def _installer(verb: str) -> list[str]:
    if importlib.util.find_spec("pip"):
        return [sys.executable, "-m", "pip", verb]
    uv = shutil.which("uv")
    if uv:
        return [uv, "pip", verb, "--python", sys.executable]
    raise ZooError(
        f"neither pip nor uv is there to {verb} plugins in {sys.prefix}.",
        f"{sys.executable} -m ensurepip",
    )


def _run(command: list[str], what: str) -> None:
    done = subprocess.run(command, stdout=sys.stderr, check=False)
    if done.returncode:
        tool = "uv" if command[0].endswith("uv") else "pip"
        raise ZooError(
            f"{tool} could not {what} (exit code {done.returncode}).",
            f"Its own words stand above. The command was: {' '.join(command)}",
        )


def _normal(name: str) -> str:
    return name.lower().replace("_", "-").replace(".", "-")
