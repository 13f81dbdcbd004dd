"""Forward passes: each file of features is made once for everybody who asks for it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from zoo.engine.choices import read_choice
from zoo.engine.contest import Contest, Rival
from zoo.engine.deaths import explain
from zoo.engine.devices import check_device, choose_devices
from zoo.engine.jobs import ExtractDone, ExtractJob
from zoo.engine.machine import may_have_gpu
from zoo.engine.once import Once, gather
from zoo.engine.worker import extract_features, find_gpus
from zoo.engine.workers import EXTRACT, SCORE, WORKER_BYTES, Job
from zoo.errors import InputError
from zoo.events import Event
from zoo.types.failure import Failure

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from zoo.engine.jobs import AttributionJob
    from zoo.engine.parts import Part
    from zoo.engine.preparation import Wanted
    from zoo.engine.workers import Workers
    from zoo.events import Listener
    from zoo.settings import Settings
    from zoo.store import Store

    Then = Callable[[Any], None]

_UNKNOWN_BYTES = 512 << 20
#: Less work than this is not worth asking whether another runtime is faster.
LEAST_SECONDS = 3.0
#: How often something may vanish from the store under our feet.
REPEATS = 2


@dataclass(frozen=True, kw_only=True, eq=False)
class Pass:
    """One checkpoint over some samples.

    Attributes:
        key: of the features.
        attribution: what to attribute beside them.
        contest: other runtimes that may take over.
    """

    wanted: Wanted
    part: Part
    key: str
    attribution: AttributionJob | None = None
    contest: Contest | None = None

    @property
    def name(self) -> str:
        """Equal for two that leave the same files behind."""
        rivals = self.contest.rivals if self.contest else ()
        beside = self.attribution.key if self.attribution else ""
        return " ".join([self.key, beside, *(rival.key for rival in rivals)])

    def against(self, rivals: Sequence[Wanted], memory: str) -> Pass:
        """Let other runtimes take over; ``memory`` is the key of what is remembered."""
        entries = tuple(
            Rival(runtime=each.runtime, key=self.part.features_key(each)) for each in rivals
        )
        contest = Contest(rivals=entries, memory=memory, least=LEAST_SECONDS)
        return replace(self, contest=contest)


class Forwards:
    """Starts forward passes in workers; lives in their thread."""

    def __init__(
        self, workers: Workers, store: Store, settings: Settings, on_event: Listener
    ) -> None:
        self._workers, self._store, self._settings = workers, store, settings
        self._device = check_device(settings.device)
        self._tell = on_event
        self._once = Once()

    def ask(self, one: Pass, then: Then) -> None:
        """Call ``then`` with an :class:`ExtractDone`, or with an InputError for the device."""
        self._once.ask(one.name, partial(self._gather_inputs, one, 0), then)

    def forget(self, one: Pass) -> None:
        """Make it again when it is asked for: its files are no longer in the store."""
        self._once.forget(one.name)

    def _gather_inputs(self, one: Pass, repeats: int, done: Then) -> None:
        devices = partial(self._once.ask, "devices", self._find_devices)
        prepared = one.part.preparation.asks(one.wanted)
        gather([devices, *prepared], partial(self._start, one, repeats, done))

    def _start(self, one: Pass, repeats: int, done: Then, answers: list[Any]) -> None:
        devices, prepared = answers[0], answers[1:]
        failures = [each.failure for each in prepared if each.failure is not None]
        if isinstance(devices, InputError) or failures:
            done(devices if not failures else ExtractDone(failure=failures[0]))
            return
        checkpoint, probe = one.wanted.checkpoint, one.part.probe
        job = ExtractJob(
            store=self._store.folder,
            key=one.key,
            checkpoint=checkpoint,
            runtime=one.wanted.runtime,
            modality=probe.modality,
            shards=tuple(one.part.preparation.keys(one.wanted)),
            texts=() if prepared else tuple(probe.inputs),
            threads=self._settings.threads,
            prepare_seconds=sum(each.seconds for each in prepared),
            attribution=one.attribution,
            precision=one.wanted.precision,
            demanded="" if self._device in {"auto", "cpu"} else self._device,
            contest=one.contest,
        )
        size = checkpoint.entry.bytes or _UNKNOWN_BYTES
        self._workers.add(
            Job(
                function=extract_features,
                argument=job,
                done=partial(self._take, one, repeats, done),
                order=(EXTRACT, -size, one.wanted.number),
                devices=devices,
                memory=WORKER_BYTES + (3 if one.contest else 2) * size,
                timeout=self._settings.timeout or None,
            )
        )

    def _take(self, one: Pass, repeats: int, done: Then, answer: Any) -> None:
        if isinstance(answer, BaseException):
            self._lost_worker(one, repeats, done, answer)
        elif not answer.lost:
            done(answer)
        elif repeats < REPEATS:
            one.part.preparation.forget(answer.lost)
            self._gather_inputs(one, repeats + 1, done)
        else:
            done(ExtractDone(failure=vanished()))

    def _lost_worker(self, one: Pass, repeats: int, done: Then, error: BaseException) -> None:
        """Try again without attributions, which may be what the worker died of."""
        model, timeout = one.wanted.checkpoint.model, self._settings.timeout
        if one.attribution is None:
            failure = explain(error, stage="extract", model=model, timeout=timeout)
            done(ExtractDone(failure=failure, runtime=self._at_work(one)))
            return
        failure = explain(error, stage="attribute", model=model, timeout=timeout)
        plain = replace(one, attribution=None)
        self._gather_inputs(plain, repeats, lambda answer: done(_unattributed(answer, failure)))

    def _at_work(self, one: Pass) -> str:
        """Name the runtime that a contest was at when its worker died."""
        if one.contest is None:
            return ""
        try:
            choice = read_choice(self._store, one.contest.memory)
        except OSError:
            return ""
        return choice.trying or choice.runtime

    def _find_devices(self, done: Then) -> None:
        def choose(gpus: Any) -> None:
            try:
                devices = choose_devices(self._device, gpus if isinstance(gpus, int) else 0)
            except InputError as error:
                done(error)
                return
            if self._device == "auto":
                why = f" ({missing})" if devices == ("cpu",) else ""
                self._tell(Event(kind="note", message=f"device: {', '.join(devices)}{why}"))
            done(devices)

        missing = "PyTorch finds no CUDA device" if may_have_gpu() else "no CUDA device"
        if self._device == "cpu" or (self._device == "auto" and not may_have_gpu()):
            choose(0)
        else:
            job = Job(function=find_gpus, argument=None, done=choose, order=(SCORE,), attempts=2)
            self._workers.add(job)


def vanished() -> Failure:
    """Say that somebody prunes the store under our feet."""
    hint = "Do not prune the store while a run goes on; start the command again."
    return Failure(stage="extract", error="its files vanished from the store.", hint=hint)


def _unattributed(answer: ExtractDone | InputError, failure: Failure) -> ExtractDone | InputError:
    if isinstance(answer, InputError) or answer.extraction is None:
        return answer
    return replace(answer, unattributed=failure)
