"""Learning rows of a classifier from texts and links, and reading off those of unseen classes."""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from zoo.errors import NotApplicable
from zoo_explanation.zero_shot.texts import unit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy.typing as npt
    from torch import Tensor


class Recipe(msgspec.Struct, frozen=True, kw_only=True):
    """How it is learnt; texts, self loops and loss chosen on held-out classes of a MobileNet.

    Attributes:
        hidden: width between the convolutions.
        columns: principal axes of the rows that are learnt; what lies beside is not predictable.
        self_loops: how often a node counts among its neighbours.
        temperature: of the attention.
        least: attention below it is none.
        attentive: share of the loss that is behind the attention; 0 learns without it.
        held_out: share of the seen classes that it is stopped by.
        patience: looks at them without a gain before it stops; one every ``look`` epochs.
    """

    hidden: int = 384
    columns: int = 128
    self_loops: int = 3
    dropout: float = 0.5
    temperature: float = 10.0
    least: float = 1e-3
    attentive: float = 0.5
    rate: float = 3e-3
    decay: float = 5e-4
    epochs: int = 120
    held_out: float = 0.15
    look: int = 5
    patience: int = 4


@dataclass(frozen=True, eq=False, kw_only=True)
class Learnt:
    """What came of it.

    Attributes:
        outputs: (N, K) float32 of unit length: a row a node, before attention.
        axes: (K, D) float32: the principal axes that they are given in.
        epochs: until the best.
        error: mean squared distance of the rows of the held-out seen classes.
    """

    outputs: npt.NDArray[Any]
    axes: npt.NDArray[Any]
    epochs: int
    error: float


