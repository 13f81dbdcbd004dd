"""Hypothesis strategies for what plugins are given: features, labels, graphs, plans of growth.

They shrink towards few samples, plain numbers and small steps. Hypothesis is no dependency of
Zoo's: ``pip install hypothesis``.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from zoo.checks import CLASS_TASKS, check_features
from zoo.errors import NotApplicable
from zoo.graph.terms import SKOS, WN
from zoo.types.features import Features
from zoo.types.growing import Deepen, Widen
from zoo.types.probe import Task

try:
    from hypothesis import reject
    from hypothesis import strategies as st
    from hypothesis.extra.numpy import arrays
except ImportError as missing:
    raise ImportError(
        "the strategies of zoo.testing need Hypothesis, which is not installed: "
        "pip install hypothesis"
    ) from missing

if TYPE_CHECKING:
    from collections.abc import Collection

    import numpy.typing as npt

    from zoo.graph import Graph
    from zoo.types.specs import Need

    #: A number, or the least and the most.
    Size = int | tuple[int, int]

#: What can grow: a field of :class:`zoo.types.Widen`, or the number of layers.
Growing = Literal["width", "hidden", "heads", "kv_heads", "mlp", "depth"]
_AWKWARD = ("plain", "constant columns", "one number", "twice", "outlier", "scaled", "integers")


@st.composite
def labels(
    draw: st.DrawFn, task: Task = "classification", *, samples: Size = (2, 12), classes: Size = 3
) -> npt.NDArray[Any]:
    """Draw labels as an estimator gets them: nothing in them is constant.

    Args:
        draw: Hypothesis's own.
        task: what they are.
        samples: N, at least 2.
        classes: the most classes, distinct texts, labels or targets there are.

    Returns:
        (N,) int64 ids 0..C-1 of classes or texts; (N, T) of zeros and ones, or of numbers.
    """
    count, most = draw(_size(samples, least=2)), draw(_size(classes, least=1))
    if task in CLASS_TASKS:
        # The first two are of two classes, so that there always are two.
        ids = draw(arrays(np.int64, count, elements=st.integers(0, max(most, 2) - 1)))
        ids[:2] = 0, 1
        return np.unique(ids, return_inverse=True)[1].astype(np.int64)
    if task == "multi-label":
        found = draw(arrays(np.int64, (count, most), elements=st.integers(0, 1)))
        found[:2] = [[0], [1]]
        return found.astype(np.float64)
    return _general(draw(_grid(count, most)))


@st.composite
def features(
    draw: st.DrawFn,
    task: Task | None = None,
    *,
    samples: Size = (2, 12),
    width: Size = (1, 6),
    needs: Collection[Need] = (),
    degenerate: bool = False,
) -> Features:
    """Draw the features of one layer, as they reach an estimator.

    Args:
        draw: Hypothesis's own.
        task: of the labels; None draws one.
        samples: N, at least 2.
        width: D.
        needs: what there is beside features and labels: ``needs`` and ``wants`` of a spec.
        degenerate: draw constant columns, repeated samples, an outlier, very large and small
            numbers, too; without it no two distances are equal, and nothing is constant.
    """
    what: Task = draw(st.sampled_from(get_args(Task))) if task is None else task
    count, dims = draw(_size(samples, least=2)), draw(_size(width, least=1))
    values = draw(_grid(count, dims))
    ids = draw(labels(what, samples=count))
    extras: dict[str, npt.NDArray[Any]] = {}
    if what in CLASS_TASKS and ("label_embeddings" in needs or what == "text"):
        table = draw(_grid(int(ids.max()) + 1, 4))
        extras["class_embeddings"] = _general(table)[:, :, None]
    elif "label_embeddings" in needs:
        extras["Z"] = _general(draw(_grid(count, 4)))[:, :, None]
    if "attributions" in needs:
        extras["attributions"] = np.abs(_general(draw(_grid(count, 4))))
    made = Features(
        model="drawn",
        layer="last",
        task=what,
        values=draw(_awkward(values)) if degenerate else _general(values),
        labels=ids,
        logits=_general(draw(_grid(count, 3))) if "logits" in needs else None,
        reference=draw(_reference(ids, what, needs)) if "reference" in needs else None,
        extras=extras,
    )
    try:
        return check_features(made)
    except NotApplicable:  # no estimator ever sees it
        reject()


@st.composite
def n_triples(draw: st.DrawFn, *, nodes: Size = (1, 8), degenerate: bool = False) -> bytes:
    """Draw things, what is broader, and what is a part of what, as N-Triples.

    Args:
        draw: Hypothesis's own.
        nodes: how many things; of each, the names are drawn.
        degenerate: draw cycles, things without a name and of equal names, and graphs of nothing.
    """
    count = draw(_size(nodes, least=1))
    if degenerate and draw(st.booleans()):
        count = draw(st.integers(0, count))
    iris = [f"<https://example.org/thing/{number}>" for number in range(count)]
    names = draw(st.lists(_NAMES, min_size=count, max_size=count, unique=not degenerate))
    lines = []
    for number, (iri, name) in enumerate(zip(iris, names, strict=True)):
        if not degenerate or draw(st.booleans()):
            lines.append(f"{iri} <{SKOS}prefLabel> {_literal(name)}@en .")
            lines.append(f"{iri} <{SKOS}definition> {_literal('a kind of ' + name)}@en .")
        broader = range(count) if degenerate else range(number)
        if broader:
            lines.append(f"{iri} <{WN}hypernym> {iris[draw(st.sampled_from(broader))]} .")
            parts = draw(st.lists(st.sampled_from(broader), max_size=2, unique=True))
            lines += [f"{iri} <{WN}mero_part> {iris[part]} ." for part in parts]
    return "".join(f"{line}\n" for line in dict.fromkeys(lines)).encode()


def graphs(*, nodes: Size = (1, 8), degenerate: bool = False) -> st.SearchStrategy[Graph]:
    """Draw :func:`n_triples` as a knowledge graph in memory, under the name ``drawn``."""
    from zoo.graph import Graph

    drawn = n_triples(nodes=nodes, degenerate=degenerate)
    return drawn.map(lambda content: Graph.in_memory(drawn=content))


def growth_plans(
    sizes: Collection[Growing] = ("width", "depth"), *, steps: Size = (1, 3)
) -> st.SearchStrategy[tuple[Widen | Deepen, ...]]:
    """Draw steps of growth, each of which makes one size larger.

    A family refuses with an InputError what it cannot do, such as a hidden size that no number of
    heads divides: let Hypothesis ``reject`` those.

    Args:
        sizes: what can grow: ``width``, and the ``sizes`` of a :class:`zoo.types.FamilySpec`.
        steps: how many.
    """
    each = st.sampled_from([name for name in get_args(Growing) if name in sizes]).flatmap(_step)
    low, high = steps if isinstance(steps, tuple) else (steps, steps)
    return st.lists(each, min_size=low, max_size=high).map(tuple)


def _step(name: Growing) -> st.SearchStrategy[Widen | Deepen]:
    factors = st.integers(5, 12).map(lambda quarters: f"{quarters / 4:g}x")
    shares = st.sampled_from((25, 50, 100)).map(lambda share: f"+{share}%")
    if name == "width":
        return st.one_of(factors, shares).map(lambda size: Widen(width=size))
    more = st.integers(1, 8).map(lambda number: f"+{number}")
    if name == "depth":
        places: st.SearchStrategy[Literal["end", "between"]] = st.sampled_from(("end", "between"))
        few = st.integers(1, 3).map(lambda number: f"+{number}")
        return st.builds(Deepen, depth=few, place=places)
    return st.one_of(more, factors, shares).map(lambda size: Widen(**{name: size}))


@cache
def _size(size: Size, *, least: int) -> st.SearchStrategy[int]:
    low, high = size if isinstance(size, tuple) else (size, size)
    return st.integers(max(low, least), max(high, least))


@cache
def _grid(rows: int, columns: int) -> st.SearchStrategy[npt.NDArray[np.float64]]:
    """Draw quarters between -2 and 2: few numbers, so that they read well and repeat."""
    drawn = arrays(np.int64, (rows, columns), elements=st.integers(-8, 8))
    return drawn.map(lambda quarters: quarters / 4.0)


def _general(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Move every number a little, always by the same, so that no two are equal."""
    moved: npt.NDArray[np.float64] = np.random.default_rng(values.shape).uniform(
        0.01, 0.1, values.shape
    )
    return values + moved


