"""Folders that appear whole or not at all."""

from __future__ import annotations

import os

import pytest

from zoo.appearing import appearing, check_new
from zoo.errors import InputError


def fine():
    """Refuse nothing."""


def write(place, check=fine):
    with appearing(place, check) as folder:
        (folder / "new.txt").write_text("new")


def names(folder):
    return sorted(path.name for path in folder.rglob("*"))


def test_a_folder_appears_when_it_is_complete(tmp_path):
    place = tmp_path / "deep" / "place"
    with appearing(place, fine) as folder:
        (folder / "new.txt").write_text("new")
        assert not place.exists()
    assert names(tmp_path) == ["deep", "new.txt", "place"]


def test_what_was_there_goes_away_and_a_link_stays_one(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "old.txt").touch()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    write(tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert names(tmp_path / "real") == ["new.txt"]


@pytest.mark.parametrize("error", [ValueError, OSError, KeyboardInterrupt])
def test_a_failure_leaves_what_was_there_and_no_folder_above(tmp_path, error):
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "old.txt").touch()

    def fail(place):
        with appearing(place, fine) as folder:
            (folder / "half.txt").touch()
            raise error

    for place in (tmp_path / "old", tmp_path / "not" / "there"):
        with pytest.raises(error):
            fail(place)
    assert names(tmp_path) == ["old", "old.txt"]


def test_it_is_asked_again_at_the_end(tmp_path):
    place = tmp_path / "place"

    def refuse():
        raise InputError("somebody was faster.")

    with pytest.raises(InputError, match="faster"):
        write(place, refuse)
    assert names(tmp_path) == []


def test_what_cannot_take_the_place_leaves_the_old_one(tmp_path, monkeypatch):
    from pathlib import Path

    place = tmp_path / "place"
    place.mkdir()
    (place / "old.txt").touch()
    right = Path.rename

    def rename(self, target):
        if self.name.endswith(".tmp"):
            raise OSError(13, "Permission denied")
        return right(self, target)

    monkeypatch.setattr(Path, "rename", rename)
    with pytest.raises(OSError, match="Permission"):
        write(place)
    assert names(tmp_path) == ["old.txt", "place"]


def test_new_and_empty_places_are_free(tmp_path):
    (tmp_path / "empty").mkdir()
    for name in ("empty", "new", "new/and/deep"):
        check_new(tmp_path / name, name)


def test_other_places_are_not(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="'file' is a file, not a folder"):
        check_new(tmp_path / "file", "file")
    with pytest.raises(InputError, match="is a file, not a folder"):
        check_new(tmp_path / "file" / "below" / "it", "file/below/it")
    with pytest.raises(InputError, match="is not empty: it holds file"):
        check_new(tmp_path, "here")
    monkeypatch.setattr(os, "access", lambda *_: False)  # this may run as root, who may write
    with pytest.raises(InputError, match="nothing can be written into"):
        check_new(tmp_path / "new", "new")
