"""What is asked in training: each node and relation with every answer, and the edges they hide."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from zoo.completing.ranking import queries_of
from zoo_explanation.completion.encoders import Edges

if TYPE_CHECKING:
    import numpy.typing as npt
    from torch import Tensor

    Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Questions:
    """The links among some nodes, as questions with all their answers.

    Attributes:
        nodes: (n,) of the table.
        links: (L, 3) by place in ``nodes``.
        relations: R; a question about a head has ``relation + R``.
        similar: (P, 2) pairs by place in ``nodes``; they carry messages and are never asked about.
    """

    nodes: Array
    links: Array
    relations: int
    similar: Array

    @cached_property
    def _numbered(self) -> tuple[Array, Array, Array]:
        queries = queries_of(self.links, self.relations)
        keys, key = np.unique(queries[:, :2], axis=0, return_inverse=True)
        return keys, key.ravel(), queries[:, 2]

    @property
    def keys(self) -> Array:
        """What is asked: (K, 2) of node and relation."""
        return self._numbered[0]

    @cached_property
    def answers(self) -> list[Array]:
        """Every answer of each question."""
        _, key, answer = self._numbered
        order = np.argsort(key, kind="stable")
        return np.split(answer[order], np.cumsum(np.bincount(key))[:-1])

    @cached_property
    def _messages(self) -> Edges:
        """Links in both directions, then likeness in both: L, L, P, P edges."""
        head, relation, tail = self.links.T
        one, other = self.similar.T
        ends = np.stack(
            [np.concatenate([head, tail, one, other]), np.concatenate([tail, head, other, one])]
        )
        alike = np.full(2 * len(self.similar), 2 * self.relations)
        kinds = np.concatenate([relation, relation + self.relations, alike])
        return Edges(torch.as_tensor(ends), torch.as_tensor(kinds))

    def edges(self, asked: Array | None = None) -> Edges:
        """Give the edges that carry messages.

        Args:
            asked: questions of the moment: a link that answers one of them carries nothing, or
                the encoder would read the answer off, which it cannot for a link that is missing.
        """
        if asked is None:
            return self._messages
        hidden = np.zeros(len(self.keys), dtype=bool)
        hidden[asked] = True
        forward, inverse = hidden[self._numbered[1]].reshape(2, -1)
        gone = forward | inverse
        alike = np.zeros(2 * len(self.similar), dtype=bool)
        kept = torch.as_tensor(~np.concatenate([gone, gone, alike]))
        return Edges(self._messages.ends[:, kept], self._messages.kinds[kept])

    def answered(self, asked: Array) -> tuple[Tensor, Tensor]:
        """Give the place of every answer in a (B, n) table of scores: rows and columns."""
        found = [self.answers[question] for question in asked]
        rows = np.repeat(np.arange(len(asked)), [len(each) for each in found])
        return torch.as_tensor(rows), torch.as_tensor(np.concatenate(found))

    def part(self, count: int, generator: np.random.Generator) -> Questions:
        """Draw links, keep their nodes, and the likeness that has both its ends among them."""
        if len(self.links) <= count:
            return self
        drawn = self.links[np.sort(generator.choice(len(self.links), count, replace=False))]
        kept, place = np.unique(drawn[:, [0, 2]], return_inverse=True)
        place = place.reshape(-1, 2)
        index = np.full(len(self.nodes), -1)
        index[kept] = np.arange(len(kept))
        similar = index[self.similar]
        return Questions(
            nodes=self.nodes[kept],
            links=np.stack([place[:, 0], drawn[:, 1], place[:, 1]], axis=1),
            relations=self.relations,
            similar=similar[(similar >= 0).all(axis=1)],
        )