@st.composite
def _awkward(draw: st.DrawFn, values: npt.NDArray[np.float64]) -> npt.NDArray[Any]:
    kind = draw(st.sampled_from(_AWKWARD))
    made: npt.NDArray[Any] = 1.0 + values  # not all zero, however small it shrinks
    if kind == "constant columns":
        made[:, draw(arrays(np.bool_, made.shape[1]))] = 3.0
    elif kind == "one number":
        made[:] = draw(st.sampled_from((1.0, -0.1, 1e6)))
    elif kind == "twice":
        made[len(made) // 2 :] = made[: len(made) - len(made) // 2]
    elif kind == "outlier":
        made[0] *= 10.0 ** draw(st.integers(1, 12))
    elif kind == "scaled":
        made = _general(values) * 10.0 ** draw(st.integers(-45, 35))
    elif kind == "integers":
        made = np.rint(4 * made).astype(np.int64)
    return made


@st.composite
def _reference(
    draw: st.DrawFn, ids: npt.NDArray[Any], task: Task, needs: Collection[Need]
) -> Features:
    count = len(ids)
    maps = {"attributions": np.abs(_general(draw(_grid(count, 4))))}
    return Features(
        model="other",
        task=task,
        values=_general(draw(_grid(count, 3))),
        labels=ids,
        extras=maps if "attributions" in needs else {},
    )


_NAMES = st.text("abcdeé猫 -'", min_size=1, max_size=8).map(str.strip).filter(bool)


def _literal(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
