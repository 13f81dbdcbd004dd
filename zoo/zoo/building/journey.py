"""Carry out a recipe: from what preflight settled to a model, or as far as it came."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from zoo.building.account import consequences, make_card, metrics_document, training_facts
from zoo.building.job import describe, fetch, identify_data, members_of, open_job
from zoo.building.naming import with_findings
from zoo.building.place import clear_training, open_unfinished, start
from zoo.building.preflight import prepare
from zoo.building.publishing import (
    CONFIG,
    LABEL_MAP,
    METRICS,
    Result,
    add_onnx,
    complete,
    publish,
)
from zoo.errors import InputError, ZooError
from zoo.events import Event, Listener, ignore
from zoo.files import write_atomically
from zoo.render.quantities import size_text
from zoo.types.built import BuiltModel

if TYPE_CHECKING:
    from zoo.building.card import Built
    from zoo.building.evaluation import Metrics
    from zoo.building.job import Job
    from zoo.building.label_spaces import LabelSpace
    from zoo.building.place import Work
    from zoo.building.prepared import Prepared
    from zoo.building.recipe import Recipe
    from zoo.catalogue import Catalogue
    from zoo.settings import Settings
    from zoo.training.trainer import TrainingResult
    from zoo.types.model import Checkpoint


def build(
    prepared: Prepared,
    folder: str | Path,
    settings: Settings,
    catalogue: Catalogue,
    *,
    on_event: Listener = ignore,
) -> BuiltModel:
    """Make the model that was settled.

    Args:
        prepared: by :func:`zoo.building.preflight.prepare`.
        folder: as the person wrote it.
        settings: how to run.
        catalogue: what the plugins provide.
        on_event: is told what happens.

    Returns:
        The model; or, with ``interrupted``, as far as it came.

    Raises:
        ZooError: what went wrong; nothing is left in the folder, or what ``zoo resume`` goes on
            from.
    """
    started = time.monotonic()
    fetched = _fetched(prepared, on_event)
    manifest = describe(prepared, fetched, identify_data(prepared))
    with start(Path(folder).expanduser(), str(folder), prepared.recipe, manifest) as work:
        job = open_job(prepared, work, fetched, settings, on_event)
        built = _carry_out(job, started)
    return _finished(built, work, settings, catalogue, on_event)


def resume(
    folder: str | Path,
    settings: Settings,
    catalogue: Catalogue,
    *,
    on_event: Listener = ignore,
) -> BuiltModel:
    """Go on with a model that was interrupted.

    Raises:
        InputError: there is none, it is finished, or what it is made of is not what it was.
        ZooError: what went wrong.
    """
    started = time.monotonic()
    place = Path(folder).expanduser()
    with open_unfinished(place, str(folder)) as work:
        if work.reached("publishing"):
            complete(work)
            built = _published(work, started)
        else:
            built = _gone_on(work, settings, catalogue, started, on_event)
    return _finished(built, work, settings, catalogue, on_event)


def _gone_on(
    work: Work, settings: Settings, catalogue: Catalogue, started: float, on_event: Listener
) -> BuiltModel:
    """Settle the recipe again, and go on if everything is as it was."""
    prepared = prepare(
        work.recipe, settings, catalogue, place=work.folder, on_event=on_event, resumed=True
    )
    fetched = _fetched(prepared, on_event)
    manifest = describe(prepared, fetched, identify_data(prepared))
    for note in work.check_manifest(manifest):
        on_event(Event(kind="note", message=note))
    return _carry_out(open_job(prepared, work, fetched, settings, on_event), started)


def _fetched(prepared: Prepared, on_event: Listener) -> list[Checkpoint]:
    found = []
    for member in members_of(prepared):
        if member.download:
            size = size_text(member.download)
            on_event(
                Event(kind="note", message=f"{member.alias}: fetching {member.model} ({size})")
            )
        found.append(fetch(member))
    return found


def _carry_out(job: Job, started: float) -> BuiltModel:
    """Do what the method's kind asks for."""
    make = {"training": _train, "merging": _merge, "ensemble": _ask}[job.prepared.spec.kind]
    return make(job, started)


