"""``zoo calibrate``: fit a calibrator to a model folder, judge it, and keep it there."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from zoo.calibrating.kept import Calibration, write
from zoo.calibrating.labelled import read_labelled
from zoo.calibrating.opening import gradient_runtime, open_network
from zoo.calibrating.work import Work, readable
from zoo.checkpoints import inspected, locate
from zoo.errors import InputError
from zoo.events import Event, Listener, ignore
from zoo.prediction import headless
from zoo.probes.unlabelled import STDIN, read_inputs
from zoo.types.protocols import ProbeOptions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from zoo.catalogue import Catalogue
    from zoo.probes.unlabelled import Inputs
    from zoo.settings import Settings
    from zoo.types.distilling import Calibrator
    from zoo.types.model import Candidate
    from zoo.types.protocols import Source
    from zoo.types.runtimes import Head
    from zoo.types.specs import CalibratorSpec
    from zoo.types.training import TrainableNetwork

#: Samples without labels that are looked at by default, and of one pass.
SAMPLES, BATCH = 1000, 16


class CalibrationReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a calibration did.

    Attributes:
        model: its reference.
        folder: where the calibration lies.
        device: where it was fitted.
        calibration: what ``calibration.json`` says.
        notes: what was understood of the data.
        warnings: what a person should think about, one sentence each.
    """

    model: str
    folder: str
    device: str
    calibration: Calibration
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    seconds: float = 0.0
    schema_version: int = 1


def calibrate(
    model: str | Path,
    data: str | Path,
    settings: Settings,
    catalogue: Catalogue,
    *,
    method: str = "",
    options: Mapping[str, Any] | None = None,
    evaluation: str | Path = "",
    samples: int = SAMPLES,
    batch: int = BATCH,
    probe: ProbeOptions | None = None,
    modality: str | None = None,
    trust_remote_code: Sequence[str] = (),
    on_event: Listener = ignore,
) -> CalibrationReport:
    """Fit a calibrator to the model in a folder and keep it there; the weights stay as they are.

    Args:
        model: a folder, as a path, a reference or a name of the registry.
        data: as :func:`zoo.probes.unlabelled.load_inputs` takes it; labels of it are not read.
        settings: how to run; its seed divides the labelled samples.
        catalogue: what the plugins provide.
        method: name of a calibrator; empty takes the default one.
        options: of the method.
        evaluation: labelled data: one half chooses what the method leaves open, the other judges.
        samples: of the data to look at, evenly spread; 0 takes all.
        batch: samples of one pass.
        probe: how to read the data; guessed where it does not say.
        modality: what the model reads, where its entry does not say.
        trust_remote_code: references that may run their own code.
        on_event: is told what happens.

    Raises:
        InputError: folder, data, method, option or device cannot be used.
        CheckpointError: the checkpoint cannot be used, or has no head.
    """
    started = time.monotonic()
    spec: CalibratorSpec = catalogue.preferred("calibrator", method)
    calibrator: Calibrator = catalogue.create("calibrator", spec.name, options)
    candidate, source = locate(
        str(model.expanduser().absolute()) if isinstance(model, Path) else model,
        settings,
        catalogue,
        trust_remote_code=trust_remote_code,
        on_event=on_event,
    )
    candidate, folder = _looked_at(candidate, source)
    wanted = modality or candidate.entry.modality
    runtime, trains = gradient_runtime(candidate.entry, wanted, settings, catalogue)
    probe = probe or ProbeOptions(offline=settings.offline)
    inputs = _inputs(str(data), wanted, probe, candidate.model)
    checkpoint = source.fetch(candidate)
    network, device = open_network(checkpoint, runtime, trains, inputs.modality, settings)
    head = _classes(network, candidate.model)
    reading = replace(probe, samples=None, split=None, seed=settings.seed)
    typed = str(evaluation)
    labelled = (
        read_labelled(typed, head, inputs.modality, reading, catalogue, on_event=on_event)
        if typed
        else None
    )
    rows, unread = readable(inputs, samples, on_event)
    work = Work(
        network=network,
        spec=spec,
        calibrator=calibrator,
        inputs=inputs,
        rows=rows,
        labelled=labelled,
        batch=batch,
        model=candidate.model,
        seed=settings.seed,
        on_event=on_event,
    )
    on_event(Event(kind="note", message=_intention(work, device)))
    record, tensors = _carried_out(work, dict(options or {}), checkpoint.digest, typed)
    return CalibrationReport(
        model=candidate.model,
        folder=str(folder),
        device=device,
        calibration=write(folder, record, tensors),
        notes=inputs.notes,
        warnings=(*unread, *(labelled.warnings if labelled else ()), *_doubts(record)),
        seconds=time.monotonic() - started,
    )


