"""Tables for people: aligned text, Markdown, and as many columns as a terminal is wide."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from rich.table import Table

_GAP = 2


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Attributes:
        name: key of the rows, and the header of CSV.
        title: header for people; the name in capitals when empty.
        right: numbers stand on the right.
        show: value -> text for people; None is shown as a dash before this is asked.
        priority: on a narrow terminal the highest number goes first; 0 always stays.
        flexible: may be cut with an ellipsis; ids never are.
        wrap: goes on in the next line instead.
        style: a rich style for terminals.
    """

    name: str
    title: str = ""
    right: bool = False
    show: Callable[[Any], str] = str
    priority: int = 0
    flexible: bool = False
    wrap: bool = False
    style: str = ""

    @property
    def elastic(self) -> bool:
        """Whether the column may be narrower than its content."""
        return self.flexible or self.wrap

    @property
    def header(self) -> str:
        """What stands above the column."""
        return self.title or self.name.upper().replace("_", " ")

    def text(self, row: Mapping[str, Any]) -> str:
        """One cell as a person reads it."""
        value = row.get(self.name)
        return "-" if value is None or value == "" else self.show(value)


def plain(columns: Sequence[Column], rows: Sequence[Mapping[str, Any]]) -> str:
    """Aligned text with every column, for pipes and logs."""
    lines = [[column.header for column in columns]]
    lines += [[column.text(row) for column in columns] for row in rows]
    widths = [max(cells(line[index]) for line in lines) for index in range(len(columns))]
    out = []
    for line in lines:
        padded = [
            _pad(text, width, right=column.right)
            for text, width, column in zip(line, widths, columns, strict=True)
        ]
        out.append((" " * _GAP).join(padded).rstrip())
    return "\n".join(out) + "\n"


def markdown(columns: Sequence[Column], rows: Sequence[Mapping[str, Any]]) -> str:
    """A GitHub table; cells cannot break out of it."""
    head = "| " + " | ".join(column.header for column in columns) + " |"
    rule = "|" + "|".join(" ---: " if column.right else " --- " for column in columns) + "|"
    body = [
        "| " + " | ".join(_escaped(column.text(row)) for column in columns) + " |" for row in rows
    ]
    return "\n".join([head, rule, *body]) + "\n"


def drop_columns(
    columns: Sequence[Column], rows: Sequence[Mapping[str, Any]], width: int
) -> list[Column]:
    """Leave out the least important columns until the rest fits; flexible ones may be cut."""
    kept = list(columns)
    while _needed(kept, rows) > width:
        droppable = [column for column in kept if column.priority > 0]
        if not droppable:
            break
        kept.remove(max(droppable, key=lambda column: column.priority))
    return kept


def rich_table(columns: Sequence[Column], rows: Sequence[Mapping[str, Any]], title: str) -> Table:
    """A borderless table for terminals."""
    from rich.table import Table
    from rich.text import Text

    table = Table(
        box=None, pad_edge=False, header_style="bold", title=title or None, title_justify="left"
    )
    for column in columns:
        table.add_column(
            column.header,
            justify="right" if column.right else "left",
            style=column.style or None,
            no_wrap=not column.wrap,
            overflow="fold" if column.wrap else "ellipsis" if column.flexible else "ignore",
            min_width=None if column.elastic else _width(column, rows),
        )
    for row in rows:
        table.add_row(*(Text(column.text(row)) for column in columns))
    return table


def cells(text: str) -> int:
    """Terminal cells that a text takes."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def _needed(columns: Sequence[Column], rows: Sequence[Mapping[str, Any]]) -> int:
    shortest = [min(_width(c, rows), 24) if c.elastic else _width(c, rows) for c in columns]
    return sum(shortest) + _GAP * (len(columns) - 1)


def _width(column: Column, rows: Sequence[Mapping[str, Any]]) -> int:
    return max([cells(column.header), *(cells(column.text(row)) for row in rows)])


def _pad(text: str, width: int, *, right: bool) -> str:
    space = " " * (width - cells(text))
    return space + text if right else text + space


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("\n", " ")
