"""Neural collapse as a diagnostic: how far the classes already are points around one centre.

Wang et al., "How Far Pre-trained Models Are from Neural Collapse on the Target Dataset Informs
their Transferability", ICCV 2023 (NCTI), whose own score is defined over a set of models only; the
measures are those of Papyan et al., PNAS 2020.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.errors import NotApplicable
from zoo.types.score import Score
from zoo_transferability.moments import Moments, centred, class_ids, class_moments

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from zoo.types.features import Features

    Array = npt.NDArray[np.float64]


class Collapse:
    """Scatter between the classes over scatter within them, tr B / tr W."""

    def score(self, features: Features) -> Score:
        """Score one layer, with the parts of neural collapse in the details.

        ``nc1``: tr(W B+) / C, 0 when collapsed; ``equinorm``: spread of the lengths of the class
        means over their mean; ``equiangle``: mean distance of their cosines from -1 / (C - 1);
        ``nearest_mean``: percent of the samples that are nearest to their own class mean.

        Raises:
            NotApplicable: no class varies within.
        """
        values = centred(features)
        ids, classes = class_ids(features.labels)
        moments = class_moments(values, _squares(features), ids, classes)
        return Score(_ratio(moments), details=_parts(moments, values, ids))

    def score_many(
        self, features: Features, labels: Sequence[npt.NDArray[Any]]
    ) -> npt.NDArray[Any]:
        """Score many label sets; the features are centred and squared once."""
        values, squares = centred(features), _squares(features)
        moments = (class_moments(values, squares, *class_ids(each)) for each in labels)
        return np.array([_ratio(each) for each in moments])

    def score_folds(
        self, features: Features, folds: Sequence[npt.NDArray[np.bool_]]
    ) -> npt.NDArray[Any]:
        """Score without each group of samples; class sums are additive."""
        values, squares = centred(features), _squares(features)
        ids, classes = class_ids(features.labels)
        whole = class_moments(values, squares, ids, classes)
        rest = (
            whole.without(class_moments(values[group], squares[group], ids[group], classes))
            for group in folds
        )
        return np.array([_ratio(each) for each in rest])


def _squares(features: Features) -> Array:
    """Squared distance of every sample from the mean, (N, 1)."""
    return features.factorisation.squared_norms[:, None]


def _ratio(moments: Moments) -> float:
    samples = float(moments.counts.sum())
    # The samples that stay have another mean than all of them.
    shift = float(np.square(moments.sums.sum(axis=0)).sum()) / samples
    explained = float((np.square(moments.sums).sum(axis=1) / moments.counts).sum())
    total = float(moments.squares.sum())
    within = total - explained
    if within <= 1e-12 * total:
        raise NotApplicable("the samples of each class are all the same point.")
    return (explained - shift) / within


def _parts(moments: Moments, values: Array, ids: npt.NDArray[Any]) -> dict[str, float]:
    means, counts = moments.means, moments.counts
    lengths = np.linalg.norm(means, axis=1)
    if not lengths.all():
        return {}
    cosines = (means @ means.T)[np.triu_indices(len(means), 1)]
    cosines = cosines / np.outer(lengths, lengths)[np.triu_indices(len(means), 1)]
    distances = np.square(lengths) - 2 * values @ means.T
    _, scales, axes = np.linalg.svd(means * np.sqrt(counts)[:, None], full_matrices=False)
    # C means about their own mean span C - 1 directions at most.
    kept = (scales > scales[0] * 1e-9) & (np.arange(len(scales)) < len(means) - 1)
    spread = np.square((values - means[ids]) @ axes[kept].T).sum(axis=0)
    return {
        "nc1": float((spread / np.square(scales[kept])).sum() / len(means)),
        "equinorm": float(lengths.std() / lengths.mean()),
        "equiangle": float(np.abs(cosines + 1 / (len(means) - 1)).mean()),
        "nearest_mean": 100.0 * float((distances.argmin(axis=1) == ids).mean()),
    }
