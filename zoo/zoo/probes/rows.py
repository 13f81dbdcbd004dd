"""What a loader found, before anything is guessed: light columns whole, images row by row."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from zoo.errors import InputError
from zoo.probes import features

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy.typing as npt
    import pyarrow as pa


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where rows come from.

    Attributes:
        name: short name for tables.
        source: what the person typed.
        split: the split that was read, if the data has any.
        splits: every split there is.
        base: folder that relative image paths start from.
        notes: what the loader has to say.
        roles: role -> columns, where the layout itself decides them.
        task: the task, where the file itself says it.
    """

    name: str
    source: str
    split: str | None = None
    splits: tuple[str, ...] = ()
    base: Path | None = None
    notes: tuple[str, ...] = ()
    roles: dict[str, tuple[str, ...]] = field(default_factory=dict)
    task: str | None = None


class Rows(Protocol):
    """Rows of a data set; ``light`` holds every column but encoded images."""

    @property
    def origin(self) -> Origin:
        """Where they come from."""
        ...

    @property
    def light(self) -> pa.Table:
        """Every column of texts, numbers and lists."""
        ...

    @property
    def heavy(self) -> tuple[str, ...]:
        """Columns of encoded images."""
        ...

    @property
    def declared(self) -> dict[str, features.Declared]:
        """What the data's own schema says of its columns."""
        ...

    def absent(self, column: str) -> npt.NDArray[np.bool_]:
        """Mark the rows whose heavy cell is empty; (N,)."""
        ...

    def take(self, column: str, index: npt.NDArray[np.int64]) -> list[Any]:
        """Read some cells of a heavy column."""
        ...

    def locate(self, row: int) -> str:
        """Name a row so that a person finds it."""
        ...


@dataclass(frozen=True, kw_only=True, eq=False)
class TableRows:
    """Rows of one table in memory, or mapped into it.

    Attributes:
        file: name of the file for messages; empty where rows are known by their number alone.
        named_by: the column that names a row better than any number.
        first: number of the first row as the person's editor counts.
    """

    origin: Origin
    table: pa.Table
    declared: dict[str, features.Declared] = field(default_factory=dict)
    file: str = ""
    named_by: str = ""
    first: int = 1

    @cached_property
    def heavy(self) -> tuple[str, ...]:
        """Columns of encoded images."""
        return features.heavy_columns(self.table.schema)

    @cached_property
    def light(self) -> pa.Table:
        """Every other column."""
        return features.plain(self.table.drop_columns(list(self.heavy)))

    def absent(self, column: str) -> npt.NDArray[np.bool_]:
        """Mark the rows whose heavy cell is empty."""
        return empty_cells(self.table.column(column))

    def take(self, column: str, index: npt.NDArray[np.int64]) -> list[Any]:
        """Read some cells of a heavy column."""
        import pyarrow as pa

        cells: list[Any] = self.table.column(column).take(pa.array(index)).to_pylist()
        return cells

    def locate(self, row: int) -> str:
        """``file.csv row 17``."""
        if self.named_by:
            return str(self.table.column(self.named_by)[row].as_py())
        return f"{self.file} row {row + self.first}".strip()


