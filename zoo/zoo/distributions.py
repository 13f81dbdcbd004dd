"""What the installed distributions advertise: reads their files, and imports none of them.

``importlib.metadata.entry_points`` stops at the first file that it cannot parse. Here such a file
is its own distribution's problem.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib import metadata
from typing import TYPE_CHECKING

from zoo.hookspecs import HOOK_API

if TYPE_CHECKING:
    from collections.abc import Iterator

OURS = "zoo-reuse"
#: Read before anything is parsed: most distributions name no group of ours.
_MARK = "[zoo.v"
_CONTRACT = re.compile(r"zoo\.v(\d+)")
_NEEDS_ZOO = re.compile(r"zoo[-_.]reuse\s*(?:\[[^\]]*\])?\s*\(?([^;)]*)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Advertised:
    """One entry point of ours, whatever its version of the contract.

    Attributes:
        distribution: its name; that of its folder where it says none.
        version: empty where it says none.
        point: the entry point; None: the file of entry points cannot be read.
        contract: major version of the contract that it was written for.
        source: the distribution.
        error: why the file cannot be read.
    """

    distribution: str
    version: str
    point: metadata.EntryPoint | None
    contract: int
    source: metadata.Distribution
    error: str = ""

    @property
    def name(self) -> str:
        """``distribution:entry-point``, which nobody else can claim."""
        return f"{self.distribution}:{self.point.name if self.point else '?'}"


def normal(name: str) -> str:
    """Write a distribution's name as every tool compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def advertised() -> list[Advertised]:
    """Give every entry point of ours that can be seen; of a name seen twice, the first."""
    found: list[Advertised] = []
    seen: set[str] = set()
    for source in metadata.distributions():
        try:
            text = source.read_text("entry_points.txt") or ""
        except (OSError, UnicodeDecodeError):
            continue
        if _MARK not in text:
            continue
        name, version = identity(source)
        if normal(name) not in seen:
            seen.add(normal(name))
            found += _points(source, name, version)
    return found


def identity(source: metadata.Distribution) -> tuple[str, str]:
    """Give the name and the version, from the folder's name where the metadata does not say.

    ``Distribution.name`` parses the whole description each time it is asked.
    """
    try:
        text = source.read_text("METADATA") or source.read_text("PKG-INFO") or ""
    except (OSError, UnicodeDecodeError):
        text = ""
    said: dict[str, str] = {}
    for line in text.partition("\n\n")[0].splitlines():
        key, _, value = line.partition(":")
        said.setdefault(key.lower(), value.strip())
    folder = getattr(getattr(source, "_path", None), "name", "unknown")
    stem = folder.removesuffix(".dist-info").removesuffix(".egg-info")
    name, _, version = stem.partition("-")
    return said.get("name") or name, said.get("version") or version.partition("-")[0]


def zoo_needed(source: metadata.Distribution) -> str:
    """Say which Zoo a distribution asks for, where it is not this one; empty: it is content."""
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    from zoo import __version__

    for line in source.requires or ():
        asked = _NEEDS_ZOO.match(line.strip())
        if not asked or "extra ==" in line:
            continue
        try:
            fits = SpecifierSet(asked[1].strip()).contains(__version__, prereleases=True)
        except InvalidSpecifier:
            continue
        if not fits:
            return f"zoo-reuse{asked[1].strip()}"
    return ""


def _points(source: metadata.Distribution, name: str, version: str) -> Iterator[Advertised]:
    try:
        points = list(source.entry_points)
    except Exception as error:  # noqa: BLE001 -- whatever a file that somebody wrote does to a parser
        said = f"its entry_points.txt cannot be read: {type(error).__name__}: {error}"
        yield Advertised(name, version, None, HOOK_API, source, said)
        return
    ours = [(point, _CONTRACT.fullmatch(point.group)) for point in points]
    versions = [(point, int(group[1])) for point, group in ours if group]
    spoken = {point.name for point, contract in versions if contract == HOOK_API}
    for point, contract in versions:
        # A distribution may serve several Zoos; the entry for this one is the one that counts.
        if contract == HOOK_API or point.name not in spoken:
            yield Advertised(name, version, point, contract, source)
