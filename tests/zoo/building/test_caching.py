"""Whether the teachers' outputs are kept, why, and whether there is room for them."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from zoo.building import caching
from zoo.building.caching import free_bytes, require_room, should_cache
from zoo.building.recipe import Views
from zoo.errors import ExitCode, InputError

FIXED = Views(kind="fixed", count=4)
GB = 10**9


def test_fixed_views_that_come_back_are_kept():
    decision = should_cache("auto", FIXED, 30, size=GB, free=100 * GB)
    assert decision.cache
    assert decision.reason == "every view of a sample is seen 7.5 times"


def test_views_that_are_seen_once_are_not_kept():
    decision = should_cache("auto", FIXED, 4)
    assert not decision.cache
    assert decision.reason == "no view of a sample is seen twice"


def test_random_views_are_never_kept():
    assert should_cache("auto", Views(), 30).reason == "random views are new in every epoch"
    assert not should_cache("auto", Views(), 30, teachers=9 * GB, memory=GB).cache
    with pytest.raises(InputError, match="random views cannot be kept"):
        should_cache("yes", Views(), 30)


def test_teachers_that_do_not_fit_together_are_asked_one_after_the_other():
    decision = should_cache("auto", FIXED, 1, teachers=9 * GB, memory=2 * GB)
    assert decision.cache
    assert "(9.0 GB) do not fit the device" in decision.reason
    assert not should_cache("auto", FIXED, 1, teachers=9 * GB, memory=20 * GB).cache


def test_a_small_disk_leaves_the_teachers_in_memory():
    decision = should_cache("auto", FIXED, 30, size=5 * GB, free=2 * GB)
    assert not decision.cache
    assert decision.reason == "the disk has 2.0 GB free, the cache would take 5.0 GB"


@pytest.mark.parametrize(("wanted", "cache"), [("yes", True), ("no", False)])
def test_what_a_person_asked_for_is_done(wanted, cache):
    decision = should_cache(wanted, FIXED, 1, size=5 * GB, free=GB, teachers=5 * GB, memory=GB)
    assert (decision.cache, decision.reason) == (cache, "as asked for")


def test_a_cache_that_does_not_fit_says_how_much_where_and_what_to_do(tmp_path):
    folder = tmp_path / "OUT" / "training" / "teachers"
    require_room(folder, 0)
    with pytest.raises(InputError) as caught:
        require_room(folder, 10**18)
    error = caught.value
    assert error.exit_code == ExitCode.USAGE
    assert "takes 1000000 TB" in error.message
    assert str(folder) in error.message
    assert "free" in error.message
    assert "--no-cache" in error.hint
    assert "fewer views" in error.hint
    assert not folder.parent.exists()


def test_a_folder_that_does_not_exist_has_the_room_of_its_disk(tmp_path):
    assert free_bytes(tmp_path / "a" / "b") > 0


def test_what_lies_there_from_an_interrupted_build_counts_as_room(tmp_path, monkeypatch):
    disk = SimpleNamespace(free=5000)
    monkeypatch.setattr(caching.shutil, "disk_usage", lambda folder: disk)
    ours = tmp_path / "OUT" / "training" / "teachers"
    assert free_bytes(tmp_path / "OUT", ours) == 5000
    (ours / "key").mkdir(parents=True)
    (ours / "key" / "logits.npy").write_bytes(bytes(700))
    assert free_bytes(tmp_path / "OUT", ours) == 5700
    assert free_bytes(tmp_path / "OUT") == 5000
    require_room(tmp_path / "OUT", 0, ours)
    with pytest.raises(InputError, match=r"5\.7 kB free"):
        require_room(tmp_path / "OUT", 1, ours)
