"""``zoo predict`` with the calibration of a folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.calibrating.kept import RECORD, Calibration, load, read
from zoo.calibrating.opening import gradient_runtime, kept_to, open_network, rows_of
from zoo.errors import InputError, PluginError
from zoo.events import Event
from zoo.prediction import Prediction, Unpredicted, most_probable
from zoo.probes.decoding import decode
from zoo.types.probe import ImageInput

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import numpy.typing as npt
    from torch import Tensor

    from zoo.catalogue import Catalogue
    from zoo.events import Listener
    from zoo.probes.unlabelled import Inputs
    from zoo.settings import Settings
    from zoo.types.distilling import Calibrator
    from zoo.types.model import Checkpoint
    from zoo.types.runtimes import Head
    from zoo.types.specs import CalibratorSpec, RuntimeSpec
    from zoo.types.training import TrainableNetwork, Trains

    Array = npt.NDArray[Any]

#: Inputs of one pass: every label takes a backward pass over them.
_BATCH = 16


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Usable:
    """A calibration that belongs to a checkpoint, and what applies it."""

    record: Calibration
    tensors: Mapping[str, Tensor]
    spec: CalibratorSpec
    calibrator: Calibrator
    runtime: RuntimeSpec
    trains: Trains


def usable(
    checkpoint: Checkpoint, modality: str, settings: Settings, catalogue: Catalogue
) -> tuple[Usable | None, tuple[str, ...]]:
    """Find the calibration of a checkpoint.

    Returns:
        None where there is none, or it cannot be used; then with one sentence that says why.
    """
    folder = Path(checkpoint.folder)
    if not (folder / RECORD).exists():
        return None, ()
    own = "these are the model's own probabilities"
    try:
        record = read(folder)
        if record is None:
            return None, ()
        if record.model != checkpoint.digest:
            said = f"{RECORD} was fitted to other weights or settings of {checkpoint.model}"
            return None, (f"{said} and is ignored; zoo calibrate fits it anew.",)
        runtime, trains = gradient_runtime(checkpoint.entry, modality, settings, catalogue)
        found = Usable(
            record=record,
            tensors=load(folder, record),
            spec=catalogue.spec("calibrator", record.method),
            calibrator=catalogue.create("calibrator", record.method, record.options),
            runtime=runtime,
            trains=trains,
        )
    except (InputError, PluginError) as error:
        return None, (f"the calibration is not used, {own}: {error.message}",)
    return found, ()


class CalibratedWork:
    """Predicts with a calibration, as the uncalibrated work does."""

    def __init__(
        self, checkpoint: Checkpoint, found: Usable, modality: str, settings: Settings, batch: int
    ) -> None:
        network, self.device = open_network(
            checkpoint, found.runtime, found.trains, modality, settings
        )
        assert network.head is not None
        self.network: TrainableNetwork = network
        self.head: Head = network.head
        self.runtime, self.calibrated = found.runtime.name, found.spec.name
        said = (
            f"Calibrated by {self.calibrated}, which needs gradients: in fp32 with {self.runtime}. "
            "--no-calibration gives the model's own probabilities."
        )
        self.notes = (said,)
        self._model, self._found, self._batch = checkpoint.model, found, batch or _BATCH

    def run(
        self, inputs: Inputs, top: int, on_event: Listener
    ) -> Iterator[Prediction | Unpredicted]:
        """Predict in the order of the inputs, a batch at a time."""
        for start in range(0, len(inputs), self._batch):
            names = inputs.names[start : start + self._batch]
            samples = inputs.inputs[start : start + self._batch]
            prepared = [self._prepared(each) for each in samples]
            rows = iter(self._probabilities([p for p in prepared if not isinstance(p, InputError)]))
            for name, each in zip(names, prepared, strict=True):
                if isinstance(each, InputError):
                    yield Unpredicted(input=name, error=each.message, hint=each.hint)
                else:
                    labels = self.head.labels
                    yield most_probable(name, next(rows), labels, top, model=self._model)
            done = start + len(names)
            on_event(Event(kind="batch", model=self._model, done=done, total=len(inputs)))

    def _prepared(self, sample: Any) -> Any:
        if sample is None:
            return InputError("there is nothing in it.")
        try:
            image = isinstance(sample, ImageInput)
            return self.network.reader.prepare(decode(sample) if image else sample)
        except InputError as error:
            return error

    def _probabilities(self, prepared: Sequence[Any]) -> Array:
        import numpy as np

        shape = (len(prepared), len(self.head.labels))
        if not prepared:
            return np.empty(shape)
        found = self._found
        with kept_to(found.spec, self._model):
            said = found.calibrator.probabilities(
                self.network, found.tensors, self.network.reader.collate(prepared)
            )
        return rows_of(said, shape, found.spec)
