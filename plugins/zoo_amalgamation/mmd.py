"""Maximum mean discrepancy between batches, as common-feature learning measures it.

Gretton et al., "A Kernel Two-Sample Test", JMLR 2012; bandwidths and normalisation of Luo et al.,
IJCAI 2019, arXiv 1906.10546. It compares two sets: the order of the samples does not matter.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

#: Bandwidths of the fixed kernels.
SIGMAS = (0.001, 0.01, 0.05, 0.1, 0.2, 1.0, 2.0)
#: Variances of the adaptive kernels, as multiples of the mean squared distance.
SPREAD = (0.25, 0.5, 1.0, 2.0, 4.0)
#: Smallest norm of a sample, and smallest squared distance.
FLOOR = 1e-12
#: Squared distance between two normalised samples, at the lower end of what networks give.
TYPICAL = 0.5


def mmd(
    u: Tensor, v: Tensor, *, sigmas: Sequence[float] | None = SIGMAS, normalise: bool = True
) -> Tensor:
    """Measure the squared discrepancy of two batches by the biased V-statistic.

    Args:
        u: (B, ...), of any layout in memory; every sample is read as one vector.
        v: of the same shape.
        sigmas: bandwidths of the Gaussian kernels that are summed; None takes five around the mean
            squared distance of the batch, through which no gradient flows.
        normalise: divide every sample by its length.

    Returns:
        A scalar of at least 0 in float32, or in float64 where u is; gradients flow to both.
    """
    return discrepancies(u, (v,), sigmas=sigmas, normalise=normalise)[0]


def discrepancies(
    student: Tensor,
    teachers: Sequence[Tensor],
    *,
    sigmas: Sequence[float] | None = SIGMAS,
    normalise: bool = True,
) -> Tensor:
    """Measure :func:`mmd` of one batch (B, ...) with each of N others at once: (N,)."""
    with torch.autocast(student.device.type, enabled=False):
        own = _flat(student, normalise)
        others = torch.stack([_flat(each, normalise) for each in teachers])
        lengths, other_lengths = own.square().sum(-1), others.square().sum(-1)
        within = _within(own, lengths)
        others_within = _within(others, other_lengths)
        between = lengths[:, None] + other_lengths[:, None, :] - 2 * own @ others.mT
        between = between.clamp_min(FLOOR)
        if sigmas is None:
            parts = (each.mean((-2, -1)) for each in (within, others_within, 2 * between))
            scale = sum(parts, start=within.new_zeros(())).detach() / 4
            variances = scale[:, None] * scale.new_tensor(SPREAD)
            # The bandwidth belongs to the pair, so the student's own kernel does too.
            within = within.expand_as(others_within)
        else:
            variances = within.new_tensor(sigmas).square()[None]
            within = within[None]
        inside = _kernel(within, variances).mean((-2, -1))
        inside = inside + _kernel(others_within, variances).mean((-2, -1))
        return (inside - 2 * _kernel(between, variances).mean((-2, -1))).relu()


def floor(batch: int, *, sigmas: Sequence[float] | None = SIGMAS) -> float:
    """Give the value of :func:`mmd` for two batches of one distribution, which is not 0.

    The diagonal counts every sample as its own neighbour, so that each kernel adds
    ``2 / batch`` times one minus its typical value. Normalised samples are so far apart that the
    five narrow ones of :data:`SIGMAS` are dead: all they give is this constant.

    Args:
        batch: B, samples of one forward pass.
        sigmas: as in :func:`mmd`; the samples are normalised.
    """
    if sigmas is None:
        typical = [math.exp(-0.5 / multiple) for multiple in SPREAD]
    else:
        typical = [math.exp(-0.5 * TYPICAL / sigma**2) for sigma in sigmas]
    return 2 / batch * sum(1 - value for value in typical)


def _flat(samples: Tensor, normalise: bool) -> Tensor:
    """(B, ...) -> (B, D) of unit length, in float32 at least."""
    flat = samples.reshape(len(samples), -1)
    flat = flat.to(torch.promote_types(flat.dtype, torch.float32))
    return functional.normalize(flat, eps=FLOOR) if normalise else flat


def _within(samples: Tensor, lengths: Tensor) -> Tensor:
    """Squared distances inside batches: (..., B, D) and (..., B) -> (..., B, B).

    The diagonal is set, not computed: the narrowest kernel would read its rounding in float32.
    """
    distances = lengths[..., :, None] + lengths[..., None, :] - 2 * samples @ samples.mT
    same = torch.eye(samples.shape[-2], dtype=torch.bool, device=samples.device)
    return distances.masked_fill(same, 0.0).clamp_min(FLOOR)


def _kernel(distances: Tensor, variances: Tensor) -> Tensor:
    """Sum Gaussians: (N, B, B) squared distances, (N or 1, K) variances -> (N or 1, B, B)."""
    total = torch.zeros_like(distances)
    for variance in variances.unbind(-1):
        total = total + (distances / (-2 * variance[:, None, None])).exp()
    return total
