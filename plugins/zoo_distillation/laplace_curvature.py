"""The mathematics of a linearised Laplace approximation over a part of the weights.

Daxberger et al., "Bayesian Deep Learning via Subnetwork Inference", ICML 2021, arXiv 2010.14689;
the evidence as in Immer et al., ICML 2021, arXiv 2104.04975. Nothing here runs a network: Jacobians
J = d logits / d weights (B, C, S) come in, and curvature, posterior and predictions go out.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

#: Prior precisions that are tried, eight a decade.
GRID = torch.logspace(-4, 4, 65, dtype=torch.float64)
#: Columns of a triangular system that are solved at a time.
_COLUMNS = 4096


def likelihood_root(logits: Tensor) -> Tensor:
    """Give R with R R^T = diag(p) - p p^T, the curvature of the cross-entropy: (B, C, C).

    Args:
        logits: (B, C).
    """
    probabilities = logits.softmax(-1)
    roots = probabilities.sqrt()
    return torch.diag_embed(roots) - probabilities[:, :, None] * roots[:, None, :]


def curvature(jacobians: Tensor, logits: Tensor | None = None) -> Tensor:
    """Sum the generalised Gauss-Newton matrix over a batch: (S, S) float64.

    Args:
        jacobians: (B, C, S).
        logits: (B, C) of a classifier; None for a regression, whose likelihood has unit curvature.
    """
    exact = jacobians.double()
    if logits is not None:
        exact = likelihood_root(logits.double()).mT @ exact
    rows = exact.flatten(0, 1)
    return rows.T @ rows


def marginal_variance(diagonal: Tensor, prior: float, *, noise: float = 1.0) -> Tensor:
    """Give the variance of every weight under a diagonal posterior.

    Args:
        diagonal: (P,) of the curvature.
        prior: precision of the prior.
        noise: standard deviation of a regression's errors; 1 for a classifier.
    """
    return 1 / (diagonal / noise**2 + prior)


def largest(scores: Tensor, size: int) -> Tensor:
    """Give the places of the largest scores of (P,), in ascending order: (size,) int64."""
    return torch.topk(scores, size).indices.sort().values


def posterior_precision(matrix: Tensor, prior: float, *, noise: float = 1.0) -> Tensor:
    """Add the prior to a curvature (S, S), weighted as in :func:`marginal_variance`."""
    return matrix / noise**2 + prior * torch.eye(len(matrix), dtype=matrix.dtype).to(matrix.device)


def posterior_covariance(precision: Tensor) -> Tensor:
    """Invert the precision of a posterior: (S, S)."""
    return torch.cholesky_inverse(torch.linalg.cholesky(precision))


def logit_covariance(jacobians: Tensor, cholesky: Tensor) -> Tensor:
    """Give the covariance of the logits of each sample, J P^-1 J^T: (B, C, C) float64.

    Args:
        jacobians: (B, C, S).
        cholesky: (S, S) lower factor of the posterior's precision P.
    """
    solved = _solved(jacobians, cholesky)
    return solved.mT @ solved


def logit_variances(jacobians: Tensor, cholesky: Tensor) -> Tensor:
    """Give the diagonals of :func:`logit_covariance` alone: (B, C) float64."""
    return _solved(jacobians, cholesky).square().sum(1)


def _solved(jacobians: Tensor, cholesky: Tensor) -> Tensor:
    """(B, S, C): the lower factor's inverse times the transposed Jacobians."""
    batch, classes, size = jacobians.shape
    columns = jacobians.reshape(batch * classes, size).T.double()
    parts = [
        torch.linalg.solve_triangular(cholesky, part, upper=False)
        for part in torch.split(columns, _COLUMNS, dim=1)
    ]
    return torch.cat(parts, dim=1).reshape(size, batch, classes).transpose(0, 1)


def probit(logits: Tensor, variances: Tensor) -> Tensor:
    """Average the softmax over Gaussian logits, approximately (MacKay 1992): (B, C).

    Args:
        logits: (B, C) means.
        variances: (B, C).
    """
    return (logits / torch.sqrt(1 + math.pi / 8 * variances)).softmax(-1)


def classification_likelihood(logits: Tensor, labels: Tensor) -> Tensor:
    """Give the log-likelihood of labels (B,) under logits (B, C): a scalar."""
    return -functional.cross_entropy(logits, labels, reduction="sum")


def regression_likelihood(outputs: Tensor, targets: Tensor, noise: float) -> Tensor:
    """Give the log-likelihood of targets (B, T) with Gaussian errors: a scalar."""
    errors = (outputs - targets).square().sum() / noise**2
    return -0.5 * errors - outputs.numel() * math.log(noise * math.sqrt(2 * math.pi))


def log_evidence(
    likelihood: Tensor | float, eigenvalues: Tensor, weights: Tensor, prior: Tensor | float
) -> Tensor:
    """Give the logarithm of the marginal likelihood, for one prior precision or several.

    The likelihood does not depend on the prior: the best prior needs no labels.

    Args:
        likelihood: its logarithm at the weights.
        eigenvalues: (S,) of the curvature, divided by the square of a regression's noise.
        weights: (S,) of the subnetwork.
        prior: its precision, a number or (K,).

    Returns:
        A scalar, or (K,).
    """
    precision = torch.as_tensor(prior, dtype=eigenvalues.dtype, device=eigenvalues.device)
    ratios = torch.log1p(eigenvalues.clamp_min(0) / precision[..., None]).sum(-1)
    return likelihood - 0.5 * (ratios + precision * weights.square().sum())


def prior_by_evidence(matrix: Tensor, weights: Tensor) -> float:
    """Choose the precision of :data:`GRID` with the largest marginal likelihood.

    Args:
        matrix: (S, S) curvature.
        weights: (S,) of the subnetwork.
    """
    eigenvalues = torch.linalg.eigvalsh(matrix)
    grid = GRID.to(matrix.device)
    return float(grid[log_evidence(0.0, eigenvalues, weights.double(), grid).argmax()])


def grid_variances(jacobians: Tensor, eigenvalues: Tensor, vectors: Tensor) -> Tensor:
    """Give the variances of the logits for every prior of :data:`GRID`: (K, B, C) float64.

    Args:
        jacobians: (B, C, S).
        eigenvalues: (S,) of the curvature.
        vectors: (S, S), its eigenvectors as columns.
    """
    grid = GRID.to(eigenvalues.device)
    turned = (jacobians.double() @ vectors).square()
    return (turned @ (1 / (eigenvalues.clamp_min(0)[:, None] + grid))).movedim(-1, 0)


def prior_by_labels(logits: Tensor, variances: Tensor, labels: Tensor) -> float:
    """Choose the precision of :data:`GRID` whose predictions fit labels best.

    Args:
        logits: (N, C).
        variances: (K, N, C), see :func:`grid_variances`.
        labels: (N,) int64.

    Returns:
        That of the lowest negative log-likelihood; of equal ones the largest, which changes least.
    """
    losses = [
        float(functional.nll_loss(probit(logits.double(), each).log(), labels))
        for each in variances
    ]
    best = min(range(len(losses)), key=lambda number: (losses[number], -number))
    return float(GRID[best])
