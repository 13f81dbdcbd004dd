"""Judging a student: what the numbers mean, and what is said about them."""

from __future__ import annotations

import json
import math

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.building.evaluation import Answers, Metrics, block_mass, divergence, judge, softmax
from zoo.building.intervals import difference, share
from zoo.building.label_spaces import TeacherHead, keep, separate, union
from zoo.building.verdict import verdict


def _space(*sizes, shared=()):
    heads, number = [], 0
    for each, size in enumerate(sizes):
        own = [f"l{number + k}" for k in range(size)]
        number += size
        heads.append(TeacherHead(alias=f"t{each}", model=f"m{each}", labels=(*shared, *own)))
    return union(heads) if shared else separate(heads)


def _answers(space, seed, count=40, **changes):
    draw = np.random.default_rng(seed)
    width = len(space.labels)
    given = {
        "student": draw.normal(size=(count, width)),
        "kd": draw.normal(size=(count, width)),
        "teachers": tuple(draw.normal(size=(count, len(t.labels))) for t in space.teachers),
        "ensemble": softmax(draw.normal(size=(count, width))),
        "gates": softmax(draw.normal(size=(count, len(space.teachers)))),
        "truth": draw.integers(0, width, size=count),
    }
    return Answers(**(given | changes))


def _one_hot(columns, width):
    return np.eye(width)[np.asarray(columns)]


def test_wilsons_interval_has_its_published_values():
    # Newcombe, Statistics in Medicine 17 (1998), table I: 81 of 263, 15 of 148, 0 of 20, 1 of 29.
    for right, count, low, high in (
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ):
        found = share(np.arange(count) < right)
        assert found is not None
        assert found.value == pytest.approx(right / count)
        assert (found.low, found.high) == pytest.approx((low, high), abs=5e-5)
        assert found.samples == count
    assert share(np.zeros(0, dtype=bool)) is None


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60))
def test_a_paired_difference_is_antisymmetric_and_inside_its_interval(pairs):
    one, other = (np.array(each) for each in zip(*pairs, strict=True))
    found = difference(one, other, against="kd", of="x")
    back = difference(other, one, against="kd", of="x")
    assert found is not None
    assert back is not None
    assert found.value == pytest.approx(one.mean() - other.mean())
    assert (found.value, found.low, found.high) == pytest.approx(
        (-back.value, -back.high, -back.low)
    )
    assert -1 <= found.low <= found.value <= found.high <= 1


def test_the_paired_interval_is_that_of_bonett_and_price():
    one = np.arange(100) < 60
    other = (np.arange(100) < 50) | (np.arange(100) >= 95)
    found = difference(one, other, against="kd", of="x")
    up, down = 11 / 102, 6 / 102
    half = 1.959964 * math.sqrt((up + down - (up - down) ** 2) / 102)
    assert found is not None
    assert (found.low, found.high) == pytest.approx((up - down - half, up - down + half), abs=1e-6)
    assert difference(one[:0], other[:0], against="kd", of="x") is None


def test_every_accuracy_means_what_it_says():
    space = _space(2, 2)
    truth = np.array([0, 1, 2, 3, -1])
    # Right; right inside the block alone; right; wrong everywhere; unknown to the student.
    student = np.array(
        [[9, 0, 1, 2], [0, 5, 9, 0], [0, 1, 9, 2], [9, 0, 5, 1], [9, 0, 0, 0]], dtype=float
    )
    teachers = (
        np.array([[1, 0], [1, 0], [0, 1], [0, 1], [1, 0]], dtype=float),
        np.array([[0, 1], [0, 1], [1, 0], [0, 1], [1, 0]], dtype=float),
    )
    answers = _answers(space, 0, 5, student=student, teachers=teachers, truth=truth)
    found = judge(space, method="m", labelled=answers, unknown=("lynx",))
    assert found.labelled == 4
    assert found.student.joint.value == 2 / 4
    assert found.student.inside.value == 3 / 4
    assert {name: each.value for name, each in found.student.tasks.items()} == {"t0": 1, "t1": 0.5}
    assert {name: each.tasks[name].value for name, each in found.teachers.items()} == {
        "t0": 0.5,
        "t1": 1.0,
    }
    own = {each.against: each for each in found.differences if each.of.endswith("own task")}
    assert own["t0"].value == 0.5
    assert own["t1"].value == -0.5
    assert found.unknown == ("lynx",)


def test_a_teacher_is_judged_among_the_labels_that_were_kept():
    space = keep(_space(3, 2), ["l0", "l2", "l3", "l4"])
    teachers = (np.array([[1.0, 9.0, 2.0]]), np.array([[0.0, 1.0]]))
    answers = _answers(space, 0, 1, teachers=teachers, truth=np.array([1]))
    found = judge(space, method="m", labelled=answers)
    assert found.teachers["t0"].tasks["t0"].value == 1


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), shared=st.booleans(), ties=st.booleans())
def test_choosing_among_fewer_labels_is_never_worse(seed, shared, ties):
    space = _space(3, 2, 4, shared=("both", "all") if shared else ())
    answers = _answers(space, seed)
    if ties:
        answers = _answers(space, seed, student=np.round(answers.student))
    found = judge(space, method="m", labelled=answers)
    assert found.student.inside.value >= found.student.joint.value
    right = np.argmax(answers.student, axis=1) == answers.truth
    for teacher in space.teachers:
        mine = np.isin(answers.truth, teacher.block)
        if mine.any():
            assert found.student.tasks[teacher.alias].value >= right[mine].mean()