def _train(job: Job, started: float) -> BuiltModel:
    from zoo.training.students import make_student

    trained = make_student(job)
    result, facts = trained.result, training_facts(job, trained.result)
    if result.interrupted:
        return _summary(job, started, result=result, interrupted=True)
    parameters = sum(each.numel() for each in trained.network.module.parameters())
    told = consequences(job, trained.metrics, trained.unread)
    card = make_card(
        job, parameters, job.prepared.space, told, metrics=trained.metrics, facts=facts
    )
    card = msgspec.structs.replace(card, recipe=with_findings(card.recipe, trained.findings))
    _publish(job, trained.network, card, job.prepared.space, trained.metrics)
    return _summary(
        job,
        started,
        result=result,
        metrics=metrics_document(trained.metrics),
        parameters=parameters,
        notes=told,
    )


def _merge(job: Job, started: float) -> BuiltModel:
    from zoo.training.combined import merge

    merged = merge(job)
    told = (*merged.notes, *consequences(job, merged.metrics, merged.unread))
    card = make_card(job, merged.parameters, merged.space, told, metrics=merged.metrics)
    _publish(job, _Folder(merged.folder), card, merged.space, merged.metrics)
    return _summary(
        job,
        started,
        metrics=metrics_document(merged.metrics),
        parameters=merged.parameters,
        space=merged.space,
        notes=told,
    )


def _ask(job: Job, started: float) -> BuiltModel:
    """Judge the teachers together; there is no model to publish."""
    from zoo.training.combined import ask_teachers

    metrics, unread = ask_teachers(job)
    if metrics is None:
        raise InputError(
            "there is nothing to judge the teachers by.", "--data FOLDER or --eval DATA"
        )
    found = metrics_document(metrics)
    write_atomically(job.work.folder / METRICS, msgspec.json.format(msgspec.json.encode(found)))
    job.work.mark("published")
    clear_training(job.work)
    return _summary(job, started, metrics=found, notes=consequences(job, metrics, unread))


@dataclass(frozen=True)
class _Folder:
    """A checkpoint on the disk, as something that can be published; no weight is loaded."""

    place: Path

    def save(self, folder: Path) -> None:
        """Copy it."""
        shutil.copytree(self.place, folder, dirs_exist_ok=True)


def _publish(
    job: Job, network: Any, card: Built, space: LabelSpace | None, metrics: Metrics | None
) -> None:
    if not job.work.reached("judged"):
        job.work.mark("judged")
    result = Result(built=card, space=space, metrics=metrics_document(metrics), skipped=job.skipped)
    publish(job.work, network, result)


def _finished(
    built: BuiltModel, work: Work, settings: Settings, catalogue: Catalogue, on_event: Listener
) -> BuiltModel:
    """Add the graph where it was asked for, weigh the folder, and tell the plugins."""
    if built.interrupted:
        return built
    if work.recipe.onnx and (work.folder / CONFIG).exists():
        built = _with_graph(built, work, settings, catalogue, on_event)
    if work.recipe.calibrate and (work.folder / CONFIG).exists():
        built = _calibrated(built, work, settings, catalogue, on_event)
    size = sum(path.stat().st_size for path in work.folder.rglob("*") if path.is_file())
    built = msgspec.structs.replace(built, bytes=size)
    catalogue.host.tell("zoo_model_built", result=built)
    return built


def _with_graph(
    built: BuiltModel, work: Work, settings: Settings, catalogue: Catalogue, on_event: Listener
) -> BuiltModel:
    """Add ``onnx/``; a model that cannot be exported is a model all the same."""
    recipe = work.recipe
    on_event(Event(kind="note", message="exporting the model to onnx/"))
    try:
        report = add_onnx(
            work.folder,
            built.folder,
            settings,
            catalogue,
            data=_from_here(recipe, recipe.data),
            probe=recipe.probe,
            on_event=on_event,
        )
    except ZooError as error:
        failure = f"onnx/ was not written: {error.message}"
        return msgspec.structs.replace(built, failures=(*built.failures, failure))
    worst = max((tap.difference for tap in report.taps), default=0.0)
    note = f"onnx/ differs from PyTorch by at most {worst:.1e} on {report.samples} inputs."
    return msgspec.structs.replace(built, notes=(*built.notes, note))


