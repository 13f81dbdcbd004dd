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
        extras: further arrays a person brings to ``zoo score`` (``Z``, ``class_embeddings`` ...).
    """

    values: npt.NDArray[Any]
    labels: npt.NDArray[Any]
    task: Task = "classification"
    model: str = ""
    layer: str = ""
    logits: npt.NDArray[Any] | None = None
    extras: dict[str, npt.NDArray[Any]] = field(default_factory=dict)
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
            _memo={},
        )
