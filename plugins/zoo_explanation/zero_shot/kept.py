"""What was computed once, kept beside the graph."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from zoo.graph import Graph

    Arrays = dict[str, npt.NDArray[Any]]


def kept(graph: Graph, name: str, compute: Callable[[], Arrays]) -> Arrays:
    """Read arrays that were computed before, or compute and keep them.

    Args:
        graph: where they are kept; one in memory keeps them while it is open.
        name: of what they depend on, all of it.
        compute: makes them.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load, save

    from zoo.files import write_atomically

    folder = graph.derived("zero-shot")
    if folder is None:
        if name not in graph.memo:
            graph.memo[name] = compute()
        found: Arrays = graph.memo[name]
        return found
    path = folder / f"{name}.safetensors"
    try:
        arrays: Arrays = load(path.read_bytes())
    except (OSError, SafetensorError):
        arrays = compute()
    else:
        return arrays
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(path, save(arrays))
    return arrays
