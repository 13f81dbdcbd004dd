"""What a run will do and cost: who takes part, who is left out and why, bytes, expected time."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import msgspec

from zoo.checkpoints import able_runtimes, named_by_plugins
from zoo.errors import (
    InputError,
    NothingMatchedError,
    OfflineError,
    PluginError,
    UnreachableError,
    ZooError,
)
from zoo.estimators import asked_in_vain, choose_estimators
from zoo.host import PLUGIN_ERRORS
from zoo.rounds import rounds_of
from zoo.sources import open_sources
from zoo.truth import PlannedTruth
from zoo.types.failure import Failure
from zoo.types.limits import Limits
from zoo.types.model import Candidate, ModelEntry
from zoo.types.ranking import Exclusion, ProbeSummary

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from zoo.catalogue import Catalogue
    from zoo.runs import Request
    from zoo.settings import Settings
    from zoo.types.protocols import Source
    from zoo.types.specs import RuntimeSpec

#: Work of one forward pass, in multiplications and additions a parameter. Convolutions reuse a
#: weight at every position, a transformer at every token: a rule of thumb, good to a factor of 3.
_WORK = {"image": 300.0, "text": 2.0 * 64}
_NOT_HERE = "not on this machine, and the Hub is not asked or does not answer"
#: Sustained rate of one core at small batches, in floating point operations a second.
_CORE_RATE = 3e10


class PlannedModel(msgspec.Struct, frozen=True, kw_only=True):
    """One model that takes part.

    Attributes:
        runtime: name of the runtime that will open it.
        rivals: other runtimes that may take over where they turn out to be faster.
        download: bytes still to fetch.
        seconds: expected time of its forward passes on one core; None when not known.
    """

    candidate: Candidate
    runtime: str
    download: int
    seconds: float | None
    rivals: tuple[str, ...] = ()


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """Everything decided before the first weight is fetched.

    Attributes:
        reference: the model that the others are compared with.
        rounds: samples of each round of a race; empty without a budget.
        notes: what was asked for and has no effect, one sentence each.
        precision: numbers that the forward passes compute in.
        truth: what fine-tuning the leaders takes; None where nobody asked for it.
    """

    probe: ProbeSummary
    registry: str
    models: tuple[PlannedModel, ...]
    excluded: tuple[Exclusion, ...]
    failures: tuple[Failure, ...]
    estimators: tuple[str, ...]
    jobs: int
    device: str
    reference: PlannedModel | None = None
    rounds: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()
    precision: str = "fp32"
    truth: PlannedTruth | None = None

    @property
    def download(self) -> int:
        """Bytes to fetch."""
        every = {each.candidate.model: each.download for each in self.models}
        if self.reference is not None:
            every[self.reference.candidate.model] = self.reference.download
        return sum(every.values())

    @property
    def seconds(self) -> float:
        """Expected wall time of the forward passes, as far as it is known."""
        return sum(each.seconds or 0.0 for each in self.models) / max(1, self.jobs)


def make_plan(
    request: Request, probe: ProbeSummary, settings: Settings, catalogue: Catalogue, jobs: int
) -> Plan:
    """Decide who takes part, without fetching a weight.

    Raises:
        InputError: an unknown estimator, runtime or model, or something wrong with the registry.
        OfflineError: a model named with ``-m`` is not here and offline was asked for.
        NothingMatchedError: no candidate is left.
    """
    estimators = choose_estimators(request, probe, catalogue)
    if settings.runtime != "auto":
        catalogue.spec("runtime", settings.runtime)
    notes = asked_in_vain(request, probe, estimators, catalogue)
    compares = any(spec.reads("reference") for spec in estimators.values())
    reference = _plan_reference(request, probe, settings, catalogue) if compares else None
    registry, candidates = find_candidates(request, settings)
    early, kept = _excluded(candidates, probe, request, catalogue, inspected=False)
    known = open_sources(catalogue, settings)
    inspected, failures, missing = _inspect(kept, request, known, catalogue)
    late, kept = _excluded(inspected, probe, request, catalogue, inspected=True)
    models, unopened = [], []
    for candidate in kept:
        specs = choose_runtimes(candidate, probe, settings, catalogue)
        if not specs:
            library = candidate.entry.library or "an unknown library"
            who = "no runtime opens"
            if settings.runtime != "auto":
                who = f"the runtime {settings.runtime} does not open"
            reason = f"{who} {probe.modality} checkpoints of {library}"
            unopened.append(Exclusion(model=candidate.model, reason=reason))
        else:
            try:
                models.append(_planned(candidate, specs, probe, known))
            except ZooError:
                raise
            except PLUGIN_ERRORS as error:
                failures.append(_source_failed(error, candidate, catalogue))
    excluded = (*early, *missing, *late, *unopened)
    if not models and not failures:
        raise _nothing_left(excluded, "" if request.models else registry)
    return Plan(
        probe=probe,
        registry=registry,
        models=tuple(models),
        excluded=excluded,
        failures=tuple(failures),
        estimators=tuple(estimators),
        jobs=jobs,
        device=settings.device,
        reference=reference,
        rounds=rounds_of(probe.samples, probe.classes) if request.budget else (),
        notes=notes,
        precision=settings.precision,
    )


def find_candidates(request: Request, settings: Settings) -> tuple[str, list[Candidate]]:
    """Read the registry, or the models the person named; give the registry's path too."""
    from zoo.registry import candidate_for, find_registry, load_registry

    base = Path(request.folder or ".").absolute()
    explicit = request.registry or settings.registry
    if explicit:
        explicit = str(base / Path(explicit).expanduser())
    path = find_registry(explicit, base)
    registry = load_registry(path)
    if request.models:
        candidates = [candidate_for(text, registry, base=base) for text in request.models]
    else:
        candidates = list(registry.candidates())
    unique = {candidate.model: _trusted(candidate, request) for candidate in candidates}
    return str(path), list(unique.values())


