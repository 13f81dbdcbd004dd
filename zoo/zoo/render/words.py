"""The sentences of a ranking that terminal, page and Markdown share."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from zoo.render.quantities import count_text, size_text, some

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zoo.types.ranking import Exclusion, ProbeSummary, Ranking, RankingRow

_COMMIT = re.compile(r"@([0-9a-f]{7})[0-9a-f]{33}(?=$|#)")

#: How to read the columns, in the order of the table.
LEGEND = (
    ("Score", "the expected share of the other models that this one beats, from 0 to 1"),
    ("95 %", "the interval of the score when a part of the samples is left out in turn"),
    ("Evidence", "the same by your data alone; the score adds what size and pre-training tell"),
    ("Agree", "how many of the counted estimators have it among their first three"),
    ("z", "how many standard deviations its scores lie above those of shuffled labels (median)"),
    ("Prior", "its place by size and pre-training alone, before any of your data was read"),
)


def short(model: str) -> str:
    """Shorten a commit to seven digits and leave out ``hub:``; for people only."""
    return _COMMIT.sub(r"@\1", model).removeprefix("hub:")


def last_part(model: str) -> str:
    """Leave out where a model comes from: ``resnet-18`` of ``hub:microsoft/resnet-18``."""
    return re.split(r"[/:]", short(model).rstrip("/"))[-1]


def data_line(probe: ProbeSummary) -> str:
    """Say what was understood of the data, in one line."""
    kind = {"image": "images", "text": "texts", "features": "feature vectors"}
    task = "labels are texts" if probe.task == "text" else probe.task
    rows = f" of {count_text(probe.rows)}" if probe.rows > probe.samples else ""
    noun = "labels" if probe.task == "multi-label" else "classes"
    parts = [
        f"{probe.name}: {count_text(probe.samples)}{rows} {kind.get(probe.modality, 'samples')}",
        task,
        f"{probe.classes} {noun}" if probe.classes else "",
        f"split {probe.split}" if probe.split else "",
        f"seed {probe.seed}",
    ]
    return ", ".join(part for part in parts if part)


def verdict(ranking: Ranking) -> str:
    """Say which model to start from, and which others would do as well."""
    if not ranking.ranking:
        return "No model could be ranked."
    first = ranking.ranking[0]
    if not first.signal:
        return (
            f"No estimator tells {short(first.model)}, the first, from shuffled labels: "
            "take this order as a guess."
        )
    if len(ranking.ranking) == 1:
        return (
            f"{short(first.model)} is the only one: its score compares it with shuffled labels, "
            "not with other models."
        )
    tied = _ties(ranking, first)
    if not tied:
        return f"Start from {short(first.model)}: it is ahead of every other model."
    names = ", ".join(short(row.model) for row in tied[:3])
    more = f" and {len(tied) - 3} more" if len(tied) > 3 else ""
    verb = "is" if len(tied) == 1 else "are"
    text = f"Start from {short(first.model)}; {names}{more} {verb} not clearly worse."
    return text + _smaller(first, tied)


def tie_note(row: RankingRow, ranks: dict[str, int]) -> str:
    """Name the better-placed models that a row is not clearly different from."""
    if not row.signal:
        return "no signal"
    above = sorted(ranks[each] for each in row.tied_with if ranks.get(each, row.rank) < row.rank)
    return f"tie with {_ranges(above)}" if above else ""


def exclusions_line(excluded: Sequence[Exclusion]) -> str:
    """Count what was left out by reason: ``7 left out (4 over --max-size, 3 gated)``."""
    reasons: dict[str, int] = {}
    for each in excluded:
        reason = each.reason.partition(": ")[0]
        reasons[reason] = reasons.get(reason, 0) + 1
    listed = ", ".join(f"{count} {reason}" for reason, count in reasons.items())
    return f"{some(len(excluded), 'model')} left out ({listed})"


def agreement_line(ranking: Ranking) -> str:
    """Say how far estimators agree with each other and with the prior."""
    parts = []
    if ranking.agreement is not None:
        parts.append(f"agreement between estimators (Kendall's W) {ranking.agreement:.2f}")
    if ranking.prior_agreement is not None:
        parts.append(f"with the prior (weighted tau) {ranking.prior_agreement:.2f}")
    text = ", ".join(parts)
    return text[:1].upper() + text[1:]


def _ties(ranking: Ranking, first: RankingRow) -> list[RankingRow]:
    return [row for row in ranking.ranking[1:] if row.model in first.tied_with]


def _smaller(first: RankingRow, tied: Sequence[RankingRow]) -> str:
    sized = [row for row in tied if row.bytes]
    least = min(sized, key=lambda row: row.bytes or 0, default=None)
    if least is None or not least.bytes or not first.bytes or first.bytes < 1.5 * least.bytes:
        return ""
    return (
        f" {short(least.model)} is {first.bytes / least.bytes:.1f} times smaller"
        f" ({size_text(least.bytes)} instead of {size_text(first.bytes)})."
    )


def _ranges(numbers: Sequence[int]) -> str:
    """``1-3, 5``."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)
