"""Logits against the reference numbers: plain soft targets of the core, and decoupled ones."""

from __future__ import annotations

import pytest
import torch

from zoo.building.recipe import SoftTargets
from zoo.training.targets import divergence, make_targets
from zoo.types import Lesson
from zoo_distillation.dkd import DecoupledDistillation


def _student(case):
    return case.tensor("in_student").requires_grad_()


@pytest.mark.golden("kd_")
def test_golden_soft_targets_of_the_core_are_logit_distillation(golden_case):
    student, teacher = _student(golden_case), golden_case.tensor("in_teacher")
    temperature, classes = golden_case.meta["config"]["T"], student.shape[1]
    settings = SoftTargets(kind="union", temperature=temperature)
    loss = make_targets(settings, [range(classes)], classes).loss(student, [teacher])
    loss.backward()
    golden_case.close(loss, "out_loss")
    golden_case.close(student.grad, "grad_student")
    log_target = (teacher / temperature).log_softmax(dim=1)
    golden_case.close(divergence(student, log_target, temperature), "out_loss")


@pytest.mark.golden("kd_")
def test_golden_soft_targets_of_two_equal_teachers_add_up(golden_case):
    student, teacher = _student(golden_case), golden_case.tensor("in_teacher")
    settings = SoftTargets(kind="union", temperature=golden_case.meta["config"]["T"])
    classes = student.shape[1]
    targets = make_targets(settings, [range(classes)] * 2, classes)
    loss = targets.loss(student, [teacher, teacher]) / 2
    loss.backward()
    golden_case.close(loss, "out_loss")
    golden_case.close(student.grad, "grad_student")


@pytest.mark.golden("dkd")
def test_golden_decoupled_distillation(golden_case, make_classroom):
    student, config = _student(golden_case), golden_case.meta["config"]
    method = DecoupledDistillation(
        alpha=config["alpha"], beta=config["beta"], temperature=config["T"]
    )
    lesson = Lesson(
        student_logits=student,
        teacher_logits=(golden_case.tensor("in_teacher"),),
        labels=golden_case.tensor("in_target"),
        progress=1.0,
    )
    losses = method.build(make_classroom(classes=student.shape[1]))(lesson)
    weights = method.weights(1)
    loss = torch.stack([weights[name] * each for name, each in losses.items()]).sum()
    loss.backward()
    golden_case.close(loss, "out_loss")
    golden_case.close(student.grad, "grad_student")
