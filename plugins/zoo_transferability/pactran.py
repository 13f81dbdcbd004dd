"""PACTran, Gaussian: a PAC-Bayes bound on the risk of a linear head, as fit and flatness.

With L the cross-entropy of a softmax head plus |W|^2 / (2 lambda), lambda = prior * N, at its
minimum, and h the diagonal of the Hessian of L,

    bound = L + C s / (2 lambda) * ln(lambda / (C D) * sum h),   s = flatness

The score is minus the bound. Ding et al., "PACTran: PAC-Bayesian Metrics for Estimating the
Transferability of Pretrained Models to Classification Tasks", ECCV 2022, arXiv 2203.05126.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from zoo.errors import InputError
from zoo.types.score import Score
from zoo_transferability.moments import centred, class_ids

if TYPE_CHECKING:
    import numpy.typing as npt

    from zoo.types.features import Features

    Array = npt.NDArray[np.float64]


class PACTran:
    """Minus the PAC-Bayes bound, so that higher is better.

    The paper pairs prior 10 with flatness 1000 or 100, prior 1 with 100 or 10, and prior 0.1 with
    10 or 1.

    Args:
        prior: variance of the prior of a weight, in samples.
        flatness: variance of the posterior of a weight, times D.
        steps: most steps of L-BFGS.
    """

    def __init__(self, *, prior: float = 1.0, flatness: float = 10.0, steps: int = 500) -> None:
        for name, value in (("prior", prior), ("flatness", flatness), ("steps", steps)):
            if value <= 0:
                raise InputError(f"pactran.{name} must be above 0, not {value:g}.")
        self.prior, self.flatness, self.steps = prior, flatness, steps

    def score(self, features: Features) -> Score:
        """Score one layer: a trained softmax head, and the curvature where training ended."""
        values = centred(features)
        ids, classes = class_ids(features.labels)
        precision = 1.0 / (self.prior * len(ids))
        loss, probabilities, converged = _train(values, ids, classes, precision, self.steps)
        doubt = probabilities - np.square(probabilities)
        parameters = classes * values.shape[1]
        hessian = float((np.square(values).sum(axis=1) @ doubt).sum() + doubt.sum()) / len(ids)
        curvature = hessian / precision / parameters + 1.0
        penalty = 0.5 * classes * self.flatness * precision * float(np.log(curvature))
        fit = -np.log(np.maximum(probabilities[np.arange(len(ids)), ids], 1e-300))
        return Score(
            -(loss + penalty),
            details={"loss": loss, "cross_entropy": float(fit.mean()), "flatness": penalty},
            note="" if converged else f"not trained to the end in {self.steps} steps",
        )


def _train(
    values: Array, ids: npt.NDArray[np.int64], classes: int, precision: float, steps: int
) -> tuple[float, Array, bool]:
    """Minimise the penalised cross-entropy: the least loss, the probabilities, and whether done."""
    from scipy.optimize import minimize
    from scipy.special import softmax

    samples, width = values.shape
    rows = np.arange(samples)

    def probabilities(parameters: Array) -> Array:
        weights = parameters.reshape(width + 1, classes)
        found: Array = softmax(values @ weights[:width] + weights[width], axis=1)
        return found

    def loss(parameters: Array) -> tuple[float, Array]:
        weights = parameters.reshape(width + 1, classes)[:width]
        errors = probabilities(parameters)
        fit = -np.log(np.maximum(errors[rows, ids], 1e-300)).mean()
        errors[rows, ids] -= 1.0
        slope = np.concatenate([values.T @ errors, errors.sum(axis=0)[None]]) / samples
        slope[:width] += precision * weights
        return float(fit + precision * np.square(weights).sum() / 2), slope.ravel()

    start = np.zeros((width + 1) * classes)
    options = {"maxiter": steps, "ftol": 1e-10, "gtol": 1e-6}
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options=options)
    return float(found.fun), probabilities(found.x), bool(found.success)
