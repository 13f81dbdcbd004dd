"""A person's data without labels: images or texts, read when they are asked for.

For predictions, for the comparison behind an export, and wherever else nobody needs a label.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast, overload

from zoo.errors import InputError
from zoo.probes.words import LABEL_WORDS, are, count, head_word, listed, unknown_column
from zoo.typed_paths import typed_path
from zoo.types.probe import ImageInput
from zoo.types.protocols import ProbeOptions

if TYPE_CHECKING:
    from collections.abc import Iterable

    from zoo.probes.rows import Rows

T = TypeVar("T")
Modality = Literal["image", "text"]

STDIN = "-"
_READS = (
    "Zoo reads an image, a folder of images, .txt with a text a line, CSV, TSV, JSON, JSONL, "
    "parquet, data set folders, and - for the lines of standard input."
)


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """N inputs of one modality; nothing is decoded, and large things are read by slices.

    Attributes:
        inputs: N :class:`zoo.types.ImageInput`, texts or (text, text) pairs; None for a row that
            holds nothing.
        names: N words by which a person finds each: a path, ``reviews.csv row 2``.
        notes: what was understood, one sentence each.
    """

    source: str
    modality: Modality
    inputs: Sequence[Any]
    names: Sequence[str]
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.inputs)


@dataclass(frozen=True)
class Lazy(Sequence[T]):
    """A sequence whose items are read a slice at a time.

    Attributes:
        length: N.
        read: gives the items of some rows, in ascending order.
    """

    length: int
    read: Callable[[range], list[T]]

    def __len__(self) -> int:
        return self.length

    @overload
    def __getitem__(self, index: int) -> T: ...

    @overload
    def __getitem__(self, index: slice) -> list[T]: ...

    def __getitem__(self, index: int | slice) -> T | list[T]:
        rows = range(self.length)[index]
        return self.read(rows) if isinstance(rows, range) else self.read(range(rows, rows + 1))[0]


def load_inputs(
    data: str, options: ProbeOptions | None = None, *, modality: Modality | None = None
) -> Inputs:
    """Find the inputs in whatever a person names.

    Args:
        data: an image, a folder of images, a file of lines, a table, a data set folder or id,
            ``demo``, or ``-`` for the lines of standard input.
        options: its columns of texts or images, guessed where it does not say; split; offline.
        modality: what is looked for; lines are paths of images where it says ``image``.

    Raises:
        InputError: one sentence about what is wrong, where, and what to do.
    """
    path = typed_path(data)
    options = options or ProbeOptions()
    try:
        if data == STDIN:
            found = _of_stdin(modality)
        elif path.is_file() and path.suffix.lower() == ".txt":
            found = _of_text_file(data, path, modality)
        elif data == "demo":
            found = _demo()
        else:
            images = _of_images(data, path)
            found = images or _of_rows(_rows(data, path, options), options, modality)
    except OSError as error:
        raise InputError(f"{data!r} cannot be read: {error.strerror or error}.") from error
    except ModuleNotFoundError as error:
        raise InputError(
            f"reading {data!r} needs the package {error.name}, which is not installed.",
            f"pip install {error.name}",
        ) from error
    if not len(found):
        raise InputError(f"{data!r} holds nothing to read.", _READS)
    return found


def read_inputs(
    data: str, modality: str | None, options: ProbeOptions | None, *, model: str
) -> Inputs:
    """Find the inputs for one model, which reads one kind of them.

    Raises:
        InputError: as :func:`load_inputs`, or they are of another kind.
    """
    if modality not in {"image", "text", None}:
        raise InputError(
            f"{model} reads {modality}; Zoo reads images and texts from people's data."
        )
    wanted = cast("Modality | None", modality)
    found = load_inputs(data, options, modality=wanted)
    if wanted and found.modality != wanted:
        raise InputError(
            f"{model} reads {wanted}s, but {data!r} holds {found.modality}s.",
            f"Name data that holds {wanted}s.",
        )
    return found


def _of_images(data: str, path: Path) -> Inputs | None:
    """Give one image, or every image below a folder that holds no data set; else None."""
    from zoo.probes.files import is_image

    if path.is_file() and is_image(path.name):
        images = [ImageInput(name=data, path=str(path.absolute()))]
        return Inputs(source=data, modality="image", inputs=images, names=[data])
    if not path.is_dir() or _holds_rows(data):
        return None
    from zoo.probes.images import walk

    found = walk(path)
    if not found.images:
        others = sorted(each or "no ending" for each in found.others)
        holds = f"; its files have {listed(others, quote=False)}" if others else ""
        raise InputError(f"the folder {data!r} holds no images{holds}.", _READS)
    top = data.rstrip("/") or "/"
    images = [
        ImageInput(name=f"{top}/{name}", path=str((path / name).absolute()))
        for name in found.images
    ]
    ignored = sum(found.others.values())
    said = f"Ignored {count(ignored, 'file')} that {are(ignored)} no image."
    notes = (said,) if ignored else ()
    names = [each.name for each in images]
    return Inputs(source=data, modality="image", inputs=images, names=names, notes=notes)


def _holds_rows(data: str) -> bool:
    from zoo.probes.dataset import DatasetFolderLoader

    return DatasetFolderLoader().claims(data)


def _decoded(line: bytes, name: str, number: int) -> str:
    try:
        return line.removeprefix(b"\xef\xbb\xbf").decode("utf-8").strip()
    except UnicodeDecodeError as error:
        raise InputError(
            f"line {number} of {name} is not UTF-8.",
            "iconv -f windows-1252 -t utf-8 FILE converts it.",
        ) from error


def _of_stdin(modality: Modality | None) -> Inputs:
    """Take the lines of standard input, which cannot be read twice."""
    lines: list[str] = []
    names: list[str] = []
    for number, line in enumerate(sys.stdin.buffer, start=1):
        text = _decoded(line, "standard input", number)
        if text:
            lines.append(text)
            names.append(f"line {number}")
    if modality == "image":
        return _of_paths(STDIN, lines, Path())
    return Inputs(source=STDIN, modality="text", inputs=lines, names=names)


def _of_paths(data: str, lines: Iterable[str], base: Path) -> Inputs:
    from zoo.probes.pictures import image_of

    images = [image_of(line, line, base) for line in lines]
    names = [each.name for each in images]
    return Inputs(source=data, modality="image", inputs=images, names=names)


def _of_text_file(data: str, path: Path, modality: Modality | None) -> Inputs:
    """Remember where each line starts, and read the text when it is asked for."""
    starts, numbers = array("Q"), array("Q")
    position = 0
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if _decoded(line, repr(data), number):
                starts.append(position)
                numbers.append(number)
            position += len(line)

    def read(rows: range) -> list[str]:
        found = []
        with path.open("rb") as opened:
            for row in rows:
                opened.seek(starts[row])
                found.append(_decoded(opened.readline(), repr(data), numbers[row]))
        return found

    def name(rows: range) -> list[str]:
        return [f"{path.name} line {numbers[row]}" for row in rows]

    if modality == "image":
        return _of_paths(data, read(range(len(starts))), path.absolute().parent)
    texts, names = Lazy(len(starts), read), Lazy(len(starts), name)
    return Inputs(source=data, modality="text", inputs=texts, names=names)


def _rows(data: str, path: Path, options: ProbeOptions) -> Rows:
    """Read a table or a data set, whatever its columns are.

    Raises:
        InputError: it is neither.
    """
    from zoo.probes import files
    from zoo.probes.dataset import DatasetFolderLoader
    from zoo.probes.hub import HubDatasetLoader
    from zoo.probes.rows import Origin

    if path.is_file() and files.kind_of(path):
        origin = Origin(name=path.stem, source=data, base=path.absolute().parent)
        return files.read([path], origin)
    if path.is_dir():
        return DatasetFolderLoader().rows(data, options)
    if not path.exists() and HubDatasetLoader().claims(data):
        return HubDatasetLoader().rows(data, options)
    raise _unreadable(data, path)


def _unreadable(data: str, path: Path) -> InputError:
    from zoo.probes import missing

    if not path.is_file():
        return missing(data, _READS)
    if path.suffix.lower() == ".npz":
        return InputError(f"{data!r} holds arrays, not images or texts.", f"zoo score {data}")
    kind = repr(path.suffix) if path.suffix else "files without an ending"
    return InputError(f"{data!r}: Zoo cannot read {kind}.", f"{_READS} zoo ... - < {data}")


def _demo() -> Inputs:
    from zoo.probes.demo import DemoLoader

    images = DemoLoader().load("demo", ProbeOptions(samples=None)).inputs
    names = [each.name for each in images]
    return Inputs(source="demo", modality="image", inputs=images, names=names)


def _of_rows(rows: Rows, options: ProbeOptions, modality: Modality | None) -> Inputs:
    image, text, notes = _columns(rows, options, modality)
    source, length = rows.origin.source, _length(rows, image)
    names = Lazy(length, lambda index: [rows.locate(row) for row in index])
    notes = (*rows.origin.notes, *notes)
    if image:
        pictures = Lazy(length, lambda index: _images(rows, image, index))
        return Inputs(source=source, modality="image", inputs=pictures, names=names, notes=notes)
    texts = Lazy(length, lambda index: _texts(rows, text, index))
    return Inputs(source=source, modality="text", inputs=texts, names=names, notes=notes)


def _length(rows: Rows, image: str | None) -> int:
    if rows.light.num_columns:
        return int(rows.light.num_rows)
    return len(rows.absent(image or rows.heavy[0]))


def _columns(
    rows: Rows, options: ProbeOptions, modality: Modality | None
) -> tuple[str | None, tuple[str, ...], tuple[str, ...]]:
    """Choose the column of images, or one or two of texts; say which were guessed."""
    from zoo.probes.columns import Columns
    from zoo.probes.guess_inputs import choose_image, guess_inputs, image_columns, text_columns

    columns = Columns(rows)
    if options.text and options.image:
        raise InputError("--image and --text are both given; Zoo reads one of them at a time.")
    if len(options.text) > 2:
        raise InputError(f"--text is given {len(options.text)} times; a text pair has two.")
    for name, option in (*((each, "--text") for each in options.text), (options.image, "--image")):
        if name is not None and name not in columns.names:
            raise unknown_column(name, option, columns.names, columns.source)
        if name is not None and option == "--text":
            columns.known(name, option)
    if options.text or options.image:
        return options.image, options.text, ()
    labels = {name for name in columns.strings() if head_word(name) in LABEL_WORDS}
    taken = labels if set(columns.strings()) - labels or rows.heavy else set()
    images = image_columns(columns, taken)
    image: str | None = None
    text: tuple[str, ...] = ()
    if modality == "image" and images:
        image = choose_image(columns, images)
    elif modality == "text":
        text = text_columns(columns, taken)
    if not image and not text:
        image, text = guess_inputs(columns, taken)
    role, named = ("image", (image,)) if image else ("text", text)
    said = f"Guessed: {role} {listed([str(each) for each in named])} ({columns.reasons[role]})."
    return image, text, (said,)


def _images(rows: Rows, column: str, index: range) -> list[ImageInput | None]:
    import numpy as np

    from zoo.probes.pictures import image_of

    if column in rows.heavy:
        cells = rows.take(column, np.asarray(index, dtype=np.int64))
    else:
        cells = _cells(rows, column, index)
    return [
        None if _is_empty(cell) else image_of(cell, rows.locate(row), rows.origin.base)
        for cell, row in zip(cells, index, strict=True)
    ]


def _is_empty(cell: Any) -> bool:
    if isinstance(cell, dict):
        return not (cell.get("bytes") or cell.get("path"))
    return not cell


def _texts(rows: Rows, names: tuple[str, ...], index: range) -> list[Any]:
    columns = [[str(each or "").strip() for each in _cells(rows, name, index)] for name in names]
    if len(columns) == 1:
        return [text or None for text in columns[0]]
    return [pair if all(pair) else None for pair in zip(*columns, strict=True)]


def _cells(rows: Rows, name: str, index: range) -> list[Any]:
    import pyarrow as pa

    column = rows.light.column(name)
    if index.step == 1:
        return list(column[index.start : index.stop].to_pylist())
    return list(column.take(pa.array(list(index), pa.int64())).to_pylist())
