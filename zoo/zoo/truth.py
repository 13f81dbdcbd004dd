"""What the leaders of a ranking are worth: fine-tuned on the same data, judged on the same part."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from zoo.errors import InputError, ZooError
from zoo.events import Event, Listener, ignore
from zoo.files import write_atomically
from zoo.render.quantities import some
from zoo.score_tables import short_name
from zoo.types.failure import Failure
from zoo.types.ranking import Truth

if TYPE_CHECKING:
    from collections.abc import Callable

    from zoo.catalogue import Catalogue
    from zoo.pipeline import Prepared
    from zoo.plan import Plan
    from zoo.runs import Request, Run
    from zoo.settings import Settings
    from zoo.types.built import BuiltModel
    from zoo.types.ranking import Ranking

#: Share of the samples that all of them are judged by. A tenth, which one model alone is judged
#: by, tells several apart too rarely.
HELD_OUT = 0.2
#: A step goes forward once, and back at about twice the cost.
_STEP = 3
_FOLDER, _STAGE = "finetuned", "finetune"


class PlannedTruth(msgspec.Struct, frozen=True, kw_only=True):
    """The fine-tuning of the leaders, before anybody knows who leads.

    Attributes:
        top: how many.
        samples: that are used; ``held_out`` of them for judging.
        steps: of each.
        seconds: of all, if those lead that take longest; None where nobody knows.
    """

    top: int
    preset: str
    samples: int
    held_out: int
    steps: int
    seconds: float | None


def plan_truth(request: Request, plan: Plan) -> PlannedTruth | None:
    """Say what fine-tuning the leaders takes; None where nobody asked for it.

    Raises:
        InputError: there is nothing that could be learned, or no such preset.
    """
    if not request.finetune_top:
        return None
    from zoo.building.prepared import held_out
    from zoo.building.presets import preset_values

    if request.pretext:
        raise InputError(
            f"--finetune-top trains on labels, and --pretext {request.pretext} does without any.",
            "Leave one of them out.",
        )
    probe = plan.probe
    if probe.task != "classification":
        raise InputError(
            f"--finetune-top trains on one class a sample, and the labels of {probe.source!r} are "
            f"{probe.task}.",
            "Leave it out; --label COLUMN names other labels.",
        )
    preset = preset_values(request.finetune_preset, "finetune")
    rows = probe.rows or probe.samples
    samples = min(rows, preset.get("samples") or rows)
    held, schedule = held_out(samples, HELD_OUT), preset["schedule"]
    batches = max(1, (samples - held) // schedule["batch"])
    looks = _STEP * schedule["epochs"] * (samples - held) + held
    top = min(request.finetune_top, len(plan.models))
    known = sorted(each.seconds for each in plan.models if each.seconds is not None)
    seconds = sum(known[-top:]) / max(1, probe.samples) * looks / max(1, plan.jobs)
    return PlannedTruth(
        top=top,
        preset=request.finetune_preset,
        samples=samples,
        held_out=held,
        steps=round(schedule["epochs"] * batches),
        seconds=seconds if len(known) >= top else None,
    )


def find_truth(
    run: Run,
    ranking: Ranking,
    prepared: Prepared,
    settings: Settings,
    catalogue: Catalogue,
    *,
    on_event: Listener = ignore,
) -> Ranking:
    """Fine-tune the leaders of a ranking; what was finished before an interruption is read.

    Args:
        run: gets a folder ``finetuned`` with a model each.
        ranking: of that run.
        prepared: its question.
        settings: how to run.
        catalogue: what the plugins provide.
        on_event: is told what happens.

    Returns:
        The ranking with what was measured, and with the failures of single models.

    Raises:
        KeyboardInterrupt: somebody asked for an end; what was done is kept.
    """
    request = prepared.request
    if Path(prepared.plan.registry).is_file():
        settings = msgspec.structs.replace(settings, registry=prepared.plan.registry)
    leaders = [row.model for row in ranking.ranking[: request.finetune_top]]
    said = f"fine-tuning {some(len(leaders), 'leader')}"
    on_event(Event(kind="plan", total=len(leaders), message=said))
    found, failures = [], []
    for model in leaders:
        try:
            listener = _named(on_event, model)
            train = partial(_train, model, request, settings, catalogue, on_event=listener)
            truth = _truth_of(model, run, train)
        except Exception as error:  # noqa: BLE001 -- each is its own failure domain
            failure = Failure.of(error, stage=_STAGE, model=model)
            failures.append(failure)
            on_event(Event(kind="failure", model=model, message=str(failure)))
        else:
            found.append(truth)
            said = f"{model}: accuracy {truth.accuracy:.3f} after {some(truth.steps, 'step')}"
            on_event(Event(kind="model", model=model, message=said, seconds=truth.seconds))
    return msgspec.structs.replace(
        ranking, truth=tuple(found), failures=(*ranking.failures, *failures)
    )


def _truth_of(model: str, run: Run, train: Callable[[Path], BuiltModel]) -> Truth:
    """Read what is known of a model, or train it."""
    digest = hashlib.blake2b(model.encode(), digest_size=3).hexdigest()
    place = run.folder / _FOLDER / f"{short_name(model) or 'model'}-{digest}"
    record = place.with_name(f"{place.name}.json")
    if record.exists():
        return msgspec.json.decode(record.read_bytes(), type=Truth)
    place.parent.mkdir(exist_ok=True)
    built = train(place)
    if built.interrupted:
        raise KeyboardInterrupt
    share = built.metrics.get("student", {}).get("joint")
    if share is None:
        raise ZooError("nothing was held out that it could be judged by.", "Bring more samples.")
    truth = Truth(
        model=model,
        accuracy=share["value"],
        interval=(share["low"], share["high"]),
        samples=share["samples"],
        steps=built.steps,
        seconds=built.seconds,
        folder=str(place),
    )
    write_atomically(record, msgspec.json.encode(truth))
    return truth


def _train(
    model: str,
    request: Request,
    settings: Settings,
    catalogue: Catalogue,
    place: Path,
    *,
    on_event: Listener,
) -> BuiltModel:
    """Fine-tune one leader, or go on with it."""
    from zoo.building.journey import build, resume
    from zoo.building.place import TRAINING
    from zoo.building.preflight import prepare
    from zoo.building.recipes import assemble

    if (place / TRAINING).is_dir():
        return resume(place, settings, catalogue, on_event=on_event)
    shutil.rmtree(place, ignore_errors=True)  # finished, and killed before anybody wrote it down
    assembled = assemble(recipe_of(model, request))
    prepared = prepare(
        assembled.recipe,
        settings,
        catalogue,
        place=place,
        on_event=on_event,
        free=assembled.free,
    )
    return build(prepared, place, settings, catalogue, on_event=on_event)


def recipe_of(model: str, request: Request) -> dict[str, Any]:
    """Give what is said about the fine-tuning of one leader; all have the same samples."""
    probe = {name: each for name, each in asdict(request.probe).items() if each is not None}
    return {
        "command": "finetune",
        "student": model,
        "data": request.data,
        "probe": probe,
        "preset": request.finetune_preset,
        "held_out": HELD_OUT,
        "seed": request.probe.seed,
        "trust_remote_code": request.trust_remote_code,
        "folder": request.folder or str(Path.cwd()),
    }


def _named(on_event: Listener, model: str) -> Listener:
    """Say with every event whom it is about."""
    return lambda event: on_event(msgspec.structs.replace(event, model=event.model or model))
