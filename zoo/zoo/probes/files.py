"""One file -> rows: CSV, TSV, JSON lines, JSON and parquet, by pyarrow's readers."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from zoo.errors import InputError
from zoo.probes import features
from zoo.probes.rows import Origin, ParquetRows, Rows, TableRows
from zoo.probes.words import IMAGE_SUFFIXES, listed, refuse_doubled

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pyarrow as pa

KINDS = (".csv", ".tsv", ".jsonl", ".ndjson", ".json", ".parquet")
#: Key of a parquet schema's metadata that says how ``zoo probes sample`` understood the data.
RECORDED = b"zoo"

_COMPRESSED = (".gz", ".bz2", ".zst")
_BLOCK = 1 << 30
_SENTENCE = 6


def kind_of(path: Path) -> str:
    """Give ``.csv`` for ``reviews.csv.gz``; empty for what is no table."""
    suffixes = [each.lower() for each in path.suffixes]
    if suffixes and suffixes[-1] in _COMPRESSED:
        suffixes.pop()
    return suffixes[-1] if suffixes and suffixes[-1] in KINDS else ""


def read(paths: Sequence[Path], origin: Origin) -> Rows:
    """Read one file, or the shards of one split.

    Raises:
        InputError: naming the file and what is wrong with it.
    """
    kind = kind_of(paths[0])
    if any(kind_of(path) != kind for path in paths):
        names = listed([path.name for path in paths])
        raise InputError(f"{origin.source!r} mixes file types: {names}.", "Name one file.")
    if kind == ".parquet":
        return _parquet(tuple(paths), origin)
    tables = [_table(path, kind) for path in paths]
    if any(each.schema.names != tables[0].schema.names for each in tables):
        raise InputError(
            f"{paths[0].name!r} and other files of {origin.source!r} have different columns.",
            "Name one file.",
        )
    refuse_doubled(tables[0].schema.names, origin.source)
    import pyarrow as pa

    return TableRows(
        origin=origin,
        table=pa.concat_tables(tables, promote_options="permissive"),
        file=paths[0].name if len(paths) == 1 else "",
        first=2 if kind in {".csv", ".tsv"} else 1,
    )


def _parquet(paths: tuple[Path, ...], origin: Origin) -> ParquetRows:
    rows = ParquetRows(origin=origin, files=paths)
    schema = rows.shards[0].schema_arrow
    refuse_doubled(schema.names, origin.source)
    recorded = (schema.metadata or {}).get(RECORDED)
    if recorded:
        said = json.loads(recorded)
        roles = {role: tuple(columns) for role, columns in said["roles"].items()}
        origin = replace(origin, roles=roles, task=said["task"])
    return ParquetRows(origin=origin, files=paths, declared=features.of_schema(schema))


def _table(path: Path, kind: str) -> pa.Table:
    import pyarrow as pa

    try:
        data = _text_bytes(path)
        if kind in {".csv", ".tsv"}:
            return _delimited(path, data, kind)
        whole = _whole(data) if kind == ".json" else None
        return _json_lines(data) if whole is None else _objects(path, whole)
    except (pa.ArrowException, OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise InputError(
            f"{str(path)!r} cannot be read as {kind[1:].upper()}: {_reason(error)}.",
            "" if isinstance(error, OSError) else "Correct that line.",
        ) from error


def _text_bytes(path: Path) -> bytes:
    """Read a text file whole, decompressed, and be sure that it is UTF-8."""
    import pyarrow as pa

    with pa.input_stream(str(path), compression="detect") as stream:
        data: bytes = stream.read()
    if not data.strip():
        raise InputError(f"{str(path)!r} is empty.")
    if data[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        raise _encoding(path, "UTF-16", "utf-16")
    try:
        data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        what = f"not UTF-8 (line {line} holds the byte 0x{data[error.start]:02x})"
        raise _encoding(path, what, "windows-1252") from error
    return data.removeprefix(b"\xef\xbb\xbf")


def _encoding(path: Path, what: str, from_: str) -> InputError:
    return InputError(
        f"the text in {str(path)!r} is {what}; Zoo reads UTF-8.",
        f"iconv -f {from_} -t utf-8 {path.name} > utf8-{path.name}",
    )


def _delimited(path: Path, data: bytes, kind: str) -> pa.Table:
    import pyarrow as pa

    first = data.partition(b"\n")[0].decode().rstrip("\r")
    delimiter = "\t" if kind == ".tsv" else _delimiter(first)
    # TSV of the trade often has bare quotes, which would swallow everything up to the next one.
    bare = delimiter == "\t" and any(line.count(b'"') % 2 for line in data.splitlines())
    try:
        table = _parse(data, delimiter, quote=False if bare else '"')
    except pa.ArrowInvalid:
        if not bare:
            raise
        table = _parse(data, delimiter, quote='"')
    _check_header(path, table, first)
    return table


def _parse(data: bytes, delimiter: str, *, quote: str | bool) -> pa.Table:
    import pyarrow as pa
    from pyarrow import csv as reader

    return reader.read_csv(
        pa.BufferReader(data),
        # One block: types are guessed from the whole file, and no cell is too long for it.
        read_options=reader.ReadOptions(block_size=min(max(len(data), 1), _BLOCK)),
        parse_options=reader.ParseOptions(
            delimiter=delimiter, quote_char=quote, newlines_in_values=bool(quote)
        ),
    )


def _delimiter(header: str) -> str:
    return max(",;\t|", key=lambda each: (header.count(each), each == ","))


def _check_header(path: Path, table: pa.Table, first: str) -> None:
    """Refuse a first line that is data: its cells are numbers, sentences or values."""
    names = [name.strip() for name in table.column_names]
    looks = any(_is_number(name) or len(name.split()) >= _SENTENCE for name in names)
    if looks or any(_is_own_value(table, number, name) for number, name in enumerate(names)):
        raise InputError(
            f"the first line of {str(path)!r} looks like data, not like column names: "
            f"{first[:60]!r}.",
            "Put a line such as text,label above it.",
        )


def _is_own_value(table: pa.Table, number: int, name: str) -> bool:
    import pyarrow.compute as pc

    column = table.column(number)
    if not name or not features.is_text(column.type):
        return False
    return bool(pc.any(pc.equal(column, name)).as_py())


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _json_lines(data: bytes) -> pa.Table:
    import pyarrow as pa
    from pyarrow import json as reader

    options = reader.ReadOptions(block_size=min(len(data) + 1, _BLOCK))
    try:
        return _without_lists_of_nothing(
            reader.read_json(pa.BufferReader(data), read_options=options)
        )
    except pa.ArrowInvalid as error:
        raise pa.ArrowInvalid(_first_fault(data) or str(error)) from error


def _without_lists_of_nothing(table: pa.Table) -> pa.Table:
    """Take lists that hold nulls alone as nulls: Arrow counts their items wrongly as it reads."""
    import pyarrow as pa

    for place, field in enumerate(table.schema):
        if pa.types.is_list(field.type) and pa.types.is_null(field.type.value_type):
            table = table.set_column(place, field.name, pa.nulls(table.num_rows))
    return table


def _first_fault(data: bytes) -> str:
    """Find the first line that is no JSON, which Arrow counts from zero; empty if all are."""
    for number, line in enumerate(data.split(b"\n"), start=1):
        try:
            json.loads(line.strip() or b"{}")
        except json.JSONDecodeError as error:
            return f"line {number}: {error.msg}"
    return ""


def _whole(data: bytes) -> Any:
    """Read a file that is one list, or one object with a list called ``data``; else None."""
    if data.lstrip()[:1] == b"[":
        return json.loads(data)
    try:
        found = json.loads(data)
    except json.JSONDecodeError:
        return None  # an object a line
    inner = found.get("data") if isinstance(found, dict) else None
    if not isinstance(inner, list) or not all(isinstance(each, dict) for each in inner):
        return None
    return [row for each in inner for row in _paragraphs(each)]


def _paragraphs(article: dict[str, Any]) -> list[dict[str, Any]]:
    """Give the questions of an article as SQuAD nests them, a row each, with their context."""
    if not isinstance(article.get("paragraphs"), list):
        return [article]
    return [
        {**question, "context": paragraph.get("context")}
        for paragraph in article["paragraphs"]
        if isinstance(paragraph, dict)
        for question in paragraph.get("qas") or ()
        if isinstance(question, dict)
    ]


def _objects(path: Path, found: Any) -> pa.Table:
    import pyarrow as pa

    if not found or not all(isinstance(each, dict) for each in found):
        raise InputError(
            f"{str(path)!r} is no list of objects.", '[{"text": "...", "label": "..."}, ...]'
        )
    names = dict.fromkeys(name for each in found for name in each)
    return pa.table({name: [each.get(name) for each in found] for name in names})


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error).strip().splitlines()[0].rstrip(".")


def is_image(name: str) -> bool:
    """Whether a file name is that of an image; hidden files are none."""
    dot = name.rfind(".")
    return dot > 0 and not name.startswith(".") and name[dot:].lower() in IMAGE_SUFFIXES
