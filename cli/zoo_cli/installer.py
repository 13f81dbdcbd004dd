"""Installing into the interpreter that runs Zoo: the only place where plugins can be seen."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
from importlib import metadata
from typing import TYPE_CHECKING

from zoo import __version__
from zoo.distributions import OURS, advertised, identity, normal, zoo_needed
from zoo.errors import InputError, PluginError, ZooError, unknown_name
from zoo.hookspecs import GROUP, HOOK_API

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def plugin_distributions() -> dict[str, str]:
    """Distribution -> version of everything that names our entry points; loads nothing."""
    return {each.distribution: each.version for each in advertised()}


def distributions() -> dict[str, str]:
    """Distribution -> version of everything that is installed."""
    return dict(identity(each) for each in metadata.distributions())


def require_plugin(
    requirements: Sequence[str], before: Mapping[str, str], plugins: Mapping[str, str]
) -> None:
    """Refuse what was installed, or was there already, where Zoo cannot see a plugin in it.

    Raises:
        PluginError: with what was installed, and how to remove it.
    """
    new = set(distributions().items()) - set(before.items())
    asked = {normal(re.split(r"[^\w.-]", each)[0]) for each in requirements}
    there = {normal(name): (name, version) for name, version in {*before.items(), *new}}
    first = next(iter(sorted(new)), None) or next(
        (there[each] for each in sorted(asked) if each in there), None
    )
    if first and normal(first[0]) not in map(normal, plugins):
        raise PluginError(
            f"{first[0]} {first[1]} is no plugin: it names no module in the entry-point group "
            f"{GROUP}.",
            f"To remove it: {' '.join(_installer('uninstall'))} {first[0]}",
        )


def unmet(names: Sequence[str]) -> list[str]:
    """Say of each plugin what this Zoo does not give it."""
    sentences = []
    for each in advertised():
        if each.distribution in names:
            needed = zoo_needed(each.source)
            if each.contract != HOOK_API:
                needed = needed or f"a Zoo that loads zoo.v{each.contract}"
                sentences.append(
                    f"{each.name} {each.version} is written for zoo.v{each.contract} and is not "
                    f"loaded: it needs {needed}."
                )
            elif needed:
                sentences.append(
                    f"{each.name} {each.version} needs {needed}, and this is {__version__}."
                )
    return sentences


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
    where = {each.distribution: getattr(each.source, "_path", "") for each in advertised()}
    _run([*command, *names], f"uninstall {' '.join(names)}")
    importlib.invalidate_caches()
    left = [each for each in names if each in plugin_distributions()]
    if left:
        raise ZooError(
            f"{left[0]} is still there: no installer put it where it is, {where[left[0]]}.",
            "Remove that folder and the module beside it by hand.",
        )


def removable(name: str) -> str:
    """Give the distribution of a plugin, by any of its names; nothing is imported.

    Raises:
        InputError: nobody's plugin, or Zoo itself.
    """
    strangers = [each for each in advertised() if normal(each.distribution) != OURS]
    wanted = normal(name.partition(":")[0])
    if wanted == OURS:
        raise InputError(
            "zoo-reuse is Zoo itself; its own plugins cannot be uninstalled.",
            "--no-plugin NAME leaves one out.",
        )
    for each in strangers:
        if wanted == normal(each.distribution):
            return each.distribution
    for each in strangers:  # as somebody may know it who never saw the distribution's name
        if each.point and name in {each.point.name, each.point.value.partition(":")[0]}:
            return each.distribution
    known = [each.distribution for each in strangers]
    raise unknown_name("installed plugin", name, known, "zoo plugins list")


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
