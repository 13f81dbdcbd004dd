"""N-LEEP: LEEP over the clusters of a Gaussian mixture, for checkpoints without a source head.

Li et al., "Ranking Neural Checkpoints", CVPR 2021, arXiv 2011.11200.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

from zoo.errors import InputError, NotApplicable
from zoo.types.score import Score
from zoo_transferability.leep import expected_likelihood
from zoo_transferability.moments import class_ids, principal

if TYPE_CHECKING:
    import numpy.typing as npt

    from zoo.types.features import Features

    Array = npt.NDArray[np.float64]

#: Samples that a full covariance wants for each component and dimension.
FULL = 20


class NLEEP:
    """LEEP of the clusters' posteriors, at most 0.

    Args:
        ratio: components for each class; at most a fifth of the samples.
        variance: share of the variance that the principal components keep.
        seed: of the mixture, which starts from k-means++.
    """

    def __init__(self, *, ratio: float = 5.0, variance: float = 0.8, seed: int = 0) -> None:
        if ratio <= 0:
            raise InputError(f"nleep.ratio must be above 0, not {ratio:g}.")
        if not 0 < variance <= 1:
            raise InputError(f"nleep.variance must be above 0 and at most 1, not {variance:g}.")
        self.ratio, self.variance, self.seed = ratio, variance, seed

    def score(self, features: Features) -> Score:
        """Score one layer.

        Raises:
            NotApplicable: too few samples for clusters, or features that do not vary.
        """
        values = self._reduced(features)
        samples, width = values.shape
        _, classes = class_ids(features.labels)
        components = max(2, min(round(self.ratio * classes), samples // 5))
        if samples < 2 * components or not width:
            raise NotApplicable(f"{samples} samples of rank {width} have no clusters.")
        diagonal = samples < FULL * components * width
        # The start of a mixture is drawn by position, which must not matter.
        order = _by_content(features.values)
        probabilities = self._mixture(values[order], components, "diag" if diagonal else "full")
        expected = expected_likelihood(probabilities, features.labels[order])
        return Score(
            float(np.log(expected).mean()),
            details={
                "mean_eep": float(expected.mean()),
                "components": float(components),
                "dimensions": float(width),
                "diagonal": float(diagonal),
            },
        )

    def _reduced(self, features: Features) -> Array:
        spectrum = features.factorisation.eigenvalues[::-1]
        shares = np.cumsum(spectrum) / max(float(spectrum.sum()), 1e-300)
        kept = int(np.searchsorted(shares, self.variance - 1e-12)) + 1
        return principal(features, min(kept, len(spectrum)))

    def _mixture(self, values: Array, components: int, covariance: str) -> Array:
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.mixture import GaussianMixture

        mixture = GaussianMixture(
            components,
            covariance_type=covariance,
            init_params="k-means++",
            random_state=self.seed,
            # Relative to the features, which come in any unit.
            reg_covar=1e-6 * max(float(values.var(axis=0).mean()), 1e-300),
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            posteriors: Array = mixture.fit(values).predict_proba(values)
        return posteriors


def _by_content(values: Array) -> npt.NDArray[np.intp]:
    """Order the rows by their first column, then the second ...; ``lexsort`` sorts every one."""
    rows = np.ascontiguousarray(values)
    whole = rows.view([("", rows.dtype)] * rows.shape[1]).ravel()
    return whole.argsort(kind="stable")
