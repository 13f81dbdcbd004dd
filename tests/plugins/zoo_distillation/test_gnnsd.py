"""Neighbours stay as different as they were: grids of tokens, graphs, torch-geometric models."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.errors import InputError
from zoo_distillation.gnnsd import (
    GraphSelfDistillation,
    connected,
    grid_discrepancy,
    neighbourhood_discrepancy,
    readout_loss,
    retention_loss,
)
from zoo_distillation.message_passing import attach


def drawn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).double()


def grid_edges(count, height, width):
    """The edges of ``count`` grids, both ways, as one graph."""
    edges = []
    for graph in range(count):
        for row in range(height):
            for column in range(width):
                here = (graph * height + row) * width + column
                edges += [(here, here + 1), (here + 1, here)] * (column + 1 < width)
                edges += [(here, here + width), (here + width, here)] * (row + 1 < height)
    return torch.tensor(edges).T


@settings(max_examples=15, deadline=None)
@given(
    height=st.integers(1, 4), width=st.integers(1, 4), count=st.integers(1, 3), seed=st.integers(0)
)
def test_shifted_grids_are_graphs_with_edges(height, width, count, seed):
    if height * width < 2:
        return
    maps = drawn(count, 5, height, width, seed=seed % 1000).requires_grad_()
    edges = grid_edges(count, height, width)
    on_grid = grid_discrepancy(maps)
    on_edges = neighbourhood_discrepancy(maps.permute(0, 2, 3, 1).reshape(-1, 5), edges)
    torch.testing.assert_close(on_grid.flatten(), on_edges, rtol=1e-12, atol=1e-12)
    weights = drawn(on_edges.numel(), seed=1)
    (one,) = torch.autograd.grad((on_grid.flatten() * weights).sum(), maps, retain_graph=True)
    (other,) = torch.autograd.grad((on_edges * weights).sum(), maps)
    torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-12)


def test_the_rate_is_that_of_plain_numpy():
    nodes, edges = drawn(7, 4), torch.tensor([[0, 1, 1, 2, 3, 4, 3, 3], [1, 0, 2, 1, 4, 3, 3, 0]])
    found = neighbourhood_discrepancy(nodes, edges)
    values = nodes.numpy()
    expected = np.zeros(7)
    for node in range(7):
        others = [u for u, v in edges.T.tolist() if v == node and u != node]
        if others:
            total = values[others].sum(0)
            cosine = values[node] @ total / np.linalg.norm(values[node]) / np.linalg.norm(total)
            expected[node] = 1 - cosine
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-12)
    assert connected(edges, 7).tolist() == [True] * 5 + [False] * 2


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 1000), scale=st.floats(0.1, 10))
def test_rates_follow_relabelled_nodes_and_not_their_scale(seed, scale):
    nodes, edges = drawn(12, 5, seed=seed), grid_edges(1, 3, 4)
    order = torch.randperm(12, generator=torch.Generator().manual_seed(seed))
    renamed = torch.argsort(order)[edges]
    rates = neighbourhood_discrepancy(nodes, edges)
    torch.testing.assert_close(
        neighbourhood_discrepancy(scale * nodes[order], renamed), rates[order]
    )


def test_constant_features_differ_from_nobody():
    maps = drawn(2, 5, 1, 1).expand(-1, -1, 4, 3)
    torch.testing.assert_close(grid_discrepancy(maps), torch.zeros(2, 4, 3).double())


def test_features_of_zeros_have_gradients():
    maps = torch.zeros(1, 3, 2, 2, requires_grad=True)
    grid_discrepancy(maps).sum().backward()
    assert maps.grad.isfinite().all()


def plainly(rates):
    norms = [float(each.norm()) for each in rates]
    first = int(np.argmax(norms[:-1]))
    pairs = [(rates[at], rates[at + 1]) for at in range(first, len(rates) - 1)]
    return sum(
        float((later - earlier).square().mean())
        for earlier, later in pairs
        if later.norm() < earlier.norm()
    )


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 1000), layers=st.integers(2, 6))
def test_the_loss_is_that_of_the_plain_sum(seed, layers):
    rates = [drawn(9, seed=seed + 7919 * layer).abs() for layer in range(layers)]
    found = retention_loss(rates)
    assert float(found) == pytest.approx(plainly(rates), rel=1e-12, abs=1e-15)


def test_only_what_got_smaller_after_the_largest_one_has_a_gradient():
    sizes = [1.0, 3.0, 2.0, 2.5, 1.5]
    rates = [torch.full((4,), size).double().requires_grad_() for size in sizes]
    loss = retention_loss(rates)
    loss.backward()
    assert loss.item() == pytest.approx(1.0 + 1.0)
    assert [bool(each.grad.any()) for each in rates] == [False, False, True, False, True]


def test_nodes_without_neighbours_are_no_part_of_the_mean():
    rates = [torch.tensor([2.0, 1.0, 0.0, 0.0]), torch.tensor([1.0, 1.0, 0.0, 0.0])]
    kept = torch.tensor([True, True, False, False])
    assert float(retention_loss(rates, kept)) == pytest.approx(0.5)
    assert float(retention_loss(rates)) == pytest.approx(0.25)
    assert float(retention_loss(rates, torch.zeros(4, dtype=torch.bool))) == 0


def test_readouts_are_drawn_to_the_last_one_which_stays():
    first, wide, last = (
        each.requires_grad_() for each in (drawn(2, 3), drawn(2, 5), drawn(2, 3, seed=1))
    )
    loss = readout_loss([first, wide, last])
    torch.testing.assert_close(loss, (first - last).square().mean())
    loss.backward()
    assert first.grad.any()
    assert last.grad is None or not last.grad.any()


def vit(make_shape):
    return [make_shape(tap, 32, (4, 4)) for tap in ("embeddings", "block.1", "block.2", "block.3")]


def test_all_layers_of_a_vision_transformer_are_watched(make_shape):
    taps = ["embeddings", "block.1", "block.2", "block.3"]
    assert list(GraphSelfDistillation().watch(vit(make_shape))) == taps


def test_of_a_hierarchy_the_grid_that_lasts_longest_is_watched(make_shape):
    grids = [(8, 8), (8, 8), (4, 4), (4, 4), (4, 4), (4, 4), (2, 2)]
    layers = [make_shape(f"block.{number}", 8, grid) for number, grid in enumerate(grids)]
    assert list(GraphSelfDistillation().watch(layers)) == [f"block.{n}" for n in (2, 3, 4, 5)]
    even = [make_shape(f"block.{n}", 8, (8, 8) if n < 3 else (4, 4)) for n in range(6)]
    assert list(GraphSelfDistillation().watch(even)) == ["block.3", "block.4", "block.5"]


@pytest.mark.parametrize(
    ("grids", "message"),
    [
        ([(8, 8), (8, 8), (4, 4), (2, 2)], "convolutional network .*: 8x8, 4x4, 2x2"),
        ([(8, 8)] * 2 + [(4, 4)] * 3 + [(2, 2)] * 2, "convolutional network .*: 8x8, 4x4, 2x2"),
        ([(4, 4), (4, 4)], "fewer than 3 layers on its grid of 4x4"),
        ([None] * 5, "one vector a sample"),
        ([(1, 1)] * 5, "one vector a sample"),
        ([], "one vector a sample"),
    ],
)
def test_a_student_without_a_graph_is_refused_in_one_sentence(grids, message, make_shape):
    layers = [make_shape(f"layer.{number}", 8, grid) for number, grid in enumerate(grids)]
    with pytest.raises(InputError, match=rf"^gnnsd needs a graph: .*{message}\.") as caught:
        GraphSelfDistillation().watch(layers)
    assert "--method kd,rkd" in caught.value.hint


@pytest.mark.parametrize("beta", [-1.0, float("nan"), float("inf")])
def test_a_bad_weight_is_named(beta):
    with pytest.raises(InputError, match=r"gnnsd\.beta must be a number of 0 or more"):
        GraphSelfDistillation(beta=beta)


@pytest.mark.parametrize("beta", [0.0, 0.5])
def test_a_lesson_gives_the_losses_that_have_weights(beta, make_shape, make_classroom, make_lesson):
    method = GraphSelfDistillation(beta=beta)
    classroom = make_classroom(watched=tuple(vit(make_shape)))
    lesson = make_lesson(classroom)
    losses = method.build(classroom)(lesson)
    assert set(losses) == set(method.weights())
    rates = [grid_discrepancy(each) for each in lesson.watched]
    torch.testing.assert_close(losses["discrepancy"], retention_loss(rates))
    sum(losses.values()).backward()
    if beta:
        assert lesson.watched[0].grad.any()


def test_deep_layers_are_drawn_apart_again():
    """Minimising the loss undoes smoothing of the last layer."""
    first = drawn(2, 6, 4, 4)
    smooth = (first.mean((2, 3), keepdim=True) + 0.1 * first).requires_grad_()
    optimiser = torch.optim.Adam([smooth], lr=0.05)
    before = grid_discrepancy(smooth).norm().item()
    for _ in range(40):
        optimiser.zero_grad()
        retention_loss([grid_discrepancy(first), grid_discrepancy(smooth)]).backward()
        optimiser.step()
    wanted = grid_discrepancy(first).norm().item()
    assert before < 0.3 * wanted
    assert grid_discrepancy(smooth).norm().item() > 0.9 * wanted


@pytest.fixture(scope="module")
def geometric():
    with warnings.catch_warnings():
        # Its own import compiles with what torch has deprecated.
        warnings.simplefilter("ignore")
        return pytest.importorskip("torch_geometric.nn", reason="needs zoo-reuse[graph]")


@pytest.fixture
def graph_network(geometric):
    class Deep(torch.nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            self.layers = torch.nn.ModuleList(
                [geometric.GCNConv(5, 8), geometric.GATConv(8, 8), geometric.SAGEConv(8, 8)]
            )

        def forward(self, nodes, edges):
            states = []
            for layer in self.layers:
                nodes = layer(nodes, edges).relu()
                states.append(nodes)
            return states

    return Deep()


def hooks_in(module):
    return sum(len(part._forward_hooks) + len(part._forward_pre_hooks) for part in module.modules())


def test_layers_of_a_graph_network_are_gathered(graph_network):
    nodes, edges = drawn(13, 5).float(), grid_edges(1, 3, 4)
    given = []
    for layer in graph_network.layers:
        layer.register_forward_hook(lambda _, __, output: given.append(output))
    before = hooks_in(graph_network)
    with attach(graph_network, beta=0.5) as layers:
        graph_network(nodes, edges)
        first = layers.loss()
        graph_network(nodes, edges)  # each pass begins anew
        again = layers.loss()
        batch = torch.tensor([0] * 6 + [1] * 7)
        assert layers.loss(batch) != first
    assert hooks_in(graph_network) == before
    kept = connected(edges, 13)
    rates = [neighbourhood_discrepancy(each, edges) for each in given[:3]]
    readouts = [each.mean(0, keepdim=True) for each in given[:3]]
    expected = retention_loss(rates, kept) + 0.5 * readout_loss(readouts)
    torch.testing.assert_close(first, expected)
    assert torch.equal(first, again)
    again.backward()
    assert graph_network.layers[0].lin.weight.grad.any()


@pytest.mark.filterwarnings("ignore::UserWarning")  # what torch-geometric does with them
def test_adjacency_matrices_are_read_as_edges(graph_network):
    nodes, edges = drawn(12, 5).float(), grid_edges(1, 3, 4)[:, ::2]
    graph_network.layers = graph_network.layers[::2]
    # A layer reads the transposed matrix.
    matrix = torch.sparse_coo_tensor(
        edges.flip(0), torch.ones(edges.shape[1]), (12, 12), check_invariants=True
    )
    found = []
    for form in (edges, matrix.coalesce()):
        with attach(graph_network) as layers:
            graph_network(nodes, form)
        found.append(layers.loss())
    torch.testing.assert_close(*found)


def test_a_model_without_message_passing_is_refused(geometric):
    with (
        pytest.raises(InputError, match="Linear has no torch_geometric"),
        attach(torch.nn.Linear(2, 2)),
    ):
        pass


def test_one_layer_has_nothing_to_keep(geometric):
    layer = geometric.GCNConv(5, 8)
    with attach(layer) as layers:
        with pytest.raises(InputError, match="this model has 0 before a forward pass"):
            layers.loss()
        layer(drawn(12, 5).float(), grid_edges(1, 3, 4))
        with pytest.raises(InputError, match="this model has 1 of 12 nodes"):
            layers.loss()


def test_two_kinds_of_nodes_are_refused(geometric):
    layer = geometric.SAGEConv((5, 4), 8)
    pair = (drawn(12, 5).float(), drawn(12, 4).float())
    with attach(layer), pytest.raises(InputError, match="SAGEConv reads two kinds"):
        layer(pair, grid_edges(1, 3, 4))
    assert not hooks_in(layer)


def test_hooks_are_gone_after_an_error(graph_network):
    with pytest.raises(KeyError), attach(graph_network):
        raise KeyError
    assert hooks_in(graph_network) == 0


def test_a_graph_network_without_torch_geometric_is_refused(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "torch_geometric.nn", None)
    with (
        pytest.raises(InputError, match="needs torch-geometric") as caught,
        attach(torch.nn.Linear(2, 2)),
    ):
        pass
    assert "zoo-reuse[graph]" in caught.value.hint
