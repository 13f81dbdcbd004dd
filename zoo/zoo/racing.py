"""Racing: every candidate on a few samples, the leaders on more.

Between two rounds, who is clearly behind the leader is
dropped; the last round that every survivor finished is the one that counts.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from zoo.types.ranking import Exclusion

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from zoo.engine import ModelResult
    from zoo.types.ranking import RankingRow


#: So many always go on: an answer says what the leader was better than.
KEPT = 2


def behind(rows: Sequence[RankingRow]) -> dict[str, str]:
    """Name those whose whole interval lies below the leader's and who are not tied with it.

    The runner-up is never among them.

    Args:
        rows: a ranking, best first.

    Returns:
        model -> both intervals in words.
    """
    if not rows:
        return {}
    leader = rows[0]
    return {
        row.model: f"{_words(row)} beside {_words(leader)}"
        for row in rows[KEPT:]
        if row.interval[1] < leader.interval[0] and leader.model not in row.tied_with
    }


@dataclass(kw_only=True)
class Lap:
    """What one round measured.

    Attributes:
        results: by model.
        unreached: models that were not started before time was up.
    """

    results: dict[str, ModelResult] = field(default_factory=dict)
    unreached: list[str] = field(default_factory=list)


@dataclass(kw_only=True)
class Raced:
    """How a race ended.

    Attributes:
        results: of the survivors, all on the same samples.
        rounds: how many rounds those samples take.
        dropped: who was clearly behind, and after how many samples.
        unreached: models that were never started.
    """

    results: dict[str, ModelResult]
    rounds: int
    dropped: list[Exclusion]
    unreached: list[str]


def race(
    models: Sequence[str],
    rounds: Sequence[int],
    *,
    measure: Callable[[Sequence[str], int], Lap],
    rank: Callable[[Mapping[str, ModelResult], int], Sequence[RankingRow]],
    time_left: Callable[[], bool],
) -> Raced:
    """Run rounds until the samples or the time are used up.

    Args:
        models: the candidates.
        rounds: samples of each round.
        measure: measures models on the samples of the first so many rounds.
        rank: ranks results on the samples of the first so many rounds.
        time_left: whether another round may begin.
    """
    lap = measure(models, 1)
    raced = Raced(results=lap.results, rounds=1, dropped=[], unreached=lap.unreached)
    for number in range(2, len(rounds) + 1):
        if not time_left():
            break
        out = behind(rank(raced.results, number - 1))
        survivors = [model for model in raced.results if model not in out]
        before = f"raced out after {rounds[number - 2]} of {rounds[-1]} samples"
        raced.dropped += [
            Exclusion(model=model, reason=f"{before}: {words}") for model, words in out.items()
        ]
        lap = measure(survivors, number)
        # Whoever broke in this round is a failure, and not ranked by an earlier one.
        finished = {*lap.results, *lap.unreached}
        raced.results = {model: raced.results[model] for model in survivors if model in finished}
        if lap.unreached:
            break
        raced.results, raced.rounds = lap.results, number
    return raced


def _words(row: RankingRow) -> str:
    return f"{row.interval[0]:.2f} to {row.interval[1]:.2f}"
