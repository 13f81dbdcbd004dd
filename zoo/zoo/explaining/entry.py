"""``zoo.explain`` and ``zoo.explain_class``: why, with evidence for every sentence."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.api import open_catalogue
from zoo.settings import Settings, resolve

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zoo.types.explaining import Report


def explain(
    run: str = "",
    *,
    model: str = "",
    against: str = "",
    history: str | Path = "",
    settings: Settings | None = None,
    **how: Any,
) -> Report:
    """Say why one model of a run stands where it does.

    Args:
        run: its name or the last letters of it; empty takes the newest.
        model: reference, short name or rank; empty takes the first.
        against: what it is compared with; empty takes the next best.
        history: a CSV file of fine-tuned results beside those of the person's own runs.
        settings: how to run; read from file and environment when absent.
        **how: as :func:`zoo.explaining.journey.explain_run` takes it: ``senses``, ``encoder``,
            ``maps``, ``only``, ``options`` and ``on_event``.

    Raises:
        InputError: no such run, model, reporter or encoder.
    """
    from zoo.explaining.history import read_history
    from zoo.explaining.journey import explain_run
    from zoo.runs import find_run, newest_run

    settings = settings or resolve().settings
    found = find_run(settings.folder, run) if run else newest_run(settings.folder)
    records = read_history(Path(history)) if history else ()
    return explain_run(
        found,
        settings,
        open_catalogue(settings),
        model=model,
        against=against,
        history=records,
        **how,
    )


def explain_class(
    model: str,
    unseen: Sequence[str],
    *,
    data: str | Path = "",
    settings: Settings | None = None,
    **how: Any,
) -> Report:
    """Say what a classifier makes of classes that it never saw, and why.

    Args:
        model: a reference, a folder or a name of the registry.
        unseen: names of the classes.
        data: labelled samples to try it on.
        settings: how to run; read from file and environment when absent.
        **how: as :func:`zoo.explaining.journey.explain_class` takes it: ``probe``, ``senses``,
            ``encoder``, ``only``, ``options`` and ``on_event``.

    Raises:
        InputError: no such model, reporter or encoder; data that cannot be read.
    """
    from zoo.explaining import journey

    settings = settings or resolve().settings
    return journey.explain_class(
        model, unseen, settings, open_catalogue(settings), data=str(data), **how
    )
