from __future__ import annotations

import csv
import io
import json
import sys

import click
import msgspec
import pytest

from zoo.types.failure import Failure
from zoo_cli.output import Column, Output, encodable, mode_of
from zoo_cli.table import drop_columns

COLUMNS = (Column("name", key=True), Column("size", right=True, priority=1))
ROWS = ({"name": "org/model|a", "size": 12, "hidden": True}, {"name": "b", "size": None})
DOCUMENT = {"schema_version": 1, "models": ["org/model|a", "b"]}


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self):
        return True


@pytest.fixture
def written(capsys):
    def write(mode, **options):
        Output(mode=mode).rows(COLUMNS, ROWS, document=DOCUMENT, **options)
        return capsys.readouterr().out

    return write


def test_a_piped_table_is_aligned_text(written):
    assert written("auto") == "NAME         SIZE\norg/model|a    12\nb               -\n"


def test_json_prints_the_document_and_nothing_else(written):
    assert json.loads(written("json")) == DOCUMENT


def test_json_lines_are_one_row_a_line_with_everything(written):
    lines = [json.loads(line) for line in written("jsonl").splitlines()]
    assert lines == [dict(row) for row in ROWS]


def test_csv_has_raw_values_and_hidden_ones(written):
    rows = list(csv.DictReader(io.StringIO(written("csv"))))
    assert rows[0] == {"name": "org/model|a", "size": "12", "hidden": "True"}
    assert rows[1]["size"] == ""


def test_markdown_cells_cannot_break_the_table(written):
    assert "| org/model\\|a | 12 |" in written("md")


def test_quiet_prints_one_id_a_line(written):
    assert written("quiet") == "org/model|a\nb\n"


def test_a_table_beside_the_main_one_stays_out_of_machine_modes(capsys):
    for mode in ("json", "jsonl", "csv", "quiet"):
        Output(mode=mode).rows(COLUMNS, ROWS, document=None)
        assert capsys.readouterr().out == ""


def test_notes_hints_and_warnings_go_to_stderr(capsys):
    output = Output()
    output.note("a note")
    output.hint("type this")
    output.warn("look out")
    output.hint("")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "a note\nHint: type this\nWarning: look out\n"


def test_quiet_leaves_warnings(capsys):
    output = Output(mode="quiet", quiet=True)
    output.note("a note")
    output.success("done")
    output.hint("type this")
    output.warn("look out")
    assert capsys.readouterr().err == "Warning: look out\n"


def test_arrays_and_numbers_that_json_does_not_know_still_make_valid_json(capsys):
    import numpy as np

    Output(mode="json").document({"x": np.arange(2), "nan": float("nan"), "path": click.Path})
    assert json.loads(capsys.readouterr().out)["x"] == [0, 1]


def test_structs_are_written_field_by_field(capsys):
    class Row(msgspec.Struct):
        name: str

    Output(mode="json").document({"rows": [Row("a")]})
    assert json.loads(capsys.readouterr().out) == {"rows": [{"name": "a"}]}


def test_a_narrow_encoding_gets_plain_letters(monkeypatch):
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    assert encodable("95 \u2013 \u00b1 \u03c4 \u00e9", stream) == "95 - +/- tau \\xe9"


def test_json_on_a_narrow_encoding_is_still_json(monkeypatch):
    buffer = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(buffer, encoding="ascii"))
    Output(mode="json").document({"name": "\u4e2d\u2013"})
    assert json.loads(buffer.getvalue()) == {"name": "\u4e2d\u2013"}


def test_wide_letters_keep_the_columns_straight(capsys):
    Output().rows(COLUMNS, [{"name": "\u6a21\u578b", "size": 1}], document=1)
    assert capsys.readouterr().out.splitlines()[1] == "\u6a21\u578b     1"


