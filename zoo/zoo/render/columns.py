"""Columns of a table, and a table as aligned text or Markdown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

GAP = 2


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Attributes:
        name: key of the rows.
        title: header for people; the name in capitals when empty.
        right: numbers stand on the right.
        show: value -> text for people; None is shown as a dash before this is asked.
        cell: row -> text for people, where one value is not enough.
        key: the id of a row, which ``-q`` prints; the first column where none is marked.
        priority: on a narrow terminal the highest number goes first; 0 always stays.
        flexible: may be cut with an ellipsis; ids never are.
        wrap: goes on in the next line instead.
        style: a rich style for terminals.
    """

    name: str
    title: str = ""
    right: bool = False
    show: Callable[[Any], str] = str
    cell: Callable[[Mapping[str, Any]], str] | None = None
    key: bool = False
    priority: int = 0
    flexible: bool = False
    wrap: bool = False
    style: str = ""

    @property
    def header(self) -> str:
        """What stands above the column."""
        return self.title or self.name.upper().replace("_", " ")

    @property
    def elastic(self) -> bool:
        """Whether the column may be narrower than its content."""
        return self.flexible or self.wrap

    def text(self, row: Mapping[str, Any]) -> str:
        """One cell as a person reads it."""
        if self.cell:
            return self.cell(row)
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
            _padded(text, width, right=column.right)
            for text, width, column in zip(line, widths, columns, strict=True)
        ]
        out.append((" " * GAP).join(padded).rstrip())
    return "\n".join(out) + "\n"


def markdown_table(columns: Sequence[Column], rows: Sequence[Mapping[str, Any]]) -> str:
    """A GitHub table; cells cannot break out of it."""
    head = "| " + " | ".join(column.header for column in columns) + " |"
    rule = "|" + "|".join(" ---: " if column.right else " --- " for column in columns) + "|"
    body = [
        "| " + " | ".join(_escaped(column.text(row)) for column in columns) + " |" for row in rows
    ]
    return "\n".join([head, rule, *body]) + "\n"


def cells(text: str) -> int:
    """Terminal cells that a text takes."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def _padded(text: str, width: int, *, right: bool) -> str:
    space = " " * (width - cells(text))
    return space + text if right else text + space


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")
