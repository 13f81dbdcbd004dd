"""The fingerprint follows content, labels, order and task, and nothing else."""

from __future__ import annotations

import os
import shutil

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from zoo.probes.fingerprint import digest_rows, digest_text, fingerprint, repetition_note

texts = st.lists(st.text(), min_size=2, max_size=8, unique=True)


def of(texts, labels, task="classification", names=("a", "b")):
    return fingerprint(task, "text", names, [digest_text(t) for t in texts], np.array(labels))


@given(texts, st.randoms())
def test_order_content_and_labels_count(texts, random):
    labels = [number % 2 for number in range(len(texts))]
    same = of(texts, labels)
    assert of(list(texts), list(labels)) == same
    assert of(texts[::-1], labels[::-1]) != same
    assert of([*texts[:-1], texts[-1] + "."], labels) != same
    assert of(texts, [1 - labels[0], *labels[1:]]) != same
    assert of(texts, labels, names=("b", "a")) != same
    assert of(texts, np.array(labels, float), task="regression") != same


@given(st.text(), st.text(), st.text())
def test_the_border_of_a_pair_counts(first, second, third):
    assert (digest_text((first + second, third)) == digest_text((first, second + third))) == (
        (first + second, third) == (first, second + third)
    )


def test_features_differ_by_value_and_by_width_of_number():
    values = np.arange(6, dtype=np.float64).reshape(2, 3)
    assert digest_rows(values) == digest_rows(values.copy(order="F"))
    assert digest_rows(values) == digest_rows(values.astype(">f8"))
    assert digest_rows(values) != digest_rows(values.astype(np.float32))


def test_a_moved_or_touched_folder_keeps_its_fingerprint(read, image_folder, tmp_path):
    folder = image_folder({"cats": 4, "dogs": 3})
    before = read(folder)
    elsewhere = tmp_path / "else" / "where"
    shutil.copytree(folder, elsewhere)
    for path in elsewhere.rglob("*.png"):
        os.utime(path, (1, 1))
    assert read(elsewhere).fingerprint == before.fingerprint
    assert len(before.fingerprint) == 64


def test_one_changed_byte_changes_it(read, image_folder, png):
    folder = image_folder({"cats": 4, "dogs": 3})
    before = read(folder).fingerprint
    (folder / "cats" / "0.png").write_bytes(png(99))
    assert read(folder).fingerprint != before


def test_repetitions_and_contradictions_are_counted():
    digests = [digest_text(text) for text in ("a", "a", "a", "b", "b", "c")]
    note = repetition_note(digests, np.array([0, 0, 1, 1, 1, 0]))
    assert note.startswith("3 of the 6 samples repeat")
    assert "1 content has several labels" in note
    assert repetition_note(digests[-1:], np.array([0])) == ""
