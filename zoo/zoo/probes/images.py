"""A folder with one sub-folder of images a class, or with a list of them in ``metadata.csv``."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.errors import InputError, UnlabelledError
from zoo.probes import files
from zoo.probes.build import build
from zoo.probes.rows import Origin, TableRows
from zoo.probes.words import are, choose_split, count, listed, split_note, split_of
from zoo.typed_paths import is_folder, typed_path

if TYPE_CHECKING:
    from zoo.types.probe import Probe
    from zoo.types.protocols import ProbeOptions

_LISTS = ("metadata.csv", "metadata.jsonl", "metadata.parquet")
_UNREAD = frozenset({".heic", ".heif", ".svg", ".raw", ".cr2", ".nef", ".dng", ".dcm", ".npy"})
_LAYOUT = "One sub-folder a class: FOLDER/cats/1.jpg, FOLDER/dogs/2.jpg."


@dataclass(frozen=True, slots=True)
class Found:
    """What a folder holds: images as paths relative to it; other endings, counted."""

    images: list[str]
    others: dict[str, int]


class ImageFolderLoader:
    """Class sub-folders, in split folders or not, as ``imagefolder`` of ``datasets``."""

    def claims(self, data: str) -> bool:
        """Any folder that no other layout wanted."""
        return is_folder(typed_path(data))

    def load(self, data: str, options: ProbeOptions) -> Probe:
        """Read one split, ``train`` unless another is asked for."""
        root = typed_path(data)
        splits = _split_folders(root)
        split = choose_split(options.split, splits, data)
        folder = root / split if split else root
        origin = Origin(
            name=root.resolve().name,
            source=data,
            split=split,
            splits=splits,
            base=folder.absolute(),
            notes=split_note(split, splits),
        )
        listing = next((folder / name for name in _LISTS if (folder / name).is_file()), None)
        if listing:
            return build(files.read([listing], origin), options)
        if options.text:
            raise InputError(f"{data!r} is a folder of images; --text names a column of a table.")
        return build(_of_classes(folder, origin), options)


def _split_folders(root: Path) -> tuple[str, ...]:
    """Name the sub-folders that are splits; none unless every sub-folder with content is one."""
    folders = _folders(root)
    named = [name for name in folders if split_of(name)]
    others = [name for name in folders if name not in named and walk(root / name).images]
    return () if others else tuple(sorted(named, key=lambda name: split_of(name) or ""))


def _folders(root: Path) -> list[str]:
    with os.scandir(root) as found:
        return sorted(e.name for e in found if e.is_dir() and e.name[0] not in "._")


def walk(folder: Path) -> Found:
    """Find the images at any depth, as paths relative to the folder, in order."""
    images: list[str] = []
    others: dict[str, int] = {}
    seen: set[str] = set()
    for here, below, names in os.walk(folder, followlinks=True):
        real = os.path.realpath(here)
        below[:] = sorted(name for name in below if name[0] != ".") if real not in seen else []
        seen.add(real)
        start = os.path.relpath(here, folder)
        for name in sorted(names):
            if files.is_image(name):
                images.append(name if start == "." else f"{start}/{name}")
            elif not name.startswith("."):
                suffix = Path(name).suffix.lower()
                others[suffix] = others.get(suffix, 0) + 1
    return Found(images, others)


def _of_classes(folder: Path, origin: Origin) -> TableRows:
    import pyarrow as pa

    classes = {name: walk(folder / name) for name in _folders(folder)}
    filled = {name: each for name, each in classes.items() if each.images}
    if len(filled) < 2:
        raise _too_few(folder, origin, list(filled), classes)
    paths = [f"{name}/{path}" for name, each in filled.items() for path in each.images]
    labels = [name for name, each in filled.items() for _ in each.images]
    notes = [*origin.notes, f"The {len(filled)} sub-folders of images are the classes."]
    empty = [name for name in classes if name not in filled]
    if empty:
        notes.append(f"No image in {listed(empty)}.")
    ignored = sum(number for each in filled.values() for number in each.others.values())
    if ignored:
        notes.append(f"Ignored {count(ignored, 'file')} that {are(ignored)} no image.")
    return TableRows(
        origin=Origin(
            name=origin.name,
            source=origin.source,
            split=origin.split,
            splits=origin.splits,
            base=origin.base,
            notes=tuple(notes),
            roles={"image": ("file",), "label": ("folder",)},
            task="classification",
        ),
        table=pa.table({"file": paths, "folder": labels}),
        named_by="file",
    )


def _too_few(
    folder: Path, origin: Origin, filled: list[str], classes: dict[str, Found]
) -> InputError:
    where = origin.source + (f" (split {origin.split!r})" if origin.split else "")
    with os.scandir(folder) as found:
        names = [each.name for each in found if each.is_file()]
    loose = [name for name in names if files.is_image(name)]
    if filled:
        inner = folder / filled[0]
        tables = sorted(name for name in names if files.kind_of(Path(name)))
        hint = f"Are the labels in {folder / tables[0]}? Name that file." if tables else _LAYOUT
        hint = f"Or did you mean {inner}?" if len(_folders(inner)) > 1 else hint
        return UnlabelledError(
            f"all images of {where!r} are in one sub-folder, {filled[0]!r}; two or more "
            "classes are needed.",
            hint,
        )
    if loose:
        return UnlabelledError(
            f"{where!r} holds {count(len(loose), 'image')} but no class sub-folders, and no "
            "metadata.csv says their labels.",
            f"{_LAYOUT} Or a metadata.csv with the columns file_name,label.",
        )
    suffixes = {Path(name).suffix.lower() for name in names}
    suffixes |= {suffix for each in classes.values() for suffix in each.others}
    unread = sorted(suffixes & _UNREAD)
    if unread:
        return InputError(
            f"{where!r} holds {listed(unread, quote=False)} files, which Zoo cannot read.",
            "Convert them to PNG or JPEG.",
        )
    what = "is empty" if not names and not classes else "holds no images"
    return InputError(f"the folder {where!r} {what}.", _LAYOUT)
