"""Soft targets against the reference numbers, against float64 by hand, and as identities."""

from __future__ import annotations

import json
import os
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.building.recipe import SoftTargets
from zoo.errors import InputError
from zoo.training.moments import Spread, Statistics
from zoo.training.targets import cross_entropy, divergence, make_targets

ROOT = Path(__file__).parents[3]
FOLDER = Path(os.environ.get("ZOO_GOLDEN", ROOT.parent / "shared" / "golden")) / "distillation"
KINDS = ("concat", "per_teacher", "standardised", "gated", "union")
JOINT = ("concat", "standardised", "gated")


def _golden(pattern):
    absent = pytest.mark.skip(reason=f"nothing golden in {FOLDER} (ZOO_GOLDEN names another)")
    paths = sorted(FOLDER.glob(pattern))
    return [pytest.param(path, id=path.stem) for path in paths] or [
        pytest.param(None, marks=absent, id="absent")
    ]


def _case(path):
    with np.load(path) as archive:
        meta = json.loads(str(archive["meta"]))
        arrays = {name: torch.from_numpy(archive[name]) for name in archive if name != "meta"}
    return meta, arrays


def _near(meta, found, expected):
    np.testing.assert_allclose(
        found.detach().numpy(), expected.numpy(), rtol=meta["rtol"], atol=meta["atol"]
    )


def _blocks(sizes):
    """Disjoint columns, teacher after teacher."""
    edges = np.cumsum([0, *sizes]).tolist()
    return [list(range(a, b)) for a, b in pairwise(edges)]


def _moments(logits):
    spreads = [Spread(mean=z.mean(0).numpy(), std=z.std(0, correction=0).numpy()) for z in logits]
    return Statistics(logits=tuple(spreads))


def _made(kind, teachers, columns=None, **choices):
    blocks = columns or _blocks([each.shape[1] for each in teachers])
    width = 1 + max(c for one in blocks for c in one if c is not None)
    statistics = _moments(teachers) if kind == "standardised" else None
    return make_targets(SoftTargets(kind=kind, **choices), blocks, width, statistics)


def _draw(seed, *shapes, scale=3.0):
    generator = torch.Generator().manual_seed(seed)
    return [scale * torch.randn(s, generator=generator, dtype=torch.float64) for s in shapes]


@pytest.mark.golden
@pytest.mark.parametrize("path", _golden("soft_target_*.npz"))
def test_golden_soft_targets_have_the_value_and_the_gradients_of_the_official_code(path):
    meta, arrays = _case(path)
    z, temperature = arrays["in_teacher_logits"], meta["config"]["T"]
    several = [z[:, :4], z[:, 4:]]
    for kind, teachers, name in (
        ("concat", [z], "soft_ce"),
        ("concat", several, "soft_ce"),
        ("per_teacher", [z], "kldiv"),
        ("union", [z], "kldiv"),
    ):
        student = arrays["in_student_logits"].clone().requires_grad_()
        loss = _made(kind, teachers, temperature=temperature).loss(student, teachers)
        loss.backward()
        _near(meta, loss, arrays[f"out_{name}"])
        _near(meta, student.grad, arrays[f"grad_{name}_student"])


@pytest.mark.golden
@pytest.mark.parametrize("path", _golden("multi_teacher_*.npz"))
def test_golden_several_teachers_together_apart_and_on_a_union_of_labels(path):
    meta, arrays = _case(path)
    config, temperature = meta["config"], meta["config"]["T"]
    count = sum(name.startswith("in_teacher") for name in arrays)
    teachers = [arrays[f"in_teacher{each + 1}"] for each in range(count)]
    student = arrays["in_student"]
    joined = (torch.cat(teachers, dim=1) / temperature).log_softmax(dim=1)
    _near(meta, divergence(student, joined, temperature), arrays["out_concat_kl"])
    concat = _made("concat", teachers, temperature=temperature)
    entropy = -(joined.exp() * joined).sum(1).mean() * temperature**2
    _near(meta, concat.loss(student, teachers) - entropy, arrays["out_concat_kl"])
    apart = _made("per_teacher", teachers, temperature=temperature)
    _near(meta, apart.loss(student, teachers), arrays["out_per_teacher_kl"])
    maps = [config[f"union_map_teacher{each + 1}"] for each in range(count)]
    union = _made("union", teachers, maps, temperature=temperature)
    _near(meta, union.loss(arrays["in_student_union"], teachers), arrays["out_union_kl"])
    said = concat.ensemble(teachers).split([each.shape[1] for each in teachers], dim=1)
    for number, block in enumerate(said, start=1):
        if f"out_teacher{number}_mass" in arrays:
            _near(meta, block.sum(1), arrays[f"out_teacher{number}_mass"])


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_reach_the_student_and_no_teacher(kind):
    a, b, student = _draw(0, (5, 3), (5, 2), (5, 5))
    made = _made(kind, [a, b], temperature=2.0)
    for each in (a, b, student):
        each.requires_grad_()
    made.loss(student, [a, b]).backward()
    assert student.grad.abs().sum() > 0
    assert a.grad is None
    assert b.grad is None
    assert torch.autograd.gradcheck(lambda s: made.loss(s, [a, b]), student)


