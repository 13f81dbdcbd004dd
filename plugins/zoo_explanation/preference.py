"""Why one model stands above another: scores with their intervals, ties, estimators, the prior."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zoo.errors import NotApplicable
from zoo.ranking.rank import PRIOR
from zoo_explanation.estimators import agreement_of, cell_of, estimators, found_in, left_out
from zoo_explanation.own_records import caution
from zoo_explanation.ranked import (
    PERCENT,
    UNEXPLAINED,
    Ranked,
    counted_by_all,
    deviations,
    distinct,
    observe,
    recorded,
    tied,
)
from zoo_explanation.shown import clean, number_format, short_names

if TYPE_CHECKING:
    from zoo.types.ranking import Ranking
    from zoo.types.reporting import Case

#: Below it no association is tested at all: the order rests on the estimators.
_FEWEST_TRANSFERS = 20

_A = "{score_a:.2f}, {percent} % interval {low_a:.2f} to {high_a:.2f}"
_B = "{score_b:.2f}, {low_b:.2f} to {high_b:.2f}"
_ABOVE = f"{{name_a}} is ranked above {{name_b}}: score {_A}, vs {_B}"
_EVEN = f"{{name_a}} (score {_A}) and {{name_b}} ({_B}) "
_SCORE = "The score is the share of the other models that a model is expected to beat."
TIED = "The two checkpoints are not distinguishable with the measurements made."


class Preference:
    """Says what the ranking holds of two models, and whether that tells them apart."""

    def report(self, case: Case) -> None:
        """Compare ``case.model`` with ``case.against``, or show the only model there is."""
        ranking = case.ranking
        if ranking is None or not ranking.ranking:
            raise NotApplicable("there is no ranking to read")
        rows = {row.model: row for row in ranking.ranking}
        for model in (case.model, case.against):
            if model and model not in rows:
                raise NotApplicable(f"{clean(model)} is not among the models that were ranked")
        shown = short_names((case.model, case.against))
        known = [recorded(case, rows[model], name) for model, name in shown.items()]
        if len(known) == 1:
            _alone(case, known[0], len(rows))
        else:
            first, second = sorted(known, key=lambda each: each.row.rank)
            _compared(case, first, second)
        for each in known:
            _signal(case, each)
        _fine_tuned(case, ranking, known)
        agreement_of(case, ranking)
        _warnings(case, ranking)
        caution(case, counted_by_all([each.row for each in known]))


def _compared(case: Case, first: Ranked, second: Ranked) -> None:
    told_apart = distinct(first, second)
    both = (first.evidence, second.evidence)
    models = (first.row.model, second.row.model)
    keys = ("name", "score", "low", "high")
    slots = {f"{key}_a": first.place[key] for key in keys}
    slots |= {f"{key}_b": second.place[key] for key in keys}
    case.ledger.claim(
        "measured",
        f"{_ABOVE if told_apart else _EVEN + _even(first, second)}. {_SCORE}",
        *both,
        models=models,
        prefers=first.row.model if told_apart else "",
        percent=PERCENT,
        **slots,
    )
    if not told_apart:
        case.ledger.claim("not known", TIED, *both, models=models)
    estimators(case, first, second, told_apart=told_apart)
    _prior(case, first, second)
    if told_apart:
        _unexplained(case, first, second)


def _even(first: Ranked, second: Ranked) -> str:
    if first.row.score == second.row.score:
        return "have the same score"
    if not first.row.signal:
        return "may stand in any order: {name_a} says nothing that shuffled labels do not"
    if not tied(first, second):
        return "are no clear case: the intervals overlap, and most estimators put {name_b} first"
    return "are tied: the estimators, each with its own error, show no clear difference"


def _prior(case: Case, first: Ranked, second: Ranked) -> None:
    """Set the order without any data beside the order by the data alone."""
    cells = [each.row.estimators.get(PRIOR) for each in (first, second)]
    if all(cell is not None and cell.rank is not None for cell in cells):
        assert cells[0] is not None
        assert cells[1] is not None
        found: dict[str, Any] = {"place_a": cells[0].rank, "place_b": cells[1].rank}
        found |= {"candidates": first.place["candidates"]}
        names = {"a": first.name, "b": second.name}
        reasons = {"reason_a": clean(cells[0].note), "reason_b": clean(cells[1].note)}
        prior = observe(case, first.row.model, "place by the prior", **found, **names, **reasons)
        case.ledger.claim(
            "measured",
            "By size and pre-training alone, before any of your data was read, {a} would stand in "
            "place {place_a} of {candidates} and {b} in place {place_b}.",
            prior,
            models=(first.row.model, second.row.model),
            **found,
            **names,
        )
    _data_alone(case, first, second)


def _data_alone(case: Case, first: Ranked, second: Ranked) -> None:
    one, other = first.row.evidence, second.row.evidence
    if one is None or other is None or (one, other) == (first.row.score, second.row.score):
        return
    turned = one < other
    text = "By your data alone {a} would have {one:.2f} and {b} {other:.2f}"
    text += ", which is the other order: " if turned else "; "
    case.ledger.claim(
        "measured",
        text + "the score counts size and pre-training in.",
        first.evidence,
        second.evidence,
        models=(first.row.model, second.row.model),
        a=first.name,
        b=second.name,
        one=one,
        other=other,
    )


def _unexplained(case: Case, first: Ranked, second: Ranked) -> None:
    """Say that no association was tested, and what the order rests on instead."""
    names = counted_by_all([first.row, second.row])
    if len(case.history) >= _FEWEST_TRANSFERS or not names:
        return
    nothing = case.ledger.observe(
        "absence",
        first.row.model,
        "tested property",
        source="recorded transfers",
        transfers=len(case.history),
        estimators=names,
    )
    case.ledger.claim(
        "not known",
        UNEXPLAINED,
        nothing,
        models=(first.row.model, second.row.model),
        estimator=tuple(names),
    )


def _alone(case: Case, model: Ranked, models: int) -> None:
    """Show what there is of a single model."""
    only = models == 1
    text = "{name} has the score {score:.2f} ({percent} % interval {low:.2f} to {high:.2f})"
    text += (
        "; as the only model ranked, it is compared with shuffled labels."
        if only
        else " and stands in place {rank} of {candidates}."
    )
    keys = ("name", "score", "low", "high", "percent", *(() if only else ("rank", "candidates")))
    case.ledger.claim(
        "measured",
        text,
        model.evidence,
        models=(model.row.model,),
        **{key: model.place[key] for key in keys},
    )
    if only:
        case.ledger.claim(
            "not known",
            "Whether another model would do better than {name} is not known: none was ranked.",
            model.evidence,
            models=(model.row.model,),
            name=model.name,
        )
    for name in counted_by_all([model.row]):
        found = found_in(name, model)
        form = number_format(found["value"])
        text = f"{{estimator}} gives {{name}} {{value:{form}}}"
        if "low" in found:
            text += f" ({{percent}} % interval {{low:{form}}} to {{high:{form}}})"
        evidence = cell_of(case, model, found)
        case.ledger.claim("measured", f"{text}.", evidence, models=(model.row.model,), **found)
    left_out(case, model)


def _signal(case: Case, model: Ranked) -> None:
    """Say how far the scores lie above those of shuffled labels."""
    best = max(deviations(model.row), default=None)
    if best is None:
        return
    found: dict[str, Any] = {"name": model.name, "deviations": best[0], "estimator": best[1]}
    evidence = observe(case, model.row.model, "distance from shuffled labels", **found)
    text = (
        "The features of {name} say more about your labels than about shuffled ones: by "
        "{estimator}, {deviations:.1f} standard deviations more."
        if model.row.signal
        else "The features of {name} say no more about your labels than chance would: even by "
        "{estimator}, its score lies {deviations:.1f} standard deviations from that of shuffled "
        "labels."
    )
    case.ledger.claim("measured", text, evidence, models=(model.row.model,), **found)


def _fine_tuned(case: Case, ranking: Ranking, models: list[Ranked]) -> None:
    """Say what the models reached once they were fine-tuned, where that was tried."""
    reached = {each.model: each for each in ranking.truth}
    lacking = [each for each in models if each.row.model not in reached]
    for each in models:
        truth = reached.get(each.row.model)
        if truth is None:
            continue
        found: dict[str, Any] = {
            "name": each.name,
            "accuracy": truth.accuracy * 100,
            "low": truth.interval[0] * 100,
            "high": truth.interval[1] * 100,
            "percent": PERCENT,
            "samples": truth.samples,
        }
        evidence = observe(case, each.row.model, "fine-tuned accuracy", **found)
        case.ledger.claim(
            "measured",
            "Fine-tuned on your data, {name} gets {accuracy:.1f} % of {samples} held-out samples "
            "right ({percent} % interval {low:.1f} to {high:.1f}).",
            evidence,
            models=(each.row.model,),
            **found,
        )
    if lacking:
        names = [each.name for each in lacking]
        nothing = case.ledger.observe(
            "absence",
            lacking[0].row.model,
            "fine-tuned accuracy",
            source=case.origin[0] or "ranking",
            names=names,
            option="--finetune-top",
        )
        case.ledger.claim(
            "not known",
            "What {names} would reach after fine-tuning is not known: this run tried it on "
            "neither (zoo recommend {option} does)."
            if len(names) > 1
            else "What {names} would reach after fine-tuning is not known: this run did not try "
            "(zoo recommend {option} does).",
            nothing,
            models=tuple(each.row.model for each in lacking),
            names=tuple(names),
            option="--finetune-top",
        )


def _warnings(case: Case, ranking: Ranking) -> None:
    """Repeat where the ranking itself says that its evidence is thin."""
    for warning in ranking.warnings:
        evidence = observe(case, ranking.probe.name, "warning", warning=warning)
        case.ledger.claim("measured", "{warning}", evidence, warning=warning)
