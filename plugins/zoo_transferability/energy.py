"""Energy of the features: their mean log-sum-exp, which reads no labels.

Gholami et al., "ETran: Energy-Based Transferability Estimation", ICCV 2023, of which this is the
label-free term over all samples.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from zoo.types.score import Score

if TYPE_CHECKING:
    import numpy.typing as npt

    from zoo.types.features import Features

    Array = npt.NDArray[np.float64]


class Energy:
    """Mean over samples of the log-sum-exp over features; grows with width and scale."""

    def score(self, features: Features) -> Score:
        """Score one layer without its labels."""
        values = features.values.astype(np.float64)
        top = values.max(axis=1)
        energies = top + np.log(np.exp(values - top[:, None]).sum(axis=1))
        return Score(float(energies.mean()), details={"spread": float(energies.std())})
