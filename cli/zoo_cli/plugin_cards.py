"""What ``zoo plugins show`` says about a plugin: whose it is, what it provides, what it costs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from zoo.distributions import OURS, advertised, zoo_needed

if TYPE_CHECKING:
    from collections.abc import Mapping
    from importlib import metadata

    from zoo.host import InstalledPlugin, PluginHost

_ODD = "its metadata cannot be read"


def names_of(plugin: InstalledPlugin) -> set[str]:
    """Give what a person may call a plugin."""
    return {
        plugin.name,
        plugin.distribution,
        plugin.name.partition(":")[2],
        plugin.module.partition(":")[0],
    } - {""}


def sources() -> dict[str, metadata.Distribution]:
    """Map the name of each plugin to its distribution; finding them takes a while."""
    return {each.name: each.source for each in advertised()}


def trouble_of(plugin: InstalledPlugin, found: Mapping[str, metadata.Distribution]) -> str:
    """Say what is wrong with a plugin in one line, or which Zoo it asks for; empty: nothing."""
    if plugin.error or plugin.distribution == OURS:
        return plugin.error
    try:
        needed = zoo_needed(found[plugin.name])
    except Exception:  # noqa: BLE001 -- metadata that somebody wrote by hand
        return _ODD
    return f"asks for {needed}, which this Zoo is not" if needed else ""


def plugin_card(
    plugin: InstalledPlugin,
    host: PluginHost,
    provides: Mapping[str, list[str]],
    found: Mapping[str, metadata.Distribution],
) -> dict[str, Any]:
    """Gather what is known about a plugin."""
    said = _metadata(plugin, found)
    module = host.manager.get_plugin(plugin.name)
    callers = (host.manager.get_hookcallers(module) or []) if module else []
    facts: dict[str, Any] = msgspec.to_builtins(plugin)
    return facts | {
        "error": trouble_of(plugin, found),
        "provides": dict(provides),
        "summary": said.get("summary", ""),
        "author": said.get("author") or said.get("author-email", ""),
        "license": said.get("license-expression") or said.get("license", ""),
        "urls": said.get("urls", {}),
        "hooks": sorted(each.name for each in callers),
    }


def words(card: Mapping[str, Any]) -> str:
    """Put it into words for a person."""
    rows = {
        "from": f"{card['distribution']} {card['version']}".rstrip(),
        "module": card["module"],
        "author": card["author"],
        "licence": card["license"],
        **{label.lower(): address for label, address in card["urls"].items()},
        "hooks": ", ".join(card["hooks"]),
        "provides": "; ".join(
            f"{noun.replace('_', ' ')}: {', '.join(names)}"
            for noun, names in card["provides"].items()
        ),
        "start-up": f"{card['seconds'] * 1000:.0f} ms",
        "status": card["status"],
        "error": card["error"],
    }
    lines = [f"{card['name']}  (plugin)"]
    lines += [f"  {card['summary']}"] if card["summary"] else []
    width = max(11, *map(len, rows)) + 1
    return "\n".join([*lines, *(f"  {name:<{width}}{text}" for name, text in rows.items() if text)])


def _metadata(
    plugin: InstalledPlugin, found: Mapping[str, metadata.Distribution]
) -> dict[str, Any]:
    """Read what the distribution says of itself; nothing where that cannot be read."""
    try:
        said: metadata.PackageMetadata = found[plugin.name].metadata
        facts: dict[str, Any] = {}
        for key in ("Summary", "Author", "Author-email", "License", "License-Expression"):
            text = (said.get_all(key) or [""])[0].strip()
            facts[key.lower()] = "" if text == "UNKNOWN" else text.partition("\n")[0]
        pairs = [each.partition(",") for each in said.get_all("Project-URL") or []]
        home = (said.get_all("Home-page") or [""])[0]
        facts["urls"] = ({"Homepage": home} if home else {}) | {
            label.strip(): address.strip() for label, _, address in pairs
        }
    except Exception:  # noqa: BLE001 -- metadata that somebody wrote by hand
        return {}
    return facts