@pytest.mark.parametrize(
    ("variables", "choice", "expected"),
    [
        ({}, "auto", True),
        ({"NO_COLOR": "1"}, "auto", False),
        ({"CI": "true"}, "auto", False),
        ({"TERM": "dumb"}, "auto", False),
        ({"NO_COLOR": "1"}, "always", True),
        ({}, "never", False),
    ],
)
def test_colour_needs_a_terminal_that_wants_it(monkeypatch, variables, choice, expected):
    monkeypatch.setenv("TERM", "xterm")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert Output(color=choice).color(Terminal()) is expected
    if choice == "auto":
        assert Output(color=choice).color(io.StringIO()) is False


@pytest.fixture
def on_terminal(monkeypatch):
    def show(width, columns, rows):
        terminal = Terminal()
        monkeypatch.setattr(sys, "stdout", terminal)
        monkeypatch.setenv("COLUMNS", str(width))
        monkeypatch.setenv("TERM", "xterm")
        Output(color="never").rows(columns, rows, document=1)
        return [line.rstrip() for line in terminal.getvalue().splitlines()]

    return show


def test_a_narrow_terminal_gets_fewer_columns_but_whole_ids(on_terminal):
    name = "organisation/a-model-with-a-very-long-name"
    assert on_terminal(20, COLUMNS, [{"name": name, "size": 1}]) == ["NAME", name]


def test_numbers_stand_on_the_right_of_a_terminal_too(on_terminal):
    rows = [{"name": "a", "size": 5}, {"name": "b", "size": 12345}]
    assert on_terminal(40, COLUMNS, rows) == ["NAME   SIZE", "a         5", "b     12345"]


def test_an_elastic_column_gives_way_before_any_other(on_terminal):
    columns = (Column("id"), Column("text", flexible=True), Column("tail", priority=1))
    lines = on_terminal(50, columns, [{"id": "x" * 10, "text": "y" * 60, "tail": "end"}])
    assert lines[1].startswith("x" * 10 + "  yyy")
    assert lines[1].endswith("y\u2026  end")


def test_a_wrapped_column_loses_nothing(on_terminal):
    columns = (Column("id"), Column("text", wrap=True))
    lines = on_terminal(40, columns, [{"id": "x" * 10, "text": "word " * 12}])
    assert " ".join(lines).count("word") == 12


def test_the_least_important_column_goes_first():
    columns = [Column("id"), Column("a", priority=1), Column("b", priority=2)]
    rows = [{"id": "x" * 10, "a": "y" * 10, "b": "z" * 10}]
    assert [each.name for each in drop_columns(columns, rows, 40)] == ["id", "a", "b"]
    assert [each.name for each in drop_columns(columns, rows, 30)] == ["id", "a"]
    assert [each.name for each in drop_columns(columns, rows, 5)] == ["id"]


def test_two_formats_at_once_are_refused():
    with pytest.raises(click.UsageError, match="two different formats"):
        mode_of("csv", json=True)
    assert mode_of("json", json=True) == "json"
    assert mode_of("auto", quiet=True) == "quiet"
    assert mode_of("auto", json=True, quiet=True) == "json"
    assert mode_of("auto") == "auto"


def test_one_command_prints_one_document(capsys):
    output = Output(mode="json")
    output.document({})
    with pytest.raises(AssertionError):
        output.document({})


def test_nobody_is_asked_where_nobody_can_answer(monkeypatch):
    from zoo.errors import InputError

    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    with pytest.raises(InputError, match="no terminal"):
        Output().confirm("Remove it?", yes=False)
    assert Output().confirm("Remove it?", yes=True)


def test_a_table_inside_a_csv_cell_is_json(capsys):
    Output(mode="csv").rows([Column("name")], [{"name": "a", "files": {"x": [1]}}], document={})
    (row,) = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert json.loads(row["files"]) == {"x": [1]}


def test_a_closed_standard_output_is_nobody_reading(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    Output(mode="quiet").line("a")


def test_the_same_failure_is_told_once(capsys):
    output = Output()
    for _ in range(2):
        output.failure(Failure(stage="plugin", error="no", hint="try", plugin="p:x"))
    assert capsys.readouterr().err == "Warning: p:x (plugin): no\nHint: try\n"
