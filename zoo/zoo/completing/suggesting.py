"""From scores to links: which nodes, which direction, how probable."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from zoo.completing.calibration import Sigmoid, fit_sigmoid
from zoo.completing.ranking import filtered_scores, queries_of, scores_of
from zoo.errors import InputError
from zoo.graph.terms import BROADER

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from zoo.completing.ranking import Known
    from zoo.types.reporting import LinkScorer, LinkTable

    Array = npt.NDArray[Any]
    #: Head, relation, tail and probability.
    Expected = tuple[int, int, int, float]

#: Held-out questions of one direction from which it has a sigmoid of its own.
_ENOUGH = 50
_QUERIES = 256
#: Candidates of a question that anybody looks at.
_SHOWN = 10


class Reliability(msgspec.Struct, frozen=True, kw_only=True):
    """Whether probabilities keep what they say, on held-out questions.

    Attributes:
        claimed: mean probability of the likeliest answers.
        right: share of them that are true.
    """

    claimed: float
    right: float


@dataclass(frozen=True, eq=False)
class Calibrated:
    """A scorer, and what its scores are worth.

    Attributes:
        scorer: what has learnt.
        relations: R.
        pooled: of all questions.
        single: of one relation or its inverse, where enough was held out.
    """

    scorer: LinkScorer
    relations: int
    pooled: Sigmoid
    single: dict[int, Sigmoid]

    def probability(self, scores: Array, relation: int) -> Array:
        """Turn relative scores of one relation into probabilities."""
        return self.single.get(relation, self.pooled).probability(scores)

    def reliability(self, links: Array, known: Known) -> Reliability:
        """Hold the likeliest answers of held-out questions against the truth."""
        queries = queries_of(links, self.relations)
        scores = relative(filtered_scores(self.scorer, queries, known))
        best = scores.argmax(axis=1)
        top = scores.max(axis=1)
        claimed = [
            float(self.probability(value, int(relation)))
            for value, relation in zip(top, queries[:, 1], strict=True)
        ]
        return Reliability(
            claimed=float(np.mean(claimed)), right=float((best == queries[:, 2]).mean())
        )


def calibrate(scorer: LinkScorer, links: Array, known: Known, relations: int) -> Calibrated:
    """Fit what scores are worth on held-out links, over the candidates that would be shown.

    Thousands of nodes that nobody would name say little of the few that are, and would bend the
    curve there.

    Args:
        scorer: what has learnt, without these links.
        links: (V, 3).
        known: every link that is true.
        relations: how many there are.
    """
    queries = queries_of(links, relations)
    scores = _first(relative(filtered_scores(scorer, queries, known)))
    asked, answers = queries[:, 1], queries[:, 2]
    single = {
        int(relation): fit_sigmoid(scores[asked == relation], answers[asked == relation])
        for relation, count in zip(*np.unique(asked, return_counts=True), strict=True)
        if count >= _ENOUGH
    }
    return Calibrated(scorer, relations, fit_sigmoid(scores, answers), single)


def relative(scores: Array) -> Array:
    """Hold each score against all of its row: a score says which node, not how sure the row is.

    Args:
        scores: (Q, N) raw; minus infinity is no candidate.

    Returns:
        (Q, N): the logarithm of each one's share of the row's exponentials.
    """
    top = scores.max(axis=1, keepdims=True)
    top = np.where(np.isfinite(top), top, 0.0)
    total = np.exp(scores - top).sum(axis=1, keepdims=True)
    return np.asarray(scores - top - np.log(np.maximum(total, 1e-300)))


def _first(scores: Array) -> Array:
    """Keep the likeliest candidates of each row; the others become minus infinity."""
    count = min(_SHOWN, scores.shape[1])
    least = np.partition(scores, -count, axis=1)[:, -count, None]
    return np.where(scores >= least, scores, -np.inf)


def expected_links(
    calibrated: Calibrated,
    table: LinkTable,
    known: Known,
    around: Sequence[int],
    *,
    missing: int,
    count: int,
) -> list[Expected]:
    """Find the likeliest links that the graph does not have.

    Args:
        calibrated: what has learnt.
        table: its nodes; the last ``missing`` ones have no link.
        known: every link that is true.
        around: nodes to ask about, both ways; all, one way, where there is none.
        missing: how many nodes to ask about the broader only; nothing else is asked then.
        count: for each node that is missing; else in all.

    Raises:
        InputError: something is missing, and no relation leads to the broader.
    """
    relations = range(len(table.relations))
    if missing:
        broader = [each for each in relations if table.relations[each] in BROADER]
        if not broader:
            raise InputError("none of these relations leads from a kind to what it is a kind of.")
        absent = range(len(table.nodes) - missing, len(table.nodes))
        each = [
            _best(calibrated, [(node, relation) for relation in broader], known, count, absent)
            for node in absent
        ]
        return [link for found in each for link in found]
    asked = [
        (node, relation) for node in around or range(len(table.nodes)) for relation in relations
    ]
    if around:
        asked += [(node, relation + len(relations)) for node, relation in asked]
    return _best(calibrated, asked, known, count)


def _best(
    calibrated: Calibrated,
    asked: Sequence[tuple[int, int]],
    known: Known,
    count: int,
    without: Sequence[int] = (),
) -> list[Expected]:
    """Keep the likeliest answers of all questions."""
    found: dict[tuple[int, int, int], float] = {}
    for start in range(0, len(asked), _QUERIES):
        part = np.array(asked[start : start + _QUERIES])
        scores = scores_of(calibrated.scorer, part[:, 0], part[:, 1])
        for row, (node, relation) in zip(scores, part.tolist(), strict=True):
            row[[*known.answers(node, relation), node, *without]] = -np.inf
        for row, (node, relation) in zip(relative(scores), part.tolist(), strict=True):
            best = np.argsort(-row, kind="stable")[:count]
            likely = calibrated.probability(row[best], relation)
            for other, probability in zip(best.tolist(), likely.tolist(), strict=True):
                if np.isfinite(row[other]):
                    link = _turned(node, relation, other, calibrated.relations)
                    found[link] = max(probability, found.get(link, 0.0))
        found = dict(_sorted(found)[:count])
    return [(*link, probability) for link, probability in _sorted(found)]


def _turned(node: int, relation: int, other: int, relations: int) -> tuple[int, int, int]:
    if relation >= relations:
        return other, relation - relations, node
    return node, relation, other


def _sorted(
    found: dict[tuple[int, int, int], float],
) -> list[tuple[tuple[int, int, int], float]]:
    return sorted(found.items(), key=lambda each: (-each[1], each[0]))
