"""Boxes in images, as four targets: x0, y0, x1, y1 in shares of the image."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.errors import InputError
from zoo.probes.label_values import Labels, as_array, as_floats, refuse_nan
from zoo.probes.words import count, listed, normal

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from zoo.probes.rows import Rows

NAMES = ("x0", "y0", "x1", "y1")
#: Column names of one box -> whether they are corners; the others are x, y, width and height.
SINGLE = {"box": True, "bbox": False}
FOURS = {NAMES: True, ("xmin", "ymin", "xmax", "ymax"): True, ("x", "y", "w", "h"): False}

_FORMATS = ("bbox_format", "box_format")
_WORDS = {"xyxy": True, "corners": True, "pascal_voc": True, "xywh": False, "coco": False}
_HINT = (
    "A column 'box' is read as x0, y0, x1, y1, and 'bbox' as x, y, width, height; a column "
    "bbox_format of xyxy or xywh overrides that."
)
#: How far a box may reach over the border: one pixel of rounding, or its like in shares.
_PIXEL, _SHARE = 1.0, 1e-6


def read(rows: Rows, columns: Sequence[str], within: npt.NDArray[np.bool_]) -> Labels:
    """Read the boxes as corners, in the unit that the file has.

    Args:
        rows: of the data.
        columns: one column of boxes, or four of their numbers.
        within: (N,) the rows that are asked for; others may hold anything.

    Raises:
        InputError: no four numbers, NaN, or no area, with the first row.
    """
    values, present = _numbers(rows, columns) if len(columns) == 4 else _cells(rows, columns[0])
    present &= within
    width = 4 // len(columns)
    for number, name in enumerate(columns):
        part = values[:, number * width : (number + 1) * width].ravel()
        refuse_nan(rows, name, part, np.repeat(present, width), width)
    values = np.where(present[:, None], values, 0.0)
    pixels = bool((values > 1).any())
    corners = _corners(rows, columns, values)
    flat = present & ~((corners[:, 2:] > corners[:, :2]).all(axis=1))
    _refuse(rows, columns, corners, flat, "without an area")
    if not pixels:
        far = present & ((corners < -_SHARE) | (corners > 1 + _SHARE)).any(axis=1)
        _refuse(rows, columns, corners, far, "outside the image")
        corners = np.clip(corners, 0.0, 1.0)
    return Labels(task="regression", values=corners, names=NAMES, present=present, pixels=pixels)


def as_shares(labels: Labels, sizes: npt.NDArray[np.float64], where: Sequence[str]) -> Labels:
    """Divide boxes in pixels by the size of their image.

    Args:
        labels: of the sample.
        sizes: (N, 2) width and height of each image.
        where: names each row in messages.

    Raises:
        InputError: a box reaches outside its image.
    """
    if not labels.pixels:
        return labels
    low, high = labels.values[:, :2], labels.values[:, 2:]
    outside = (low < -_PIXEL) | (high > sizes + _PIXEL) | (low >= sizes) | (high <= 0)
    wrong = np.flatnonzero(outside.any(axis=1))
    if len(wrong):
        first = int(wrong[0])
        width, height = sizes[first]
        raise InputError(
            f"{count(len(wrong), 'box reaches', 'boxes reach')} outside the image; the first is "
            f"{_shown(labels.values[first])} in {where[first]}, whose image is {width:g} x "
            f"{height:g} pixels.",
            _HINT,
        )
    shares = np.clip(labels.values / np.tile(sizes, 2), 0.0, 1.0)
    return replace(labels, values=shares, pixels=False)


def _numbers(
    rows: Rows, columns: Sequence[str]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    found = [rows.light.column(name).combine_chunks() for name in columns]
    present = np.all([~as_array(each.is_null()) for each in found], axis=0)
    return np.stack([as_floats(each) for each in found], axis=1), present


def _cells(rows: Rows, name: str) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    cells = rows.light.column(name).to_pylist()
    values = np.zeros((len(cells), 4))
    present = np.zeros(len(cells), dtype=bool)
    for row, cell in enumerate(cells):
        if cell is None or cell == "":
            continue
        try:
            numbers = [float(each) for each in _split(cell)]
        except (TypeError, ValueError):
            numbers = []
        if len(numbers) != 4:
            raise InputError(
                f"column {name!r} of {rows.origin.source!r} holds {str(cell)[:60]!r} in "
                f"{rows.locate(row)}, which is no box of four numbers.",
                "[x, y, width, height] in a column 'bbox', [x0, y0, x1, y1] in a column 'box'.",
            )
        values[row], present[row] = numbers, True
    return values, present


def _split(cell: Any) -> Sequence[Any]:
    if isinstance(cell, str):
        return re.split(r"[\s,;]+", cell.strip().strip("[](){}").strip())
    if isinstance(cell, list) and len(cell) == 1 and isinstance(cell[0], list):
        return cell[0]
    return cell if isinstance(cell, list) else ()


def _corners(
    rows: Rows, columns: Sequence[str], values: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    names = tuple(normal(each) for each in columns)
    of_name = FOURS.get(names, False) if len(names) == 4 else SINGLE.get(names[0], False)
    is_corners = np.full(len(values), of_name)
    column = next((each for each in rows.light.column_names if normal(each) in _FORMATS), None)
    for row, word in enumerate(rows.light.column(column).to_pylist() if column else ()):
        if word is None or word == "":
            continue
        known = _WORDS.get(str(word).strip().lower())
        if known is None:
            raise InputError(
                f"column {column!r} of {rows.origin.source!r} says {str(word)[:40]!r} in "
                f"{rows.locate(row)}, which is no format of boxes.",
                f"It knows {listed(list(_WORDS), quote=False)}.",
            )
        is_corners[row] = known
    grown = values.copy()
    grown[~is_corners, 2:] += values[~is_corners, :2]
    return grown


def _refuse(
    rows: Rows,
    columns: Sequence[str],
    corners: npt.NDArray[np.float64],
    wrong: npt.NDArray[np.bool_],
    what: str,
) -> None:
    found = np.flatnonzero(wrong)
    if len(found):
        verb = "hold" if len(columns) > 1 else "holds"
        raise InputError(
            f"{listed(columns)} of {rows.origin.source!r} {verb} "
            f"{count(len(found), 'box', 'boxes')} {what}; the first, "
            f"{_shown(corners[found[0]])} as corners, is in {rows.locate(int(found[0]))}.",
            _HINT,
        )


def _shown(box: npt.NDArray[np.float64]) -> str:
    return f"[{', '.join(f'{each:g}' for each in box)}]"
