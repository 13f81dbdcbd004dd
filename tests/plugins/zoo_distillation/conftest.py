"""Golden cases, and classrooms with features of a student and its teachers."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from zoo.types import Classroom, FeatureShape, Lesson, Meeting, Stage

ROOT = Path(__file__).parents[3]
FOLDER = Path(os.environ.get("ZOO_GOLDEN", ROOT.parent / "shared" / "golden")) / "distillation"


def pytest_generate_tests(metafunc):
    """Give ``golden_case`` every file whose name begins with a prefix of ``@golden_files``."""
    if "golden_case" not in metafunc.fixturenames:
        return
    marker = metafunc.definition.get_closest_marker("golden")
    assert marker is not None, "mark the test with @pytest.mark.golden(PREFIX, ...)"
    found = sorted({path for prefix in marker.args for path in FOLDER.glob(f"{prefix}*.npz")})
    if not found:
        absent = pytest.mark.skip(reason=f"nothing golden in {FOLDER} (ZOO_GOLDEN names another)")
        metafunc.parametrize("golden_case", [pytest.param(None, marks=absent)])
        return
    metafunc.parametrize("golden_case", found, ids=[path.stem for path in found], indirect=True)


class Golden:
    """One file of reference numbers; see the README beside it."""

    def __init__(self, path):
        with np.load(path) as found:
            self.arrays = {name: found[name] for name in found.files if name != "meta"}
            self.meta = json.loads(str(found["meta"]))

    def tensors(self, prefix):
        """Give the arrays whose names begin so, without the prefix, as float64 or int64."""
        return {
            name.removeprefix(prefix): self.tensor(name)
            for name in self.arrays
            if name.startswith(prefix)
        }

    def tensor(self, name):
        """Give one array, as float64, int64 or bool."""
        found = torch.from_numpy(np.array(self.arrays[name]))
        return found.double() if found.is_floating_point() else found

    def close(self, found, expected, name=""):
        """Compare with the tolerance of the file."""
        values = found.detach().numpy() if isinstance(found, torch.Tensor) else np.asarray(found)
        wanted = self.arrays[expected] if isinstance(expected, str) else np.asarray(expected)
        np.testing.assert_allclose(
            values.reshape(wanted.shape),
            wanted,
            rtol=self.meta["rtol"],
            atol=self.meta["atol"],
            err_msg=name or str(expected),
        )


@pytest.fixture
def golden_case(request):
    """One golden file, opened."""
    return Golden(request.param)


def shape(tap, width, grid=None):
    return FeatureShape(tap=tap, width=width, grid=grid)


@pytest.fixture
def make_shape():
    """``make_shape(tap, width, grid)``."""
    return shape


@pytest.fixture
def make_classroom():
    """``make_classroom([(student shape, teacher shape, ...), ...], samples=..., ...)``."""

    def make(stages=(), **others):
        met = tuple(Stage(student=first, teachers=tuple(rest)) for first, *rest in stages)
        teachers = max((len(each.teachers) for each in met), default=1)
        return Classroom(
            **{"stages": met, "teachers": teachers, "batch": 8, "samples": 40} | others
        )

    return make


@pytest.fixture
def make_lesson():
    """``make_lesson(classroom, batch=8, seed=0)``: normal features, logits and rows, float64."""

    def make(classroom, batch=8, seed=0, kind=torch.float64, **others):
        generator = torch.Generator().manual_seed(seed)

        def draw(*size, grad=False):
            found = torch.randn(batch, *size, generator=generator, dtype=kind)
            return found.requires_grad_(grad)

        def features(each, *, grad=False):
            return draw(each.width, *(each.grid or ()), grad=grad)

        meetings = tuple(
            Meeting(
                student=features(stage.student, grad=True),
                teachers=tuple(features(each) for each in stage.teachers),
            )
            for stage in classroom.stages
        )
        classes = classroom.classes
        known = {
            "meetings": meetings,
            "student_logits": draw(classes, grad=True) if classes else None,
            "teacher_logits": tuple(
                draw(classes) if classes else None for _ in range(classroom.teachers)
            ),
            "progress": 0.5,
            "rows": torch.randperm(classroom.samples, generator=generator)[:batch],
            "watched": tuple(features(each, grad=True) for each in classroom.watched),
        }
        return Lesson(**known | others)

    return make
