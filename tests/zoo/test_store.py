from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.store import Store, key

KEY = key(what="a test")


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path)


def arrays(seed=0):
    random = np.random.default_rng(seed)
    return {
        "late": random.standard_normal((50, 7)).astype(np.float32),
        "logits": random.standard_normal((50, 3)).astype(np.float32),
        "images": random.integers(0, 255, (5, 4, 4, 3), dtype=np.uint8),
        "shapes": np.arange(6, dtype=np.int64).reshape(2, 3),
    }


def flip(path, position):
    content = bytearray(path.read_bytes())
    content[position] ^= 1
    path.write_bytes(content)


def run_python(code, *arguments, **options):
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        stdout=subprocess.PIPE,
        text=True,
        **options,
    )


def test_what_is_written_is_read(store):
    store.write("features", KEY, arrays(), {"model": "./a"})
    stored = store.read("features", KEY)
    assert stored.metadata == {"model": "./a"}
    for name, array in arrays().items():
        np.testing.assert_array_equal(stored.tensors[name], array)
        assert stored.tensors[name].dtype == array.dtype


def test_a_key_that_was_never_written_reads_as_none(store):
    assert store.read("features", KEY) is None
    assert not store.has("features", KEY)


def test_only_the_tensors_asked_for_are_read(store):
    store.write("features", KEY, arrays(), {})
    assert set(store.read("features", KEY, names=["late", "unknown"]).tensors) == {"late"}


def test_arrays_that_are_not_contiguous_are_kept(store):
    array = np.arange(12, dtype=np.float32).reshape(3, 4).T
    store.write("features", KEY, {"late": array}, {})
    np.testing.assert_array_equal(store.read("features", KEY).tensors["late"], array)


def test_what_is_read_cannot_be_changed(store):
    store.write("features", KEY, arrays(), {})
    with pytest.raises(ValueError, match="read-only"):
        store.read("features", KEY).tensors["late"][0] = 0


def test_other_programs_can_read_the_files(store):
    from safetensors.numpy import load_file

    store.write("features", KEY, arrays(), {})
    np.testing.assert_array_equal(load_file(store.path("features", KEY))["late"], arrays()["late"])


@given(st.data())
def test_a_flipped_bit_anywhere_is_noticed(tmp_path_factory, data):
    store = Store(tmp_path_factory.mktemp("store"))
    store.write("features", KEY, {"late": np.arange(4, dtype=np.float32)}, {"model": "./a"})
    path = store.path("features", KEY)
    whole = path.read_bytes()
    position = data.draw(st.integers(0, len(whole) - 1))
    damaged = bytearray(whole)
    damaged[position] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(damaged)
    stored = store.read("features", KEY)
    if stored is not None:  # a blank of the header's padding
        assert stored.metadata == {"model": "./a"}
        np.testing.assert_array_equal(stored.tensors["late"], np.arange(4))


def test_a_damaged_file_is_set_aside_and_can_be_written_again(store):
    store.write("features", KEY, arrays(), {})
    path = store.path("features", KEY)
    flip(path, -5)
    assert store.read("features", KEY) is None
    assert not store.has("features", KEY)
    assert path.with_suffix(".damaged").exists()
    store.write("features", KEY, arrays(), {})
    assert store.read("features", KEY) is not None


@pytest.mark.parametrize("length", [0, 4, 20, 500, -1])
def test_a_truncated_file_is_set_aside(store, length):
    store.write("features", KEY, arrays(), {})
    path = store.path("features", KEY)
    path.write_bytes(path.read_bytes()[:length])
    assert store.read("features", KEY) is None


def test_a_file_that_claims_a_huge_header_is_set_aside(store):
    path = store.path("features", KEY)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"\xff" * 64)
    assert store.read("features", KEY) is None


def test_a_writer_killed_in_the_middle_leaves_nothing_to_read(store):
    code = """
import os, sys, numpy as np
from pathlib import Path
from zoo.store import Store
os.fsync = lambda handle: os.kill(os.getpid(), 9)
Store(Path(sys.argv[1])).write("features", sys.argv[2], {"late": np.zeros((1000, 100))}, {})
"""
    process = run_python(code, store.folder, KEY)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert store.read("features", KEY) is None
    (left,) = (store.folder / "tmp").iterdir()
    os.utime(left, (0, 0))
    store.write("features", KEY, arrays(), {})
    assert not list((store.folder / "tmp").iterdir())


def test_a_failed_write_leaves_no_temporary_file(store, monkeypatch):
    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        store.write("features", KEY, arrays(), {})
    assert not list((store.folder / "tmp").iterdir())
    assert store.read("features", KEY) is None


