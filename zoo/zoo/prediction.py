"""What a checkpoint's own head says about data: labels and probabilities, a batch at a time."""

from __future__ import annotations

import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from zoo.checkpoints import choose_runtime, guarded, inspected, locate, opened
from zoo.engine.batches import run_in_batches
from zoo.errors import CheckpointError, InputError, PluginError
from zoo.events import Event, Listener, ignore
from zoo.probes.unlabelled import read_inputs
from zoo.types.runtimes import HasHead, Head

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import TypeAlias

    import numpy.typing as npt

    from zoo.calibrating.applying import CalibratedWork
    from zoo.catalogue import Catalogue
    from zoo.probes.unlabelled import Inputs
    from zoo.settings import Settings
    from zoo.types.model import Candidate, Checkpoint
    from zoo.types.protocols import ProbeOptions, Source
    from zoo.types.runtimes import Backbone, Runtime
    from zoo.types.specs import RuntimeSpec

    Array: TypeAlias = npt.NDArray[Any]

_LOGITS = "logits"
#: What ``zoo calibrate`` writes beside the weights.
CALIBRATION = "calibration.json"
#: Inputs that are decoded at a time.
_READ = 64


class Guess(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One label of one input.

    Attributes:
        probability: in [0, 1]; None for a head of numbers.
        value: what a head of numbers says.
    """

    label: str
    probability: float | None = None
    value: float | None = None


class Prediction(msgspec.Struct, frozen=True, kw_only=True):
    """What the head says about one input, the most probable label first."""

    input: str
    guesses: tuple[Guess, ...]


class Unpredicted(msgspec.Struct, frozen=True, kw_only=True):
    """An input that nothing can be said about, and why."""

    input: str
    error: str
    hint: str = ""


class Predictions(msgspec.Struct, frozen=True, kw_only=True):
    """What the head of one checkpoint says about some data.

    Attributes:
        kind: ``classification`` (the probabilities of an input sum to one), ``multi-label`` (each
            is on its own) or ``regression`` (values).
        labels: every name, in the order of the head.
        device: where it ran.
        notes: what was understood of the data, and how the probabilities were made.
        warnings: what a person should know, one sentence each.
        calibrated: name of the calibrator behind the probabilities; empty for the model's own.
    """

    model: str
    data: str
    runtime: str
    device: str
    kind: str
    labels: tuple[str, ...]
    predictions: tuple[Prediction, ...]
    failures: tuple[Unpredicted, ...] = ()
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    calibrated: str = ""
    seconds: float = 0.0
    schema_version: int = 1


def predict(
    model: str,
    data: str,
    settings: Settings,
    catalogue: Catalogue,
    *,
    top: int = 1,
    batch: int = 0,
    probe: ProbeOptions | None = None,
    modality: str | None = None,
    calibration: bool = True,
    trust_remote_code: Sequence[str] = (),
    on_event: Listener = ignore,
    on_prediction: Callable[[Prediction], None] | None = None,
) -> Predictions:
    """Ask the head of a checkpoint about data without labels.

    Args:
        model: a reference, a folder, exported or not, or a name of the registry.
        data: as :func:`zoo.probes.unlabelled.load_inputs` takes it.
        settings: how to run.
        catalogue: what the plugins provide.
        top: labels to give for each input.
        batch: inputs of one forward pass; 0 takes what is comfortable.
        probe: how to read the data; guessed where it does not say.
        modality: what the model reads, where its entry does not say.
        calibration: use the one that ``zoo calibrate`` left in the model's folder.
        trust_remote_code: references that may run their own code.
        on_event: is told what happens.
        on_prediction: is told each prediction as soon as there is one.

    Raises:
        InputError: the data cannot be read, no input of it, or the device is not there.
        CheckpointError: the checkpoint cannot be used, or has no head.
    """
    started = time.monotonic()
    candidate, source = locate(
        model, settings, catalogue, trust_remote_code=trust_remote_code, on_event=on_event
    )
    candidate = inspected(candidate, source)
    _refuse_headless(candidate, source)
    entry = candidate.entry
    wanted = modality or entry.modality
    spec = choose_runtime(entry, wanted, settings, catalogue)
    inputs = read_inputs(data, wanted, probe, model=entry.ref)
    checkpoint = source.fetch(candidate)
    found: list[Prediction] = []
    failures: list[Unpredicted] = []
    with _asking(
        checkpoint,
        spec,
        inputs,
        settings=settings,
        catalogue=catalogue,
        batch=batch,
        calibration=calibration,
        on_event=on_event,
    ) as (work, warnings):
        for each in work.run(inputs, top, on_event):
            if isinstance(each, Unpredicted):
                failures.append(each)
                continue
            found.append(each)
            if on_prediction:
                on_prediction(each)
    if not found:
        said = f"none of the {len(inputs)} inputs of {data!r} can be read"
        raise InputError(f"{said}: {failures[0].error}", failures[0].hint)
    return Predictions(
        model=entry.ref,
        data=data,
        runtime=work.runtime,
        device=work.device,
        kind=work.head.kind,
        labels=work.head.labels,
        predictions=tuple(found),
        failures=tuple(failures),
        notes=(*inputs.notes, *work.notes),
        warnings=warnings,
        calibrated=work.calibrated,
        seconds=time.monotonic() - started,
    )


@contextmanager
def _asking(
    checkpoint: Checkpoint,
    spec: RuntimeSpec,
    inputs: Inputs,
    *,
    settings: Settings,
    catalogue: Catalogue,
    batch: int,
    calibration: bool,
    on_event: Listener,
) -> Iterator[tuple[_Work | CalibratedWork, tuple[str, ...]]]:
    """Open a checkpoint: with its calibration, or say why that one is not used."""
    warnings: tuple[str, ...] = ()
    if calibration and (Path(checkpoint.folder) / CALIBRATION).exists():
        from zoo.calibrating.applying import CalibratedWork, usable

        kept, warnings = usable(checkpoint, inputs.modality, settings, catalogue)
        if kept is not None:
            yield CalibratedWork(checkpoint, kept, inputs.modality, settings, batch), warnings
            return
    runtime: Runtime = catalogue.create("runtime", spec.name)
    with opened(
        checkpoint, spec, runtime, modality=inputs.modality, settings=settings, on_event=on_event
    ) as (backbone, device):
        yield _Work(checkpoint, spec, runtime, (backbone, device), batch), warnings


class _Work:
    """An open checkpoint with a head, fed with whatever comes.

    Raises:
        CheckpointError: it has no head.
    """

    notes: tuple[str, ...] = ()
    calibrated = ""

    def __init__(
        self,
        checkpoint: Checkpoint,
        spec: RuntimeSpec,
        runtime: Runtime,
        opened_on: tuple[Backbone, str],
        batch: int,
    ) -> None:
        backbone, self.device = opened_on
        head = backbone.head if isinstance(backbone, HasHead) else None
        if head is None or _LOGITS not in {tap.name for tap in backbone.taps}:
            raise headless(checkpoint.model)
        self.head: Head = head
        self.runtime = spec.name
        self._checkpoint, self._spec = checkpoint, spec
        self._opens, self._backbone = runtime, backbone
        self._batch, self._budget = batch, backbone.budget

    def run(
        self, inputs: Inputs, top: int, on_event: Listener
    ) -> Iterator[Prediction | Unpredicted]:
        """Predict in the order of the inputs, and hold no more than a few batches of them."""
        size = max(_READ, self._batch)
        for start in range(0, len(inputs), size):
            names = inputs.names[start : start + size]
            rows = self._prepared(inputs.inputs[start : start + size], inputs.modality)
            good = [row for row in rows if not isinstance(row, InputError)]
            logits = iter(self._logits(good) if good else ())
            for name, row in zip(names, rows, strict=True):
                if isinstance(row, InputError):
                    yield Unpredicted(input=name, error=row.message, hint=row.hint)
                else:
                    yield self._judged(name, next(logits), top)
            done = start + len(names)
            on_event(Event(kind="batch", model=self._model, done=done, total=len(inputs)))

    @property
    def _model(self) -> str:
        return self._checkpoint.model

    def _prepared(self, inputs: Sequence[Any], modality: str) -> list[Any]:
        """Prepare inputs; one that cannot be is its own error."""
        rows = [InputError("there is nothing in it.") if each is None else each for each in inputs]
        if modality != "image":
            return rows
        good = [row for row in rows if not isinstance(row, InputError)]
        with guarded(self._spec, "prepare the inputs of", self._model):
            try:
                arrays = iter(self._opens.prepare(self._checkpoint, good))
                return [row if isinstance(row, InputError) else next(arrays) for row in rows]
            except InputError:
                return [self._one(row) for row in rows]

    def _one(self, row: Any) -> Any:
        if isinstance(row, InputError):
            return row
        try:
            return self._opens.prepare(self._checkpoint, [row])[0]
        except InputError as error:
            return error

    def _logits(self, inputs: list[Any]) -> Array:
        """One (N, C) array for inputs that are all prepared."""
        with guarded(self._spec, "run", self._model):
            encoded = self._backbone.encode(inputs)
            found = np.empty((len(inputs), len(self.head.labels)), dtype=np.float64)

            def forward(rows: Sequence[int]) -> None:
                outputs = self._backbone.extract([encoded[row] for row in rows], [_LOGITS])
                logits = outputs[_LOGITS]
                if logits.shape != (len(rows), found.shape[1]):
                    raise PluginError(
                        f"the runtime {self._spec.name!r} gave logits of shape {logits.shape} for "
                        f"{len(rows)} inputs and {found.shape[1]} labels."
                    )
                found[rows] = logits

            if self._batch:
                run_in_batches([1] * len(encoded), self._batch, forward)
            else:
                costs = [each.cost for each in encoded]
                self._budget = run_in_batches(costs, self._budget, forward)
        return found

    def _judged(self, name: str, logits: Array, top: int) -> Prediction | Unpredicted:
        if self.head.kind == "regression" and np.isfinite(logits).all():
            pairs = zip(self.head.labels, logits.tolist(), strict=True)
            guesses = tuple(Guess(label=label, value=value) for label, value in pairs)
            return Prediction(input=name, guesses=guesses)
        shares = probabilities(logits, self.head.kind) if np.isfinite(logits).all() else logits
        return most_probable(name, shares, self.head.labels, top, model=self._model)


def most_probable(
    name: str, shares: Array, labels: Sequence[str], top: int, *, model: str
) -> Prediction | Unpredicted:
    """Name the labels with the largest of (C,) probabilities; none where they are not finite."""
    if not np.isfinite(shares).all():
        return Unpredicted(input=name, error=f"{model} gives no finite numbers for {name}.")
    best = np.argsort(-shares, kind="stable")[:top]
    guesses = tuple(Guess(label=labels[row], probability=float(shares[row])) for row in best)
    return Prediction(input=name, guesses=guesses)


def probabilities(logits: Array, kind: str) -> Array:
    """Turn (..., C) logits into probabilities: they sum to one, or each is on its own.

    Args:
        logits: finite numbers.
        kind: ``classification`` or ``multi-label``.
    """
    if kind == "multi-label":
        return np.asarray(0.5 * (1.0 + np.tanh(0.5 * logits)))
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


def headless(model: str) -> CheckpointError:
    """Say that a checkpoint only sees, and what it is good for."""
    return CheckpointError(
        f"{model} has no head that predicts.",
        f"zoo recommend DATA -m {model} says what it is worth for your labels; zoo taps {model} "
        "shows what it computes.",
    )


def _refuse_headless(candidate: Candidate, source: Source) -> None:
    """Refuse before a download what is known to have no head."""
    if candidate.entry.labels is None and source.missing_bytes(candidate):
        raise headless(candidate.model)
