"""Killed, stopped and resumed: a model becomes the same, or the person is told why it cannot."""

from __future__ import annotations

import json
import random
import shutil

import pytest

#: Functions that every step of a training calls at least once.
PLACES = (
    "zoo.training.checkpoints:_to_disk",
    "zoo.training.checkpoints:prune",
    "zoo.training.journal:Journal.write",
    "zoo.training.loop:Loop._write",
    "zoo.training.pace:Pace.on_step_end",
    "zoo.training.pupil:Pupil.forward",
)
LOOK = "zoo.training.observing:look"
ASK = "zoo.training.shelf:Shelf.append"
STEP = "zoo.training.pace:Pace.on_step_end"


@pytest.fixture(scope="session")
def bench(shared_bench):
    """The one that ``built`` is in."""
    return shared_bench


@pytest.fixture(scope="module")
def killed(bench):
    """A build that was killed as the second teacher was asked, in the folder ``killed``."""
    done = bench.build("killed", "--views", 2, "--eval", "labelled", fault=(ASK, 8, "SIGKILL"))
    assert done.code == -9, done.stderr
    return bench.folder / "killed"


@pytest.fixture
def copied(bench, killed):
    """A copy of it in the folder ``copied``, for what may change it."""
    place = shutil.copytree(killed, bench.folder / "copied")
    yield place
    shutil.rmtree(place)


def test_killed_anywhere_and_resumed_it_becomes_the_very_same(bench, built, copied):
    seed = random.randrange(2**32)
    draw = random.Random(seed)
    place = (draw.choice(PLACES), draw.randint(1, 6), "SIGKILL")

    done = bench("resume", "copied", fault=place)
    assert done.code == -9, (seed, place, done.stderr)
    assert "what it says about 36 training samples, 2 views of each, is known" in done.stderr

    done = bench("resume", "copied", fault=("zoo.building.publishing:complete", 1, "SIGKILL"))
    assert done.code == -9, (seed, place, done.stderr)
    assert not (copied / "config.json").exists()

    done = bench("resume", "copied", fault=("pathlib:Path.replace", 4, "SIGKILL"))
    assert done.code == -9, (seed, place, done.stderr)
    assert not (copied / "config.json").exists()

    done = bench("resume", "copied")
    assert done.code == 0, (seed, place, done.stderr)
    assert bench.weights("copied") == bench.weights("built"), (seed, place)
    assert bench.losses("copied") == bench.losses("built"), (seed, place)
    finished = bench.folder / "built"
    assert _names(copied) == _names(finished)
    assert (copied / "metrics.json").read_bytes() == (finished / "metrics.json").read_bytes()
    assert "Wrote copied" in done.stderr
    assert "zoo predict ./copied" in done.stderr

    again = bench("resume", "copied")
    assert again.code == 2
    assert "finished already" in again.stderr


def test_stopped_as_teachers_are_asked_and_in_training_it_becomes_the_very_same(bench):
    more = ("--method", "kd", "--views", "random")
    whole = bench.build("whole", *more)
    assert whole.code == 0, whole.stderr
    place = bench.folder / "stopped"

    done = bench.build("stopped", *more, fault=(LOOK, 2, "SIGINT"))
    assert done.code == 130, done.stderr
    assert "zoo resume stopped" in done.stderr
    assert "Traceback" not in done.stderr

    done = bench("resume", "stopped", fault=(STEP, 2, "SIGINT"))
    assert done.code == 130, done.stderr
    assert "teacher digits: asked" not in done.stderr
    assert "stopped after 2 steps; what was done is kept" in done.stderr
    assert "zoo resume stopped" in done.stderr
    assert (place / "training" / "checkpoints").is_dir()

    again = bench.build("stopped", *more)
    assert again.code == 2
    assert "holds an unfinished run" in again.stderr
    assert "zoo resume stopped" in again.stderr

    done = bench("resume", "stopped")
    assert done.code == 0, done.stderr
    assert "going on after step 2 of 6" in done.stderr
    assert bench.weights("stopped") == bench.weights("whole")
    assert bench.losses("stopped") == bench.losses("whole")


def test_stopped_before_anything_was_made_it_leaves_nothing(bench):
    done = bench.build("early", fault=(LOOK, 1, "SIGINT"))
    assert done.code == 130
    assert "nothing had been made" in done.stderr
    assert "resume" not in done.stderr
    assert "Traceback" not in done.stderr
    assert not (bench.folder / "early").exists()


def test_other_data_is_refused_and_what_there_was_stays(bench, copied):
    more = bench.folder / "pictures" / "more.png"
    shutil.copy(bench.folder / "pictures" / "00.png", more)
    before = _names(copied)
    try:
        done = bench("resume", "copied")
    finally:
        more.unlink()
    assert done.code == 2
    assert "'copied' cannot go on" in done.stderr
    assert "held 41 samples and holds 42 now" in done.stderr
    assert _names(copied) == before


def test_another_teacher_is_refused(bench, copied):
    path = copied / "training" / "state.json"
    state = json.loads(path.read_bytes())
    state["manifest"]["teachers"][1]["digest"] = "0" * 64
    path.write_text(json.dumps(state))
    done = bench("resume", "copied")
    assert done.code == 2
    assert "'copied' cannot go on" in done.stderr
    assert "parity" in done.stderr


def _names(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
