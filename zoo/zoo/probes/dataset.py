"""A folder of parquet, CSV or JSON shards in splits, or one that ``datasets`` saved."""

from __future__ import annotations

import json
import re
import shlex
from itertools import islice
from typing import TYPE_CHECKING

from zoo.errors import InputError
from zoo.probes import features, files
from zoo.probes.build import build
from zoo.probes.rows import Origin, ParquetRows, Rows, TableRows
from zoo.probes.words import choose_split, listed, split_note, split_of
from zoo.typed_paths import is_folder, typed_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from zoo.types.probe import Probe
    from zoo.types.protocols import ProbeOptions

_DEPTH = 3
_SHARD = re.compile(r"(?P<split>.+?)[-_.]\d+([-_.]of[-_.]\d+)?", re.IGNORECASE)
_SAVED = ("dataset_dict.json", "state.json")


class DatasetFolderLoader:
    """A folder of shards; the split is in the name of a file or of its folder."""

    def claims(self, data: str) -> bool:
        """Whether it is a folder with such files near its top and no loose images."""
        path = typed_path(data)
        if not is_folder(path):
            return False
        if any((path / name).is_file() for name in _SAVED):
            return True
        tables = _tables(islice(_files(path), 1000), path)
        return bool(tables) and (files.kind_of(tables[0]) == ".parquet" or not _has_images(path))

    def load(self, data: str, options: ProbeOptions) -> Probe:
        """Read one split, ``train`` unless another is asked for."""
        return build(self.rows(data, options), options)

    def rows(self, data: str, options: ProbeOptions) -> Rows:
        """Give the rows of one split, before anything is guessed."""
        path = typed_path(data)
        if any((path / name).is_file() for name in _SAVED):
            return _saved(path, data, options)
        shards = _splits(path, data)
        named = tuple(name for name in shards if name)
        if named and "" in shards:
            raise InputError(
                f"{data!r} mixes files of splits ({listed(named)}) with others "
                f"({listed([each.name for each in shards['']])}).",
                "Name one of the files.",
            )
        split = choose_split(options.split, named, data)
        origin = Origin(
            name=path.resolve().name,
            source=data,
            split=split,
            splits=named,
            base=path.absolute(),
            notes=split_note(split, named),
        )
        return _with_card(files.read(shards[split or ""], origin), path)


def _files(path: Path, depth: int = _DEPTH) -> Iterator[Path]:
    """Walk the visible files near the top, in order of their names."""
    for each in sorted(path.iterdir()):
        if each.name.startswith((".", "_")):
            continue
        if each.is_dir():
            if depth > 1:
                yield from _files(each, depth - 1)
        elif not each.name.startswith("metadata."):
            yield each


def _has_images(path: Path) -> bool:
    return any(files.is_image(each.name) for each in islice(_files(path), 1000))


def _tables(found: Iterable[Path], root: Path) -> list[Path]:
    """Keep what holds rows; beside parquet shards, other files describe them."""
    tables = [each for each in found if files.kind_of(each)]
    parquet = [each for each in tables if files.kind_of(each) == ".parquet"]
    return parquet or [
        each for each in tables if files.kind_of(each) != ".json" or _split_of(each, root)[0]
    ]


def _splits(path: Path, data: str) -> dict[str, list[Path]]:
    """Map each split to its shards; '' where no name says a split."""
    found: dict[str, list[Path]] = {}
    homes: dict[str, set[Path]] = {}
    for each in _tables(_files(path), path):
        split, home = _split_of(each, path)
        found.setdefault(split, []).append(each)
        homes.setdefault(split, set()).add(home)
    if found.keys() == {""} and len(found[""]) > 1 and not _same_shards(found[""]):
        names = [str(each.relative_to(path)) for each in found[""]]
        hint = f"Name one: {shlex.quote(str(found[''][0]))}"
        raise InputError(f"{data!r} holds several files: {listed(names)}.", hint)
    if any(len(each) > 1 for each in homes.values()):
        several = sorted({home for each in homes.values() for home in each})
        names = [str(home.relative_to(path)) for home in several]
        hint = f"Name one: {shlex.quote(str(next(home for home in several if home != path)))}"
        raise InputError(f"{data!r} holds several data sets: {listed(names)}.", hint)
    return found


def _same_shards(paths: list[Path]) -> bool:
    return len({re.sub(r"\d+", "0", str(each)) for each in paths}) == 1


def _split_of(path: Path, root: Path) -> tuple[str, Path]:
    """Give the split of a shard, and the folder of the data set it belongs to."""
    stem = path.name.split(".", 1)[0]
    match = _SHARD.fullmatch(stem)
    word = match["split"] if match else stem
    tail = re.split(r"[-_.]", word)[-1]
    split, home = "", path.parent
    if split_of(word) or (match and match[2]):
        split = word
    elif split_of(tail):
        split = tail
    elif home != root and split_of(home.name):
        split, home = home.name, home.parent
    return split, home.parent if home != root and home.name == "data" else home


def _with_card(rows: Rows, path: Path) -> Rows:
    """Take class names from the card where the files have none."""
    card = path / "README.md"
    if not isinstance(rows, ParquetRows) or rows.declared or not card.is_file():
        return rows
    declared = features.of_card(card.read_text(encoding="utf-8", errors="replace"))
    return ParquetRows(origin=rows.origin, files=rows.files, declared=declared)


def _saved(path: Path, data: str, options: ProbeOptions) -> Rows:
    """Read what ``save_to_disk`` wrote."""
    splits: tuple[str, ...] = ()
    dictionary = path / "dataset_dict.json"
    try:
        if dictionary.is_file():
            splits = tuple(json.loads(dictionary.read_text(encoding="utf-8"))["splits"])
        split = choose_split(options.split, splits, data)
        import datasets

        found = datasets.load_from_disk(str(path / split if split else path))
    except InputError:
        raise
    except Exception as error:
        detail = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
        raise InputError(
            f"{data!r} cannot be read as a folder of the datasets library: {detail}.",
            "Save it again with save_to_disk.",
        ) from error
    origin = Origin(
        name=path.resolve().name,
        source=data,
        split=split or (str(found.split) if found.split else None),
        splits=splits,
        base=path.absolute(),
        notes=split_note(split, splits),
    )
    return of_dataset(found, origin)


def of_dataset(found: object, origin: Origin) -> TableRows:
    """Turn a ``datasets.Dataset`` into rows; images stay encoded."""
    arrow = found.with_format("arrow")  # type: ignore[attr-defined]
    table = arrow[:]
    declared = features.of_features(arrow.features.to_dict())
    return TableRows(origin=origin, table=table, declared=declared)
