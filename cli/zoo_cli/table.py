"""Tables on a terminal: as many columns as it is wide, and ids whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zoo.render.columns import GAP, Column, cells

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.table import Table

#: An elastic column is worth keeping down to this width.
_NARROWEST = 24


def drop_columns(
    columns: Sequence[Column], rows: Sequence[Mapping[str, Any]], width: int
) -> list[Column]:
    """Leave out the least important columns until the rest fits; elastic ones may shrink."""
    kept = list(columns)
    while _needed(kept, rows) > width:
        droppable = [column for column in kept if column.priority > 0]
        if not droppable:
            break
        kept.remove(max(droppable, key=lambda column: column.priority))
    return kept


def fits(columns: Sequence[Column], rows: Sequence[Mapping[str, Any]], width: int) -> bool:
    """Whether everything that may not be cut has its place."""
    return _needed(columns, rows) <= width


def rich_table(
    columns: Sequence[Column], rows: Sequence[Mapping[str, Any]], title: str, width: int
) -> Table:
    """Make a borderless table of columns that fit; elastic ones share what is left."""
    from rich.table import Table
    from rich.text import Text

    table = Table(
        box=None, pad_edge=False, header_style="bold", title=title or None, title_justify="left"
    )
    for column, cells_wide in zip(columns, _shared_out(columns, rows, width), strict=True):
        table.add_column(
            column.header,
            justify="right" if column.right else "left",
            style=column.style or None,
            no_wrap=not column.wrap,
            overflow="fold" if column.wrap else "ellipsis",
            width=cells_wide,
        )
    for row in rows:
        table.add_row(*(Text(column.text(row)) for column in columns))
    return table


def _shared_out(
    columns: Sequence[Column], rows: Sequence[Mapping[str, Any]], width: int
) -> list[int]:
    widths = [_width(column, rows) for column in columns]
    elastic = [index for index, column in enumerate(columns) if column.elastic]
    excess = sum(widths) + GAP * (len(columns) - 1) - width
    for index in sorted(elastic, key=lambda each: -widths[each]):
        given_up = max(0, min(excess, widths[index] - _NARROWEST))
        widths[index] -= given_up
        excess -= given_up
    return widths


def _needed(columns: Sequence[Column], rows: Sequence[Mapping[str, Any]]) -> int:
    widths = [_width(column, rows) for column in columns]
    shortest = [
        min(width, _NARROWEST) if column.elastic else width
        for width, column in zip(widths, columns, strict=True)
    ]
    return sum(shortest) + GAP * (len(columns) - 1)


def _width(column: Column, rows: Sequence[Mapping[str, Any]]) -> int:
    return max([cells(column.header), *(cells(column.text(row)) for row in rows)])
