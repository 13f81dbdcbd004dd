"""EMMS: how well a linear map of the features explains the label's embeddings, mixture included.

K label encoders give K readings Z_k (N, E) of the label, the F-labels. With everything
standardised and P the projector on the features, the best map for a mixture t on the simplex
leaves

    |sum_k t_k Z_k|^2 - |P sum_k t_k Z_k|^2 = t' (Q - A) t,  Q_kl = <Z_k, Z_l>,  A_kl = <Z_k, P Z_l>

so that the joint problem is a quadratic form of K weights, solved exactly. With few samples P
explains everything, and Q - A gives way to the products of leave-one-out residuals of a ridge
regression.

Meng et al., "Foundation Model is Efficient Multimodal Multitask Model Selector", NeurIPS 2023,
arXiv 2308.06262; with one F-label, the mean R2 of its dimensions less 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from zoo.types.score import Score
from zoo_transferability.emms_forms import fit, fits
from zoo_transferability.f_labels import read_f_labels
from zoo_transferability.simplex import minimise

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from zoo.types.features import Features
    from zoo_transferability.emms_forms import Fit
    from zoo_transferability.f_labels import FLabels

    Array = npt.NDArray[np.float64]
    Mask = npt.NDArray[np.bool_]

#: Least squares flatters with fewer samples a direction than this.
ENOUGH = 5


class EMMS:
    """At most 0; -1 where one F-label is not explained at all.

    Args:
        form: ``plain`` is least squares, as published; ``loo`` leaves every sample out once, with
            a ridge penalty; ``auto`` is plain with at least 5 samples a direction of the features,
            and for embeddings that a person brings as arrays, which carry no
            ``extras["label_encoders"]``.
    """

    def __init__(self, *, form: Literal["auto", "plain", "loo"] = "auto") -> None:
        self.form = form

    def score(self, features: Features) -> Score:
        """Score one layer.

        Raises:
            NotApplicable: there are neither labels nor embeddings of them.
            InputError: the embeddings do not fit the samples.
        """
        few, leaves_out = _is_few(features), self._leaves_out(features)
        labels, note = read_f_labels(features, expand=few or leaves_out)
        found = fit(features, labels)
        plain = chosen = _Solution.of(found.form, labels)
        details = {"plain": plain.value}
        if few or leaves_out:
            loo = _Solution.of(found.left_out_form(), labels)
            details |= {"loo": loo.value, "ridge": found.ridge}
            chosen = loo if leaves_out else plain
        return Score(
            chosen.value,
            details=details
            | {"objective": chosen.objective}
            | _adjusted(found, plain)
            | _weights(features, chosen),
            saturated=features.factorisation.interpolates and not leaves_out,
            note="; ".join(filter(None, [note, self._note(features, details)])),
            bounds=None if leaves_out else (-1.0, 0.0),
        )

    def score_many(
        self, features: Features, labels: Sequence[npt.NDArray[Any]]
    ) -> npt.NDArray[Any]:
        """Score many label sets on one factorisation, each with its own mixture and penalty."""
        leaves_out = self._leaves_out(features)
        own, _ = read_f_labels(features, expand=leaves_out)
        values = []
        for each in fits(features.factorisation, own, labels, leaves_out=leaves_out):
            form = each.left_out_form() if leaves_out else each.form
            values.append(_Solution.of(form, each.labels).value)
        return np.array(values)

    def score_folds(self, features: Features, folds: Sequence[Mask]) -> npt.NDArray[Any]:
        """Score without each group of samples, in the form and at the penalty of all of them."""
        leaves_out = self._leaves_out(features)
        labels, _ = read_f_labels(features, expand=leaves_out)
        found = fit(features, labels)
        values = []
        for group in folds:
            rest = labels.only(~group)
            form = (
                found.left_out_form_without(group, rest)
                if leaves_out
                else found.form_without(group, rest)
            )
            values.append(_Solution.of(form, rest).value)
        return np.array(values)

    def _leaves_out(self, features: Features) -> bool:
        if self.form != "auto":
            return self.form == "loo"
        return _is_few(features) and not _is_brought(features)

    def _note(self, features: Features, details: dict[str, float]) -> str:
        samples, rank = features.factorisation.samples, features.factorisation.rank
        if self.form == "loo" or not _is_few(features):
            return ""
        if self._leaves_out(features):
            return f"leave-one-out form: {samples} samples for {rank} directions"
        if features.factorisation.interpolates:
            return f"saturated: N <= D explains any labels; leave-one-out {details['loo']:.3f}"
        return f"{samples} samples for {rank} directions; leave-one-out {details['loo']:.3f}"


def _is_few(features: Features) -> bool:
    return bool(features.factorisation.samples < ENOUGH * features.factorisation.rank)


def _is_brought(features: Features) -> bool:
    """Whether the embeddings are a person's arrays: Zoo says what its own were made with."""
    named = "label_encoders" in features.extras
    return not named and bool({"class_embeddings", "Z"} & features.extras.keys())


def _weights(features: Features, solution: _Solution) -> dict[str, float]:
    names = [str(each) for each in features.extras.get("label_encoders", ())]
    if len(names) != len(solution.weights):
        names = [str(number) for number in range(1, len(solution.weights) + 1)]
    pairs = zip(names, solution.weights, strict=True)
    return {f"weight_{name}": float(weight) for name, weight in pairs}


@dataclass(frozen=True)
class _Solution:
    """The best mixture for one quadratic form."""

    weights: Array
    objective: float
    value: float

    @classmethod
    def of(cls, form: Array, labels: FLabels) -> _Solution:
        samples, width, _ = labels.shape
        weights = minimise(form)
        objective = max(float(weights @ form @ weights), 0.0)
        return cls(weights, objective, 0.0 - objective / (samples * width))


def _adjusted(found: Fit, plain: _Solution) -> dict[str, float]:
    """Adjusted R2 of the plain mixture: 0 is what any features of this rank reach by chance."""
    samples, rank = found.factorisation.samples, found.factorisation.rank
    mixed = float(plain.weights @ found.total @ plain.weights)
    if rank >= samples - 1 or mixed <= 0:
        return {}
    return {"adjusted": 1.0 - (samples - 1) / (samples - 1 - rank) * plain.objective / mixed}
