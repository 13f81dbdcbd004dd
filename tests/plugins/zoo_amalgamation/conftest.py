"""Features of a student and its teachers at some stages."""

from __future__ import annotations

import pytest
import torch

from zoo.types.training import FeatureShape, Lesson, Meeting, Stage


def shape(tap, width, grid=None):
    return FeatureShape(tap=tap, width=width, grid=grid)


def lesson_of(stages, batch=6, seed=0, kind=torch.float64):
    """Draw features for every stage; those of one network are the same whoever else is there."""

    def draw(features, number, *, grad=False):
        generator = torch.Generator().manual_seed(1000 * seed + number)
        size = (batch, features.width, *(features.grid or ()))
        return torch.randn(size, generator=generator, dtype=kind).requires_grad_(grad)

    return Lesson(
        meetings=tuple(
            Meeting(
                student=draw(stage.student, 100 * depth, grad=True),
                teachers=tuple(
                    draw(each, 100 * depth + number)
                    for number, each in enumerate(stage.teachers, start=1)
                ),
            )
            for depth, stage in enumerate(stages)
        )
    )


@pytest.fixture
def make_shape():
    return shape


@pytest.fixture
def make_lesson():
    return lesson_of


@pytest.fixture
def make_stage():
    """``make_stage(width of the student, *widths of the teachers, grid=...)``."""

    def make(student, *teachers, grid=(3, 3)):
        return Stage(
            student=shape("s", student, grid),
            teachers=tuple(shape(f"t{number}", each, grid) for number, each in enumerate(teachers)),
        )

    return make