def _calibrated(
    built: BuiltModel, work: Work, settings: Settings, catalogue: Catalogue, on_event: Listener
) -> BuiltModel:
    """Add the calibration; a model that cannot be calibrated is a model all the same."""
    from zoo.calibrating import calibrate

    recipe = work.recipe
    settings = msgspec.structs.replace(settings, seed=recipe.seed)
    on_event(Event(kind="note", message=f"calibrating with {recipe.calibrate}"))
    try:
        report = calibrate(
            work.folder,
            _from_here(recipe, recipe.data),
            settings,
            catalogue,
            method=recipe.calibrate,
            options=recipe.options.get(recipe.calibrate),
            evaluation=_from_here(recipe, recipe.evaluation),
            probe=recipe.probe,
            trust_remote_code=recipe.trust_remote_code,
            on_event=on_event,
        )
    except ZooError as error:
        failure = f"the model was not calibrated: {error.message}"
        return msgspec.structs.replace(built, failures=(*built.failures, failure))
    found = report.calibration
    told = f"calibrated by {found.method}: zoo predict takes it up"
    if found.before is not None and found.after is not None:
        before, after = found.before, found.after
        told += (
            f"; ECE {before.ece:.3f} -> {after.ece:.3f}, NLL {before.nll:.3f} -> {after.nll:.3f}, "
            f"Brier {before.brier:.3f} -> {after.brier:.3f}"
        )
    notes = (*built.notes, f"{told}.", *report.warnings)
    return msgspec.structs.replace(built, notes=notes)


def _from_here(recipe: Recipe, data: str) -> str:
    """Name data of a recipe, which may have been written in another working directory."""
    path = Path(recipe.folder) / data
    return str(path) if data and path.exists() else data


def _summary(
    job: Job,
    started: float,
    *,
    result: TrainingResult | None = None,
    metrics: dict[str, Any] | None = None,
    parameters: int = 0,
    space: LabelSpace | None = None,
    notes: tuple[str, ...] = (),
    interrupted: bool = False,
) -> BuiltModel:
    prepared = job.prepared
    labels = space or prepared.space
    return BuiltModel(
        folder=job.work.typed,
        command=prepared.recipe.command,
        method=prepared.spec.name,
        teachers={each.alias: each.model for each in prepared.teachers},
        labels=labels.labels if labels else (),
        metrics=metrics or {},
        parameters=parameters,
        steps=result.steps if result else 0,
        seconds=time.monotonic() - started,
        peak_bytes=result.peak_bytes if result else 0,
        skipped=len(job.skipped),
        interrupted=interrupted,
        notes=notes,
    )


def _published(work: Work, started: float) -> BuiltModel:
    """Describe a model whose publication was all that was left to do."""
    from zoo.hub.files import count_parameters
    from zoo.sources.folder import FolderFiles

    metrics = work.folder / METRICS
    config = msgspec.json.decode((work.folder / CONFIG).read_bytes())
    teachers = work.state.manifest.teachers
    files = FolderFiles(work.folder, work.typed)
    weights = [name for name in files.sizes if name.endswith(".safetensors")]
    return BuiltModel(
        folder=work.typed,
        command=work.recipe.command,
        method=work.recipe.method,
        teachers={each.alias: each.model for each in teachers},
        labels=tuple((config.get("id2label") or {}).values()) if _has_head(work) else (),
        metrics=msgspec.json.decode(metrics.read_bytes()) if metrics.exists() else {},
        parameters=sum(count_parameters(files, name) for name in weights),
        seconds=time.monotonic() - started,
    )


def _has_head(work: Work) -> bool:
    return (work.folder / LABEL_MAP).exists()
