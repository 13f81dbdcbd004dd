"""What in a person's pictures the features depend on: overlays, and numbers of the maps."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.errors import NotApplicable
from zoo.ranking.quality import average_ranks
from zoo_explanation.overlays import magnitude, overlay
from zoo_explanation.ranked import measured
from zoo_explanation.shown import clean, short_names

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from zoo.types.explaining import Evidence
    from zoo.types.reporting import Case, Maps

    Values = npt.NDArray[np.float64]

_PERCENT, _DRAWN, _TENTH = 95, 6, 10
_ROWS = ("upper", "middle", "lower")
_COLUMNS = ("left", "centre", "right")


@dataclass(frozen=True, eq=False)
class _Mapped:
    """The maps of one model on the samples that all models have.

    Attributes:
        shares: (P, H, W), each map summing to one.
        evidence: of how concentrated they are.
    """

    maps: Maps
    name: str
    shares: Values
    evidence: Evidence | None


class AttributionMaps:
    """Draws the maps of two models side by side and measures them; claims no understanding."""

    def report(self, case: Case) -> None:
        """Read the maps of ``case.model`` and of what it is compared with."""
        models = [each for each in (case.model, case.against) if each]
        names = short_names(models)
        read = [case.read_maps(model) for model in models]
        shared = _shared(read)
        mapped = [
            _measured(case, maps, names[model], index)
            for model, maps, index in zip(models, read, shared, strict=True)
        ]
        for each in mapped:
            _border(case, each)
        if len(mapped) > 1:
            _alike(case, mapped[0], mapped[1])
        _draw(case, mapped, shared)


def _shared(read: Sequence[Maps]) -> list[npt.NDArray[np.int64]]:
    """Give the places of the samples that all models were attributed on, for each model."""
    common = set.intersection(*({int(each) for each in maps.samples} for maps in read))
    if not common:
        raise NotApplicable("no picture was attributed for every model that is compared")
    order = [int(each) for each in read[0].samples if int(each) in common]
    return [
        np.array([[int(each) for each in maps.samples].index(sample) for sample in order])
        for maps in read
    ]


def _measured(case: Case, maps: Maps, name: str, index: npt.NDArray[np.int64]) -> _Mapped:
    """Say how much of the attribution lies in the strongest tenth of the cells."""
    strength = magnitude(maps.values[index])
    totals = strength.sum(axis=(1, 2), keepdims=True)
    if strength.ndim != 3 or not (totals > 0).all():
        raise NotApplicable(f"the attributions of {name} are zero throughout a picture")
    shares = strength / totals
    flat = np.sort(shares.reshape(len(shares), -1), axis=1)[:, ::-1]
    cells = flat.shape[1]
    top = max(1, round(cells / _TENTH))
    mean, low, high = _interval(100 * flat[:, :top].sum(axis=1))
    found: dict[str, Any] = {
        "name": name,
        "pictures": len(shares),
        "layer": clean(maps.layer),
        "method": clean(maps.method),
        "strongest": top,
        "cells": cells,
        "share": mean,
        "even": 100 * top / cells,
    }
    found |= _bounds(low, high)
    evidence = measured(case, maps.model, _source(maps), "concentration of the attribution", found)
    text = (
        "On {pictures} of your pictures, the {strongest} strongest of {cells} cells hold "
        "{share:.0f} % of what the features of {name} depend on" + _said(low) + "; spread evenly "
        "it would be {even:.0f} %."
    )
    case.ledger.claim(
        "measured",
        text,
        evidence,
        models=(maps.model,),
        **{key: found[key] for key in ("pictures", "strongest", "cells", "share", "name", "even")},
        **_bounds(low, high),
    )
    return _Mapped(maps, name, shares, evidence)


def _source(maps: Maps) -> str:
    return f"attribution of {clean(maps.model)} at {clean(maps.layer)}"


def _interval(
    values: Values, least: float = 0.0, most: float = 100.0
) -> tuple[float, float | None, float | None]:
    """Give a mean with its 95 % interval by Student's t; no interval of a single value."""
    mean, count = float(values.mean()), len(values)
    if count < 2:
        return mean, None, None
    from scipy.special import stdtrit

    half = float(stdtrit(count - 1, 0.975)) * float(values.std(ddof=1)) / math.sqrt(count)
    return mean, max(least, mean - half), min(most, mean + half)


def _bounds(low: float | None, high: float | None) -> dict[str, Any]:
    return {} if low is None else {"low": low, "high": high, "percent": _PERCENT}


