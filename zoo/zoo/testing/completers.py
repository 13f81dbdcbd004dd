"""Whether a completer keeps its promises, found out on a small graph of kinds and parts.

``assert not check_completer(spec)`` is a test of its own; ``zoo plugins check`` asks the same.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from zoo.catalogue import build, load_target, options_of
from zoo.errors import InputError
from zoo.testing.promises import BrokenPromiseError, asking, lacking
from zoo.types.reporting import Completer, LinkTable

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from zoo.types.specs import CompleterSpec

    Array = npt.NDArray[Any]

_GROUPS, _MEMBERS = 4, 6
#: Options that shorten a trial, where a method has them.
_SHORT = {"epochs": 2}


def small_table(*, texts: bool = True) -> LinkTable:
    """Make four kinds of six members each, of which every member has a part in common."""
    count = _GROUPS * (_MEMBERS + 2) + 1
    links, names = [], ["thing"]
    for group in range(_GROUPS):
        kind = len(names)
        names += [f"kind {group}", f"part {group}"]
        links.append((kind, 0, 0))
        for member in range(_MEMBERS):
            node = len(names)
            names.append(f"kind {group} member {member}")
            links += [(node, 0, kind), (node, 1, kind + 1)]
    vectors = np.random.default_rng(0).normal(size=(count, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return LinkTable(
        nodes=tuple(f"urn:{each}" for each in range(count)),
        texts=tuple(names),
        relations=("urn:kind", "urn:part"),
        links=np.array(links, dtype=np.int64),
        vectors=vectors if texts else None,
    )


def check_completer(spec: CompleterSpec, method: object = None) -> list[str]:
    """Find out which promises a completer breaks.

    It learns a small graph, with vectors of texts and without, with links to stop by and without.
    It must score every node for a link and for its inverse, one question as among others, the same
    from one seed, whatever the process draws otherwise, and leave the table as it was.

    Args:
        spec: what the plugin advertises.
        method: its object; None makes one with the default options, but of two epochs.

    Returns:
        One sentence a broken promise, of the first trial with which one is broken.
    """
    try:
        with asking("making it with its default options"):
            tried: Any = _made(spec) if method is None else method
        if missing := lacking(tried, Completer):
            return [f"{spec.name}: it {missing}."]
        for texts in (True, False):
            what = "vectors of texts" if texts else "no vectors of texts"
            for sentence in _broken(tried, small_table(texts=texts)):
                return [f"{spec.name}: with {what}, {sentence}."]
    except BrokenPromiseError as broken:
        return [f"{spec.name}: {broken}."]
    return []


def _made(spec: CompleterSpec) -> Any:
    known = options_of(load_target(spec))
    return build(spec, {name: value for name, value in _SHORT.items() if name in known})


def _broken(method: Completer, table: LinkTable) -> Iterator[str]:
    held = np.arange(0, len(table.links), 9)
    kept = dataclasses.replace(table, links=np.delete(table.links, held, axis=0))
    before, state = kept.links.copy(), _process_state()
    first = _scores(method, kept, table.links[held])
    nodes, relations = len(table.nodes), len(table.relations)
    if first.shape != (2 * relations, nodes):
        yield f"score gives {first.shape} for {2 * relations} questions among {nodes} nodes"
    elif not np.isfinite(first).all():
        yield "score gives what is no number"
    if not np.array_equal(before, kept.links):
        yield "fit changes the links of the table"
    if _process_state() != state:
        yield "fit draws from the process's own random numbers"
    if not np.array_equal(first, _scores(method, kept, table.links[held])):
        yield "one seed gives two answers"
    _scores(method, kept, np.empty((0, 3), np.int64))


def _process_state() -> str:
    """Say where the process's own generators stand."""
    drawn: Any = np.random.get_state()  # noqa: NPY002 -- exactly these
    return f"{drawn[1].tolist()} {drawn[2]} {torch.get_rng_state().tolist()}"


def _scores(method: Completer, table: LinkTable, validation: Array) -> Array:
    """Ask about one node by every relation, both ways; together and one by one."""
    relations = np.arange(2 * len(table.relations))
    heads = np.full(len(relations), 1)
    with asking("fit"):
        try:
            scorer = method.fit(table, validation, seed=3)
        except InputError as refusal:
            raise BrokenPromiseError(f"fit refuses: {refusal.message}") from refusal
    with asking("score"):
        together = np.asarray(scorer.score(heads, relations))
        single = np.asarray(scorer.score(heads[:1], relations[:1]))
    if together.ndim != 2 or not np.allclose(together[:1], single, rtol=1e-3, atol=1e-4):
        raise BrokenPromiseError("a question's scores depend on what is asked with it")
    return together
