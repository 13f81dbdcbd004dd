"""GBC: how much the classes overlap as Gaussians, by the Bhattacharyya coefficient.

    D(a, b) = 1/8 sum (m_a - m_b)^2 / v + 1/2 sum [ln v - (ln v_a + ln v_b) / 2]
    GBC = - sum over ordered pairs of classes of exp(-D),  v = (v_a + v_b) / 2

Pandy et al., "Transferability Estimation using Bhattacharyya Class Separability", CVPR 2022,
arXiv 2111.12780.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from zoo.errors import InputError
from zoo.types.score import Score
from zoo_transferability.moments import Moments, centred, class_ids, class_moments, principal

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from zoo.types.features import Features

    Array = npt.NDArray[np.float64]

#: Least variance of a class along a feature, as published: classes of one sample have none.
FLOOR = 1e-4


class GBC:
    """Overlap of all pairs of classes, negated: 0 when no two classes meet.

    Args:
        covariance: a variance for every feature, or one a class; the latter counts the logarithm
            once and not D times, as the published code does.
        components: principal components to keep first (the paper: 64); None takes the features.
    """

    def __init__(
        self,
        *,
        covariance: Literal["diagonal", "spherical"] = "diagonal",
        components: int | None = None,
    ) -> None:
        if covariance not in {"diagonal", "spherical"}:
            raise InputError(f"gbc.covariance must be diagonal or spherical, not {covariance!r}.")
        if components is not None and components < 1:
            raise InputError(f"gbc.components must be at least 1, not {components}.")
        self.spherical = covariance == "spherical"
        self.components = components

    def score(self, features: Features) -> Score:
        """Score one layer; ``details.log_overlap`` still ranks where the value is nearly 0."""
        ids, classes = class_ids(features.labels)
        overlap = self._log_overlap(class_moments(*self._values(features), ids, classes))
        value = -float(np.exp(overlap))
        return Score(
            value,
            details={"log_overlap": overlap},
            saturated=value == 0.0,
            note="saturated: no two classes overlap" if value == 0.0 else "",
            bounds=(-float(classes * (classes - 1)), 0.0),
        )

    def score_many(
        self, features: Features, labels: Sequence[npt.NDArray[Any]]
    ) -> npt.NDArray[Any]:
        """Score many label sets; the features are centred and squared once."""
        arrays = self._values(features)
        moments = (class_moments(*arrays, *class_ids(each)) for each in labels)
        return -np.exp([self._log_overlap(each) for each in moments])

    def score_folds(
        self, features: Features, folds: Sequence[npt.NDArray[np.bool_]]
    ) -> npt.NDArray[Any]:
        """Score without each group of samples, on the principal components of all."""
        values, squares = self._values(features)
        ids, classes = class_ids(features.labels)
        whole = class_moments(values, squares, ids, classes)
        rest = (
            whole.without(class_moments(values[group], squares[group], ids[group], classes))
            for group in folds
        )
        return -np.exp([self._log_overlap(each) for each in rest])

    def _values(self, features: Features) -> tuple[Array, Array]:
        def compute() -> tuple[Array, Array]:
            if self.components is None:
                values = centred(features)
            else:
                values = principal(features, self.components)
            return values, np.square(values)

        return features.remember(f"values and squares {self.components}", compute)

    def _log_overlap(self, moments: Moments) -> float:
        """Logarithm of the sum of exp(-D), which survives where the sum itself vanishes."""
        means, variances = moments.means, moments.variances
        if self.spherical:
            variances = np.maximum(variances, FLOOR).mean(axis=1, keepdims=True)
        variances = np.maximum(variances, FLOOR)
        logs = np.log(variances).sum(axis=1) / 2
        distances = []
        for first in range(len(means) - 1):
            between = (variances[first] + variances[first + 1 :]) / 2
            gaps = np.square(means[first] - means[first + 1 :])
            volumes = np.log(between).sum(axis=1) - logs[first] - logs[first + 1 :]
            distances.append((gaps / between).sum(axis=1) / 8 + volumes / 2)
        if not distances:
            return -np.inf
        return float(np.logaddexp.reduce(-np.concatenate(distances))) + float(np.log(2))
