"""Places that checkpoints come from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo.catalogue import load_target, options_of
from zoo.events import Listener, ignore
from zoo.host import PLUGIN_ERRORS
from zoo.types.failure import Failure

if TYPE_CHECKING:
    from zoo.catalogue import Catalogue
    from zoo.settings import Settings
    from zoo.types.protocols import Source


def open_sources(
    catalogue: Catalogue, settings: Settings, on_event: Listener = ignore, *, only: str = ""
) -> dict[str, Source]:
    """Build every source once, by scheme, or ``only`` one of them.

    A source gets ``home``, ``offline`` and ``on_event`` where it has such an option. One that
    cannot be built is a failure of its plugin, and the others go on.
    """
    offers = {"home": str(settings.folder), "offline": settings.offline or None}
    sources: dict[str, Source] = {}
    for name, provided in catalogue.provided("source").items():
        if only and name != only:
            continue
        options = {"on_event": on_event, **offers}
        try:
            target = load_target(provided.spec)
            known = options_of(target)
            sources[name] = target(**{key: value for key, value in options.items() if key in known})
        except PLUGIN_ERRORS as error:
            message = f"the source {name!r} cannot be used: {Failure.of(error, stage='').error}"
            catalogue.host.refuse(message, plugin=provided.plugin, stage="zoo_sources")
    return sources
