"""The lexicon of a graph, computed once and kept beside it."""

from __future__ import annotations

import io
import zipfile
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.files import write_atomically
from zoo_explanation.lexicon.columns import Rows, Texts
from zoo_explanation.lexicon.nodes import Lexicon

if TYPE_CHECKING:
    import numpy.typing as npt

    from zoo.graph import Graph

_NAME = "lexicon-1.npz"
_COLUMNS: dict[str, type[Texts | Rows]] = {"Texts": Texts, "Rows": Rows}


def lexicon_of(graph: Graph) -> Lexicon:
    """Give the lexicon of a graph: from memory, from beside the store, or built and kept there."""
    name = f"{_NAME} {graph.digest}"  # an import may have changed an open graph
    if name not in graph.memo:
        graph.memo[name] = _kept(graph)
    lexicon: Lexicon = graph.memo[name]
    return lexicon


def _kept(graph: Graph) -> Lexicon:
    from zoo_explanation.lexicon.building import build

    path = graph.derived(_NAME)
    if path is not None and path.exists():
        try:
            return decode(path.read_bytes())
        except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile):
            path.unlink(missing_ok=True)  # an interrupted or older program's: built again
    lexicon = build(graph)
    if path is not None:
        write_atomically(path, encode(lexicon))
    return lexicon


def encode(lexicon: Lexicon) -> bytes:
    """Write every column as a NumPy array of one archive, unpacked."""
    arrays: dict[str, npt.NDArray[Any]] = {}
    for each in _stored():
        column = getattr(lexicon, each.name)
        if isinstance(column, np.ndarray):
            arrays[each.name] = column
        else:
            arrays |= {
                f"{each.name}.{part.name}": getattr(column, part.name) for part in fields(column)
            }
    out = io.BytesIO()
    np.savez(out, allow_pickle=False, **arrays)
    return out.getvalue()


def decode(content: bytes) -> Lexicon:
    """Read what :func:`encode` wrote.

    Raises:
        ValueError, KeyError, EOFError, BadZipFile: it did not write that.
    """
    columns: dict[str, Any] = {}
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        for each in _stored():
            kind = _COLUMNS.get(str(each.type))
            columns[each.name] = (
                arrays[each.name]
                if kind is None
                else kind(*(arrays[f"{each.name}.{part.name}"] for part in fields(kind)))
            )
    return Lexicon(**columns)


def _stored() -> list[Any]:
    return [each for each in fields(Lexicon) if each.init]
