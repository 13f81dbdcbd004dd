"""Places that checkpoints come from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo.catalogue import load_target, options_of
from zoo.events import Listener, ignore

if TYPE_CHECKING:
    from zoo.catalogue import Catalogue
    from zoo.settings import Settings
    from zoo.types.protocols import Source


def open_sources(
    catalogue: Catalogue, settings: Settings, on_event: Listener = ignore
) -> dict[str, Source]:
    """Build every source once, by scheme.

    A source gets ``home``, ``offline`` and ``on_event`` where it has such an option.
    """
    offers = {"home": str(settings.folder), "offline": settings.offline or None}
    sources: dict[str, Source] = {}
    for name, spec in catalogue.specs("source").items():
        target = load_target(spec)
        options = {"on_event": on_event, **offers}
        known = options_of(target)
        sources[name] = target(**{key: value for key, value in options.items() if key in known})
    return sources
