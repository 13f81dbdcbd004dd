"""How well a method finds links: filtered ranks, their summary, and its interval."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from zoo.errors import PluginError

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from zoo.types.reporting import LinkScorer

    Array = npt.NDArray[Any]

_QUERIES = 256
_DRAWS = 1000


class Interval(msgspec.Struct, frozen=True, kw_only=True):
    """A value and where 95 % of its resamples lie."""

    value: float
    low: float
    high: float


class LinkMetrics(msgspec.Struct, frozen=True, kw_only=True):
    """Filtered ranks of held-out links, both ends of each asked for.

    Attributes:
        links: how many.
        candidates: nodes that each answer was ranked among, before what is true anyway was left
            out.
        mrr: mean of one over the rank.
        hits: share of ranks up to 1, 3 and 10.
    """

    links: int
    candidates: int
    mrr: Interval
    hits1: Interval
    hits3: Interval
    hits10: Interval


def queries_of(links: Array, relations: int) -> Array:
    """Ask for both ends of each link: (2 L, 3) of node, relation or its inverse, answer.

    The second half holds the inverses: ``relation + relations`` asks for the head.
    """
    head, relation, tail = links.T
    forward = np.stack([head, relation, tail], axis=1)
    return np.concatenate([forward, np.stack([tail, relation + relations, head], axis=1)])


class Known:
    """What is true anyway, by query: other answers are left out of a rank."""

    def __init__(self, links: Array, relations: int) -> None:
        queries = np.unique(queries_of(links, relations), axis=0)
        self._keys = queries[:, :2]
        self._answers = queries[:, 2]

    def answers(self, node: int, relation: int) -> Array:
        """Give every known answer of one query."""
        low, high = self._span(node, relation)
        return self._answers[low:high]

    def _span(self, node: int, relation: int) -> tuple[int, int]:
        nodes, relations = self._keys.T
        low, high = np.searchsorted(nodes, [node, node + 1])
        first, last = np.searchsorted(relations[low:high], [relation, relation + 1])
        return int(low + first), int(low + last)


def filtered_scores(scorer: LinkScorer, queries: Array, known: Known) -> Array:
    """Score queries, minus infinity at what is no candidate: (Q, N).

    The answer of each query, if it is known, stays a candidate.
    """
    scores = scores_of(scorer, queries[:, 0], queries[:, 1])
    for row, (node, relation, answer) in zip(scores, queries, strict=True):
        own = row[answer]
        row[known.answers(node, relation)] = -np.inf
        row[node] = -np.inf
        row[answer] = own
    return scores


def scores_of(scorer: LinkScorer, heads: Array, relations: Array) -> Array:
    """Ask a scorer, and refuse what is no number: (B, N) float64.

    Raises:
        PluginError: not a row of numbers a query.
    """
    scores = np.array(scorer.score(heads, relations), dtype=np.float64)
    if scores.ndim != 2 or len(scores) != len(heads) or np.isnan(scores).any():
        raise PluginError("the completer's scores are no row of numbers for each question.")
    return scores


def filtered_ranks(scorer: LinkScorer, links: Array, known: Known, relations: int) -> Array:
    """Rank both ends of links: (L, 2), the tail's rank and the head's.

    Args:
        scorer: what has learnt.
        links: (L, 3), held out.
        known: every link that is true, the held-out ones too.
        relations: how many there are.
    """
    queries = queries_of(links, relations)
    ranks: list[Array] = []
    for start in range(0, len(queries), _QUERIES):
        part = queries[start : start + _QUERIES]
        scores = filtered_scores(scorer, part, known)
        ranks.append(ranks_of(scores, part[:, 2]))
    found: Array = np.concatenate([np.empty(0), *ranks])
    return found.reshape(2, -1).T


def ranks_of(scores: Array, answers: Array) -> Array:
    """Rank an answer a row among what is not minus infinity: (Q,).

    Ties share their mean rank, ``1 + #greater + (#equal - 1) / 2``, so that a scorer that says the
    same of all nodes is no better than one that draws.

    Args:
        scores: (Q, N); higher is likelier.
        answers: (Q,) the node of each row to rank.
    """
    own = np.take_along_axis(scores, answers[:, None], axis=1)
    candidates = np.isfinite(scores)
    np.put_along_axis(candidates, answers[:, None], values=True, axis=1)
    greater = ((scores > own) & candidates).sum(axis=1)
    equal = ((scores == own) & candidates).sum(axis=1)
    ranks: Array = 1.0 + greater + (equal - 1) / 2
    return ranks


def summarise(ranks: Array, candidates: int, *, seed: int = 0) -> LinkMetrics:
    """Pool both directions, and resample links for the intervals.

    Args:
        ranks: (L, 2) of :func:`filtered_ranks`.
        candidates: how many nodes there are.
        seed: of the resamples.
    """
    draws = np.random.default_rng(seed).integers(len(ranks), size=(_DRAWS, len(ranks)))

    def measured(value: Callable[[Array], Array]) -> Interval:
        each = value(ranks).mean(axis=1)
        low, high = np.quantile(each[draws].mean(axis=1), [0.025, 0.975])
        return Interval(value=float(each.mean()), low=float(low), high=float(high))

    return LinkMetrics(
        links=len(ranks),
        candidates=candidates,
        mrr=measured(lambda ranks: 1 / ranks),
        hits1=measured(lambda ranks: ranks <= 1),
        hits3=measured(lambda ranks: ranks <= 3),
        hits10=measured(lambda ranks: ranks <= 10),
    )
