"""Whose code an exception comes from, where nobody was watching: found by its traceback."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING

from zoo.distributions import OURS, advertised

if TYPE_CHECKING:
    from zoo.distributions import Advertised


def culprit(error: BaseException) -> Advertised | None:
    """Find the stranger's plugin whose code raised, or had raised for it; None: Zoo's own."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    modules = [str(frame.f_globals.get("__name__", "")).partition(".")[0] for frame in frames]
    strangers = [each for each in advertised() if each.distribution != OURS]
    for module in reversed(modules):
        for each in strangers:
            if module in _modules(each):
                return each
    return None


def _modules(plugin: Advertised) -> set[str]:
    """Name the top-level modules of a plugin, as far as its distribution says."""
    found = {plugin.point.value.partition(":")[0].partition(".")[0]} if plugin.point else set()
    try:
        files = plugin.source.files or []
    except Exception:  # noqa: BLE001 -- somebody else's record of files
        files = []
    return found | {each.parts[0].removesuffix(".py") for each in files if each.suffix == ".py"}
