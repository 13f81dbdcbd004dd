"""What is in the columns of a data set, counted once."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from zoo.errors import InputError
from zoo.probes import features
from zoo.probes.words import IMAGE_SUFFIXES, SPLIT_COLUMNS, flag, normal, split_of, unknown_column

if TYPE_CHECKING:
    from zoo.probes.rows import Rows

FEW = 20
_PEEK = 50


class Columns:
    """The columns of one data set while their roles are being decided.

    Attributes:
        names: every column.
        source: the data, as the person typed it.
        reasons: role -> why its column was chosen.
    """

    def __init__(self, rows: Rows) -> None:
        self.rows = rows
        self.light = rows.light
        self.source = rows.origin.source
        self.names = [*self.light.column_names, *rows.heavy]
        self.reasons: dict[str, str] = {}
        self._distinct: dict[str, int] = {}

    def known(self, name: str, option: str) -> None:
        """Refuse a column that a person named but that cannot be it."""
        if name not in self.names:
            raise unknown_column(name, option, self.names, self.source)
        if name in self.rows.heavy and option != "--image":
            raise InputError(
                f"column {name!r} of {self.source!r} holds encoded files, which {option} cannot "
                "read.",
                flag("--image", name) if option == "--text" else "--label NAME",
            )

    def type(self, name: str) -> Any:
        """The arrow type of a light column."""
        return self.light.schema.field(name).type

    def described(self, name: str) -> str:
        """``'body' (string)``."""
        kind = "binary" if name in self.rows.heavy else str(self.type(name))
        return f"{name!r} ({'all empty' if kind == 'null' else kind})"

    def strings(self) -> list[str]:
        """Columns of texts."""
        return [each.name for each in self.light.schema if features.is_text(each.type)]

    def mean_length(self, name: str) -> float:
        """Characters of an average cell."""
        import pyarrow.compute as pc

        mean: float | None = pc.mean(pc.utf8_length(self.light.column(name))).as_py()
        return mean or 0.0

    def holds_paths(self, name: str) -> bool:
        """Whether the first cells all end like images."""
        values = [each for each in self.light.column(name)[:_PEEK].to_pylist() if each]
        return bool(values) and all(
            PurePath(each.partition("?")[0]).suffix.lower() in IMAGE_SUFFIXES and len(each) < 1000
            for each in values
        )

    def distinct(self, name: str) -> int:
        """How many different values there are."""
        import pyarrow as pa
        import pyarrow.compute as pc

        if name not in self._distinct:
            column = self.light.column(name)
            try:
                self._distinct[name] = pc.count_distinct(column).as_py()
            except pa.ArrowNotImplementedError:  # lists
                self._distinct[name] = len({str(each) for each in column.to_pylist()})
        return self._distinct[name]

    def is_binary(self, name: str) -> bool:
        """Whether there is nothing but 0 and 1."""
        column = self.light.column(name)
        if not (features.is_whole(column.type) or features.is_real(column.type)):
            return False
        return {float(each) for each in column.unique().to_pylist() if each is not None} <= {0, 1}

    def is_low(self, name: str) -> bool:
        """Whether there are as few different values as labels have."""
        rows = len(self.light)
        return 2 <= self.distinct(name) <= min(max(FEW, rows // 20), max(2, rows // 2))

    def split(self) -> str | None:
        """Find a column that says which split a row belongs to."""
        for name in self.strings():
            if normal(name) in SPLIT_COLUMNS and self.distinct(name) <= FEW:
                values: list[Any] = [v for v in self.light.column(name).unique().to_pylist() if v]
                if values and all(split_of(value) for value in values):
                    self.reasons["split"] = "by its name and values"
                    return name
        return None
