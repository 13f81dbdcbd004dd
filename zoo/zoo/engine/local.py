"""The engine of this machine: from a task to its records, through worker processes."""

from __future__ import annotations

from concurrent.futures import CancelledError, Future, InvalidStateError, wait
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Self

from zoo.algebra import LEAST
from zoo.engine.choices import Entrants
from zoo.engine.deaths import explain
from zoo.engine.flows import Flow, find
from zoo.engine.forwards import REPEATS, Forwards, vanished
from zoo.engine.jobs import ExtractDone, ScoreDone, ScoreJob
from zoo.engine.keys import Names
from zoo.engine.layout import Layout, Located
from zoo.engine.once import gather
from zoo.engine.parts import Part
from zoo.engine.pieces import Piece, read_extractions, read_features
from zoo.engine.results import conclude, failed, unattributed
from zoo.engine.scores import score_features
from zoo.engine.teller import Teller
from zoo.engine.workers import SCORE, WORKER_BYTES, Job, Workers
from zoo.errors import InputError, ZooError
from zoo.events import Event, ignore
from zoo.store import Store
from zoo.types.failure import Failure

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

    import numpy.typing as npt

    from zoo.engine.pieces import Rows
    from zoo.engine.preparation import Wanted
    from zoo.engine.tasks import ModelResult, ModelTask
    from zoo.events import Listener
    from zoo.settings import Settings
    from zoo.types.features import Features
    from zoo.types.probe import Probe

_NO_EXTRAS: Mapping[str, npt.NDArray[Any]] = {}