def _said(low: float | None, form: str = ".0f") -> str:
    return f" ({{percent}} % interval {{low:{form}}} to {{high:{form}}})" if low is not None else ""


def _border(case: Case, mapped: _Mapped) -> None:
    """Say how much of the attribution lies in the outermost ring of cells."""
    ring = np.ones(mapped.shares.shape[1:], dtype=bool)
    ring[1:-1, 1:-1] = False
    if ring.all():
        return
    mean, low, high = _interval(100 * mapped.shares[:, ring].sum(axis=1))
    found: dict[str, Any] = {"name": mapped.name, "share": mean, "area": 100 * float(ring.mean())}
    found |= _bounds(low, high)
    evidence = measured(
        case, mapped.maps.model, _source(mapped.maps), "attribution in the outer ring", found
    )
    case.ledger.claim(
        "measured",
        "The outer ring of cells holds {share:.0f} % of what the features of {name} depend on"
        + _said(low)
        + "; it is "
        "{area:.0f} % of the picture.",
        evidence,
        models=(mapped.maps.model,),
        **found,
    )


def _alike(case: Case, first: _Mapped, second: _Mapped) -> None:
    """Say how far two models depend on the same cells."""
    if first.shares.shape != second.shares.shape:
        return
    ranked = [
        np.array([average_ranks(each.ravel()) for each in mapped.shares])
        for mapped in (first, second)
    ]
    centred = [each - each.mean(axis=1, keepdims=True) for each in ranked]
    lengths = [np.sqrt((each**2).sum(axis=1)) for each in centred]
    if any((each == 0).any() for each in lengths):
        return
    mean, low, high = _interval(
        (centred[0] * centred[1]).sum(axis=1) / (lengths[0] * lengths[1]), -1.0, 1.0
    )
    found: dict[str, Any] = {"a": first.name, "b": second.name, "correlation": mean}
    found |= {"pictures": len(first.shares)} | _bounds(low, high)
    evidence = case.ledger.derive(
        "measurement",
        f"{first.maps.model} and {second.maps.model}",
        "mean rank correlation of their maps",
        (first.evidence, second.evidence),
        **found,
    )
    words = "largely on the same cells" if mean >= 0.6 else "in part on the same cells"
    words = words if mean >= 0.2 else "hardly on the same cells"
    case.ledger.claim(
        "measured",
        f"{{a}} and {{b}} depend {words} of {{pictures}} pictures: the mean rank correlation of "
        f"their maps is {{correlation:.2f}}{_said(low, '.2f')}.",
        evidence,
        models=(first.maps.model, second.maps.model),
        **found,
    )


def _draw(case: Case, mapped: Sequence[_Mapped], shared: Sequence[npt.NDArray[np.int64]]) -> None:
    """Put the pictures of the models side by side, a row a sample."""
    rows, described = [], []
    for place in range(min(_DRAWN, len(shared[0]))):
        images = [
            _image(each, int(index[place]), place)
            for each, index in zip(mapped, shared, strict=True)
        ]
        described += [image["alt"] for image in images]
        caption = clean(mapped[0].maps.labels[int(shared[0][place])])
        rows.append({"caption": caption, "images": images})
    names = [each.name for each in mapped]
    case.ledger.figure(
        "images",
        f"What the features of {' and '.join(names)} depend on",
        "Each row is one of your pictures, with one overlay a model"
        + (f" ({' left, '.join(names)} right)" if len(names) == 2 else "")
        + ": bright is what the features depend on, dark what they do not; a line is drawn around "
        f"the strongest tenth. {'; '.join(described)}.",
        *(each.evidence for each in mapped),
        rows=rows,
    )


def _image(mapped: _Mapped, number: int, place: int) -> dict[str, str]:
    label = clean(mapped.maps.labels[number]) or "a picture"
    where = _where(mapped.shares[place])
    return {
        "png": overlay(mapped.maps.images[number], mapped.maps.values[number]),
        "alt": f"{label}: {mapped.name} depends most on the {where}",
    }


def _where(share: Values) -> str:
    """Say in which ninth of the picture the strongest cell lies."""
    row, column = np.unravel_index(int(share.argmax()), share.shape)
    across = _COLUMNS[min(2, int(3 * column // share.shape[1]))]
    down = _ROWS[min(2, int(3 * row // share.shape[0]))]
    return "centre" if (down, across) == ("middle", "centre") else f"{down} {across}"
