"""One sink: data on standard output in the mode that was asked for, the rest on standard error."""

from __future__ import annotations

import csv
import io
import os
import sys
from typing import TYPE_CHECKING, Any, TextIO

import click

from zoo.render.columns import Column, markdown_table, plain
from zoo.render.words import short
from zoo_cli.table import drop_columns, fits, rich_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from zoo.types.failure import Failure

__all__ = ["Column", "Output", "mode_of"]

MACHINE = frozenset({"json", "jsonl", "csv", "quiet"})

#: What common marks become where the terminal or pipe cannot show them.
_ASCII = str.maketrans(
    {"\u2013": "-", "\u2014": "-", "\u2026": "...", "\u00b1": "+/-", "\u00d7": "x", "\u03c4": "tau"}
    | {"\u2212": "-", "\u2265": ">=", "\u2264": "<=", "\u2192": "->", "\u2019": "'", "\u202f": " "}
    | {"\u00a0": " ", "\u2009": " ", "\u00b7": ".", "\u2588": "#"}
    | dict.fromkeys("\u2589\u258a\u258b\u258c\u258d\u258e\u258f")
)


def mode_of(name: str, *, json: bool = False, quiet: bool = False) -> str:
    """Merge ``--format``, ``--json`` and ``-q``.

    Raises:
        click.UsageError: two different modes.
    """
    asked = {name} - {"auto"} | ({"json"} if json else set())
    if len(asked) > 1:
        raise click.UsageError(f"--json and --format {name} ask for two different formats.")
    return asked.pop() if asked else ("quiet" if quiet else "auto")


class Output:
    """Where commands print.

    Attributes:
        mode: ``auto``, ``table``, ``json``, ``jsonl``, ``csv``, ``md`` or ``quiet``.
        quiet: leave out notes and hints; warnings stay.
        wrote: whether a document has been printed already.
    """

    def __init__(
        self,
        *,
        mode: str = "auto",
        color: str = "auto",
        quiet: bool = False,
        stream: TextIO | None = None,
    ) -> None:
        self._stream = stream
        self.mode = mode
        self.quiet = quiet
        self.wrote = False
        self._color = color
        self._failures: list[Failure] = []

    @property
    def stream(self) -> TextIO | None:
        """Where data goes; None: standard output is closed, and nobody reads."""
        return self._stream or sys.stdout

    @property
    def machine(self) -> bool:
        """Whether a program reads standard output."""
        return self.mode in MACHINE

    @property
    def live(self) -> bool:
        """Whether bars may be drawn on standard error."""
        return _is_terminal(sys.stderr) and not os.environ.get("CI")

    def color(self, stream: TextIO | None) -> bool:
        """Whether this stream takes colour."""
        if self._color != "auto":
            return self._color == "always"
        return _is_terminal(stream) and not (os.environ.get("NO_COLOR") or os.environ.get("CI"))

    def rows(
        self,
        columns: Sequence[Column],
        rows: Iterable[Mapping[str, Any]],
        *,
        document: Any,
        title: str = "",
    ) -> None:
        """Print a table.

        Args:
            columns: what people see; one of them is the id that ``-q`` prints.
            rows: name -> plain value, also what people do not see: CSV and JSON lines have all.
            document: what ``--json`` prints instead. None marks a table beside the main one:
                it is for people only and appears in no machine mode.
            title: a line above the table, for people.
        """
        rows = list(rows)
        if self.machine and document is None:
            return
        if self.mode == "json":
            self.document(document)
        elif self.mode == "jsonl":
            for row in rows:
                self.line(self._encoded(row))
        elif self.mode == "csv":
            self.write(_csv(columns, rows))
        elif self.mode == "quiet":
            key = next((column for column in columns if column.key), columns[0])
            self.write("".join(f"{row[key.name]}\n" for row in rows))
        elif self.mode == "md":
            self.write((f"**{title}**\n\n" if title else "") + markdown_table(columns, rows))
        else:
            self._table(columns, rows, title)

    def value(self, document: Any, text: str, ids: Iterable[str] = ()) -> None:
        """Print one thing: ``document`` for ``--json``, ``text`` for people, ``ids`` for ``-q``."""
        if self.mode == "json":
            self.document(document)
        elif self.mode == "jsonl":
            self.line(self._encoded(document))
        elif self.mode == "quiet":
            self.write("".join(f"{each}\n" for each in ids))
        else:
            self.line(text)

    def document(self, document: Any) -> None:
        """Print the one JSON document of this command."""
        assert not self.wrote, "a command prints one document"
        self.line(self._encoded(document, indent=2))

    def line(self, text: str = "") -> None:
        """Print one line of data."""
        self.write(f"{text}\n")

    def write(self, text: str) -> None:
        """Write data as it is; a reader that has gone ends the output quietly."""
        self.wrote = True
        stream = self.stream
        if stream is None:
            return
        try:
            stream.write(encodable(text, stream))
            stream.flush()
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())

    def note(self, text: str) -> None:
        """Say something that is not data; nothing for an empty text."""
        if text and not self.quiet:
            self._say(text)

    def success(self, text: str) -> None:
        """Say that something worked."""
        self.note(click.style(text, fg="green") if self.color(sys.stderr) else text)

    def hint(self, text: str) -> None:
        """Say what to type next; nothing for an empty hint."""
        if text:
            self.note(f"{self._styled('Hint:', 'cyan')} {text}")

    def warn(self, text: str) -> None:
        """Say that something is not as it should be; never left out."""
        self._say(f"{self._styled('Warning:', 'yellow')} {text}")

    def failure(self, failure: Failure) -> None:
        """Warn of what failed, once, and say what to do."""
        if failure not in self._failures:
            self._failures.append(failure)
            self.warn(short(str(failure)))
            self.hint(failure.hint)

    def confirm(self, question: str, *, yes: bool) -> bool:
        """Ask, unless ``--yes``; without a terminal there is nobody to ask.

        Raises:
            InputError: no terminal and no ``--yes``.
        """
        if yes:
            return True
        if not _is_terminal(sys.stdin):
            from zoo.errors import InputError

            raise InputError(f"{question} There is no terminal to answer on.", "Add --yes.")
        return click.confirm(question, err=True)

    def _encoded(self, document: Any, indent: int = -1) -> str:
        text = _encode(document, indent)
        if _speaks_utf8(self.stream):
            return text
        import json

        return json.dumps(json.loads(text), indent=indent if indent > 0 else None)

    def _table(self, columns: Sequence[Column], rows: list[Mapping[str, Any]], title: str) -> None:
        width = _width()
        if _is_terminal(self.stream):
            columns = drop_columns(columns, rows, width)
        if _is_terminal(self.stream) and fits(columns, rows, width):
            table = rich_table(columns, rows, title, width)
            self.write(_render(table, width, color=self.color(self.stream)))
        else:  # an id that is longer than the terminal stays in one piece
            self.write((f"{title}\n" if title else "") + plain(columns, rows))

    def _styled(self, word: str, color: str) -> str:
        return click.style(word, fg=color, bold=True) if self.color(sys.stderr) else word

    def _say(self, text: str) -> None:
        sys.stderr.write(encodable(f"{text}\n", sys.stderr))
        sys.stderr.flush()


