"""What a teacher says, on disk: it grows, survives interruptions, and damage is never trusted."""

from __future__ import annotations

import errno

import numpy as np
import pytest
import torch

from zoo.errors import ZooError
from zoo.training import shelf as shelves
from zoo.training.observing import Counts
from zoo.training.shelf import Shelf
from zoo.types.training import FeatureShape

SHAPES = [FeatureShape(tap="a", width=2, grid=(2, 3)), FeatureShape(tap="b", width=4)]
RANDOM = np.random.default_rng(0)
WHOLE = {
    "logits": RANDOM.normal(size=(10, 3)).astype(np.float32),
    "features.0": RANDOM.normal(size=(10, 2, 2, 3)).astype(np.float32),
    "features.1": RANDOM.normal(size=(10, 4)).astype(np.float32),
}


def make(folder):
    return Shelf(folder / "shelf", 10, 3, SHAPES)


def append(shelf, start, stop):
    part = {name: values[start:stop] for name, values in WHOLE.items()}
    logits, *features = (torch.from_numpy(values) for values in part.values())
    shelf.append(part, shelf.counts.grown(logits, features))


def filled(folder):
    shelf = make(folder)
    with shelf.writing():
        for start in range(0, 10, 4):
            append(shelf, start, min(start + 4, 10))
    return shelf


def interrupted(folder, after=8):
    shelf = make(folder)
    with pytest.raises(KeyboardInterrupt), shelf.writing():  # noqa: PT012 -- on its way
        for start in range(0, after, 4):
            append(shelf, start, start + 4)
        raise KeyboardInterrupt
    return shelf


def same(shelf):
    found = shelf.read()
    assert found.keys() == WHOLE.keys()
    for name, values in WHOLE.items():
        np.testing.assert_array_equal(found[name], values)
    np.testing.assert_allclose(shelf.counts.logits.mean, WHOLE["logits"].mean(0), rtol=1e-5)
    assert [each.count for each in shelf.counts.all()] == [10, 60, 10]
    return True


def test_what_was_written_is_read_by_anybody_else(tmp_path):
    assert same(filled(tmp_path))
    again = make(tmp_path)
    assert again.complete
    assert again.missing_bytes == 0
    assert same(again)
    np.testing.assert_array_equal(np.load(tmp_path / "shelf" / "logits.npy"), WHOLE["logits"])


def test_a_shelf_that_nobody_wrote_to_makes_no_folder(tmp_path):
    shelf = make(tmp_path)
    assert (shelf.done, shelf.complete) == (0, False)
    assert shelf.missing_bytes == 4 * 10 * (3 + 12 + 4)
    assert not shelf.folder.exists()


def test_an_interrupted_shelf_goes_on_where_it_stopped(tmp_path):
    interrupted(tmp_path)
    shelf = make(tmp_path)
    assert shelf.done == 8
    with shelf.writing():
        append(shelf, 8, 10)
    assert same(shelf)
    assert same(make(tmp_path))


def test_an_interruption_before_the_first_row_is_no_damage(tmp_path):
    interrupted(tmp_path, after=0)
    shelf = make(tmp_path)
    assert (shelf.done, shelf.damaged) == (0, False)
    assert same(filled(tmp_path))


def test_rows_behind_the_last_finished_one_are_cut_off(tmp_path):
    interrupted(tmp_path)
    with (tmp_path / "shelf" / "features.0.npy").open("ab") as file:
        file.write(b"half a row")
    shelf = make(tmp_path)
    with shelf.writing():
        append(shelf, 8, 10)
    assert same(make(tmp_path))


def test_a_process_that_is_killed_keeps_what_it_saved(tmp_path, monkeypatch):
    monkeypatch.setattr(shelves, "_SAVE_SECONDS", 0.0)
    shelf = make(tmp_path)
    with pytest.raises(KeyboardInterrupt), shelf.writing():  # noqa: PT012 -- on its way
        append(shelf, 0, 4)
        monkeypatch.setattr(shelf, "_save", lambda: None)  # nothing more is said
        append(shelf, 4, 8)
        raise KeyboardInterrupt
    again = make(tmp_path)
    assert again.done == 4
    with again.writing():
        append(again, 4, 10)
    assert same(make(tmp_path))


@pytest.mark.parametrize("name", ["logits.npy", "features.0.npy", "progress.npz"])
@pytest.mark.parametrize("damage", ["cut", "changed", "gone"])
def test_a_damaged_shelf_starts_anew(tmp_path, name, damage):
    filled(tmp_path)
    path = tmp_path / "shelf" / name
    content = bytearray(path.read_bytes())
    content[-3] ^= 255
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(bytes(content[:-4]) if damage == "cut" else bytes(content))
    shelf = make(tmp_path)
    assert (shelf.done, shelf.damaged) == (0, True)
    assert shelf.counts.all() == ()
    assert not shelf.folder.exists()
    assert same(filled(tmp_path))


def test_arrays_of_other_forms_are_not_trusted(tmp_path):
    filled(tmp_path)
    assert Shelf(tmp_path / "shelf", 20, 3, SHAPES).done == 0


def test_a_teacher_without_a_head_has_no_logits(tmp_path):
    shelf = Shelf(tmp_path / "shelf", 10, 0, SHAPES[1:])
    with shelf.writing():
        shelf.append({"features.0": WHOLE["features.1"]}, Counts())
    assert list(shelf.read()) == ["features.0"]
    assert Shelf(tmp_path / "shelf", 10, 0, SHAPES[1:]).complete


def test_a_disk_that_fills_up_is_said_in_a_sentence_and_nothing_half_written_is_kept(
    tmp_path, monkeypatch
):
    class Full:
        def __init__(self, file):
            self._file = file

        def write(self, block):
            raise OSError(errno.ENOSPC, "No space left on device")

        def __getattr__(self, name):
            return getattr(self._file, name)

    shelf = make(tmp_path)
    with shelf.writing():
        append(shelf, 0, 4)
        shelf._files["features.0"] = Full(shelf._files["features.0"])
        with pytest.raises(ZooError, match=r"cannot be kept in .*: No space left") as caught:
            append(shelf, 4, 8)
    assert "--no-cache" in caught.value.hint
    again = make(tmp_path)
    assert again.done == 4
    with again.writing():
        append(again, 4, 10)
    assert same(make(tmp_path))
