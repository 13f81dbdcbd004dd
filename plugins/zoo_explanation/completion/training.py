"""Training of an encoder and a decoder on all answers at once, and what has learnt."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from zoo.completing.ranking import Known, filtered_ranks
from zoo_explanation.completion.encoders import NodeEncoder, columns_shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt
    from torch import Tensor

    from zoo_explanation.completion.questions import Questions

    Array = npt.NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """How to train.

    Attributes:
        epochs: at most.
        batch: questions of one step.
        steps: steps of the decoder for one encoding of the nodes.
        rate: learning rate of Adam.
        decay: L2 penalty.
        smoothing: of the labels; every node gets ``smoothing / N``.
        patience: epochs without a better validation MRR after which it stops.
        look: epochs between two looks at it.
        subgraph: links of one epoch, where there are more.
        masked: share of the epochs in which not all columns of the texts are seen.
    """

    epochs: int = 150
    batch: int = 128
    steps: int = 2
    rate: float = 1e-3
    decay: float = 1e-6
    smoothing: float = 0.1
    patience: int = 20
    look: int = 5
    subgraph: int = 30_000
    masked: float = 0.5


class Learner(nn.Module):
    """An encoder of nodes and a decoder of questions."""

    def __init__(self, encoder: NodeEncoder, decoder: nn.Module) -> None:
        super().__init__()
        self.encoder, self.decoder = encoder, decoder

    @torch.no_grad()
    def scorer(self, questions: Questions) -> Scorer:
        """Encode every node once, as it is at present."""
        self.eval()
        nodes = self.encoder(torch.as_tensor(questions.nodes), questions.edges())
        decoder = copy.deepcopy(self.decoder).eval()
        return Scorer(nodes=nodes, decoder=decoder)


@dataclass(frozen=True, eq=False)
class Scorer:
    """Implements :class:`zoo.types.reporting.LinkScorer`: scores are logits.

    Attributes:
        nodes: (N, D).
        decoder: of questions.
    """

    nodes: Tensor
    decoder: nn.Module

    @torch.no_grad()
    def score(self, heads: Array, relations: Array) -> Array:
        """Score every node as the answer: (B, N)."""
        asked = torch.as_tensor(np.asarray(heads)), torch.as_tensor(np.asarray(relations))
        scores: Array = self.decoder(self.nodes, *asked).numpy()
        return scores


def train(
    learner: Learner, questions: Questions, validation: Array, schedule: Schedule, seed: int
) -> Scorer:
    """Train, and give the scorer of the best validation MRR, or of the last epoch without one."""
    optimisers = [
        torch.optim.Adam(part.parameters(), lr=schedule.rate, weight_decay=schedule.decay)
        for part in (learner.encoder, learner.decoder)
    ]
    generator, draws = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
    known = Known(np.concatenate([questions.links, validation]), questions.relations)
    best, best_at, found = -1.0, 0, None
    for epoch in range(1, schedule.epochs + 1):
        learner.train()
        share = epoch / max(1.0, schedule.masked * schedule.epochs)
        part = questions.part(schedule.subgraph, generator)
        for group in _groups(len(part.keys), schedule, generator):
            shown = columns_shown(learner.encoder.read_width, share, draws)
            _learn(
                learner,
                part,
                group,
                optimisers=optimisers,
                shown=shown,
                smoothing=schedule.smoothing,
            )
        if len(validation) and (epoch % schedule.look == 0 or epoch == schedule.epochs):
            scorer = learner.scorer(questions)
            ranks = filtered_ranks(scorer, validation, known, questions.relations)
            reached = float((1 / ranks).mean())
            if reached > best:
                best, best_at, found = reached, epoch, scorer
            elif epoch - best_at >= schedule.patience:
                break
    return learner.scorer(questions) if found is None else found


def _groups(
    count: int, schedule: Schedule, generator: np.random.Generator
) -> Iterator[list[Array]]:
    """Deal questions into batches of two at least, and batches into groups of one encoding."""
    batches = np.array_split(generator.permutation(count), max(1, round(count / schedule.batch)))
    for start in range(0, len(batches), schedule.steps):
        yield batches[start : start + schedule.steps]


def _learn(
    learner: Learner,
    questions: Questions,
    group: list[Array],
    *,
    optimisers: list[torch.optim.Adam],
    shown: Tensor | None,
    smoothing: float,
) -> None:
    """Encode once, let the decoder learn from every batch, then the encoder from all of them."""
    encoding, decoding = optimisers
    nodes = learner.encoder(
        torch.as_tensor(questions.nodes), questions.edges(np.concatenate(group)), shown
    )
    leaf = nodes.detach().requires_grad_()
    for asked in group:
        heads, relations = torch.as_tensor(questions.keys[asked]).T
        logits = learner.decoder(leaf, heads, relations)
        loss = smoothed_loss(logits, questions.answered(asked), smoothing)
        decoding.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(learner.decoder.parameters(), 1.0)
        decoding.step()
    encoding.zero_grad()
    nodes.backward(leaf.grad)
    nn.utils.clip_grad_norm_(learner.encoder.parameters(), 1.0)
    encoding.step()


def smoothed_loss(logits: Tensor, answers: tuple[Tensor, Tensor], smoothing: float) -> Tensor:
    """Binary cross entropy of every node with ``(1 - eps) y + eps / N``, without a table of y.

    Args:
        logits: (B, N).
        answers: rows and columns of what is true.
        smoothing: eps.
    """
    nodes = logits.shape[1]
    told = (1 - smoothing) * logits[answers].sum() + smoothing / nodes * logits.sum()
    return (nn.functional.softplus(logits).sum() - told) / logits.numel()
