"""What each estimator says of two models, word for word; those that disagree are never left out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zoo_explanation.ranked import PERCENT, cells_of, counted_by_all, counts, observe
from zoo_explanation.shown import clean, number_format

if TYPE_CHECKING:
    from zoo.types.explaining import Evidence
    from zoo.types.ranking import Ranking
    from zoo.types.reporting import Case
    from zoo_explanation.ranked import Ranked


def estimators(case: Case, first: Ranked, second: Ranked, *, told_apart: bool) -> None:
    """Say what each estimator says of the two; those that disagree are never left out."""
    names = counted_by_all([first.row, second.row])
    pairs = [_Pair.of(case, name, first, second) for name in names]
    evidence = [each for pair in pairs for each in pair.evidence]
    agree = [pair for pair in pairs if pair.gap > 0]
    if told_apart and len(pairs) > 1 and agree:
        count: dict[str, Any] = {
            "above": len(agree),
            "estimators": len(pairs),
            "clear": sum(pair.clear for pair in agree),
            "percent": PERCENT,
        }
        summary = case.ledger.derive(
            "measurement", first.row.model, "estimators that agree", evidence, **count
        )
        case.ledger.claim(
            "measured",
            "{above} of {estimators} estimators put {a} above {b}; for {clear} of them the "
            "{percent} % intervals of the two do not even touch.",
            summary,
            first.evidence,
            second.evidence,
            models=(first.row.model, second.row.model),
            prefers=first.row.model,
            a=first.name,
            b=second.name,
            **count,
        )
    for pair in pairs:
        pair.say(case, told_apart=told_apart)
    for model in (first, second):
        left_out(case, model)


@dataclass(frozen=True)
class _Pair:
    """One estimator's word on two models."""

    name: str
    models: tuple[Ranked, Ranked]
    found: tuple[dict[str, Any], dict[str, Any]]
    evidence: tuple[Evidence | None, Evidence | None]

    @classmethod
    def of(cls, case: Case, name: str, first: Ranked, second: Ranked) -> _Pair:
        """Record both cells."""
        found = (found_in(name, first), found_in(name, second))
        evidence = (cell_of(case, first, found[0]), cell_of(case, second, found[1]))
        return cls(name, (first, second), found, evidence)

    @property
    def gap(self) -> float:
        """By how much the first is ahead."""
        return float(self.found[0]["value"] - self.found[1]["value"])

    @property
    def clear(self) -> bool:
        """Whether both intervals are known and apart."""
        high, low = sorted(self.found, key=lambda each: -float(each["value"]))
        return "low" in high and "high" in low and bool(high["low"] > low["high"])

    def say(self, case: Case, *, told_apart: bool) -> None:
        """Say which is ahead, where the ranking tells the two apart; else what each has."""
        order = (0, 1) if self.gap >= 0 else (1, 0)
        (one, other), (high, low) = (
            [self.models[each] for each in order],
            [self.found[each] for each in order],
        )
        ahead = told_apart and self.gap != 0
        values, slots = self._values(high, low)
        if ahead:
            text = "{a} is ranked above {b} by {estimator}: {va} vs {vb}" + values + "."
            text = text if self.gap > 0 else "Not all agree: " + text
        elif self.gap == 0:
            text = "{estimator} gives {a} and {b} the same value, {va}."
        else:
            text = "{estimator} gives {a} {va} and {b} {vb}" + values + "."
        form = number_format(high["value"], low["value"])
        case.ledger.claim(
            "measured",
            text.replace("{va}", f"{{va:{form}}}").replace("{vb}", f"{{vb:{form}}}"),
            *(self.evidence[each] for each in order),
            models=(one.row.model, other.row.model),
            prefers=one.row.model if ahead else "",
            a=one.name,
            b=other.name,
            estimator=high["estimator"],
            va=high["value"],
            vb=low["value"],
            **slots,
        )

    def _values(self, high: dict[str, Any], low: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        if not {"low", "high"} <= set(high) & set(low):
            return "", {}
        slots = {"la": high["low"], "ha": high["high"], "lb": low["low"], "hb": low["high"]}
        form = number_format(high["value"], low["value"])
        text = " ({percent} % intervals {la} to {ha} and {lb} to {hb})"
        for name in slots:
            text = text.replace(f"{{{name}}}", f"{{{name}:{form}}}")
        return text, {**slots, "percent": PERCENT}


def found_in(name: str, model: Ranked) -> dict[str, Any]:
    """Give what one estimator found of a model that it scores."""
    cell = model.row.estimators[name]
    found: dict[str, Any] = {"name": model.name, "estimator": name, "value": cell.value}
    if cell.interval:
        found |= {"low": cell.interval[0], "high": cell.interval[1], "percent": PERCENT}
    return found


def cell_of(case: Case, model: Ranked, found: dict[str, Any]) -> Evidence | None:
    """Record it."""
    predicate = f"score by {found['estimator']}"
    return observe(case, model.row.model, predicate, layer=model.row.layer, **found)


def left_out(case: Case, model: Ranked) -> None:
    """Name the estimators that say nothing of a model, and why."""
    for name, cell in cells_of(model.row).items():
        if counts(cell):
            continue
        usual = "saturated at this sample size and width" if cell.saturated else "no reason given"
        reason = clean(cell.note).rstrip(".") or usual
        found = {"name": model.name, "estimator": name, "reason": reason}
        nothing = observe(case, model.row.model, f"no score by {name}", **found)
        case.ledger.claim(
            "not known",
            "What {estimator} makes of {name} is not counted: {reason}.",
            nothing,
            models=(model.row.model,),
            **found,
        )


def agreement_of(case: Case, ranking: Ranking) -> None:
    """Say how far the estimators give the same order."""
    if ranking.agreement is None:
        return
    found: dict[str, Any] = {"agreement": ranking.agreement, "candidates": len(ranking.ranking)}
    evidence = observe(case, ranking.probe.name, "agreement of the estimators", **found)
    words = "largely agree" if ranking.agreement >= 0.7 else "agree in part"
    words = words if ranking.agreement >= 0.5 else "disagree"
    case.ledger.claim(
        "measured",
        f"About the order of all {{candidates}} models the estimators {words}: Kendall's W is "
        "{agreement:.2f}, where one is the same order throughout and zero none in common.",
        evidence,
        **found,
    )
