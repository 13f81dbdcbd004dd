"""LEEP and NCE: how well the source classes that a checkpoint sees predict the labels.

With T the source probabilities (N, S) and J = Y'T / N their joint distribution with the labels,

    LEEP = mean ln sum_z p(y_i | z) T_iz,  p(y | z) = J_yz / sum_y J_yz
    NCE  = - H(Y | Z),  Z the likeliest source class

Nguyen et al., "LEEP", ICML 2020, arXiv 2002.12462; Tran et al., "Transferability and Hardness of
Supervised Classification Tasks", ICCV 2019, arXiv 1908.08142.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.errors import NotApplicable
from zoo.types.score import Score
from zoo_transferability.moments import class_ids

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from zoo.types.features import Features

    Array = npt.NDArray[np.float64]


class LEEP:
    """Mean log likelihood of the labels, at most 0."""

    def score(self, features: Features) -> Score:
        """Score one checkpoint by its source head.

        Raises:
            NotApplicable: the head has no classes.
        """
        expected = expected_likelihood(source_probabilities(features), features.labels)
        return Score(float(np.log(expected).mean()), details={"mean_eep": float(expected.mean())})


class NCE:
    """Negative conditional entropy of the labels given the likeliest source class, at most 0."""

    def score(self, features: Features) -> Score:
        """Score one checkpoint by its source head.

        Raises:
            NotApplicable: the head has no classes.
        """
        value = float(self.score_many(features, [features.labels])[0])
        _, classes = class_ids(features.labels)
        return Score(value, bounds=(-float(np.log(classes)), 0.0))

    def score_many(
        self, features: Features, labels: Sequence[npt.NDArray[Any]]
    ) -> npt.NDArray[Any]:
        """Score many label sets on the same source classes."""
        probabilities = source_probabilities(features)
        source = features.remember("source class", lambda: probabilities.argmax(axis=1))
        return np.array([_negative_entropy(each, source) for each in labels])


def source_probabilities(features: Features) -> Array:
    """Softmax of the source head in float64, (N, S).

    Raises:
        NotApplicable: fewer than two outputs, as of a regression head.
    """
    logits = features.logits
    if logits is None or logits.shape[1] < 2:
        raise NotApplicable("the source head has one output, no classes.")

    def softmax() -> Array:
        shifted = logits.astype(np.float64)
        shifted -= shifted.max(axis=1, keepdims=True)
        np.exp(shifted, out=shifted)
        shifted /= shifted.sum(axis=1, keepdims=True)
        return shifted

    return features.remember("source probabilities", softmax)


def expected_likelihood(probabilities: Array, labels: npt.NDArray[Any]) -> Array:
    """Likelihood of every label, expected over its sample's source classes: (N,), above 0.

    Source classes without mass say nothing and are left out.
    """
    from scipy.sparse import csr_array

    ids, classes = class_ids(labels)
    samples = len(ids)
    members = csr_array((np.ones(samples), (ids, np.arange(samples))), shape=(classes, samples))
    joint = members @ probabilities
    mass = joint.sum(axis=0)
    conditional = joint / np.where(mass > 0, mass, 1.0)
    expected: Array = np.einsum("nz,nz->n", conditional[ids], probabilities)
    return np.maximum(expected, np.finfo(np.float64).tiny)


def _negative_entropy(labels: npt.NDArray[Any], source: npt.NDArray[Any]) -> float:
    ids, classes = class_ids(labels)
    seen, sources = class_ids(source)
    counts = np.bincount(ids * sources + seen, minlength=classes * sources)
    joint = counts.reshape(classes, sources).astype(np.float64)
    conditional = joint / joint.sum(axis=0)
    logs = np.log(np.where(joint > 0, conditional, 1.0))
    return float((joint * logs).sum() / len(ids))
