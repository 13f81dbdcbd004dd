"""A plain loop: AdamW, a short warm-up, a cosine to zero; judged every few steps."""

from __future__ import annotations

import copy
import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from growing.tasks import altered
from torch.nn.functional import cross_entropy
from torch.utils.flop_counter import FlopCounterMode

if TYPE_CHECKING:
    from growing.tasks import Samples

WARM_UP, DECAY = 0.05, 0.05
#: Steps between two judgements, at first and later.
OFTEN, EARLY, SELDOM = 5, 40, 20


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """How a network is trained.

    Attributes:
        steps: of one batch each.
        batch: B.
        rate: peak of the learning rate.
        seed: of batches, mirrors and shifts.
    """

    steps: int
    batch: int
    rate: float
    seed: int

    def judged(self, step: int) -> bool:
        """Say whether the network is judged after so many steps."""
        return step == self.steps or step % (OFTEN if step <= EARLY else SELDOM) == 0

    def share(self, step: int) -> float:
        """Give the rate of a step as a share of the peak."""
        warm = max(1, round(WARM_UP * self.steps))
        if step < warm:
            return (step + 1) / warm
        return 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, self.steps - warm)))


def train(network: Any, schedule: Schedule, learn: Samples, test: Samples) -> dict[str, Any]:
    """Train a network in place.

    Returns:
        ``at``: steps after which it was judged, 0 among them; ``accuracy``, then; ``loss`` over the
        last steps of training; ``flops`` of a step; processor ``seconds`` without judging.
    """
    generator = torch.Generator().manual_seed(schedule.seed)
    torch.manual_seed(schedule.seed)  # dropout
    optimiser = torch.optim.AdamW(network.parameters(), lr=schedule.rate, weight_decay=DECAY)
    at, found = [0], [judge(network, test)]
    losses: list[float] = []
    seconds = 0.0
    order = torch.empty(0, dtype=torch.int64)
    network.train()
    for step in range(schedule.steps):
        begun = time.process_time()
        if len(order) < schedule.batch:
            order = torch.randperm(len(learn), generator=generator)
        rows, order = order[: schedule.batch], order[schedule.batch :]
        batch = learn.part(rows.to(learn.labels.device))
        for group in optimiser.param_groups:
            group["lr"] = schedule.rate * schedule.share(step)
        logits = network(**altered(batch.inputs, generator)).logits
        loss = cross_entropy(logits, batch.labels)
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        optimiser.step()
        losses.append(float(loss.detach()))
        seconds += time.process_time() - begun
        if schedule.judged(step + 1):
            at.append(step + 1)
            found.append(judge(network, test))
            network.train()
    return {
        "at": at,
        "accuracy": found,
        "loss": sum(losses[-SELDOM:]) / len(losses[-SELDOM:]),
        "flops": flops(network, learn.part(torch.arange(schedule.batch))),
        "seconds": round(seconds, 2),
    }


@torch.no_grad()
def judge(network: Any, samples: Samples) -> float:
    """Share of the samples whose first label is right."""
    network.eval()
    right = 0
    for rows in torch.split(torch.arange(len(samples)), 250):
        part = samples.part(rows.to(samples.labels.device))
        right += int((network(**part.inputs).logits.argmax(1) == part.labels).sum())
    return right / len(samples)


def flops(network: Any, batch: Samples) -> int:
    """Count floating-point operations of a forward and a backward pass."""
    copied = copy.deepcopy(network).train()  # batch norms of the original take no notice
    with FlopCounterMode(display=False) as counter:
        torch.autograd.backward(cross_entropy(copied(**batch.inputs).logits, batch.labels))
    return int(counter.get_total_flops())