def comparable(weight: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Give the rows of a head unit length after taking away their mean, which favours no class."""
    weight = np.asarray(weight, np.float64)
    return unit(weight - weight.mean(axis=0))


def learn(
    texts: npt.NDArray[Any],
    edges: npt.NDArray[Any],
    seen: npt.NDArray[Any],
    rows: npt.NDArray[Any],
    recipe: Recipe | None = None,
    *,
    seed: int = 0,
) -> Learnt:
    """Learn the rows of seen classes, on one thread and one seed: the same every time.

    The attention of a seen class leaves the class itself out while it is learnt, as an unseen one
    has no row of its own either. Geng et al., Semantic Web 12(5), 2021, section 3.

    Args:
        texts: (N, E) vectors of unit length.
        edges: (2, M) both directions of every link.
        seen: (S,) places of the seen classes.
        rows: (S, D) of :func:`comparable`.
        recipe: how.
        seed: of weights, dropout, and who is held out.

    Raises:
        NotApplicable: torch_geometric is not installed, or fewer than 8 classes are seen.
    """
    import torch

    recipe = recipe or Recipe()
    if len(seen) < 8:
        raise NotApplicable("fewer than 8 classes of the model's head are in the graph")
    axes = np.linalg.svd(rows, full_matrices=False)[2][: recipe.columns].astype(np.float32)
    with _one_thread(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        outputs, epochs, error = _fit(texts, edges, seen, rows @ axes.T, recipe)
    return Learnt(outputs=outputs, axes=axes, epochs=epochs, error=error)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Sums are then in the same order every time."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _fit(
    texts: npt.NDArray[Any],
    edges: npt.NDArray[Any],
    seen: npt.NDArray[Any],
    wanted: npt.NDArray[Any],
    recipe: Recipe,
) -> tuple[npt.NDArray[Any], int, float]:
    import torch

    network = _network(texts.shape[1], wanted.shape[1], recipe)
    means = _means(edges, len(texts), recipe.self_loops)
    forward = partial(network, torch.from_numpy(np.ascontiguousarray(texts)), means)
    order = torch.randperm(len(seen))
    held = order[: max(1, round(recipe.held_out * len(seen)))]
    used = order[len(held) :]
    places, rows = torch.from_numpy(np.asarray(seen)), torch.from_numpy(wanted).float()
    loss = partial(_loss, places=places, rows=rows, used=used, recipe=recipe)
    optimiser = torch.optim.Adam(network.parameters(), lr=recipe.rate, weight_decay=recipe.decay)
    best, epochs, outputs = float("inf"), 0, forward()
    for epoch in range(1, recipe.epochs + 1):
        network.train()
        optimiser.zero_grad()
        torch.autograd.backward(loss(forward(), of=used))
        optimiser.step()
        if epoch % recipe.look:
            continue
        error, found = _look(network, forward, partial(loss, of=held))
        if error < best:
            best, epochs, outputs = error, epoch, found
        elif epoch - epochs >= recipe.patience * recipe.look:
            break
    return outputs.detach().numpy(), epochs, best


def _look(
    network: Any, forward: Callable[[], Tensor], loss: Callable[[Tensor], Tensor]
) -> tuple[float, Tensor]:
    import torch

    network.eval()
    with torch.no_grad():
        outputs = forward()
        return float(loss(outputs)), outputs


def _loss(
    outputs: Tensor, *, of: Tensor, places: Tensor, rows: Tensor, used: Tensor, recipe: Recipe
) -> Tensor:
    """Mean squared distance of some seen classes' rows, before and behind the attention."""
    from torch.nn import functional

    from zoo_explanation.zero_shot.attention import attention

    plain = (outputs[places[of]] - rows[of]).square().sum(dim=1).mean()
    if not recipe.attentive:
        return plain
    keys = outputs[places[used]]
    allowed = of[:, None] != used
    weights = attention(
        outputs[places[of]],
        keys,
        allowed,
        temperature=recipe.temperature,
        least=recipe.least,
    )
    mixed = functional.normalize(weights @ keys, dim=1)
    behind = (mixed - rows[of]).square().sum(dim=1).mean()
    return (1 - recipe.attentive) * plain + recipe.attentive * behind


def _network(width: int, columns: int, recipe: Recipe) -> Any:
    try:
        from zoo_explanation.zero_shot.network import GraphNetwork
    except ImportError as error:
        raise NotApplicable(
            "the graph network needs torch_geometric, which is not installed: "
            "pip install 'zoo-reuse[graph]'"
        ) from error
    return GraphNetwork(width, recipe.hidden, columns, recipe.dropout)


def _means(edges: npt.NDArray[Any], nodes: int, self_loops: int) -> Any:
    """Make D^-1 A with self loops, as a sparse matrix of torch."""
    import torch
    from scipy.sparse import coo_array, diags_array, eye_array

    links = coo_array((np.ones(edges.shape[1]), tuple(edges)), shape=(nodes, nodes)).tocsr()
    links.data[:] = 1.0
    links = links + self_loops * eye_array(nodes)
    means = (diags_array(1.0 / links.sum(axis=1)) @ links).tocsr().astype(np.float32)
    starts, columns = means.indptr.astype(np.int64), means.indices.astype(np.int64)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Sparse CSR tensor support", UserWarning)
        return torch.sparse_csr_tensor(
            torch.from_numpy(starts),
            torch.from_numpy(columns),
            torch.from_numpy(means.data),
            size=(nodes, nodes),
            check_invariants=False,
        )


def classifier(
    learnt: Learnt,
    nodes: npt.NDArray[Any],
    weights: npt.NDArray[Any] | None,
    rows: npt.NDArray[Any],
) -> npt.NDArray[Any]:
    """Read off rows for unseen classes: (U, D) float32 of unit length.

    Half is what the network says of the class, half the mixture of the head's own rows that the
    attention makes. (Geng et al. mix the network's rows; on held-out classes of an ImageNet
    MobileNet the head's own are a little nearer.)

    Args:
        learnt: by :func:`learn`.
        nodes: (U,) places.
        weights: (U, S) of :func:`attend`; None does without attention.
        rows: (S, D) of :func:`comparable`.
    """
    own = learnt.outputs[nodes] @ learnt.axes
    return unit(own) if weights is None else unit(own + unit(weights @ rows))


def attend(
    learnt: Learnt,
    queries: npt.NDArray[Any],
    seen: npt.NDArray[Any],
    recipe: Recipe,
    *,
    itself: bool = False,
) -> npt.NDArray[Any]:
    """Compute how much some nodes attend to each seen class: (Q, S) float32.

    Everything but the seen classes is excluded, and so is a query as a key of its own.

    Args:
        learnt: by :func:`learn`.
        queries: (Q,) places.
        seen: (S,) places.
        recipe: with the temperature.
        itself: a class that was seen may attend to itself.
    """
    import torch

    from zoo_explanation.zero_shot.attention import attention

    outputs = torch.from_numpy(learnt.outputs)
    allowed = torch.from_numpy((queries[:, None] != seen) | itself)
    weights = attention(
        outputs[queries],
        outputs[seen],
        allowed,
        temperature=recipe.temperature,
        least=recipe.least,
    )
    found: npt.NDArray[Any] = weights.numpy()
    return found
