"""From a question to a ranking: plan, fetch, extract and score, rank.

Each checkpoint is its own failure domain from the first look at its files to its last score.
Everything measured goes to the store as soon as it exists, so that the same command, killed at any
moment, goes on where it stopped.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from zoo.conclusion import Conclusion
from zoo.engine.devices import check_device, choose_devices
from zoo.engine.machine import may_have_gpu, usable_cores
from zoo.errors import InputError, UnlabelledError, ZooError
from zoo.events import Event, Listener, ignore
from zoo.measurement import Measurement, estimator_jobs
from zoo.plan import make_plan
from zoo.probes import load, summary
from zoo.truth import plan_truth

if TYPE_CHECKING:
    from zoo.catalogue import Catalogue
    from zoo.plan import Plan
    from zoo.runs import Request
    from zoo.settings import Settings
    from zoo.types.probe import Probe
    from zoo.types.ranking import Ranking

__all__ = ["Prepared", "estimator_jobs", "prepare", "recommend"]


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A question that can be answered: the data is read and the plan is made."""

    request: Request
    probe: Probe
    plan: Plan


def prepare(request: Request, settings: Settings, catalogue: Catalogue) -> Prepared:
    """Read the data and decide who takes part, without fetching a weight.

    Raises:
        ZooError: the question cannot be answered; nothing has been written.
    """
    _check_device(settings.device)
    _check_precision(settings.precision)
    probe = _read(request, catalogue)
    if probe.modality == "features":
        raise InputError(
            f"{request.data} holds features that somebody extracted, not images or texts.",
            f"zoo score {request.data} scores them.",
        )
    cores = settings.jobs or usable_cores()
    plan = make_plan(request, summary(probe), settings, catalogue, cores)
    plan = msgspec.structs.replace(plan, truth=plan_truth(request, plan))
    return Prepared(request=request, probe=probe, plan=plan)


def _read(request: Request, catalogue: Catalogue) -> Probe:
    """Read the data, labelled or not.

    Raises:
        InputError: what is wrong with it.
    """
    data, name = _located(request), request.pretext
    if name:
        from zoo.probes import surrogate

        settings = request.options.get(name, {})
        return surrogate.load(data, request.probe, catalogue, name=name, settings=settings)
    try:
        return load(data, request.probe, catalogue)
    except UnlabelledError as error:
        raise UnlabelledError(
            error.message, _or_pretext(error.hint, data, request, catalogue)
        ) from error


def _or_pretext(hint: str, data: str, request: Request, catalogue: Catalogue) -> str:
    """Point to the tasks that can be made of this data without its labels."""
    from zoo.probes.unlabelled import load_inputs

    try:
        modality = load_inputs(data, request.probe).modality
    except ZooError:
        return hint
    specs = catalogue.specs("pretext").items()
    names = [name for name, spec in specs if modality in spec.modalities]
    if not names:
        return hint
    return f"{hint} Without any labels: --pretext {' | '.join(names)}".lstrip()


def _check_device(text: str) -> None:
    """Refuse what this machine cannot have, without importing a framework to ask."""
    if check_device(text).startswith("cuda") and not may_have_gpu():
        choose_devices(text, 0)


def _check_precision(name: str) -> None:
    """Refuse what no checkpoint computes in before it is exported."""
    if name == "int8":
        raise InputError(
            "models are not measured in int8, which exists only in an exported graph.",
            "zoo export MODEL -o DIR --precision int8, then -m DIR.",
        )


def _located(request: Request) -> str:
    """Find relative data where the person was, which is not where a run is resumed."""
    there = Path(request.folder) / request.data
    moved = request.folder and Path(request.folder) != Path.cwd() and there.exists()
    return str(there) if moved else request.data


def recommend(
    prepared: Prepared,
    settings: Settings,
    catalogue: Catalogue,
    *,
    run: str = "",
    on_event: Listener = ignore,
) -> Ranking:
    """Measure every planned model and rank them.

    Args:
        prepared: the question, and what was decided.
        settings: how to run.
        catalogue: what the plugins provide.
        run: name of the run, for the ranking.
        on_event: is told what happens while it happens, from any thread.

    Raises:
        InputError: every estimator compares with a reference, and none is named.
    """
    started = time.monotonic()
    plan = prepared.plan
    measurement = Measurement(prepared, settings, catalogue, on_event)
    on_event(Event(kind="plan", total=len(plan.models), message=_plan_line(plan)))
    for failure in plan.failures:
        on_event(Event(kind="failure", model=failure.model or "", message=str(failure)))
    for note in plan.notes:
        on_event(Event(kind="note", message=note))
    conclusion = Conclusion(prepared, catalogue)
    measured = measurement.run(started, conclusion.rows)
    ranking = msgspec.structs.replace(
        conclusion.ranking(measured),
        run=run,
        seconds=time.monotonic() - started,
    )
    for result in measured.results.values():
        for record in result.records:
            catalogue.host.tell("zoo_score_recorded", record=record)
    catalogue.host.tell("zoo_ranking_ready", ranking=ranking)
    late = tuple(each for each in catalogue.host.failures if each not in ranking.failures)
    return msgspec.structs.replace(ranking, failures=(*ranking.failures, *late))


def _plan_line(plan: Plan) -> str:
    text = f"{len(plan.models)} model{'' if len(plan.models) == 1 else 's'}"
    if plan.download:
        text += f", {plan.download / 1e6:,.0f} MB to download"
    return f"{text}, {len(plan.excluded)} left out" if plan.excluded else text
