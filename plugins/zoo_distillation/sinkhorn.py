"""How far it is from one distribution over classes to another, given what moving costs.

Cuturi, "Sinkhorn Distances: Lightspeed Computation of Optimal Transport", NIPS 2013, in the log
domain. Plain iterations from zero are what a student learns by: however few they are, equal
distributions get no gradient. Both ways to make them converge faster, a falling epsilon and
over-relaxation (Thibault et al., 2017, arXiv 1711.01851), lose that, so they are for measuring.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

#: The largest cost that one minus a cosine can be.
LARGEST = 2.0


def total_variation(log_p: Tensor, log_q: Tensor) -> Tensor:
    """Give the earth mover distance where every two classes are 1 apart: (..., C) -> (...)."""
    return 0.5 * (log_p.exp() - log_q.exp()).abs().sum(-1)


def earth_mover(
    log_p: Tensor,
    log_q: Tensor,
    cost: Tensor,
    *,
    epsilon: float = 0.05,
    iterations: int = 50,
    annealed: float = 0.0,
    relaxation: float = 1.0,
    largest: float = LARGEST,
) -> Tensor:
    """Give the earth mover distance by entropic transport; it tends to the exact one.

    The value is what the transport plan costs. The gradient is that of the regularised distance,
    its dual potentials (envelope theorem): nothing is kept of the iterations.

    Args:
        log_p: (..., C) logarithms of probabilities.
        log_q: (..., C), of a shape that broadcasts with it.
        cost: (C, C) of moving from a class of p to a class of q, at least 0.
        epsilon: weight of the plan's entropy, in units of the cost.
        iterations: updates of either potential.
        annealed: share of the iterations in which epsilon falls from the largest cost.
        relaxation: how far an iteration goes, below 2; 1 is as far as Sinkhorn's.
        largest: what no cost is above.

    Returns:
        (...); gradients flow to both distributions.
    """
    with torch.no_grad():
        epsilons = _epsilons(epsilon, iterations, annealed, largest)
        f, g = _potentials(log_p, log_q, cost, epsilons, relaxation=relaxation, largest=largest)
        plan = (log_p + f / epsilon)[..., :, None] + (log_q + g / epsilon)[..., None, :]
        value = ((plan - cost / epsilon).exp() * cost).sum((-2, -1))
    dual = (log_p.exp() * f).sum(-1) + (log_q.exp() * g).sum(-1)
    return value + (dual - dual.detach())


def class_costs(logits: Tensor) -> Tensor:
    """Say how unlike classes are: one minus the cosine of their columns over a batch.

    Args:
        logits: (N, C) of teachers; every row is centred first, as softmax sees it.

    Returns:
        (C, C) in [0, 2], symmetric, zero on the diagonal.
    """
    columns = functional.normalize(logits - logits.mean(1, keepdim=True), dim=0)
    cost = (1 - columns.mT @ columns).clamp(0.0, LARGEST)
    return cost - torch.diag(cost.diagonal())


def _epsilons(epsilon: float, iterations: int, annealed: float, largest: float) -> list[float]:
    """List the epsilon of every iteration; it falls geometrically and then stays."""
    falling = int(annealed * iterations)
    ratio = epsilon / max(epsilon, largest)
    fallen = [epsilon * ratio ** (step / falling - 1) for step in range(1, falling + 1)]
    return [*fallen, *[epsilon] * (iterations - falling)]


def _potentials(
    log_p: Tensor,
    log_q: Tensor,
    cost: Tensor,
    epsilons: Sequence[float],
    *,
    relaxation: float,
    largest: float,
) -> tuple[Tensor, Tensor]:
    """Alternate between the dual potentials f and g, both (..., C), from zero."""
    f = g = torch.zeros_like(log_p + log_q)
    last = len(epsilons) - 1
    for step, epsilon in enumerate(epsilons):
        # Below it the kernel's exponential is lost, and every pair needs its own.
        lost = largest / epsilon > -0.9 * math.log(torch.finfo(cost.dtype).tiny)
        log_sum = _log_sum if lost else _log_product
        found = -epsilon * log_sum(log_q + g / epsilon, cost / -epsilon)
        f = f + relaxation * (found - f)
        found = -epsilon * log_sum(log_p + f / epsilon, cost.mT / -epsilon)
        # The last one is whole, so that the plan's columns have the sums of q.
        g = found if step == last else g + relaxation * (found - g)
    return f, g


def _log_sum(weights: Tensor, kernel: Tensor) -> Tensor:
    """Give log sum_j exp(weights[..., j] + kernel[i, j]): (..., C) and (C, C) -> (..., C)."""
    return (weights[..., None, :] + kernel).logsumexp(-1)


def _log_product(weights: Tensor, kernel: Tensor) -> Tensor:
    """Give the same by one product of matrices."""
    top = weights.amax(-1, keepdim=True)
    return top + ((weights - top).exp() @ kernel.exp().mT).log()
