"""``zoo.grow``: a larger checkpoint that computes the same function."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zoo.api import open_catalogue
from zoo.events import Listener, ignore
from zoo.settings import Settings, resolve

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from zoo.growing.journey import GrowthReport
    from zoo.types.growing import Deepen, Widen
    from zoo.types.protocols import ProbeOptions


def grow(
    model: str,
    folder: str | Path,
    steps: Sequence[Widen | Deepen] = (),
    *,
    target: str | Path = "",
    method: str = "",
    options: Mapping[str, Any] | None = None,
    seed: int = 0,
    allow_inexact: bool = False,
    data: str | Path = "",
    probe: ProbeOptions | None = None,
    samples: int = 1000,
    trust_remote_code: Sequence[str] = (),
    settings: Settings | None = None,
    on_event: Listener = ignore,
) -> GrowthReport:
    """Make a checkpoint wider or deeper; by default it computes exactly what it computed before.

    Args:
        model: reference, folder or name of the registry.
        folder: to write: new or empty.
        steps: one after another, such as ``[Widen(width="1.5x"), Deepen(depth="+2")]``.
        target: a folder or ``config.json`` with a larger configuration, in place of the steps.
        method: name of the grower; by default the first that keeps the function.
        options: of the method.
        seed: of everything that is drawn.
        allow_inexact: make it even where it does not compute the same function.
        data: real inputs for the proof, and for a method that learns.
        probe: how to read them.
        samples: most of them that a method learns from.
        trust_remote_code: references that may run their own code.
        settings: how to run; read from file and environment when absent.
        on_event: is told what happens while it happens.

    Returns:
        What grew, and how the two networks differ on the same inputs.

    Raises:
        InputError: a size that cannot be, with the nearest that can; an architecture that nobody
            knows; a growth that would change the function.
        CheckpointError: the larger network differs by more than rounding; nothing is written.
        ZooError: what else went wrong; nothing is written.
    """
    from zoo.growing.journey import grow_checkpoint
    from zoo.growing.prepared import GrowthRequest, prepare_growth

    settings = settings or resolve().settings
    catalogue = open_catalogue(settings)
    request = GrowthRequest(
        model=model,
        steps=tuple(steps),
        target=str(target),
        method=method,
        options=options,
        seed=seed,
        allow_inexact=allow_inexact,
        data=str(data),
        probe=probe,
        samples=samples,
        trust_remote_code=trust_remote_code,
    )
    prepared = prepare_growth(request, str(folder), settings, catalogue, on_event=on_event)
    return grow_checkpoint(prepared, str(folder), settings, catalogue, on_event=on_event)
