"""The person's images, as far as a head can read them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.errors import NotApplicable
from zoo_explanation.zero_shot.deletion import separation, separation_error

if TYPE_CHECKING:
    import numpy.typing as npt

    from zoo.types.explaining import Evidence
    from zoo_explanation.zero_shot.prepared import Head

_Z = 1.959963984540054


@dataclass(frozen=True, eq=False)
class Images:
    """Features of images that the head reads.

    Attributes:
        values: (N, D), less their mean.
        labels: (N,) class ids.
        names: of the classes.
        evidence: that they were read; None where it is withheld.
    """

    values: npt.NDArray[Any]
    labels: npt.NDArray[Any]
    names: tuple[str, ...]
    evidence: Evidence | None

    @cached_property
    def places(self) -> dict[str, int]:
        """Class name, folded, -> class id."""
        return {each.casefold().strip(): number for number, each in enumerate(self.names)}

    def of(self, label: str) -> npt.NDArray[np.bool_] | None:
        """Tell which images are of a class: (N,); None where none or all are."""
        place = self.places.get(label.casefold().strip())
        if place is None:
            return None
        found: npt.NDArray[np.bool_] = self.labels == place
        return found if 0 < found.sum() < len(found) else None

    def told_apart(self, row: npt.NDArray[Any], ours: npt.NDArray[np.bool_]) -> bool:
        """Whether a row tells the images of a class from the others better than chance."""
        value = separation(self.values @ row, ours)
        count = int(ours.sum())
        return value - _Z * separation_error(value, count, len(ours) - count) > 0.5


def read_images(head: Head) -> Images | None:
    """Read the features of the person's data; None where there are none that the head reads."""
    case = head.case
    try:
        features = case.read_features(case.model)
    except NotApplicable:
        return None
    values = np.asarray(features.values, np.float64)
    labels = np.asarray(features.labels)
    if (
        features.task != "classification"
        or values.shape[1] != head.rows.shape[1]
        or labels.ndim > 1
    ):
        return None
    evidence = case.ledger.observe(
        "measurement",
        case.model,
        "features of the images",
        source=case.target.source or case.origin[0] or case.target.name or "the data",
        layer=features.layer,
        images=len(values),
    )
    return Images(values - values.mean(axis=0), labels, case.target.labels, evidence)
