"""Whether a completer keeps its promises, found out on a small graph of kinds and parts.

:data:`KIT` has them as checks with names, which ``zoo plugins check`` asks too;
``assert not check_completer(spec)`` asks all at once.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from zoo.catalogue import build, load_target, options_of
from zoo.errors import InputError
from zoo.testing.findings import (
    METHODS,
    Found,
    among,
    broken_promises,
    named,
    promised,
    under,
    until_broken,
)
from zoo.testing.kit import Kit
from zoo.testing.promises import BrokenPromiseError, asking, lacking
from zoo.types.reporting import Completer, LinkTable

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from zoo.testing.kit import Trial
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
    return broken_promises(_found, spec, method)


def _found(spec: CompleterSpec, method: Any) -> Iterator[Found]:
    with asking("making it with its default options"):
        tried = _made(spec) if method is None else method
    if missing := lacking(tried, Completer):
        yield Found(METHODS, f"it {missing}")
        return
    yield Found(METHODS)
    yield from among(
        {"vectors of texts": True, "no vectors of texts": False}.items(),
        lambda case, _: until_broken(
            _learning(tried, small_table(texts=case[1])), spec.expected_failures
        ),
        words="with {0[0]}, ",
        refused=Found("scores", "fit refuses every table"),
        expected=spec.expected_failures,
    )


def _made(spec: CompleterSpec) -> Any:
    known = options_of(load_target(spec))
    return build(spec, {name: value for name, value in _SHORT.items() if name in known})


def _learning(method: Completer, table: LinkTable) -> Iterator[Found]:
    kept, held = _split(table)
    before, state = kept.links.copy(), _process_state()
    with promised("scores"):
        first = _scores(method, kept, held)
    yield from under("scores", _misshapen(first, table))
    changed = not np.array_equal(before, kept.links)
    yield from under("untouched-input", ["fit changes the links of the table"] if changed else ())
    yield Found("seeded")
    if _process_state() != state:
        yield Found("seeded", "fit draws from the process's own random numbers")
    with promised("scores"):
        if not np.array_equal(first, _scores(method, kept, held)):
            yield Found("seeded", "one seed gives two answers")
        _scores(method, kept, np.empty((0, 3), np.int64))


def _split(table: LinkTable) -> tuple[LinkTable, Array]:
    """Hold some links out, to stop by."""
    held = np.arange(0, len(table.links), 9)
    kept = dataclasses.replace(table, links=np.delete(table.links, held, axis=0))
    return kept, table.links[held]


def _misshapen(scores: Array, table: LinkTable) -> Iterator[str]:
    nodes, relations = len(table.nodes), len(table.relations)
    if scores.shape != (2 * relations, nodes):
        yield f"score gives {scores.shape} for {2 * relations} questions among {nodes} nodes"
    elif not np.isfinite(scores).all():
        yield "score gives what is no number"


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


def _exercise(trial: Trial) -> Any:
    """Learn the small graph for two epochs, and ask about one node."""
    with asking("making it with its default options"):
        method = _made(trial.spec)
    return _scores(method, *_split(small_table()))


_PROMISES = (
    (METHODS, "it can be made, and has the methods of its kind"),
    ("scores", "every node gets a finite score for a question, whatever is asked with it"),
    ("untouched-input", "the links that it is given stay as they are"),
    ("seeded", "one seed gives one answer, without the process's own random numbers"),
)
KIT = Kit(exercise=_exercise, checks=tuple(named(_found, *each) for each in _PROMISES))