@pytest.mark.parametrize("kind", KINDS)
def test_a_student_that_says_what_the_teachers_say_learns_nothing(kind):
    a, b = _draw(1, (6, 3), (6, 4))
    made = _made(kind, [a, b])
    student = made.ensemble([a, b]).log().requires_grad_()
    made.loss(student, [a, b]).backward()
    torch.testing.assert_close(student.grad, torch.zeros_like(student), rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_the_ensemble_is_a_distribution_over_the_students_columns_in_their_order(kind):
    a, b = _draw(2, (7, 3), (7, 2))
    straight = _made(kind, [a, b])
    turned = _made(kind, [a, b], [[4, 0, 2], [1, 3]])
    torch.testing.assert_close(straight.ensemble([a, b]).sum(1), torch.ones(7).double())
    torch.testing.assert_close(
        straight.ensemble([a, b]), turned.ensemble([a, b])[:, [4, 0, 2, 1, 3]]
    )


def test_gated_targets_are_the_teachers_softmaxes_weighted_by_their_gates():
    a, b, student = _draw(3, (4, 3), (4, 2), (4, 5))
    for gate in ("entropy", "max_logit", "energy"):
        made = _made("gated", [a, b], temperature=3.0, gate=gate, gate_temperature=0.5)
        gates = _gates_by_hand([a.numpy(), b.numpy()], gate, 0.5)
        np.testing.assert_allclose(made.gates([a, b]).numpy(), gates, rtol=1e-12)
        blocks = [
            (z / 3).softmax(1) * torch.from_numpy(gates)[:, i : i + 1] for i, z in enumerate((a, b))
        ]
        expected = -9 * (torch.cat(blocks, 1) * (student / 3).log_softmax(1)).sum(1).mean()
        torch.testing.assert_close(made.loss(student, [a, b]), expected)


def _gates_by_hand(teachers, gate, sharpness):
    scores = []
    for z in teachers:
        p = np.exp(z) / np.exp(z).sum(1, keepdims=True)
        entropy = -(p * np.log(p)).sum(1)
        scores.append(
            {"entropy": -entropy, "max_logit": z.max(1), "energy": np.log(np.exp(z).sum(1))}[gate]
        )
    powers = np.exp(np.stack(scores, 1) / sharpness)
    return powers / powers.sum(1, keepdims=True)


def test_standardised_targets_put_every_column_on_one_scale():
    a, b = _draw(4, (50, 3), (50, 2))
    made = _made("standardised", [a, 9 * b + 100])
    s = (a.std(0, correction=0).mean() + 9 * b.std(0, correction=0).mean()) / 2
    z = [(each - each.mean(0)) / each.std(0, correction=0) * s for each in (a, b)]
    torch.testing.assert_close(made.ensemble([a, 9 * b + 100]), torch.cat(z, 1).softmax(1))


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    factors=st.lists(st.floats(0.1, 10), min_size=2, max_size=2),
    shifts=st.lists(st.floats(-20, 20), min_size=2, max_size=2),
)
def test_standardised_targets_forget_the_scale_and_origin_of_each_teacher(seed, factors, shifts):
    a, b = _draw(seed, (20, 3), (20, 4))
    other = [f * z + s for f, z, s in zip(factors, (a, b), shifts, strict=True)]
    first = _made("standardised", [a, b]).ensemble([a, b]).log()
    second = _made("standardised", other).ensemble(other).log()
    # Only the common scale may differ: the log-odds are proportional.
    odds, moved = first - first[:, :1], second - second[:, :1]
    torch.testing.assert_close(odds * moved.std(), moved * odds.std(), rtol=1e-7, atol=1e-7)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), temperature=st.floats(0.5, 8))
def test_one_teacher_is_plain_distillation(seed, temperature):
    z, student = _draw(seed, (6, 5), (6, 5))
    expected = divergence(student, (z / temperature).log_softmax(1), temperature)
    gradients = []
    for kind in ("concat", "per_teacher", "union", "gated"):
        own = student.clone().requires_grad_()
        loss = _made(kind, [z], temperature=temperature).loss(own, [z])
        loss.backward()
        gradients.append(own.grad)
        if kind in ("per_teacher", "union"):
            torch.testing.assert_close(loss, expected)
    for each in gradients[1:]:
        torch.testing.assert_close(each, gradients[0])


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    gate=st.sampled_from(["entropy", "max_logit", "energy"]),
    sharpness=st.floats(0.01, 5),
)
def test_gates_sum_to_one(seed, gate, sharpness):
    teachers = _draw(seed, (5, 3), (5, 2), (5, 7))
    gates = _made("gated", teachers, gate=gate, gate_temperature=sharpness).gates(teachers)
    torch.testing.assert_close(gates.sum(1), torch.ones(5).double())
    assert bool((gates >= 0).all())