def encodable(text: str, stream: TextIO) -> str:
    """Replace what the stream's encoding cannot write; never fail on a character."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return text.translate(_ASCII).encode(encoding, "backslashreplace").decode(encoding)
    return text


def _encode(document: Any, indent: int = -1) -> str:
    import msgspec

    encoded = msgspec.json.encode(document, enc_hook=_plain_value)
    if indent > 0:
        encoded = msgspec.json.format(encoded, indent=indent)
    return encoded.decode("utf-8")


def _speaks_utf8(stream: TextIO | None) -> bool:
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return encoding.lower().replace("-", "").replace("_", "") == "utf8"


def _plain_value(value: Any) -> Any:
    if hasattr(value, "tolist"):
        return value.tolist()
    return str(value)


def _csv(columns: Sequence[Column], rows: list[Mapping[str, Any]]) -> str:
    names = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, names or [column.name for column in columns], lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _cell(value) for name, value in row.items()} for row in rows)
    return text.getvalue()


def _cell(value: Any) -> Any:
    """Write a table or a list inside a CSV cell as JSON, not as Python."""
    return _encode(value) if isinstance(value, (dict, list, tuple)) else value


def _render(table: Any, width: int, *, color: bool) -> str:
    from rich.console import Console

    console = Console(
        file=io.StringIO(), width=width, force_terminal=color, no_color=not color, highlight=False
    )
    with console.capture() as capture:
        console.print(table)
    return capture.get()


def _width() -> int:
    import shutil

    return shutil.get_terminal_size((100, 24)).columns


def _is_terminal(stream: Any) -> bool:
    return bool(getattr(stream, "isatty", lambda: False)()) and os.environ.get("TERM") != "dumb"
