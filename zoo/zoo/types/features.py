"""One layer's activations for a labelled probe: what every estimator reads."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from zoo.factorisation import Factorisation
    from zoo.types.probe import Task

T = TypeVar("T")

#: Extras with one row a sample.
BY_SAMPLE = frozenset({"Z", "probs", "attributions"})


@dataclass(frozen=True, kw_only=True, eq=False)
class Features:
    """Pooled activations of one layer, with the labels they are to predict.

    Attributes:
        model: reference of the checkpoint.
        layer: name of the tap.
        values: (N, D), one row a sample; float64 is used for every computation.
        labels: as in :class:`zoo.types.Probe`.
        task: what the labels are.
        logits: (N, S) of the checkpoint's own source head, or None.
        reference: the same samples through a reference model, for methods that compare; or None.
        extras: further arrays by name. ``class_embeddings`` (C, E, K): embeddings of the C classes
            or distinct label texts by K label encoders; ``Z`` (N, E, K): the same by sample;
            ``attributions`` (N, G): attribution maps on a grid that all models share, NaN for
            samples that were not attributed. What the core does not know is handed on as a person
            brought it.
        attribution_note: what a person should know of how the attributions were made, half a
            sentence; empty: as asked for.
    """

    values: npt.NDArray[Any]
    labels: npt.NDArray[Any]
    task: Task = "classification"
    model: str = ""
    layer: str = ""
    logits: npt.NDArray[Any] | None = None
    reference: Features | None = None
    extras: dict[str, npt.NDArray[Any]] = field(default_factory=dict)
    attribution_note: str = ""
    _memo: dict[str, Any] = field(default_factory=dict, repr=False)

    @property
    def factorisation(self) -> Factorisation:
        """Gram matrix, eigenvectors and friends of ``values``, computed once on first use."""
        from zoo.factorisation import Factorisation

        return self.remember("factorisation", lambda: Factorisation(self.values))

    def remember(self, key: str, compute: Callable[[], T]) -> T:
        """Compute once what depends on the activations alone; other labels share it too."""
        if key not in self._memo:
            self._memo[key] = compute()
        value: T = self._memo[key]
        return value

    def with_labels(self, labels: npt.NDArray[Any]) -> Features:
        """Give the same activations other labels; the factorisation is shared."""
        return replace(self, labels=labels)

    def rows(self, index: npt.NDArray[Any]) -> Features:
        """Keep some samples; (M,) int or (N,) bool index. The factorisation starts afresh."""
        return replace(
            self,
            values=self.values[index],
            labels=self.labels[index],
            logits=None if self.logits is None else self.logits[index],
            reference=None if self.reference is None else self.reference.rows(index),
            extras={
                name: array[index] if name in BY_SAMPLE else array
                for name, array in self.extras.items()
            },
            _memo={},
        )
