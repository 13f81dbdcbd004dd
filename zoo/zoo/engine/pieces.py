"""Features that lie in several files, each with some of the samples, read as one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from zoo.engine.extract import LOGITS, Extraction, join_layers
from zoo.types.features import Features

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from zoo.store import Kind, Store
    from zoo.types.probe import Task

    Rows = npt.NDArray[np.int64]
    Tensors = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Piece:
    """Some samples of a model, as one file of the store holds them.

    Attributes:
        key: of the features.
        rows: (n,) which samples of the probe they are, ascending; None for all.
        take: (n,) which rows of the file to read; None for all.
        attributions: key of the attributions of some of its rows; empty when there are none.
    """

    key: str
    rows: Rows | None = None
    take: Rows | None = None
    attributions: str = ""


def union(slices: Sequence[Rows]) -> Rows:
    """Put the samples of several slices into the order of the probe."""
    return np.sort(np.concatenate(slices))


def read_extraction(store: Store, key: str) -> Extraction | None:
    """Read what a features file says about itself; None when it is not there, or damaged."""
    stored = store.read("features", key, names=())
    if stored is None:
        return None
    return msgspec.json.decode(stored.metadata["extraction"], type=Extraction)


def read_extractions(store: Store, pieces: Sequence[Piece]) -> Extraction | None:
    """Describe several files as one; None when any is not there, or damaged."""
    found = [read_extraction(store, piece.key) for piece in pieces]
    known = [each for each in found if each is not None]
    return join_extractions(known) if len(known) == len(pieces) else None


def join_extractions(parts: Sequence[Extraction]) -> Extraction:
    """Describe several slices of one model as one."""
    if len(parts) == 1:
        return parts[0]
    layers = tuple(map(join_layers, zip(*(part.layers for part in parts), strict=True)))
    names = [layer.name for layer in layers]
    return Extraction(
        layers=layers,
        # A layer that is all zeros on some of the samples is not dead.
        default_layer=max((part.default_layer for part in parts), key=names.index),
        prepare_seconds=sum(part.prepare_seconds for part in parts),
        load_seconds=sum(part.load_seconds for part in parts),
        forward_seconds=sum(part.forward_seconds for part in parts),
        device=parts[-1].device,
    )


def read_features(
    store: Store,
    pieces: Sequence[Piece],
    layer: str,
    *,
    model: str,
    labels: npt.NDArray[Any],
    task: Task,
    extras: Mapping[str, npt.NDArray[Any]],
) -> Features | None:
    """Read one layer in float64, with logits and attributions where they are.

    Returns:
        None when a file is not there, or damaged.
    """
    tensors = _read(store, "features", pieces, (layer, LOGITS))
    if tensors is None or layer not in tensors:
        return None
    logits = tensors.get(LOGITS)
    found = dict(extras)
    note = ""
    if any(piece.attributions for piece in pieces):
        maps = _read_maps(store, pieces, layer, len(labels))
        if maps is None:
            return None
        if maps.size:
            found["attributions"] = maps
            note = _attribution_note(store, pieces)
    return Features(
        model=model,
        layer=layer,
        values=tensors[layer].astype(np.float64),
        labels=labels,
        task=task,
        logits=None if logits is None or not np.isfinite(logits).all() else logits.astype("f8"),
        extras=found,
        attribution_note=note,
    )


def spread(samples: int, count: int) -> Rows:
    """Choose rows evenly: samples may come class by class."""
    return np.linspace(0, samples - 1, count).round().astype(np.int64)


def _read_maps(
    store: Store, pieces: Sequence[Piece], layer: str, samples: int
) -> npt.NDArray[np.float64] | None:
    """Read attributions as (N, G), NaN where there are none; (N, 0) when the layer has none.

    Returns:
        None when a file is not there, or damaged.
    """
    rows = [np.arange(samples) if piece.rows is None else piece.rows for piece in pieces]
    places = np.sort(np.concatenate(rows))
    maps = np.full((samples, 0), np.nan)
    for piece, own in zip(pieces, rows, strict=True):
        if not piece.attributions:
            continue
        stored = store.read("attributions", piece.attributions, (layer,))
        if stored is None:
            return None
        found = stored.tensors.get(layer)
        if found is None:
            continue
        if not maps.size:
            maps = np.full((samples, found.shape[1]), np.nan)
        maps[np.searchsorted(places, own[spread(len(own), len(found))])] = found
    return maps


def _attribution_note(store: Store, pieces: Sequence[Piece]) -> str:
    """What the files of the attributions say of how they were made, each once."""
    keys = [piece.attributions for piece in pieces if piece.attributions]
    files = [store.read("attributions", key, names=()) for key in keys]
    notes = [file.metadata.get("note", "") for file in files if file is not None]
    return "; ".join(dict.fromkeys(note for note in notes if note))


def _read(
    store: Store, kind: Kind, pieces: Sequence[Piece], names: Sequence[str]
) -> Tensors | None:
    """Read the tensors that all files have, rows in the order of the samples."""
    files: list[Tensors] = []
    for piece in pieces:
        stored = store.read(kind, piece.key, names)
        if stored is None:
            return None
        take = slice(None) if piece.take is None else piece.take
        files.append({name: tensor[take] for name, tensor in stored.tensors.items()})
    if len(files) == 1:
        return files[0]
    order = np.argsort(np.concatenate([piece.rows for piece in pieces if piece.rows is not None]))
    return {
        name: np.concatenate([file[name] for file in files])[order]
        for name in names
        if all(name in file for file in files)
    }
