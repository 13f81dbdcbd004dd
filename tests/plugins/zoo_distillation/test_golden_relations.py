"""Relations between the samples of a batch, against the reference numbers."""

from __future__ import annotations

import pytest
import torch

from zoo.types import Lesson, Meeting
from zoo_distillation.cc import correlation
from zoo_distillation.pkt import neighbours
from zoo_distillation.rkd import RelationalDistillation
from zoo_distillation.sp import similarity


def _compare(case, loss, student):
    """Compare a loss and, where the file has it, its gradient."""
    loss.backward()
    case.close(loss, "out_loss")
    if "grad_student" in case.arrays:
        case.close(student.grad, "grad_student")


@pytest.mark.golden("rkd")
def test_golden_relational_distillation(golden_case, make_classroom):
    student, config = golden_case.tensor("in_student").requires_grad_(), golden_case.meta["config"]
    method = RelationalDistillation(distance=config["w_d"], angle=config["w_a"])
    meeting = Meeting(student=student, teachers=(golden_case.tensor("in_teacher"),))
    losses = method.build(make_classroom())(Lesson(meetings=(meeting,)))
    for name, each in losses.items():
        if f"out_{name}" in golden_case.arrays:
            golden_case.close(each, f"out_{name}")
    weights = method.weights(1)
    total = torch.stack([weights[name] * each for name, each in losses.items()]).sum()
    _compare(golden_case, total, student)
    assert student.grad.isfinite().all()


@pytest.mark.golden("sp")
def test_golden_similarity_preservation_of_whole_maps(golden_case):
    student = golden_case.tensor("in_student").requires_grad_()
    _compare(golden_case, similarity(student, golden_case.tensor("in_teacher")), student)


@pytest.mark.golden("pkt")
def test_golden_probabilistic_transfer(golden_case):
    student = golden_case.tensor("in_student").requires_grad_()
    _compare(golden_case, neighbours(student, golden_case.tensor("in_teacher")), student)


@pytest.mark.golden("cc")
def test_golden_correlation_congruence_of_two_embeddings(golden_case):
    student = golden_case.tensor("in_student").requires_grad_()
    _compare(golden_case, correlation(student, golden_case.tensor("in_teacher")), student)