def choose_runtime(
    candidate: Candidate, probe: ProbeSummary, settings: Settings, catalogue: Catalogue
) -> RuntimeSpec | None:
    """Name what opens a checkpoint: the person, then a plugin, then the first that can."""
    return next(iter(choose_runtimes(candidate, probe, settings, catalogue)), None)


def choose_runtimes(
    candidate: Candidate, probe: ProbeSummary, settings: Settings, catalogue: Catalogue
) -> tuple[RuntimeSpec, ...]:
    """Give what :func:`choose_runtime` names, and its rivals where nobody has named it."""
    entry = candidate.entry
    fitting = able_runtimes(entry, probe.modality, settings, catalogue)
    named = named_by_plugins(entry, fitting, settings, catalogue)
    if named:
        return (named,)
    return tuple(fitting) if settings.precision == "fp32" else tuple(fitting[:1])


def source_of(candidate: Candidate, known: dict[str, Source]) -> Source:
    """Give the source of a reference.

    Raises:
        InputError: no installed plugin provides its scheme.
    """
    scheme = candidate.entry.parsed.source
    if scheme not in known:
        listed = ", ".join(sorted(known))
        raise InputError(f"{candidate.model!r}: no source {scheme!r}. Sources: {listed}.")
    return known[scheme]


def _trusted(candidate: Candidate, request: Request) -> Candidate:
    from zoo.registry import answers

    trusted = any(answers(candidate.entry, text) for text in request.trust_remote_code)
    return msgspec.structs.replace(candidate, trust_remote_code=trusted)


def _plan_reference(
    request: Request, probe: ProbeSummary, settings: Settings, catalogue: Catalogue
) -> PlannedModel | None:
    """Plan the model that others are compared with; no limit of the person is meant for it.

    Raises:
        InputError: it cannot be had.
    """
    if not request.reference:
        return None
    alone = msgspec.structs.replace(
        request,
        models=(request.reference,),
        reference="",
        label_encoders=(),
        max_size=None,
        licenses=(),
        budget=0.0,
    )
    what = f"the reference {request.reference!r} cannot be used"
    try:
        plan = make_plan(alone, probe, settings, catalogue, 1)
    except NothingMatchedError as error:
        raise InputError(f"{what}: {error.message}", error.hint) from error
    for failure in plan.failures:
        raise InputError(f"{what}: {failure.error}", failure.hint)
    return plan.models[0]