def _looked_at(candidate: Candidate, source: Source) -> tuple[Candidate, Path]:
    """Complete the entry of a folder with a head.

    Raises:
        InputError: it is no folder.
        CheckpointError: it has no head.
    """
    if candidate.folder is None:
        raise InputError(
            f"{candidate.model} is no folder, and a calibration is kept beside the weights.",
            f"zoo models pull {candidate.model}, then name the folder that it says.",
        )
    candidate = inspected(candidate, source)
    if candidate.entry.labels is None:
        raise headless(candidate.model)
    assert candidate.folder is not None
    return candidate, candidate.folder.resolve()


def _inputs(data: str, modality: str | None, probe: ProbeOptions, model: str) -> Inputs:
    if data == STDIN:
        raise InputError(
            "the data of a calibration is read several times, and standard input only once.",
            "Write the lines into a .txt file, and name that.",
        )
    return read_inputs(data, modality, probe, model=model)


def _classes(network: TrainableNetwork, model: str) -> Head:
    """Refuse heads whose probabilities are not those of one label of many."""
    head = network.head
    if head is None:
        raise headless(model)
    if head.kind != "classification":
        raise InputError(
            f"{model} has a {head.kind} head; only heads of one label of many are calibrated.",
            "Its config.json says what it is: problem_type.",
        )
    return head


def _intention(work: Work, device: str) -> str:
    said = f"{work.model}: fitting {work.spec.name} to {len(work.rows)} samples on {device}"
    if work.labelled is None:
        return said
    counts = len(work.labelled.choosing), len(work.labelled.judging)
    return f"{said}; of the labelled ones {counts[0]} choose and {counts[1]} judge"


def _carried_out(
    work: Work, options: dict[str, Any], digest: str, evaluation: str
) -> tuple[Calibration, dict[str, Any]]:
    """Fit and judge; nothing is written."""
    fitted, labelled = work.fit(), work.labelled
    record = Calibration(
        method=work.spec.name,
        options=options,
        found={name: each.item() for name, each in fitted.items() if each.ndim == 0},
        model=digest,
        data=work.inputs.source,
        fingerprint=work.fingerprint(),
        samples=len(work.rows),
        evaluation=evaluation,
        chosen_by=len(labelled.choosing) if labelled else 0,
        judged_on=len(labelled.judging) if labelled else 0,
        seed=work.seed,
        **work.judge(fitted),
    )
    return record, fitted


def _doubts(record: Calibration) -> tuple[str, ...]:
    """Say where a person should rather not rely on it."""
    if record.change is None:
        said = (
            "without labels nobody can say whether these probabilities are better, and they can "
            "be worse: --eval DATA judges them, and lets labels choose."
        )
        return (said,)
    low, high = round(record.change.low, 6), round(record.change.high, 6)
    if high < 0:
        return ()
    said = "worse" if low > 0 else "not clearly better"
    said = (
        f"the calibrated probabilities are {said} on the {record.judged_on} samples that judge; "
        "zoo predict --no-calibration leaves them out."
    )
    return (said,)
