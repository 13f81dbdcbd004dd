"""A task on its way through the engine, and where it begins."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from zoo.engine.results import look_up

if TYPE_CHECKING:
    from collections.abc import Sequence
    from concurrent.futures import Future

    from zoo.engine.choices import Entrants
    from zoo.engine.layout import Layout, Located
    from zoo.engine.preparation import Wanted
    from zoo.engine.tasks import ModelResult, ModelTask
    from zoo.store import Store
    from zoo.types.failure import Failure


@dataclass(eq=False)
class Flow:
    """One task on its way.

    Attributes:
        entrants: the runtimes that could do it.
        wanted: the one that does.
        what: where its files are, or will be.
        rivals: those that may still take over.
        forward: whether a forward pass was needed.
        fallen: whether it was begun again in the first runtime.
    """

    task: ModelTask
    future: Future[ModelResult]
    entrants: Entrants
    wanted: Wanted
    what: Located
    rivals: Sequence[Wanted] = ()
    forward: bool = False
    repeats: int = 0
    seconds: float = 0.0
    failures: list[Failure] = field(default_factory=list)
    fallen: bool = False


def find(
    task: ModelTask,
    future: Future[ModelResult],
    entrants: Entrants,
    *,
    layout: Layout,
    store: Store,
) -> tuple[Flow, ModelResult | None]:
    """Look where a task stands: scores and features of any of its runtimes are good.

    Returns:
        What is to be done, and the answer where nothing is.

    Raises:
        OSError: the store cannot be read.
    """
    samples = layout.samples(layout.locate(task, entrants.first))
    places = [(each, layout.locate(task, each)) for each in entrants.in_order(samples)]
    for wanted, what in places:
        known = look_up(store, what, task, wanted.runtime.name)
        if known is not None:
            return Flow(task, future, entrants, wanted, what), known
    kept = (place for place in places if not place[1].missing(store))
    wanted, what = next(kept, places[0])
    flow = Flow(task, future, entrants, wanted, what)
    if not entrants.settled and len(what.passes) == 1:
        flow.rivals = [each for each, _ in places if each is not wanted]
    return flow, None