def _excluded(
    candidates: Sequence[Candidate],
    probe: ProbeSummary,
    request: Request,
    catalogue: Catalogue,
    *,
    inspected: bool,
) -> tuple[list[Exclusion], list[Candidate]]:
    hook = "zoo_exclude_candidates"
    asked = Limits(max_size=request.max_size, licenses=request.licenses, inspected=inspected)
    reasons: dict[str, str] = {}
    for plugin, answer in catalogue.host.call(
        hook,
        candidates=tuple(candidates),
        probe=probe,
        asked=asked,
        limits=MappingProxyType(msgspec.structs.asdict(asked)),
    ):
        if not isinstance(answer, Mapping):
            message = f"{hook} returned {answer!r}, which maps no model to a reason."
            catalogue.host.refuse(message, plugin=plugin, stage=hook)
            continue
        for model, reason in answer.items():
            reasons.setdefault(str(model), str(reason))
    kept = [candidate for candidate in candidates if candidate.model not in reasons]
    out = [
        Exclusion(model=candidate.model, reason=reasons[candidate.model])
        for candidate in candidates
        if candidate.model in reasons
    ]
    return out, kept


def _inspect(
    candidates: Sequence[Candidate],
    request: Request,
    known: dict[str, Source],
    catalogue: Catalogue,
) -> tuple[list[Candidate], list[Failure], list[Exclusion]]:
    done: list[Candidate] = []
    failures: list[Failure] = []
    missing: list[Exclusion] = []
    for candidate, answer in zip(candidates, _inspections(candidates, known), strict=True):
        if isinstance(answer, OfflineError | UnreachableError) and not request.models:
            missing.append(Exclusion(model=candidate.model, reason=_NOT_HERE))
        elif isinstance(answer, InputError) and request.models:
            raise answer
        elif isinstance(answer, PLUGIN_ERRORS):
            failures.append(_source_failed(answer, candidate, catalogue))
        else:
            done.append(answer)
    return done, failures, missing


def _source_failed(error: BaseException, candidate: Candidate, catalogue: Catalogue) -> Failure:
    failure = Failure.of(error, stage="inspect", model=candidate.model)
    named = catalogue.blamed(failure, "source", candidate.entry.parsed.source)
    if named.hint or isinstance(error, ZooError):
        return named
    hint = "This is a defect of the source; report it with zoo doctor --json."
    return msgspec.structs.replace(named, hint=hint)


def _inspections(
    candidates: Sequence[Candidate], known: dict[str, Source]
) -> Iterator[Candidate | Exception | SystemExit]:
    def inspect(candidate: Candidate) -> Candidate | Exception | SystemExit:
        try:
            entry = source_of(candidate, known).inspect(candidate)
            if not isinstance(entry, ModelEntry):
                raise PluginError(f"its source gives {entry!r}, which is no ModelEntry.")
        except PLUGIN_ERRORS as error:  # one checkpoint must not stop the others
            return error
        return msgspec.structs.replace(candidate, entry=entry)

    with ThreadPoolExecutor(max_workers=8, thread_name_prefix="inspect") as pool:
        yield from pool.map(inspect, candidates)


def _planned(
    candidate: Candidate,
    specs: Sequence[RuntimeSpec],
    probe: ProbeSummary,
    known: dict[str, Source],
) -> PlannedModel:
    entry = candidate.entry
    work = _WORK.get(probe.modality)
    seconds = None
    if work is not None and entry.parameters is not None:
        seconds = probe.samples * entry.parameters * work / _CORE_RATE
    return PlannedModel(
        candidate=candidate,
        runtime=specs[0].name,
        rivals=tuple(spec.name for spec in specs[1:]),
        download=source_of(candidate, known).missing_bytes(candidate),
        seconds=seconds,
    )


def _nothing_left(excluded: Sequence[Exclusion], registry: str) -> ZooError:
    """Say why; ``registry`` is empty where the person named the models."""
    missing = [each.model for each in excluded if each.reason == _NOT_HERE]
    if missing:
        return OfflineError(
            f"none of the {len(missing)} fitting models of {registry} is on this machine, and the "
            "Hub is not asked (--offline) or does not answer.",
            f"With a connection: zoo models pull {missing[0]}",
        )
    if not excluded:
        return NothingMatchedError(
            f"{registry} names no model.", "zoo registry add FOLDER|hub:org/name --registry FILE"
        )
    listed = "; ".join(f"{each.model}: {each.reason}" for each in excluded[:3])
    more = f"; and {len(excluded) - 3} more" if len(excluded) > 3 else ""
    hint = "zoo models list shows the registry; -m names a model that is not in it."
    return NothingMatchedError(
        f"no model{f' of {registry}' if registry else ''} is left ({listed}{more}).",
        hint if registry else "zoo models list shows others.",
    )
