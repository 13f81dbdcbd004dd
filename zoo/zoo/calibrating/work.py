"""The samples of a calibration on their way through network and calibrator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zoo.building.data import spread
from zoo.building.manifest import fingerprint
from zoo.calibrating.opening import kept_to, rows_of
from zoo.calibrating.quality import change, honesty
from zoo.errors import InputError
from zoo.events import Event, Listener
from zoo.prediction import probabilities
from zoo.types.distilling import Studied

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import numpy.typing as npt
    from torch import Tensor

    from zoo.calibrating.labelled import Labelled
    from zoo.probes.unlabelled import Inputs
    from zoo.types.distilling import Calibrator
    from zoo.types.specs import CalibratorSpec
    from zoo.types.training import TrainableNetwork

    Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Work:
    """An open network, a calibrator and data.

    Attributes:
        network: frozen.
        spec: of the calibrator.
        calibrator: with its options.
        inputs: the data without labels.
        rows: those that are looked at.
        labelled: None without labels.
        batch: samples of one pass.
        model: reference of the network.
        seed: of what the calibrator draws.
        on_event: hears the progress.
    """

    network: TrainableNetwork
    spec: CalibratorSpec
    calibrator: Calibrator
    inputs: Inputs
    rows: Sequence[int]
    labelled: Labelled | None
    batch: int
    model: str
    seed: int
    on_event: Listener

    def fit(self) -> dict[str, Tensor]:
        """Call the calibrator; what it draws comes from the seed."""
        import torch

        with torch.random.fork_rng(), kept_to(self.spec, self.model):
            torch.manual_seed(self.seed)
            return dict(self.calibrator.fit(self.network, self._batches))

    def judge(self, fitted: Mapping[str, Tensor]) -> dict[str, Any]:
        """Compare the network's own probabilities with the calibrated ones; nothing unlabelled.

        Returns:
            ``before``, ``after`` and ``change`` of a :class:`zoo.calibrating.kept.Calibration`.
        """
        import numpy as np
        import torch

        if self.labelled is None:
            return {}
        own, calibrated = [], []
        for each in self._studied(self.labelled.samples, self.labelled.judging):
            with torch.no_grad():
                logits = self.network.observe(each.inputs, ()).logits
            assert logits is not None
            with kept_to(self.spec, self.model):
                found = self.calibrator.probabilities(self.network, fitted, each.inputs)
            own.append(probabilities(logits.cpu().double().numpy(), "classification"))
            calibrated.append(rows_of(found, own[-1].shape, self.spec))
        before, after = np.concatenate(own), np.concatenate(calibrated)
        labels = self.labelled.columns[np.asarray(self.labelled.judging)]
        return {
            "before": honesty(before, labels),
            "after": honesty(after, labels),
            "change": change(before, after, labels),
        }

    def fingerprint(self) -> str:
        """Digest the samples that are looked at."""
        chosen = [self.inputs.inputs[row] for row in self.rows]
        return fingerprint(
            self.inputs.source, chosen, [self.inputs.names[row] for row in self.rows]
        )

    def _batches(self) -> Iterator[Studied]:
        yield from self._studied(self.inputs.inputs, self.rows)
        if self.labelled is not None:
            known = self.labelled
            yield from self._studied(known.samples, known.choosing, known.columns)

    def _studied(
        self, samples: Sequence[Any], rows: Sequence[int], columns: Array | None = None
    ) -> Iterator[Studied]:
        import torch

        from zoo.training.samples import batches

        reader, modality, done = self.network.reader, self.inputs.modality, 0
        for each in batches(
            samples, rows, {reader.key: reader}, modality=modality, batch=self.batch
        ):
            labels = None if columns is None else torch.from_numpy(columns[each.rows.numpy()])
            yield Studied(inputs=each.inputs[reader.key], labels=labels)
            done += len(each.rows)
            self.on_event(Event(kind="batch", model=self.model, done=done, total=len(rows)))


def readable(
    inputs: Inputs, most: int, on_event: Listener
) -> tuple[Sequence[int], tuple[str, ...]]:
    """Choose samples, and leave out those that cannot be read."""
    from zoo.training.scanning import scan

    chosen = spread(len(inputs), most)
    good, unread = scan(
        [inputs.inputs[row] for row in chosen],
        on_event,
        names=[inputs.names[row] for row in chosen],
    )
    if not good:
        raise InputError(
            f"none of the {len(chosen)} samples of {inputs.source!r} can be read: {unread[0][1]}."
        )
    warnings = tuple(f"{name} is left out: {reason}." for name, reason in unread)
    return [chosen[row] for row in good], warnings