def test_a_student_that_copies_its_teachers_agrees_with_all_of_them():
    space = _space(3, 2)
    base = _answers(space, 3)
    logits = np.concatenate(base.teachers, axis=1)
    answers = _answers(space, 3, student=logits, ensemble=softmax(logits))
    found = judge(space, method="m", unlabelled=answers)
    assert {each.value for each in found.student.agreements.values()} == {1.0}
    assert found.student.agreement.value == 1.0
    assert found.student.divergence == pytest.approx(0, abs=1e-12)
    assert found.ensemble.agreement is None
    assert found.kd.divergence > 0.1
    assert found.student.joint is None
    assert found.unlabelled == 40
    assert sum(found.gates.values()) == pytest.approx(1)


def test_the_divergence_is_that_of_the_textbook():
    p, z = softmax(np.array([[1.0, 2, 3], [0, 0, 5]])), np.array([[0.0, 0, 1], [2, 1, 0]])
    q = softmax(z)
    assert divergence(p, z) == pytest.approx(float((p * np.log(p / q)).sum(1).mean()))
    certain = np.array([[1.0, 0.0]])
    assert divergence(certain, np.array([[800.0, -800.0]])) == 0


def test_the_block_mass_says_where_the_probability_of_whose_samples_goes():
    space = _space(2, 2, 1)
    gates = np.array([[0.8, 0.1, 0.1], [0.6, 0.3, 0.1], [0.1, 0.8, 0.1]])
    p = np.array([[0.5, 0.3, 0.1, 0.05, 0.05], [0.2, 0.2, 0.3, 0.3, 0], [0, 0, 0.5, 0.5, 0]])
    found = block_mass(space, p, gates)
    assert [(each.teacher, each.samples) for each in found] == [("t0", 2), ("t1", 1)]
    assert found[0].mass == pytest.approx({"t0": 0.6, "t1": 0.375, "t2": 0.025})
    assert found[1].mass == pytest.approx({"t0": 0, "t1": 1, "t2": 0})


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_block_masses_of_disjoint_labels_sum_to_one(seed):
    space = _space(3, 2, 2)
    found = judge(space, method="m", unlabelled=_answers(space, seed))
    for each in (found.student, found.kd, found.ensemble):
        for row in each.block_mass:
            assert sum(row.mass.values()) == pytest.approx(1)
        assert sum(row.samples for row in each.block_mass) == 40


def test_metrics_are_one_object_a_model_and_come_back_from_json():
    space = _space(2, 2)
    found = judge(space, method="m", unlabelled=_answers(space, 1), labelled=_answers(space, 2))
    text = msgspec.json.encode(found)
    assert msgspec.json.decode(text, type=Metrics) == found
    written = json.loads(text)
    assert {"student", "teachers", "ensemble", "kd"} <= set(written)
    assert set(written["student"]["joint"]) == {"value", "low", "high", "samples"}
    assert list(found.table()) == ["student", "kd", "ensemble", "teacher t0", "teacher t1"]


def test_what_was_not_compared_is_not_there():
    space = _space(2, 2)
    found = judge(space, method="m", labelled=_answers(space, 1, kd=None, ensemble=None))
    assert found.kd is None
    assert found.ensemble is None
    assert {each.of for each in found.differences} == {"accuracy on its own task"}
    one_sided = judge(
        space,
        method="m",
        unlabelled=_answers(space, 1),
        labelled=_answers(space, 1, kd=None, ensemble=None),
    )
    assert one_sided.kd.joint is None


def test_samples_that_nobody_knows_leave_no_accuracy():
    space = _space(2, 2)
    found = judge(space, method="m", labelled=_answers(space, 1, 3, truth=np.full(3, -1)))
    assert found.student.joint is None
    assert found.teachers == {}
    assert found.differences == ()


def _against_kd(student_right, kd_right, count):
    space = _space(2, 2)
    truth = np.zeros(count, dtype=int)
    rows = np.arange(count)
    return judge(
        space,
        method="cfl",
        labelled=_answers(
            space,
            0,
            count,
            truth=truth,
            student=_one_hot(np.where(rows < student_right, 0, 2), 4),
            kd=_one_hot(np.where(rows < kd_right, 0, 2), 4),
            ensemble=None,
        ),
    )


@pytest.mark.parametrize(
    ("student", "kd", "said"),
    [
        (81, 82, "1.0 points below kd in joint accuracy (95 % interval -4.3 to 2.3, 100 samples):"),
        (50, 50, "level with kd in joint accuracy (95 % interval -2.7 to 2.7, 100 samples):"),
        (82, 81, "1.0 points above kd in joint accuracy (95 % interval -2.3 to 4.3, 100 samples):"),
        (90, 60, "a gain."),
        (60, 90, "a loss."),
    ],
)
def test_the_verdict_says_no_more_than_the_interval(student, kd, said):
    first = verdict(_against_kd(student, kd, 100))[0]
    assert said in first
    assert ("no gain shown" in first) == (abs(student - kd) < 5)


def test_the_verdict_without_labels_says_what_agreement_is():
    space = _space(2, 2)
    found = verdict(judge(space, method="cfl", unlabelled=_answers(space, 1)))
    assert found[0].startswith("cfl is ")
    assert "agreement with the ensemble" in found[0]
    assert "not how often they are right" in found[-1]


def test_the_verdict_names_the_teachers_and_the_labels_that_were_left_out():
    space = _space(2, 2)
    found = verdict(
        judge(space, method="cfl", labelled=_answers(space, 1), unknown=("lynx", "emu"))
    )
    assert any("teacher t0 on the teacher's own task" in each for each in found)
    assert found[-1] == (
        "'lynx' and 'emu' of the labelled data are no labels of the student; their samples were "
        "left out."
    )
