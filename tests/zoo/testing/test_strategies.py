"""What the strategies for plugin authors draw."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import assume, find, given, settings
from hypothesis import strategies as st

from zoo.checks import check_features
from zoo.growing import exact_maps, fill
from zoo.growing.proof import compare
from zoo.growing.sizes import factor_of, sized
from zoo.growing.work import Drawing, carry_out
from zoo.testing import features, graphs, growth_plans, labels, n_triples
from zoo.testing.growing_trials import Config, Layered, blueprint_of
from zoo.testing.growth import HeldNetwork, randomise
from zoo.types import Deepen, Widen

TASKS = ("classification", "multi-label", "regression", "text")
EVERYTHING = ("label_embeddings", "logits", "reference", "attributions")


@pytest.mark.parametrize("task", TASKS)
@given(data=st.data())
@settings(max_examples=10, deadline=None)
def test_labels_vary_and_have_the_shape_of_their_task(task, data):
    found = data.draw(labels(task, samples=(3, 9), classes=4))
    assert 3 <= len(found) <= 9
    assert (found != found[:1]).any()
    if task in {"classification", "text"}:
        assert found.dtype == np.int64
        assert np.array_equal(np.unique(found), np.arange(found.max() + 1))
        assert found.max() < 4
    else:
        assert found.dtype == np.float64
        assert found.shape[1] == 4
        assert (found != found[:1]).any(axis=0).all()
    if task == "multi-label":
        assert set(np.unique(found)) == {0.0, 1.0}


@given(features(needs=EVERYTHING, samples=(2, 8)))
@settings(max_examples=15, deadline=None)
def test_features_hold_what_is_needed_of_every_sample(drawn):
    count = len(drawn.values)
    assert len(drawn.labels) == len(drawn.logits) == len(drawn.reference.values) == count
    assert len(drawn.extras["attributions"]) == count
    assert ("Z" in drawn.extras) != ("class_embeddings" in drawn.extras)
    assert check_features(drawn) is drawn


@given(features(samples=(3, 8), width=2))
@settings(max_examples=15, deadline=None)
def test_without_a_word_nothing_in_features_is_equal(drawn):
    assert drawn.values.shape[1] == 2
    gaps = np.linalg.norm(drawn.values[:, None] - drawn.values[None], axis=2)
    assert (
        len(np.unique(gaps[np.triu_indices(len(gaps), 1)].round(12)))
        == len(gaps) * (len(gaps) - 1) // 2
    )
    assert (drawn.values != drawn.values[:1]).any(axis=0).all()


@given(features(degenerate=True))
@settings(max_examples=30, deadline=None)
def test_degenerate_features_still_reach_an_estimator(drawn):
    assert check_features(drawn) is drawn


@pytest.mark.parametrize(
    "awkward",
    [
        lambda x: x.values.dtype == np.int64,
        pytest.param(lambda x: np.abs(x.values).max() > 1e20, marks=pytest.mark.exhaustive),
        pytest.param(lambda x: np.abs(x.values).max() < 1e-20, marks=pytest.mark.exhaustive),
        pytest.param(
            lambda x: len(np.unique(x.values, axis=0)) < len(x.values), marks=pytest.mark.exhaustive
        ),
        pytest.param(
            lambda x: (x.values == x.values[:1]).all() and len(x.values) < x.values.shape[1],
            marks=pytest.mark.exhaustive,
        ),
        pytest.param(
            lambda x: (np.bincount(x.labels) == 1).any() and len(x.labels) > 4,
            marks=pytest.mark.exhaustive,
        ),
    ],
)
def test_every_awkward_case_is_drawn_and_shrinks_to_few_samples(awkward):
    found = find(
        features("classification", degenerate=True),
        awkward,
        settings=settings(max_examples=1000, deadline=None, database=None),
    )
    assert len(found.values) <= 5
    assert found.values.shape[1] <= 3


def test_the_smallest_example_is_small():
    least = find(features("classification"), lambda _: True)
    assert least.values.shape == (2, 1)
    assert least.labels.tolist() == [0, 1]


@given(graphs(nodes=(1, 6)))
@settings(max_examples=10, deadline=None)
def test_graphs_have_names_and_no_cycle(graph):
    rows = list(graph.query("SELECT ?x ?n { ?x skos:prefLabel ?n }"))
    assert 1 <= len(rows) <= 6
    assert len({row["n"].value for row in rows}) == len(rows)
    assert not graph.query("ASK { ?x wn:hypernym+ ?x }")
    assert graph.infos["drawn"].triples == len(graph.store)


def test_degenerate_graphs_have_cycles_no_names_or_nothing():
    own = settings(max_examples=300, deadline=None, database=None)
    assert find(n_triples(degenerate=True), lambda text: not text, settings=own) == b""
    loop = find(
        graphs(degenerate=True),
        lambda graph: graph.query("ASK { ?x wn:hypernym+ ?x }"),
        settings=own,
    )
    assert len(list(loop.triples())) <= 3
    find(
        graphs(degenerate=True),
        lambda graph: graph.query("ASK { ?x wn:hypernym ?y MINUS { ?x skos:prefLabel ?n } }"),
        settings=own,
    )


@given(growth_plans(("width", "hidden", "mlp", "depth"), steps=(1, 4)))
@settings(max_examples=15, deadline=None)
def test_every_step_of_a_plan_makes_one_size_larger(steps):
    assert 1 <= len(steps) <= 4
    for step in steps:
        if isinstance(step, Deepen):
            assert sized("depth", step.depth, 3) > 3
            continue
        said = [getattr(step, name) for name in ("width", "hidden", "mlp") if getattr(step, name)]
        assert len(said) == 1
        assert factor_of(said[0]) > 1 if step.width else sized("size", said[0], 12) > 12


def test_plans_shrink_to_one_small_step():
    assert find(growth_plans(), lambda _: True) == (Widen(width="1.25x"),)
    assert find(growth_plans(), lambda steps: isinstance(steps[-1], Deepen)) == (
        Deepen(depth="+1"),
    )


def grown(config: Config, steps) -> Config:
    """Give the sizes of the small network after every step."""
    width, hidden, layers = config.width, config.hidden, config.layers
    for step in steps:
        if isinstance(step, Deepen):
            layers = sized("depth", step.depth, layers)
        elif step.width:
            factor = f"{factor_of(step.width)}x"
            width, hidden = sized("width", factor, width), sized("hidden", factor, hidden)
        else:
            width = sized("hidden", step.hidden, width) if step.hidden else width
            hidden = sized("mlp", step.mlp, hidden) if step.mlp else hidden
    return Config(width=width, hidden=hidden, layers=layers)


class Exact:
    """The grower whose exactness is to be seen."""

    def choose(self, blueprint, seed):
        return exact_maps(blueprint.axes, seed)

    def fill(self, growth):
        state = growth.old.module.state_dict()
        fill(growth.new.module, state, growth.blueprint, growth.maps, seed=growth.seed)
        return ()


@given(growth_plans(("width", "hidden", "mlp", "depth"), steps=(1, 2)), st.integers(0, 3))
@settings(max_examples=12, deadline=None)
def test_a_small_network_computes_the_same_after_any_plan(steps, seed):
    old = Config(width=4, hidden=5, layers=2)
    new = grown(old, steps)
    assume(new.width <= 16)
    blueprint = blueprint_of(old, new)
    maps = exact_maps(blueprint.axes, seed)
    drawing = Drawing(config=new, blueprint=blueprint, maps=maps)
    inputs = {"values": torch.randn(4, 4, dtype=torch.float64, generator=torch.Generator())}
    module = Layered(old).double()
    randomise(module, seed)
    network = HeldNetwork(module, inputs)
    larger = carry_out(network, drawing, Exact(), seed=seed).network
    assert larger.module.embedding.weight.shape[0] == new.width
    difference = compare(network, HeldNetwork(larger.module, inputs), drawing, inputs, "fp64")
    assert difference.passed or any(each.reason for each in maps.values())


def test_without_hypothesis_one_sentence_says_what_to_install():
    code = (
        "import sys; sys.modules['hypothesis'] = None\n"
        "import zoo.testing, zoo.testing.kit\n"
        "try: zoo.testing.features\n"
        "except ImportError as error: print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == (
        "the strategies of zoo.testing need Hypothesis, which is not installed: "
        "pip install hypothesis\n"
    )