class LocalEngine:
    """Measures checkpoints on one probe.

    What the store knows is not done again: scores are looked up without starting a process, kept
    features are scored without opening a checkpoint, and else one forward pass feeds every tap.
    Use it in a ``with`` block: leaving it waits for what was submitted; leaving it by an exception,
    Ctrl-C among them, ends the workers at once and keeps what is in the store.

    Attributes:
        workers: the processes, with the seconds they were busy.
    """

    def __init__(
        self,
        settings: Settings,
        probe: Probe,
        on_event: Listener = ignore,
        extras: Mapping[str, npt.NDArray[Any]] = _NO_EXTRAS,
        slices: Sequence[Rows] = (),
    ) -> None:
        """Prepare; nothing is started before it is needed.

        Args:
            settings: how to run.
            probe: images or texts, with labels.
            on_event: is told what happens, one event at a time, from threads of the engine.
            extras: arrays that join the features of every scoring, such as label embeddings.
            slices: sets of samples, ascending and without overlap, that are extracted one after
                the other when :attr:`ModelTask.slices` asks for the first few of them.

        Raises:
            InputError: the device is none.
        """
        self._settings, self._probe = settings, probe
        self._store = Store(settings.folder)
        self._tell = Teller(on_event)
        self.workers = Workers(settings, self._tell, self._crash)
        part = partial(Part, self.workers, self._store, probe, self._tell)
        self._layout = Layout(
            probe, part, self._store, extras=extras, slices=slices, precision=settings.precision
        )
        self._forwards = Forwards(self.workers, self._store, settings, self._tell)
        self._measured: dict[tuple[str, str], Located] = {}
        self._pending: set[Future[ModelResult]] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close(at_once=error is not None)

    def submit(self, task: ModelTask) -> Future[ModelResult]:
        """Measure one checkpoint.

        Returns:
            A future that raises only what no model is to blame for: InputError for a device that
            is not here, CancelledError when the engine was left early.

        Raises:
            ZooError: the store cannot be used.
        """
        future: Future[ModelResult] = Future()
        future.set_running_or_notify_cancel()
        try:
            wanted = self._layout.wanted(task)
        except (Exception, SystemExit) as error:  # noqa: BLE001 -- one model must not stop the others
            hint = "zoo registry verify checks its files."
            future.set_result(failed(task, Failure.of(error, stage="load", hint=hint)))
            return future
        try:
            entrants = Entrants(wanted, self._store, self._settings, self._probe.modality)
            flow, known = find(task, future, entrants, layout=self._layout, store=self._store)
        except OSError as error:
            hint = "Name a folder that can be written with ZOO_HOME."
            raise ZooError(f"the store cannot be used: {error}.", hint) from error
        self._remember(flow.what)
        if known is not None:
            future.set_result(known)
            return future
        self._pending.add(future)
        self.workers.call(partial(self._begin, flow))
        return future

    def read(self, result: ModelResult, layer: str) -> Features:
        """Read the features of a finished model in this process, in float64.

        Raises:
            ZooError: they are no longer in the store, or there is no such layer.
        """
        where = self._where(result.features, result.attributions)
        features = read_features(
            self._store,
            where.pieces,
            layer,
            model=result.model,
            labels=self._layout.labels(where.rows),
            task=self._probe.task,
            extras=self._layout.extras(where.rows),
        )
        if features is None:
            raise ZooError(
                f"the features of {result.model} at {layer!r} are not in the store.",
                "Start the command again.",
            )
        return features

    def close(self, *, at_once: bool = False) -> None:
        """Wait for everything submitted, or drop it ``at_once``; then end the workers."""
        try:
            if not at_once:
                wait(list(self._pending))
        except BaseException:
            at_once = True
            raise
        finally:
            self.workers.close(at_once=at_once)
            self._crash(CancelledError())
        if not at_once:
            self._tell.check()

    def _remember(self, what: Located) -> None:
        """Keep where things are, for references and readers: a key alone names no slices."""
        names, plain = what.names, what.without_attributions()
        self._measured[names.features, names.attributions] = what
        self._measured[names.features, ""] = plain

    def _where(self, features: str, attributions: str) -> Located:
        """Find the files behind the keys of a result, of an earlier engine maybe."""
        alone = Located(
            names=Names(features=features, attributions=attributions),
            pieces=(Piece(key=features, attributions=attributions),),
        )
        return self._measured.get((features, attributions), alone)

    # Everything below runs in the thread of the workers.

    def _begin(self, flow: Flow) -> None:
        missing = flow.what.missing(self._store)
        if flow.rivals:
            missing = [one.against(flow.rivals, flow.entrants.memory) for one in missing]
        flow.forward = flow.forward or bool(missing)
        asks = [partial(self._forwards.ask, one) for one in missing]
        gather(asks, partial(self._extracted, flow))

    def _extracted(self, flow: Flow, answers: list[ExtractDone | InputError]) -> None:
        done = []
        for answer in answers:
            if isinstance(answer, InputError):
                self._settle(flow.future, error=answer)
                return
            if answer.extraction is None:
                failure = answer.failure or vanished()
                if not self._fall_back(flow, answer.runtime, failure):
                    self._settle(flow.future, failed(flow.task, failure))
                return
            done.append(answer)
            self._move(flow, flow.entrants.named(answer.runtime))
        flow.seconds = sum(answer.seconds for answer in done)
        failures = [answer.unattributed for answer in done if answer.unattributed is not None]
        known = flow.what.attempts(self._store).values()
        failures += [failure for failure in known if failure is not None]
        if failures:
            flow.failures = unattributed(flow.task, failures)
            flow.what = flow.what.without_attributions()
        if flow.task.estimators:
            self._score(flow)
        else:
            self._kept(flow)

    def _move(self, flow: Flow, wanted: Wanted | None) -> None:
        """Go on with what another runtime has made, or will make."""
        if wanted is not None and wanted is not flow.wanted:
            flow.wanted, flow.rivals = wanted, ()
            flow.what = self._layout.locate(flow.task, wanted)
            self._remember(flow.what)

    def _fall_back(self, flow: Flow, runtime: str, failure: Failure) -> bool:
        """Start again in the first runtime where one that was chosen over it has failed."""
        culprit = runtime or flow.wanted.runtime.name
        first = flow.entrants.first
        if flow.fallen or culprit == first.runtime.name:
            return False
        flow.fallen = True
        text = f"runtime: {culprit} is out, {first.runtime.name} does it: {failure.error}"
        self._tell(Event(kind="note", model=flow.task.checkpoint.model, message=text))
        flow.entrants.rule_out(culprit, failure.error)
        flow.rivals = ()
        self._move(flow, first)
        self._begin(flow)
        return True

    def _kept(self, flow: Flow) -> None:
        """Answer a task without estimators."""
        extraction = read_extractions(self._store, flow.what.pieces)
        if extraction is None:
            self._repeat(flow)
        else:
            self._settle(flow.future, self._concluded(flow, ScoreDone(extraction=extraction)))

    def _score(self, flow: Flow) -> None:
        limit = self._settings.timeout
        reference = flow.task.reference
        other = self._where(reference.features, reference.attributions) if reference else None
        known = read_extractions(self._store, flow.what.pieces)
        widths = [layer.dimension for layer in known.scored(flow.task.layers)] if known else []
        job = ScoreJob(
            store=self._store.folder,
            names=flow.what.names,
            task=flow.task,
            pieces=flow.what.pieces,
            labels=self._layout.labels(flow.what.rows),
            probe_task=self._probe.task,
            reference=other.pieces if other else (),
            extras=self._layout.extras(flow.what.rows),
        )
        self.workers.add(
            Job(
                function=score_features,
                argument=job,
                done=partial(self._scored, flow),
                order=(SCORE, flow.wanted.number),
                memory=WORKER_BYTES,
                timeout=max(1.0, limit - flow.seconds) if limit else None,
                gains=min(len(job.labels), max(widths, default=0)) >= LEAST,
            )
        )

    def _scored(self, flow: Flow, answer: ScoreDone | BaseException) -> None:
        if isinstance(answer, BaseException):
            model, timeout = flow.task.checkpoint.model, self._settings.timeout
            failure = explain(answer, stage="score", model=model, timeout=timeout)
            self._settle(flow.future, failed(flow.task, failure))
        elif answer.lost:
            self._repeat(flow)
        elif answer.extraction is None:
            failures = answer.failures or (vanished(),)
            self._settle(flow.future, failed(flow.task, failures[0]))
        else:
            self._settle(flow.future, self._concluded(flow, answer))

    def _repeat(self, flow: Flow) -> None:
        """Make again what vanished."""
        if flow.repeats >= REPEATS:
            self._settle(flow.future, failed(flow.task, vanished()))
            return
        flow.repeats += 1
        for one in flow.what.passes:
            self._forwards.forget(one)
        flow.what = self._layout.locate(flow.task, flow.wanted)
        self._remember(flow.what)
        self._begin(flow)

    def _concluded(self, flow: Flow, answer: ScoreDone) -> ModelResult:
        assert answer.extraction is not None
        return conclude(
            flow.task,
            answer.extraction,
            flow.what.names,
            answer.records,
            (*flow.failures, *answer.failures),
            runtime=flow.wanted.runtime.name,
            from_store=not flow.forward,
        )

    def _settle(
        self,
        future: Future[ModelResult],
        result: ModelResult | None = None,
        error: BaseException | None = None,
    ) -> None:
        self._pending.discard(future)
        with suppress(InvalidStateError):
            if error is not None or result is None:
                future.set_exception(error)
            else:
                future.set_result(result)

    def _crash(self, error: BaseException) -> None:
        for future in list(self._pending):
            self._settle(future, error=error)