@pytest.mark.parametrize("kind", KINDS)
def test_labels_that_are_not_kept_have_no_part_in_the_targets(kind):
    a, b, student = _draw(5, (8, 4), (8, 3), (8, 4))
    made = _made(kind, [a, b], [[0, None, 1, None], [None, 3, 2]])
    alone = _made(kind, [a[:, [0, 2]], b[:, 1:]], [[0, 1], [3, 2]])
    expected = alone.loss(student, [a[:, [0, 2]], b[:, 1:]])
    torch.testing.assert_close(made.loss(student, [a, b]), expected)
    louder = a.clone()
    louder[:, [1, 3]] += 50
    if kind != "standardised":
        torch.testing.assert_close(made.loss(student, [louder, b]), expected)


def test_a_column_of_several_teachers_gets_the_mean_of_those_that_know_it():
    a, b = _draw(6, (3, 2), (3, 2))
    ensemble = _made("union", [a, b], [[0, 1], [1, 2]]).ensemble([a, b])
    p, q = a.softmax(1), b.softmax(1)
    mean = torch.stack([p[:, 0], (p[:, 1] + q[:, 0]) / 2, q[:, 1]], dim=1)
    torch.testing.assert_close(ensemble, mean / mean.sum(1, keepdim=True))


def test_a_logit_that_never_moves_says_nothing_instead_of_everything():
    a, b = _draw(7, (30, 3), (30, 2))
    a[:, 1] = -100.0
    made = _made("standardised", [a, b])
    moved = a.clone()
    moved[:, 1] += 1e-3
    torch.testing.assert_close(made.ensemble([moved, b]), made.ensemble([a, b]))


def test_half_precision_logits_are_computed_in_float32():
    a, b, student = (each.float() for each in _draw(8, (4, 3), (4, 2), (4, 5)))
    halves = [a.bfloat16(), b.bfloat16()]
    loss = _made("concat", [a, b]).loss(student.bfloat16(), halves)
    assert loss.dtype == torch.float32
    expected = _made("concat", [a, b]).loss(
        student.bfloat16().float(), [each.float() for each in halves]
    )
    torch.testing.assert_close(loss, expected)


def test_the_cross_entropy_is_the_divergence_and_the_entropy_of_the_target():
    z, student = _draw(9, (5, 4), (5, 4))
    logs = (z / 3).log_softmax(1)
    entropy = -9 * (logs.exp() * logs).sum(1).mean()
    torch.testing.assert_close(
        cross_entropy(student, logs, 3.0) - entropy, divergence(student, logs, 3.0)
    )


@pytest.mark.parametrize("kind", JOINT)
def test_a_joint_target_refuses_a_column_with_two_teachers(kind):
    with pytest.raises(InputError, match="one teacher") as caught:
        make_targets(SoftTargets(kind=kind), [[0, 1], [1, 2]], 3, None)
    assert "--targets union" in caught.value.hint


@pytest.mark.parametrize("kind", ["per_teacher", "union"])
def test_a_column_that_no_teacher_knows_is_left_to_others(kind):
    made = make_targets(SoftTargets(kind=kind), [[2, None, 0]], 3)
    teacher, student = torch.randn(4, 3), torch.randn(4, 3, requires_grad=True)
    said = made.ensemble([teacher])
    torch.testing.assert_close(said[:, [2, 0]], teacher[:, [0, 2]].softmax(1))
    assert not said[:, 1].any()
    made.loss(student, [teacher]).backward()
    assert student.grad[:, [0, 2]].any()
    assert not student.grad[:, 1].any()


def test_what_does_not_fit_together_is_refused():
    with pytest.raises(InputError, match="not every one of the student's 4 columns"):
        make_targets(SoftTargets(kind="concat"), [[0, 1], [2]], 4)
    with pytest.raises(InputError, match="statistics"):
        make_targets(SoftTargets(), [[0, 1], [2]], 3)
    made = make_targets(SoftTargets(kind="concat"), [[0, 1], [2]], 3)
    with pytest.raises(InputError, match=r"\(3, 1\) logits.*\(2, 1\)"):
        made.loss(torch.zeros(2, 3), [torch.zeros(2, 3), torch.zeros(2, 1)])
