"""Scores and measured results as people keep them: CSV files, and rankings."""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from zoo.errors import InputError
from zoo.types.ranking import Ranking

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    Line = Mapping[str, str]
    #: data set -> model -> result; the name is empty where a file does not name data sets
    Results = dict[str, dict[str, float]]
    #: data set -> column -> model -> score
    Scores = dict[str, dict[str, dict[str, float]]]

#: Columns that name the data set.
SETS = ("set", "dataset", "data_set")
#: Columns that say what kind of measurement a row is: kinds are never averaged.
KINDS = ("recipe", "version", "metric")
#: Columns of a truth table that are neither its result nor its keys.
_BESIDE = (*SETS, *KINDS, "model", "seed", "train", "test", "seconds")
_NAMED = "A file of results: model,value - or set,model,value for several data sets."


def read_truth(path: Path, where: Mapping[str, str] | None = None) -> Results:
    """Read measured results; several rows of one model and data set, as of seeds, are averaged.

    Args:
        path: a CSV with the column ``model`` and one column of results, called ``value`` where
            there are more; ``set`` or ``dataset`` names the data set of a row.
        where: column -> value: rows with another one are left out.

    Raises:
        InputError: no such file, a column is missing, rows of several kinds, or a bad number.
    """
    lines = _filtered(read_lines(path), where or {}, path)
    columns = _columns(lines)
    value = _value_column(columns, path)
    key = _set_column(columns)
    _check_kinds(lines.values(), key, path)
    found: dict[str, dict[str, list[float]]] = {}
    for number, line in lines.items():
        if line[value]:
            models = found.setdefault(line[key] if key else "", {})
            models.setdefault(line["model"], []).append(number_in(line, value, path, number))
    return {
        name: {model: sum(values) / len(values) for model, values in models.items()}
        for name, models in found.items()
    }


def read_scores(path: Path) -> Scores | Ranking:
    """Read scores: a ranking as JSON, or a CSV with ``model`` and one or more columns of scores.

    Raises:
        InputError: no such file, no column of scores, a bad number, or a model twice.
    """
    if path.suffix.lower() == ".json":
        return _ranking(path)
    lines = read_lines(path)
    columns = _columns(lines)
    key = _set_column(columns)
    numeric = [name for name in columns if _has_numbers(lines.values(), name)]
    names = [name for name in numeric if name not in ("model", key)]
    if "model" not in columns or not names:
        raise InputError(
            f"{path} needs the column 'model' and a column of scores; it has: {_listed(columns)}.",
            "A file of scores: model,logme,knn - with a column 'set' for several data sets.",
        )
    scores: Scores = {}
    for number, line in lines.items():
        of_set = scores.setdefault(line[key] if key else "", {})
        for name in names:
            column = of_set.setdefault(name, {})
            if line["model"] in column:
                raise InputError(f"{path}, line {number}: {line['model']} is there twice.")
            if line[name]:
                column[line["model"]] = number_in(line, name, path, number)
    return scores


def scores_of(ranking: Ranking) -> Scores:
    """Take the columns of a ranking: its score, the evidence, the prior and every estimator.

    The combined value is left out: the score has its order.
    """
    columns: dict[str, dict[str, float]] = {"score": {}, "evidence": {}, "prior": {}}
    columns["prior"] = {row.model: row.score for row in ranking.prior}
    for row in ranking.ranking:
        columns["score"][row.model] = row.score
        if row.evidence is not None:
            columns["evidence"][row.model] = row.evidence
        for name, cell in row.estimators.items():
            if cell.value is not None:
                columns.setdefault(name, {})[row.model] = cell.value
    same = columns["evidence"] == columns["score"]
    left_out = {"combined", "evidence"} if same else {"combined"}
    return {
        ranking.probe.name: {
            name: column for name, column in columns.items() if column and name not in left_out
        }
    }


def short_name(model: str) -> str:
    """Give the last part of a reference: ``./zoo/vit``, ``hub:org/vit@main`` are both ``vit``."""
    return Path(model.partition("@")[0].rpartition(":")[2]).name


def _ranking(path: Path) -> Ranking:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Ranking)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from error
    except msgspec.DecodeError as error:
        raise InputError(
            f"{path} is not a ranking: {error}.", "zoo recommend DATA --json writes one."
        ) from error


def read_lines(path: Path) -> dict[int, Line]:
    """Read the rows below the header, by the number of the line they end on.

    Raises:
        InputError: no such file, no rows, or more values than columns.
    """
    lines: dict[int, Line] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, restval="")
            for line in reader:
                # More values than columns go under the key None.
                more: Sequence[str] = line.pop(None, ())
                if more:
                    raise InputError(
                        f"{path}, line {reader.line_num}: there are {len(line) + len(more)} "
                        f"values, and the header has {len(line)}: {_listed(list(line))}.",
                        "Values are separated by commas, and one that holds a comma is in quotes.",
                    )
                lines[reader.line_num] = line
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{path} cannot be read: {reason}.") from error
    if not lines:
        raise InputError(f"{path} has no row below a header.", _NAMED)
    return lines


def _columns(lines: Mapping[int, Line]) -> list[str]:
    return list(dict.fromkeys(name for line in lines.values() for name in line))


def _filtered(lines: Mapping[int, Line], where: Mapping[str, str], path: Path) -> dict[int, Line]:
    kept = dict(lines)
    for column, value in where.items():
        known = dict.fromkeys(line[column] for line in kept.values() if column in line)
        if value not in known:
            has = f"it has: {_listed(list(known))}" if known else "there is no such column"
            raise InputError(f"{path} has no row where {column} is {value!r}: {has}.")
        kept = {number: line for number, line in kept.items() if line[column] == value}
    return kept


def _value_column(columns: Sequence[str], path: Path) -> str:
    values = [name for name in columns if name not in _BESIDE]
    if "value" in values:
        values = ["value"]
    if "model" not in columns or len(values) != 1:
        raise InputError(
            f"{path} needs the column 'model' and one column of results; "
            f"it has: {_listed(columns)}.",
            _NAMED,
        )
    return values[0]


def _set_column(columns: Sequence[str]) -> str:
    return next((name for name in SETS if name in columns), "")


def _check_kinds(lines: Collection[Line], key: str, path: Path) -> None:
    """Refuse to average rows that were measured in different ways."""
    for kind in KINDS:
        found: dict[str, dict[str, None]] = {}
        for line in lines:
            if kind in line:
                found.setdefault(line[key] if key else "", {})[line[kind]] = None
        mixed = next((list(values) for values in found.values() if len(values) > 1), None)
        if mixed:
            raise InputError(
                f"{path} has results of more than one {kind}: {_listed(mixed)}.",
                f"Choose with --where {kind}={mixed[0]}",
            )


def _has_numbers(lines: Collection[Line], name: str) -> bool:
    """Whether a column holds numbers; one bad value among them is an error, not a text column."""
    for line in lines:
        if line[name]:
            try:
                float(line[name])
            except ValueError:
                continue
            return True
    return False


def number_in(line: Line, column: str, path: Path, number: int) -> float:
    """Read one number of a table.

    Raises:
        InputError: it is none, or no finite one.
    """
    try:
        value = float(line[column])
    except ValueError as error:
        wrong = f"{line[column]!r} is no number"
        raise InputError(f"{path}, line {number}, column {column!r}: {wrong}.") from error
    if not math.isfinite(value):
        raise InputError(f"{path}, line {number}, column {column!r}: {value} is no result.")
    return value


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) or "none"
