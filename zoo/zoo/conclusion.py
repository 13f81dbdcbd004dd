"""From measured models to the ranking that a person gets."""

from __future__ import annotations

from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from zoo.engine.pieces import union
from zoo.errors import NotApplicable
from zoo.host import PLUGIN_ERRORS
from zoo.ranking import ModelScores, rank
from zoo.rounds import slices_of
from zoo.types.failure import Failure
from zoo.types.provenance import provenance_now
from zoo.types.ranking import Ranking

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import numpy.typing as npt

    from zoo.catalogue import Catalogue
    from zoo.engine import ModelResult
    from zoo.measurement import Measured
    from zoo.pipeline import Prepared
    from zoo.plan import Plan
    from zoo.ranking import Ranked
    from zoo.types.model import ModelEntry
    from zoo.types.protocols import Combiner
    from zoo.types.ranking import Exclusion, ProbeSummary, RankingRow
    from zoo.types.score import Score


class Conclusion:
    """Ranks the models of one run, on all of its samples or on the first rounds of a race."""

    def __init__(self, prepared: Prepared, catalogue: Catalogue) -> None:
        self._plan, self._probe = prepared.plan, prepared.probe
        self._seed = prepared.request.probe.seed
        self._pretext = prepared.request.pretext
        self._catalogue = catalogue
        self._entries = {each.candidate.model: each.candidate.entry for each in self._plan.models}

    @cached_property
    def _priors(self) -> dict[str, Score]:
        return prior_scores(self._plan, self._catalogue)

    @cached_property
    def _combiner(self) -> Combiner | None:
        return find_combiner(self._catalogue)

    @cached_property
    def _slices(self) -> list[npt.NDArray[np.int64]]:
        return slices_of(self._probe, self._plan.rounds)

    def rows(self, results: Mapping[str, ModelResult], rounds: int) -> Sequence[RankingRow]:
        """Rank results on the samples of the first so many rounds."""
        return self._rank(results, rounds).ranking

    def ranking(self, measured: Measured) -> Ranking:
        """Put the document together."""
        plan = self._plan
        ranked = self._rank(measured.results, measured.rounds)
        order: dict[str | None, int] = {name: place for place, name in enumerate(self._entries)}
        failures = [failure for each in measured.failures.values() for failure in each]
        devices = sorted({each.device for each in measured.results.values()})
        names = sorted(measured.revisions, key=lambda name: order.get(name, -1))
        return Ranking(
            run="",
            probe=self._summary(measured.rounds),
            ranking=ranked.ranking,
            prior=ranked.prior,
            excluded=(*plan.excluded, *measured.excluded),
            failures=(
                *plan.failures,
                # In the order of the plan, whichever came first: a run repeats its document.
                *sorted(failures, key=lambda each: order.get(each.model, -1)),
                *(_unranked(each) for each in ranked.unranked),
                *self._catalogue.host.failures,
            ),
            provenance=provenance_now(
                seed=self._seed,
                device=", ".join(devices),
                revisions={name: measured.revisions[name] for name in names},
                runtimes={name: each.runtime for name, each in measured.results.items()},
                precision=self._precision(measured.results),
            ),
            warnings=(
                *self._surrogate(),
                *self._cut_short(measured.rounds),
                *ranked.warnings,
            ),
            agreement=ranked.agreement,
            prior_agreement=ranked.prior_agreement,
        )

    def _precision(self, names: Iterable[str]) -> str:
        """Name the numbers of the forward passes; an exported folder has those it was made in."""
        found = {self._entries[name].tags.get("precision") for name in names}
        return ", ".join(sorted({each or self._plan.precision for each in found}))

    def _rank(self, results: Mapping[str, ModelResult], rounds: int) -> Ranked:
        models = [_scores(result, self._entries[model]) for model, result in results.items()]
        labels = self._probe.labels
        if rounds:
            labels = labels[union(self._slices[:rounds])]
        facts: dict[str, Any] = {
            "samples": len(labels),
            "classes": self._plan.probe.classes,
            "smallest_class": (
                int(np.bincount(labels).min()) if self._probe.task == "classification" else None
            ),
            "priors": self._priors,
        }
        if self._combiner is not None:
            try:
                return rank(models, combiner=self._combiner, **facts)
            except PLUGIN_ERRORS as error:
                _refuse(self._catalogue, _combining(self._catalogue), error)
                self._combiner = None
        return rank(models, **facts)

    def _summary(self, rounds: int) -> ProbeSummary:
        samples = self._plan.rounds[rounds - 1] if rounds else self._probe.samples
        return msgspec.structs.replace(self._plan.probe, samples=samples)

    def _surrogate(self) -> tuple[str, ...]:
        if not self._pretext:
            return ()
        from zoo.probes.surrogate import warning

        return (warning(self._pretext),)

    def _cut_short(self, rounds: int) -> tuple[str, ...]:
        if not rounds or rounds == len(self._plan.rounds):
            return ()
        reached, every = self._plan.rounds[rounds - 1], self._plan.rounds[-1]
        text = f"Time was up after {reached} of {every} samples"
        return (f"{text}; with a larger --budget the same command goes on from there.",)


def prior_scores(plan: Plan, catalogue: Catalogue) -> dict[str, Score]:
    """Score every planned model by the data-free estimators, which see only its entry.

    With several priors installed, the first in the catalogue is shown. One that breaks is a
    failure of its plugin: the scores stand without it.
    """
    name = next(
        (name for name, spec in catalogue.specs("estimator").items() if spec.data_free), None
    )
    scores: dict[str, Score] = {}
    if name is None:
        return scores
    try:
        prior = catalogue.create("estimator", name)
        for planned in plan.models:
            with suppress(NotApplicable):
                scores[planned.candidate.model] = prior.score_entry(planned.candidate.entry)
    except PLUGIN_ERRORS as error:
        _refuse(catalogue, name, error)
        return {}
    return scores


def find_combiner(catalogue: Catalogue) -> Combiner | None:
    """Build the first combiner of the catalogue; one that breaks is a failure of its plugin."""
    name = _combining(catalogue)
    if not name:
        return None
    try:
        combiner: Combiner = catalogue.create("estimator", name)
    except PLUGIN_ERRORS as error:
        _refuse(catalogue, name, error)
        return None
    return combiner


def _combining(catalogue: Catalogue) -> str:
    specs = catalogue.specs("estimator").items()
    return next((name for name, spec in specs if spec.combines), "")


def _refuse(catalogue: Catalogue, name: str, error: BaseException) -> None:
    plugin = catalogue.provided("estimator")[name].plugin
    stage = "prior" if catalogue.spec("estimator", name).data_free else "combine"
    catalogue.host.refuse(
        f"{name}: {Failure.of(error, stage=stage).error}", plugin=plugin, stage=stage
    )


def _scores(result: ModelResult, entry: ModelEntry) -> ModelScores:
    return ModelScores(
        model=result.model,
        records=result.records,
        default_layer=result.default_layer,
        entry=entry,
        dimensions={tap.name: tap.dimension for tap in result.layers if tap.dimension},
        seconds=result.load_seconds + result.forward_seconds + result.score_seconds,
        runtime=result.runtime,
        device=result.device,
    )


def _unranked(exclusion: Exclusion) -> Failure:
    return Failure(stage="score", model=exclusion.model, error=exclusion.reason)
