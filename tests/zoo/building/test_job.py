"""What a build starts from: rows that can be read, some of them held out, the same every time."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import msgspec
import numpy as np
import pytest
from PIL import Image

from zoo.building.job import Job, identify_data, open_job
from zoo.building.recipe import Recipe
from zoo.errors import InputError
from zoo.probes.unlabelled import Inputs
from zoo.settings import Settings
from zoo.types.probe import ImageInput

TRAINING = SimpleNamespace(name="cfl", kind="training", smallest_batch=1)


@dataclass
class Settled:
    """What preflight hands over, as far as opening a job reads it."""

    inputs: Inputs | None
    rows: tuple[int, ...]
    recipe: Recipe = field(default_factory=Recipe)
    teachers: tuple = ()
    student: None = None
    base: None = None
    device: str = "cpu"
    modality: str = "image"
    truth: np.ndarray | None = None
    space: SimpleNamespace | None = None
    spec: SimpleNamespace = field(default_factory=lambda: TRAINING)


@pytest.fixture
def pictures(tmp_path):
    """Twenty images; the fifth is none."""
    found = []
    for number in range(20):
        path = tmp_path / f"{number:02}.png"
        Image.new("RGB", (4, 4), (number, 0, 0)).save(path)
        found.append(ImageInput(name=path.name, path=str(path)))
    Path(found[4].path).write_bytes(b"no picture")
    return found


@pytest.fixture
def work(tmp_path):
    training = tmp_path / "out" / "training"
    training.mkdir(parents=True)
    return SimpleNamespace(training=training)


def settled(pictures, **recipe):
    names = [each.name for each in pictures]
    inputs = Inputs(source="photos", modality="image", inputs=pictures, names=names)
    return Settled(inputs, tuple(range(len(pictures))), Recipe(**recipe))


def opened(prepared, work, events=None) -> Job:
    return open_job(prepared, work, (), Settings(), (events if events is not None else []).append)


def test_rows_are_those_that_can_be_read_and_some_are_held_out(pictures, work):
    job = opened(settled(pictures, held_out=0.25), work)
    assert len(job.held) == 5
    assert sorted((*job.rows, *job.held)) == [row for row in range(20) if row != 4]
    assert job.skipped == (("04.png", "its bytes are no known image format"),)


def test_the_same_rows_are_held_out_every_time_and_others_with_another_seed(pictures, work):
    first, again = (opened(settled(pictures, held_out=0.25), work) for _ in range(2))
    other = opened(settled(pictures, held_out=0.25, seed=1), work)
    assert first.held == again.held != other.held


def test_the_only_sample_of_a_class_is_trained_on(pictures, work):
    seen = set()
    for seed in range(20):
        prepared = settled(pictures[5:9], held_out=0.25, seed=seed)
        prepared.truth = np.array([0, 0, 1, 0])
        job = opened(prepared, work)
        assert len(job.held) == 1
        seen |= {*job.held}
    assert seen == {0, 1, 3}


def test_what_was_scanned_is_not_scanned_again(pictures, work):
    first, events = opened(settled(pictures), work), []
    again = opened(settled(pictures), work, events)
    assert (first.rows, first.skipped) == (again.rows, again.skipped)
    assert [each.done for each in events] == [20]  # the copy alone


def test_nothing_is_held_out_where_too_little_is_left(pictures, work):
    job = opened(settled(pictures[:1], held_out=0.5), work)
    assert (job.rows, job.held) == ((0,), ())


def test_too_few_that_can_be_read_are_refused_before_anything_is_trained(pictures, work):
    prepared = settled(pictures, held_out=0.0)
    prepared.spec = SimpleNamespace(name="cfl", kind="training", smallest_batch=20)
    with pytest.raises(InputError, match="only 19 readable samples"):
        opened(prepared, work)


def test_data_of_which_nothing_can_be_read_is_refused(pictures, work):
    with pytest.raises(InputError, match=r"none of the 1 inputs of 'photos' .* 04.png: its bytes"):
        opened(settled(pictures[4:5]), work)
    assert not (work.training / "scan.json").exists()


def test_without_data_there_are_no_rows(work):
    prepared = Settled(None, ())
    prepared.spec = SimpleNamespace(name="merge-linear", kind="merging")
    job = opened(prepared, work)
    assert (job.samples, job.rows, job.held, job.skipped) == ((), (), (), ())


def test_data_whose_classes_are_called_otherwise_is_other_data(pictures):
    found = []
    for labels in (("cat", "dog"), ("cat", "dog"), ("dog", "cat")):
        prepared = settled(pictures)
        prepared.truth, prepared.space = np.arange(20) % 2, SimpleNamespace(labels=labels)
        found.append(identify_data(prepared).fingerprint)
    assert found[0] == found[1] != found[2]


def test_data_is_identified_by_the_rows_that_are_used(pictures):
    whole = settled(pictures)
    part = settled(pictures)
    part.rows = (0, 2)
    assert identify_data(whole).samples == 20
    assert identify_data(part).samples == 2
    assert identify_data(whole).fingerprint != identify_data(part).fingerprint
    assert msgspec.to_builtins(identify_data(Settled(None, ())))["fingerprint"] == ""
