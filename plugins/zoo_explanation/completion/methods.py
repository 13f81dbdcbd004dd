"""Three completers with one training: ConvTransE, DistMult and TransE."""

from __future__ import annotations

import math
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch

from zoo_explanation.completion.decoders import (
    ConvolutionDecoder,
    ProductDecoder,
    TranslationDecoder,
)
from zoo_explanation.completion.densification import similar_pairs
from zoo_explanation.completion.encoders import NodeEncoder
from zoo_explanation.completion.questions import Questions
from zoo_explanation.completion.training import Learner, Schedule, train

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from zoo.types.reporting import LinkTable
    from zoo_explanation.completion.training import Scorer

    Array = npt.NDArray[Any]

_NO_PAIRS = np.empty((0, 2), np.int64)


class ConvTransE:
    """Texts, neighbours and a convolution (Malaviya et al., AAAI 2020).

    Args:
        encoder: ``gcn`` listens to neighbours and needs torch_geometric; ``none`` does not.
        texts: use the vectors of the nodes' texts.
        similarity: least cosine of two texts that makes their nodes neighbours; over 1 for none.
        width: of the text part and of the neighbour part of a node's vector.
        channels: of the convolution.
        kernel: of the convolution; odd.
        layers: of the graph encoder.
        dropout: everywhere.
        epochs: at most.
        batch: questions of one step.
        rate: learning rate.
    """

    def __init__(
        self,
        *,
        encoder: Literal["gcn", "none"] = "gcn",
        texts: bool = True,
        similarity: float = 0.6,
        width: int = 64,
        channels: int = 32,
        kernel: int = 5,
        layers: int = 2,
        dropout: float = 0.2,
        epochs: int = 60,
        batch: int = 128,
        rate: float = 3e-3,
    ) -> None:
        self.encoder, self.texts, self.similarity = encoder, texts, similarity
        self.width, self.channels, self.kernel = width, channels, kernel
        self.layers, self.dropout = layers, dropout
        self.schedule = Schedule(epochs=epochs, batch=batch, rate=rate)

    def fit(self, table: LinkTable, validation: Array, *, seed: int = 0) -> Scorer:
        """Learn from the links of the table; see :class:`zoo.types.reporting.Completer`."""
        vectors = table.vectors if self.texts else None
        listens = self.encoder == "gcn"
        pairs = (
            similar_pairs(table.vectors, self.similarity)
            if listens and table.vectors is not None
            else _NO_PAIRS
        )
        questions = _questions(table, pairs)
        with _alone(seed):
            encoder = NodeEncoder(
                None if vectors is None else torch.as_tensor(vectors),
                len(table.nodes),
                self.width,
                kinds=2 * len(table.relations) + 1 if listens else 0,
                layers=self.layers,
                dropout=self.dropout,
            )
            decoder = ConvolutionDecoder(
                2 * len(table.relations),
                encoder.width,
                channels=self.channels,
                kernel=self.kernel,
                dropout=self.dropout,
                bias=_rarity(table),
            )
            return train(Learner(encoder, decoder), questions, validation, self.schedule, seed)


class DistMult:
    """A product of three vectors (Yang et al., ICLR 2015).

    Args:
        width: of the vectors.
        epochs: at most.
        batch: questions of one step.
        rate: learning rate.
    """

    def __init__(
        self, *, width: int = 64, epochs: int = 60, batch: int = 128, rate: float = 1e-2
    ) -> None:
        self.width = width
        self.schedule = Schedule(epochs=epochs, batch=batch, rate=rate)

    def fit(self, table: LinkTable, validation: Array, *, seed: int = 0) -> Scorer:
        """Learn from the links of the table; see :class:`zoo.types.reporting.Completer`."""
        with _alone(seed):
            decoder = ProductDecoder(2 * len(table.relations), self.width, bias=_rarity(table))
            learner = Learner(_free(table, self.width), decoder)
            return train(learner, _questions(table, _NO_PAIRS), validation, self.schedule, seed)


class TransE:
    """A relation moves the head to the tail (Bordes et al., NeurIPS 2013).

    Args:
        width: of the vectors.
        epochs: at most.
        batch: questions of one step.
        rate: learning rate.
    """

    def __init__(
        self,
        *,
        width: int = 64,
        epochs: int = 60,
        batch: int = 128,
        rate: float = 1e-2,
    ) -> None:
        self.width = width
        self.schedule = Schedule(epochs=epochs, batch=batch, rate=rate)

    def fit(self, table: LinkTable, validation: Array, *, seed: int = 0) -> Scorer:
        """Learn from the links of the table; see :class:`zoo.types.reporting.Completer`."""
        with _alone(seed):
            decoder = TranslationDecoder(2 * len(table.relations), self.width, bias=_rarity(table))
            learner = Learner(_free(table, self.width), decoder)
            return train(learner, _questions(table, _NO_PAIRS), validation, self.schedule, seed)


def _rarity(table: LinkTable) -> float:
    """Give the logit of one answer among all nodes: training need not find it first."""
    return -math.log(max(len(table.nodes), 2))


def _free(table: LinkTable, width: int) -> NodeEncoder:
    return NodeEncoder(None, len(table.nodes), width, kinds=0, layers=0, dropout=0.0)


def _questions(table: LinkTable, pairs: Array) -> Questions:
    return Questions(
        nodes=np.arange(len(table.nodes)),
        links=table.links,
        relations=len(table.relations),
        similar=pairs,
    )


@contextmanager
def _alone(seed: int) -> Iterator[None]:
    """Draw from one seed on one thread, and leave the process's own numbers as they were."""
    threads = torch.get_num_threads()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(threads)
