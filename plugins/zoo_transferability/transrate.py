"""TransRate: how many more bits the features take than they do within the classes.

    R(Z) = 1/2 ln det(I + Z'Z / (n epsilon)),   TransRate = R(Z) - mean over classes of R(Z_c)

Z is centred over all samples, Z_c are its rows of class c, and n counts the rows. The published
code gives every class the same weight, the paper the share of its samples.

Huang et al., "Frustratingly Easy Transferability Estimation", ICML 2022, arXiv 2106.09362.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from zoo.errors import InputError
from zoo.labels import classes_of
from zoo.sweeps import add_product, log_det, small_gram
from zoo.types.score import Score

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt

    from zoo.labels import Classes
    from zoo.types.features import Features

    Array = npt.NDArray[np.float64]

#: Most samples whose (N, N) Gram matrix is kept so that shuffled classes are cut out of it.
MOST_SAMPLES = 3000


class TransRate:
    """Coding rate of the features less that within classes, in nats; classes only.

    The value depends on the width and the scale of the features: only its distance from shuffled
    labels means something. It says nothing once N <= D.

    Args:
        epsilon: the squared distortion that the code allows.
        weighting: classes count ``equal``, as in the published code, or by ``frequency``.
        normalise: divide the features by their root mean squared norm first.
    """

    def __init__(
        self,
        *,
        epsilon: float = 1e-4,
        weighting: Literal["equal", "frequency"] = "equal",
        normalise: bool = False,
    ) -> None:
        if not 0 < epsilon < np.inf:
            raise InputError(f"transrate.epsilon must be above 0, not {epsilon:g}.")
        if weighting not in {"equal", "frequency"}:
            raise InputError(f"transrate.weighting must be equal or frequency, not {weighting!r}.")
        self.epsilon = epsilon
        self.weighting = weighting
        self.normalise = normalise

    def score(self, features: Features) -> Score:
        """Score one layer; the details hold the other forms."""
        factorisation = features.factorisation
        classes = factorisation.classes(features.labels)
        scales = self.epsilon * np.array([1.0, self._mean_square(features)])
        rates = _rates(features, classes, scales)
        whole = [factorisation.log_det(factorisation.samples * scale) / 2 for scale in scales]
        equal, frequency = (whole - _weights(classes, how) @ rates for how in _HOW)
        forms = {
            "equal": float(equal[0]),
            "weighted": float(frequency[0]),
            "normalised": float(equal[1]),
            "normalised_weighted": float(frequency[1]),
        }
        chosen = {"equal": equal, "frequency": frequency}[self.weighting][int(self.normalise)]
        return Score(
            float(chosen),
            details=forms,
            saturated=factorisation.wide,
            note="saturated: with N <= D labels hardly change it" if factorisation.wide else "",
        )

    def score_many(
        self, features: Features, labels: Sequence[npt.NDArray[Any]]
    ) -> npt.NDArray[Any]:
        """Score many label sets: only the classes are coded anew."""
        factorisation = features.factorisation
        scale = self.epsilon * (self._mean_square(features) if self.normalise else 1.0)
        whole = factorisation.log_det(factorisation.samples * scale) / 2
        within = []
        for each in labels:
            classes = classes_of(each)
            rates = _rates(features, classes, np.array([scale]), many=True)
            within.append(_weights(classes, self.weighting) @ rates[:, 0])
        return whole - np.array(within)

    def _mean_square(self, features: Features) -> float:
        factorisation = features.factorisation
        # Features that never vary have no scale, and a rate of 0 at any.
        return float(np.trace(factorisation.gram)) / factorisation.samples or 1.0


_HOW: tuple[Literal["equal", "frequency"], ...] = ("equal", "frequency")


def _weights(classes: Classes, how: Literal["equal", "frequency"]) -> Array:
    counts = classes.counts.astype(np.float64)
    return np.full(len(counts), 1 / len(counts)) if how == "equal" else counts / counts.sum()


def _rates(features: Features, classes: Classes, scales: Array, *, many: bool = False) -> Array:
    """Code every class on its smaller side, at several epsilons: (C, S)."""
    return np.array(
        [
            [log_det(gram, count * scale) / 2 for scale in scales]
            for count, gram in zip(classes.counts, _grams(features, classes, many), strict=True)
        ]
    )


def _grams(features: Features, classes: Classes, many: bool) -> Iterator[Array]:
    """Give the lower Gram matrix of every class in turn, (n, n) or (D, D)."""
    factorisation = features.factorisation
    if factorisation.wide:
        kernel = factorisation.gram
    elif many and factorisation.samples <= MOST_SAMPLES:
        kernel = features.remember("transrate kernel", lambda: _kernel(features))
    else:
        for members in classes.members:
            yield _gram(features, members)
        return
    for members in classes.members:
        if len(members) <= factorisation.width:
            yield kernel[np.ix_(members, members)]
        else:
            yield _gram(features, members)


def _gram(features: Features, members: npt.NDArray[np.int64]) -> Array:
    factorisation, size = features.factorisation, len(members)
    if size > factorisation.width:
        lower = np.zeros((factorisation.width, factorisation.width), order="F")
        for _, block in factorisation.blocks(members):
            lower = add_product(lower, block)
        return lower
    (_, block) = next(factorisation.blocks(members, least=size))
    return small_gram(block)


def _kernel(features: Features) -> Array:
    factorisation = features.factorisation
    scaled = factorisation.left_vectors * np.sqrt(factorisation.eigenvalues)
    kernel: Array = scaled @ scaled.T
    return kernel