@dataclass(frozen=True, kw_only=True, eq=False)
class ParquetRows:
    """Rows of parquet shards; encoded images are read only where they are taken."""

    origin: Origin
    files: tuple[Path, ...]
    declared: dict[str, features.Declared] = field(default_factory=dict)

    @cached_property
    def shards(self) -> tuple[Any, ...]:
        """The open files; their columns are equal."""
        return tuple(open_parquet(path) for path in self.files)

    @cached_property
    def heavy(self) -> tuple[str, ...]:
        """Columns of encoded images."""
        return features.heavy_columns(self.shards[0].schema_arrow)

    @cached_property
    def light(self) -> pa.Table:
        """Every other column."""
        import pyarrow as pa

        names = [name for name in self.shards[0].schema_arrow.names if name not in self.heavy]
        tables = [self._read(shard, path, names) for shard, path in self._pairs()]
        if any(each.schema.names != tables[0].schema.names for each in tables):
            raise InputError(
                f"the parquet files of {self.origin.source!r} have different columns.",
                "Keep the files of one data set in a folder of their own.",
            )
        return features.plain(pa.concat_tables(tables, promote_options="permissive"))

    def absent(self, column: str) -> npt.NDArray[np.bool_]:
        """Mark the rows whose heavy cell is empty; the file's statistics save reading it."""
        parts = []
        for shard, path in self._pairs():
            if _has_no_gap(shard, column):
                parts.append(np.zeros(shard.metadata.num_rows, dtype=bool))
            else:
                parts.append(empty_cells(self._read(shard, path, [column]).column(column)))
        return np.concatenate(parts)

    def take(self, column: str, index: npt.NDArray[np.int64]) -> list[Any]:
        """Read some cells, in ascending order of their rows, a row group at a time."""
        import pyarrow as pa

        cells: list[Any] = []
        start = 0
        for shard, path in self._pairs():
            for group in range(shard.num_row_groups):
                stop = start + shard.metadata.row_group(group).num_rows
                inside = index[(index >= start) & (index < stop)] - start
                if len(inside):
                    table = self._read(shard, path, [column], [group])
                    cells += table.column(column).take(pa.array(inside)).to_pylist()
                start = stop
        return cells

    def locate(self, row: int) -> str:
        """``train-00000-of-00002.parquet row 17``."""
        for shard, path in self._pairs():
            if row < shard.metadata.num_rows:
                return f"{path.name} row {row + 1}"
            row -= shard.metadata.num_rows
        raise IndexError(row)

    def _pairs(self) -> list[tuple[Any, Path]]:
        return list(zip(self.shards, self.files, strict=True))

    def _read(
        self, shard: Any, path: Path, names: Sequence[str], groups: Sequence[int] | None = None
    ) -> pa.Table:
        import pyarrow as pa

        wanted = range(shard.num_row_groups) if groups is None else groups
        try:
            return shard.read_row_groups(list(wanted), columns=list(names))
        except (pa.ArrowException, OSError) as error:
            raise broken_parquet(path, error) from error


def open_parquet(path: Path) -> Any:
    """Open a parquet file by its footer.

    Raises:
        InputError: it is none, or it is cut off.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.ParquetFile(path, memory_map=True)
    except (pa.ArrowException, OSError) as error:
        raise broken_parquet(path, error) from error


def broken_parquet(path: Path, error: Exception) -> InputError:
    """Say in one sentence that a file is damaged."""
    reason = str(error).strip().splitlines()[0].rstrip(".") if str(error).strip() else "no reason"
    return InputError(
        f"{str(path)!r} cannot be read as parquet: {reason}.",
        "The file may be cut off: copy or download it again.",
    )


def empty_cells(column: Any) -> npt.NDArray[np.bool_]:
    """Mark nulls, and image cells with neither bytes nor a path."""
    import pyarrow as pa
    import pyarrow.compute as pc

    gaps = pc.is_null(column)
    if pa.types.is_struct(column.type):
        inside = [pc.is_null(pc.struct_field(column, [name])) for name in ("bytes", "path")]
        gaps = pc.or_(gaps, pc.and_(*inside))
    marks: npt.NDArray[np.bool_] = gaps.to_numpy()
    return marks


def _has_no_gap(shard: Any, column: str) -> bool:
    for group in range(shard.num_row_groups):
        meta = shard.metadata.row_group(group)
        leaves = [meta.column(number) for number in range(meta.num_columns)]
        known = [
            leaf.statistics
            for leaf in leaves
            if leaf.path_in_schema in {column, f"{column}.bytes", f"{column}.path"}
        ]
        if not any(each and each.has_null_count and each.null_count == 0 for each in known):
            return False
    return True
