"""Graph distillation: transport between classes, sketches of pairs, and several teachers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from zoo.catalogue import Catalogue, build
from zoo.errors import InputError
from zoo_distillation.bilinear import (
    CountSketch,
    PairSketches,
    compact_bilinear,
    normalised,
    pairs_of,
)
from zoo_distillation.graph import GraphDistillation, certainty, discrepancy
from zoo_distillation.sinkhorn import class_costs, earth_mover, total_variation


def _exact(p, q, cost):
    """Solve the transport problem as a linear programme."""
    size = len(p)
    sums = np.vstack([np.kron(np.eye(size), np.ones(size)), np.kron(np.ones(size), np.eye(size))])
    found = linprog(cost.numpy().ravel(), A_eq=sums, b_eq=np.r_[p.numpy(), q.numpy()])
    return torch.tensor(found.fun, dtype=torch.float64)


@st.composite
def problems(draw, classes=5):
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))

    def normal(*size):
        return torch.randn(*size, generator=generator, dtype=torch.float64)

    return (
        normal(classes).log_softmax(0),
        normal(classes).log_softmax(0),
        class_costs(normal(9, classes)),
    )


@settings(max_examples=10, deadline=None)
@given(problems(), st.sampled_from([0.05, 0.02]))
def test_entropic_transport_is_as_near_to_the_exact_one_as_epsilon_allows(problem, epsilon):
    p, q, cost = problem
    found = earth_mover(p, q, cost, epsilon=epsilon, iterations=150, annealed=0.5, relaxation=1.7)
    entropy = min(-(each.exp() * each).sum() for each in (p, q))
    exact = _exact(p.exp(), q.exp(), cost)
    # Converged, it is between the exact distance and that plus epsilon times the entropy.
    assert exact - 0.01 <= found <= exact + epsilon * entropy + 0.01


def test_it_tends_to_the_exact_distance_as_epsilon_falls():
    torch.manual_seed(3)
    p, q = torch.randn(2, 6, dtype=torch.float64).log_softmax(1)
    cost = class_costs(torch.randn(9, 6, dtype=torch.float64))
    exact = _exact(p.exp(), q.exp(), cost)
    errors = [
        abs(
            earth_mover(p, q, cost, epsilon=each, iterations=600, annealed=0.8, relaxation=1.8)
            - exact
        )
        for each in (0.2, 0.05, 0.002)
    ]
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 1e-4


def test_its_gradient_tends_to_that_of_the_exact_distance():
    torch.manual_seed(3)
    logits, p = torch.randn(2, 5, dtype=torch.float64)
    cost, p = class_costs(torch.randn(9, 5, dtype=torch.float64)), p.log_softmax(0)
    logits.requires_grad_()
    options = {"epsilon": 2e-3, "iterations": 800, "annealed": 0.8, "relaxation": 1.8}
    earth_mover(p, logits.log_softmax(0), cost, **options).backward()
    steps = 1e-4 * torch.eye(5, dtype=torch.float64)
    exact = [
        (
            _exact(p.exp(), (logits + step).detach().softmax(0), cost)
            - _exact(p.exp(), (logits - step).detach().softmax(0), cost)
        )
        / 2e-4
        for step in steps
    ]
    torch.testing.assert_close(logits.grad, torch.stack(exact), rtol=0.02, atol=2e-3)


@settings(max_examples=8, deadline=None)
@given(problems(), st.integers(1, 60))
def test_equal_distributions_have_no_gradient_however_few_the_iterations(problem, iterations):
    p, _, cost = problem
    cost = cost + 0.5 * (1 - torch.eye(5))
    logits = p.clone().requires_grad_()
    earth_mover(p, logits.log_softmax(0), cost, iterations=iterations).backward()
    assert logits.grad.abs().max() < 1e-3


@settings(max_examples=8, deadline=None)
@given(problems(), problems())
def test_unit_costs_are_the_total_variation(problem, other):
    p, q, _ = problem
    unit = 1 - torch.eye(5, dtype=torch.float64)
    torch.testing.assert_close(
        earth_mover(p, q, unit, epsilon=0.02, iterations=150, annealed=0.5, relaxation=1.7),
        total_variation(p, q),
        rtol=0,
        atol=2e-3,
    )
    r = other[0]
    assert total_variation(p, r) <= total_variation(p, q) + total_variation(q, r) + 1e-12


def test_one_product_of_matrices_is_the_sum_of_every_pair():
    torch.manual_seed(0)
    p, q = torch.randn(3, 4, 6, dtype=torch.float64).log_softmax(-1), torch.randn(4, 6).double()
    cost, q = class_costs(torch.randn(9, 6, dtype=torch.float64)), q.log_softmax(-1)
    fast = earth_mover(p, q, cost)
    assert fast.shape == (3, 4)
    torch.testing.assert_close(fast, earth_mover(p, q, cost, largest=1e6))
    torch.testing.assert_close(fast[2, 1], earth_mover(p[2, 1], q[1], cost))
    single = earth_mover(p.float(), q.float(), cost.float())
    torch.testing.assert_close(single.double(), fast, rtol=1e-3, atol=1e-5)


def test_costs_do_not_see_what_softmax_does_not():
    torch.manual_seed(0)
    logits = torch.randn(9, 5, dtype=torch.float64)
    cost = class_costs(logits)
    torch.testing.assert_close(cost, cost.mT)
    assert (cost.diagonal() == 0).all()
    assert ((cost >= 0) & (cost <= 2)).all()
    torch.testing.assert_close(class_costs(logits + torch.randn(9, 1).double()), cost)


def test_a_sketched_pair_is_the_sketch_of_the_outer_product():
    torch.manual_seed(0)
    first, second = CountSketch(6, 16), CountSketch(5, 16)
    a, b = torch.randn(3, 6, dtype=torch.float64), torch.randn(3, 5, dtype=torch.float64)
    found = compact_bilinear(first(a), second(b))
    plain = torch.zeros(3, 16, dtype=torch.float64)
    for i in range(6):
        for j in range(5):
            at = (first.buckets[i] + second.buckets[j]) % 16
            plain[:, at] += (first.signs[i] * second.signs[j]) * a[:, i] * b[:, j]
    torch.testing.assert_close(found, plain)


def test_products_of_sketches_are_those_of_the_features_on_average():
    torch.manual_seed(0)
    sketch = CountSketch(12, 4096)
    a = torch.randn(4, 12, dtype=torch.float64)
    torch.testing.assert_close(sketch(a) @ sketch(a).mT, a @ a.mT, rtol=0, atol=1.0)


@pytest.mark.parametrize("size", [8, 9])
def test_every_two_networks_are_sketched_once(size):
    torch.manual_seed(0)
    sketches = PairSketches([4, 6, 5], size)
    assert pairs_of(3) == ((0, 1), (0, 2), (1, 2))
    features = [torch.randn(3, width, dtype=torch.float64) for width in (4, 6, 5)]
    found = sketches(features)
    assert found.shape == (3, 3, size)
    torch.testing.assert_close(found.norm(dim=-1), torch.ones(3, 3, dtype=torch.float64))
    for at, (one, other) in enumerate(pairs_of(3)):
        first, second = sketches.firsts[one], sketches.seconds[other - 1]
        pooled = compact_bilinear(first(features[one]), second(features[other]))
        torch.testing.assert_close(found[at], normalised(pooled))


def test_the_discrepancy_ignores_order_and_sees_distributions():
    torch.manual_seed(0)
    u, v = torch.randn(2, 6, 4, dtype=torch.float64), torch.randn(2, 6, 4, dtype=torch.float64) + 1
    assert discrepancy(u, v).shape == (2,)
    torch.testing.assert_close(discrepancy(u, v), discrepancy(v, 3 * u.flip(1)))
    assert (discrepancy(u, u.flip(1)) < 1e-9).all()
    assert (discrepancy(u, v) > 0).all()


def test_sure_teachers_count_more():
    sure = torch.tensor([[[9.0, 0.0, 0.0]], [[0.0, 0.0, 0.0]]]).log_softmax(-1)
    weights = certainty(sure)
    torch.testing.assert_close(weights.sum(0), torch.ones(1))
    assert weights[0] > weights[1]


@pytest.fixture
def made(make_shape, make_classroom, make_lesson):
    def make(**options):
        classroom = make_classroom(
            [(make_shape("s", 5), make_shape("a", 6), make_shape("b", 7), make_shape("c", 4))],
            classes=5,
            head=(5, 5, 5),
        )
        torch.manual_seed(0)
        module = GraphDistillation(**{"sketch": 32} | options).build(classroom).double()
        return module, make_lesson(classroom)

    return make


def test_it_is_advertised_for_several_teachers(zoo_host):
    spec = Catalogue(zoo_host).spec("distiller", "graph")
    assert (spec.teachers, spec.smallest_batch) == ("several", 4)
    assert isinstance(build(spec, {"cost": "logits"}), GraphDistillation)


@pytest.mark.parametrize("cost", ["total_variation", "logits"])
def test_both_graphs_teach_the_student_and_nobody_else(made, cost):
    module, lesson = made(cost=cost)
    losses = module(lesson)
    assert set(losses) == set(GraphDistillation().weights(3)) == {"logits", "representation"}
    assert all(each.shape == () and each > 0 for each in losses.values())
    sum(losses.values()).backward()
    assert lesson.student_logits.grad.abs().sum() > 0
    assert lesson.meetings[0].student.grad.abs().sum() > 0
    assert all(each.grad.abs().sum() > 0 for each in module.parameters())


def test_the_order_of_the_teachers_does_not_matter_to_the_logits(made):
    module, lesson = made()
    turned = replace(lesson, teacher_logits=lesson.teacher_logits[::-1])
    torch.testing.assert_close(module(turned)["logits"], module(lesson)["logits"])


def test_teachers_without_logits_are_left_out_of_one_graph_only(made):
    module, lesson = made()
    one = replace(lesson, teacher_logits=(None, lesson.teacher_logits[1], None))
    student, teacher = (
        (each / 2).log_softmax(1) for each in (lesson.student_logits, lesson.teacher_logits[1])
    )
    losses = module(one)
    torch.testing.assert_close(losses["logits"], total_variation(teacher, student).mean())
    assert set(module(replace(lesson, teacher_logits=(None,) * 3))) == {"representation"}
    assert set(module(replace(lesson, student_logits=None))) == {"representation"}


def test_a_weight_of_zero_leaves_a_graph_out(make_shape, made):
    layers = [make_shape("a", 3)]
    alone = GraphDistillation(representation=0)
    assert not alone.pair([layers, layers], layers)
    assert set(alone.weights(2)) == {"logits"}
    module, lesson = made(logits=0)
    assert set(module(lesson)) == set(module.options.weights(3)) == {"representation"}


def test_what_cannot_work_is_said_before_the_training(make_classroom):
    many = make_classroom(classes=201, head=(201, 201))
    assert "take total_variation" in GraphDistillation(cost="logits").check(many)[0]
    assert not GraphDistillation().check(many)
    headless = make_classroom(classes=5, head=(0, 0))
    assert "give it a weight" in GraphDistillation(representation=0).check(headless)[0]
    with pytest.raises(InputError, match="the student has no layer"):
        GraphDistillation().pair([[], []], [])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"temperature": 0}, "graph.temperature must be above 0"),
        ({"epsilon": -1}, "graph.epsilon must be above 0"),
        ({"iterations": 0}, "graph.iterations must be 1 or more"),
        ({"sketch": 0}, "graph.sketch must be 1 or more"),
        ({"logits": -1}, "graph.logits is a weight"),
        ({"logits": 0, "representation": 0}, "nothing is left"),
        ({"cost": "cosine"}, "total_variation, logits, not 'cosine'"),
    ],
)
def test_bad_options_are_refused_in_one_sentence(options, words):
    with pytest.raises(InputError, match=words):
        GraphDistillation(**options)


def test_it_is_built_alike_twice_and_its_hashes_are_kept(made):
    first, second = made()[0].state_dict(), made()[0].state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert sum("buckets" in name for name in first) == 4
