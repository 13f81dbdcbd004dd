"""Decoding and resizing, shared: each range of images once for all that want it alike."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from zoo.engine.deaths import explain
from zoo.engine.inputs import shards
from zoo.engine.jobs import ShardDone, ShardJob
from zoo.engine.keys import shard_key
from zoo.engine.once import Once
from zoo.engine.worker import prepare_shard
from zoo.engine.workers import PREPARE, WORKER_BYTES, Job
from zoo.events import Event

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from zoo.engine.workers import Workers
    from zoo.events import Listener
    from zoo.store import Store
    from zoo.types.model import Checkpoint
    from zoo.types.probe import Probe
    from zoo.types.runtimes import Precision
    from zoo.types.specs import RuntimeSpec

    Then = Callable[[ShardDone], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a checkpoint wants its images to be like.

    Attributes:
        identity, input_key: as its runtime gives them.
        number: its place among all tasks.
        precision: numbers that its forward pass computes in.
    """

    checkpoint: Checkpoint
    runtime: RuntimeSpec
    identity: str
    input_key: str
    number: int
    precision: Precision = "fp32"

    @property
    def package(self) -> str:
        """Where its runtime comes from: runtimes of one package share what they prepare."""
        return self.runtime.target.partition(":")[0].partition(".")[0]

    def shares_inputs(self, other: Wanted) -> bool:
        """Whether both read the same prepared images."""
        return (self.package, self.input_key) == (other.package, other.input_key)


class Preparation:
    """Prepares the images of one probe, in the thread of the workers; texts need none."""

    def __init__(
        self, workers: Workers, store: Store, probe: Probe, labels: str, on_event: Listener
    ) -> None:
        self._workers, self._store, self._tell = workers, store, on_event
        self._probe, self._labels = probe, labels
        self._once = Once()
        self._done = self._total = 0

    def keys(self, wanted: Wanted) -> dict[str, range]:
        """Name the shards of all samples, in their order."""
        if self._probe.modality != "image":
            return {}
        name = partial(shard_key, wanted.package, wanted.input_key, self._probe.fingerprint)
        return {name(self._labels, rows): rows for rows in shards(self._probe.samples)}

    def asks(self, wanted: Wanted) -> list[Callable[[Then], None]]:
        """Give one question a shard, for :func:`zoo.engine.once.gather`."""
        return [
            partial(self._once.ask, key, partial(self._start, wanted, key, rows))
            for key, rows in self.keys(wanted).items()
        ]

    def forget(self, keys: Iterable[str]) -> None:
        """Prepare these again when they are asked for: they are no longer in the store."""
        for key in keys:
            self._once.forget(key)

    def _start(self, wanted: Wanted, key: str, rows: range, done: Then) -> None:
        known = self._store.read("inputs", key, names=())
        if known is not None:
            done(ShardDone(seconds=float(known.metadata["seconds"])))
            return
        self._total += len(rows)
        job = ShardJob(
            store=self._store.folder,
            key=key,
            checkpoint=wanted.checkpoint,
            runtime=wanted.runtime,
            inputs=tuple(self._probe.inputs[rows.start : rows.stop]),
        )
        self._workers.add(
            Job(
                function=prepare_shard,
                argument=job,
                done=partial(self._finish, wanted, len(rows), done),
                order=(PREPARE, wanted.number, rows.start),
                memory=WORKER_BYTES,
                attempts=2,  # no model is to blame for the death of a worker here
            )
        )

    def _finish(self, wanted: Wanted, rows: int, done: Then, answer: Any) -> None:
        self._done += rows
        self._tell(Event(kind="prepare", done=self._done, total=self._total))
        if isinstance(answer, BaseException):
            model = wanted.checkpoint.model
            answer = ShardDone(failure=explain(answer, stage="extract", model=model, timeout=0.0))
        done(answer)