def test_two_processes_do_the_work_of_a_key_once(store):
    code = """
import sys, time, numpy as np
from pathlib import Path
from zoo.store import Store
store, key = Store(Path(sys.argv[1])), sys.argv[2]
with store.lock("features", key):
    if store.read("features", key) is None:
        time.sleep(0.3)
        store.write("features", key, {"late": np.zeros((10, 2))}, {})
        print("computed")
    else:
        print("found")
"""
    processes = [run_python(code, store.folder, KEY) for _ in range(3)]
    said = sorted(process.communicate()[0].strip() for process in processes)
    assert said == ["computed", "found", "found"]


def test_the_lock_of_a_killed_holder_is_free(store):
    code = """
import sys, time
from pathlib import Path
from zoo.store import Store
with Store(Path(sys.argv[1])).lock("features", sys.argv[2]):
    print("held", flush=True)
    time.sleep(60)
"""
    process = run_python(code, store.folder, KEY)
    assert process.stdout.readline() == "held\n"
    process.kill()
    process.communicate()
    started = time.monotonic()
    with store.lock("features", KEY):
        assert time.monotonic() - started < 10


def test_equal_fields_give_equal_keys_in_any_order():
    assert key(a=1, b=[1, "x"]) == key(b=[1, "x"], a=1)
    assert key(a=1) != key(a=2)
    assert key(a={"x": 1, "y": 2}) == key(a={"y": 2, "x": 1})


def test_a_key_refuses_what_json_cannot_say():
    with pytest.raises(ValueError):
        key(a=float("nan"))
    with pytest.raises(TypeError):
        key(a=object())


class TestRecords:
    def test_records_are_read_back(self, store):
        store.records.write({"a": b"1", "b": b"2"})
        store.records.write({"b": b"3"})
        assert store.records.read(["a", "b", "c"]) == {"a": b"1", "b": b"3"}

    def test_many_keys_are_read_at_once(self, store):
        values = {str(number): b"{}" for number in range(1700)}
        store.records.write(values)
        assert store.records.read(values) == values

    def test_nothing_is_made_by_reading(self, store):
        assert store.records.read(["a"]) == {}
        assert not store.records.path.exists()

    @pytest.mark.parametrize("content", [b"this is no database" * 100, b"SQLite format 3\0" * 64])
    def test_a_damaged_file_is_set_aside_and_begun_anew(self, store, content):
        store.records.write({"a": b"1"})
        store.records.path.write_bytes(content)
        assert store.records.read(["a"]) == {}
        store.records.write({"a": b"2"})
        assert store.records.read(["a"]) == {"a": b"2"}
        (aside,) = store.folder.glob("scores.sqlite.damaged-*")
        assert aside.read_bytes() == content

    def test_a_damaged_page_is_noticed(self, store):
        store.records.write({str(number): b"x" * 500 for number in range(200)})
        content = bytearray(store.records.path.read_bytes())
        for start in range(4096, len(content), 4096):
            content[start : start + 64] = b"\xff" * 64
        store.records.path.write_bytes(content)
        assert store.records.read(["1"]) == {}
        store.records.write({"1": b"new"})
        assert store.records.read(["1"]) == {"1": b"new"}

    def test_a_value_whose_bits_changed_counts_as_unknown(self, store):
        store.records.write({"a": b"a value that is easy to find", "b": b"2"})
        content = store.records.path.read_bytes()
        assert content.count(b"easy to find") == 1
        store.records.path.write_bytes(content.replace(b"easy to find", b"easy to fond"))
        assert store.records.read(["a", "b"]) == {"b": b"2"}

    def test_a_folder_that_cannot_be_written_is_an_os_error(self, tmp_path):
        (tmp_path / "file").write_text("")
        with pytest.raises(OSError):
            Store(tmp_path / "file").records.write({"a": b"1"})

    def test_processes_write_at_the_same_time(self, store):
        code = """
import sys
from pathlib import Path
from zoo.store import Store
for number in range(40):
    Store(Path(sys.argv[1])).records.write({f"{sys.argv[2]}-{number}": b"{}"})
"""
        processes = [run_python(code, store.folder, name) for name in "abc"]
        for process in processes:
            process.communicate()
        keys = [f"{name}-{number}" for name in "abc" for number in range(40)]
        assert len(store.records.read(keys)) == 120

    def test_values_are_what_was_given_byte_by_byte(self, store):
        value = json.dumps({"a": 0.1, "ü": None}).encode()
        store.records.write({"a": value})
        assert store.records.read(["a"])["a"] == value
