"""The CSV of measured results: one row a (data set, model, recipe, seed)."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from zoo.errors import InputError
from zoo.files import write_atomically

if TYPE_CHECKING:
    from collections.abc import Iterable


class TruthRow(msgspec.Struct, frozen=True, kw_only=True):
    """What one checkpoint came to on one data set.

    Attributes:
        set: name of the data set's folder.
        model: last part of the checkpoint's reference, which is the same on every machine.
        recipe: ``head`` or ``full``.
        version: of the recipe: rows of different versions are never compared.
        metric: ``accuracy`` in [0, 1], or ``r2``.
        train: samples that were trained on, the inner validation split included.
        test: samples of the test split.
        seconds: of this seed, without the forward passes that the seeds of ``head`` share.
    """

    set: str
    model: str
    recipe: str
    version: str
    seed: int
    metric: str
    value: float
    train: int
    test: int
    seconds: float


class Cell(NamedTuple):
    """What a row is about."""

    set: str
    model: str
    recipe: str
    version: str
    seed: int


class TruthTable:
    """The rows of a file; every new one is on disk, whole, before the next is measured."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows = list(read_rows(path)) if path.exists() else []
        self._done = {cell_of(row) for row in self.rows}

    def __contains__(self, cell: Cell) -> bool:
        return cell in self._done

    def add(self, row: TruthRow) -> None:
        """Write the file again with one more row; a crash leaves the old file or the new one."""
        self.rows.append(row)
        self._done.add(cell_of(row))
        text = io.StringIO()
        writer = csv.DictWriter(text, TruthRow.__struct_fields__, lineterminator="\n")
        writer.writeheader()
        writer.writerows(msgspec.to_builtins(each) for each in sorted(self.rows, key=cell_of))
        write_atomically(self.path.absolute(), text.getvalue().encode())

    def check_sizes(self, name: str, version: str, train: int, test: int) -> None:
        """Refuse to mix rows of one data set that were measured on samples of other sizes.

        Raises:
            InputError: the file holds such rows.
        """
        for row in self.rows:
            if (row.set, row.version) == (name, version) and (row.train, row.test) != (train, test):
                raise InputError(
                    f"{self.path} has rows of {name} with {row.train} train and {row.test} test "
                    f"samples; now they would be {train} and {test}.",
                    "Give the same --train and --test, or another file with -o.",
                )


def cell_of(row: TruthRow) -> Cell:
    """Say what a row is about."""
    return Cell(row.set, row.model, row.recipe, row.version, row.seed)


def read_rows(path: Path) -> Iterable[TruthRow]:
    """Read the CSV.

    Raises:
        InputError: the file is missing, or a row is not what ``truth.py`` writes.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            lines = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} cannot be read: {error}.") from error
    rows = []
    for number, line in enumerate(lines, start=2):
        try:
            rows.append(msgspec.convert(line, TruthRow, strict=False))
        except msgspec.ValidationError as error:
            raise InputError(f"{path}, line {number}: {error}.") from error
    return rows


def short_name(model: str) -> str:
    """Give the last part of a reference: ``./zoo/vit`` and ``hub:org/vit`` are both ``vit``."""
    return Path(model.partition("@")[0].rpartition(":")[2]).name
