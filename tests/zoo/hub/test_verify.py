"""Digests, and the memory of them."""

from __future__ import annotations

import hashlib
import os
import subprocess

from zoo.hub.verify import DigestMemory, digest_of, identity_of


def test_both_kinds_of_digest_are_those_of_git_and_sha256sum(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"hello\n" * 1000)

    assert digest_of(path) == hashlib.sha256(path.read_bytes()).hexdigest()
    git = subprocess.run(
        ["git", "hash-object", str(path)], capture_output=True, text=True, check=True
    ).stdout.strip()
    assert digest_of(path, "sha1:") == f"sha1:{git}"


def test_identity_depends_on_paths_and_contents_and_not_on_order():
    assert identity_of({"a": "1", "b": "2"}) == identity_of({"b": "2", "a": "1"})
    assert identity_of({"a": "1"}) != identity_of({"b": "1"})
    assert identity_of({"a": "1"}) != identity_of({"a": "2"})


def test_a_change_that_keeps_size_and_modification_time_is_seen(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    memory = DigestMemory(tmp_path / "home")
    before, state = memory.digest(path), path.stat()

    path.write_bytes(b"new")
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))

    assert memory.digest(path) != before


def test_a_memory_that_is_no_database_or_cannot_be_written_only_costs_time(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"x")
    (tmp_path / "digests.sqlite").write_bytes(b"garbage" * 100)
    (tmp_path / "blocked").write_text("a file where a folder should be")

    assert DigestMemory(tmp_path).digest(path) == digest_of(path)
    assert DigestMemory(tmp_path / "blocked").digest(path) == digest_of(path)
