"""Whatever a file holds, the answer is a probe or one sentence; never a traceback."""

from __future__ import annotations

import io
import json
from typing import get_args

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from zoo.errors import InputError
from zoo.types.probe import Task

lenient = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
STRUCTURED = ["caption", "captions", "question", "answer", "answers", "context", "expression"]
STRUCTURED += ["box", "bbox", "bbox_format", "image_id", "text", "split", "x0", "y0", "x1", "y1"]
names = st.sampled_from(
    ["text", "label", "id", "score", "split", "image", "body", "a", "1", "é", "", *STRUCTURED[:9]]
)
cells = st.one_of(
    st.text(max_size=6),
    st.sampled_from(["", "0", "1", "0.5", "nan", "a;b", "train", "x.png", "true"]),
)


def answer(read, path, **options):
    try:
        probe = read(path, **options)
    except InputError as refused:
        sentence = refused.message
        assert sentence.strip()
        assert "\n" not in sentence
        return
    assert probe.samples == len(probe.inputs) == len(probe.labels) > 1
    assert len(probe.fingerprint) == 64
    ids = probe.task in {"classification", "text"}
    assert probe.labels.dtype == (np.int64 if ids else np.float64)
    assert np.isfinite(probe.labels).all()
    if ids:
        assert probe.labels.min() >= 0
        assert probe.labels.max() < len(probe.label_names)
    if probe.task == "text":
        assert len(set(probe.label_names)) == len(set(probe.labels.tolist())) > 1
        assert all(each == " ".join(each.lower().split()) for each in probe.label_names)


@lenient
@given(st.lists(names, min_size=1, max_size=4), st.lists(st.lists(cells, max_size=5), max_size=12))
def test_any_csv(read, tmp_path, header, rows):
    path = tmp_path / "a.csv"
    path.write_text("\n".join(",".join(line) for line in [header, *rows]), encoding="utf-8")
    answer(read, path)


@lenient
@given(st.binary(max_size=80), st.sampled_from(["csv", "tsv", "jsonl", "json", "parquet", "npz"]))
def test_any_bytes(read, tmp_path, data, ending):
    path = tmp_path / f"a.{ending}"
    path.write_bytes(data)
    answer(read, path)


values = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=2),
    max_leaves=4,
)


@lenient
@given(st.lists(st.dictionaries(names, values, max_size=4), min_size=1, max_size=8), st.booleans())
def test_any_json(read, tmp_path, rows, lines):
    path = tmp_path / ("a.jsonl" if lines else "a.json")
    path.write_text("\n".join(map(json.dumps, rows)) if lines else json.dumps(rows))
    answer(read, path)


columns = st.one_of(
    *(
        st.lists(st.none() | inner, min_size=8, max_size=8).map(
            lambda cells, kind=kind: pa.array(cells, kind)
        )
        for inner, kind in [
            (st.text(max_size=4), pa.string()),
            (st.text(max_size=4), pa.large_string()),
            (st.text(max_size=2), pa.dictionary(pa.int8(), pa.string())),
            (st.integers(-2, 3), pa.int64()),
            (st.integers(0, 3), pa.uint8()),
            (st.floats(), pa.float64()),
            (st.floats(width=32), pa.float32()),
            (st.booleans(), pa.bool_()),
            (st.binary(max_size=4), pa.binary()),
            (st.lists(st.integers(0, 2), max_size=3), pa.list_(pa.int64())),
            (st.lists(st.text(max_size=1), max_size=3), pa.list_(pa.string())),
            (st.lists(st.floats(-1, 1), min_size=2, max_size=2), pa.list_(pa.float64(), 2)),
            (st.lists(st.floats(0, 9), min_size=3, max_size=4), pa.list_(pa.float64())),
            (st.fixed_dictionaries({"text": st.lists(st.text(max_size=2), max_size=2)}),
             pa.struct([("text", pa.list_(pa.string()))])),
            (st.datetimes(), pa.timestamp("us")),
            (st.fixed_dictionaries({"bytes": st.binary(max_size=3), "path": st.text(max_size=3)}),
             pa.struct([("bytes", pa.binary()), ("path", pa.string())])),
            (st.fixed_dictionaries({"x": st.integers(0, 3)}), pa.struct([("x", pa.int64())])),
        ]
    ),
    st.just(pa.nulls(8)),
)  # fmt: skip


@lenient
@given(
    st.dictionaries(names.filter(bool), columns, min_size=1, max_size=4),
    st.sampled_from([None, *get_args(Task)]),
    st.data(),
)
def test_any_parquet(read, tmp_path, table, task, data):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table(table), path, row_group_size=3)
    options = {"task": task}
    if data.draw(st.booleans()):
        options["label"] = tuple(data.draw(st.lists(st.sampled_from(sorted(table)), max_size=2)))
    if data.draw(st.booleans()):
        options["text"] = tuple(data.draw(st.lists(st.sampled_from(sorted(table)), max_size=2)))
    answer(read, path, **options)


four = st.lists(st.none() | st.floats(-1, 12), min_size=4, max_size=4)
boxes = st.lists(st.none() | four, min_size=8, max_size=8)


@lenient
@given(
    st.dictionaries(st.sampled_from(STRUCTURED), columns, max_size=5),
    st.none() | boxes,
    st.sampled_from([None, *get_args(Task)]),
    st.data(),
)
def test_any_structured_table(read, png, tmp_path, table, box, task, data):
    if data.draw(st.booleans()):
        table["image"] = pa.array([{"bytes": png(n), "path": None} for n in range(8)])
    if box is not None:
        table["bbox"] = pa.array(box, pa.list_(pa.float64()))
    if not table:
        return
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table(table), path)
    options = {"task": task, "samples": data.draw(st.sampled_from([None, 4]))}
    if data.draw(st.booleans()):
        options["label"] = tuple(data.draw(st.lists(st.sampled_from(sorted(table)), max_size=2)))
    if data.draw(st.booleans()):
        options["text"] = tuple(data.draw(st.lists(st.sampled_from(sorted(table)), max_size=2)))
    answer(read, path, **options)


plain = [np.zeros((4, 2)), np.eye(4), np.arange(4), np.array([0, 1, 0, 1]), np.eye(4)[:, :1]]
odd = [np.array([0.5, 1, 2, 0]), np.array(3), np.zeros((4, 0)), np.zeros((0, 2)), np.zeros(0)]
odd += [
    np.full((4, 2), np.nan),
    np.ones((4, 2, 2)),
    np.array([1j] * 4),
    np.array([True, False] * 2),
]
odd += [np.array(["a", "b", "a", "b"]), np.array([b"a", b"b"] * 2), np.array([2**62, -1, 0, 1])]
odd += [np.array(["2020-01-01"] * 4, dtype="datetime64[D]")]
arrays = st.sampled_from(plain + odd)


@lenient
@given(
    st.dictionaries(st.sampled_from(["X", "y", "Y", "label_names", "Z"]), arrays, max_size=4),
    st.sampled_from([None, *get_args(Task)]),
)
def test_any_arrays(read, tmp_path, found, task):
    data = io.BytesIO()
    np.savez(data, **found)
    path = tmp_path / "a.npz"
    path.write_bytes(data.getvalue())
    answer(read, path, task=task)
