"""A saved sample is the same probe."""

from __future__ import annotations

import json

import numpy as np
import pytest

from zoo.errors import InputError
from zoo.probes import save
from zoo.probes import saved as saving


def same(first, second):
    assert second.fingerprint == first.fingerprint
    assert second.task == first.task
    assert second.modality == first.modality
    assert second.label_names == first.label_names
    assert np.array_equal(second.labels, first.labels)


def test_images_come_back(read, image_folder, tmp_path):
    probe = read(image_folder({"cats": 9, "dogs": 5}), samples=8)
    path = save(probe, tmp_path / "out.parquet")
    again = read(path)
    same(probe, again)
    assert again.inputs[0].name.startswith("out.parquet row 1 (")
    same(probe, read(save(probe, tmp_path / "folder").parent.parent))


def test_the_datasets_library_reads_it_too(read, image_folder, tmp_path):
    import datasets

    probe = read(image_folder({"cats": 3, "dogs": 2}))
    path = save(probe, tmp_path / "out.parquet")
    found = datasets.Dataset.from_parquet(str(path), cache_dir=str(tmp_path / "cache"))
    assert found.features["label"].names == ["cats", "dogs"]
    assert found[0]["image"].size == (8, 8)


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("text,label\na,x\nb,y\nc,x\n", {}),
        ("text,stars\na,1\nb,2\nc,1\n", {"task": "regression"}),
        ("sentence1,sentence2,score\na,b,0.5\nc,d,1.25\ne,f,2\n", {}),
        ("text,tags\na,x;y\nb,y\nc,x\nd,y;x\n", {}),
        ("body,u,v\na,0.5,1\nb,2,3.5\nc,1,1\n", {"label": ("u", "v")}),
        ("text,text2,label\na,b,x\nc,d,y\ne,f,x\n", {"text": ("text2",)}),
        ("text,label\na,One\nb,two\nc,one\n", {"task": "text"}),
        ("question,context,answer\na,b,One\nc,d,two\ne,f,\ng,h,Three\n", {}),
    ],
)
def test_texts_come_back(read, write, tmp_path, text, options):
    probe = read(write("in.csv", text), **options)
    again = read(save(probe, tmp_path / "out.parquet"))
    same(probe, again)
    assert list(again.inputs) == list(probe.inputs)


def test_an_empty_label_set_comes_back(read, write, tmp_path):
    rows = [
        {"text": "a", "labels": ["x"]},
        {"text": "b", "labels": []},
        {"text": "c", "labels": ["y"]},
    ]
    probe = read(write("in.jsonl", "".join(json.dumps(row) + "\n" for row in rows)))
    same(probe, read(save(probe, tmp_path / "out.parquet")))


def test_features_come_back(read, tmp_path):
    generator = np.random.default_rng(0)
    np.savez(tmp_path / "in.npz", X=generator.normal(size=(50, 3)), y=np.arange(50) % 3)
    probe = read("in.npz", samples=20)
    same(probe, read(save(probe, tmp_path / "out.npz")))


@pytest.mark.parametrize("task", ["text", "regression", None])
def test_features_come_back_with_their_task(read, tmp_path, task):
    generator = np.random.default_rng(0)
    names = np.array(["A b", "c", "d"])
    np.savez(
        tmp_path / "in.npz", X=generator.normal(size=(9, 3)), y=np.arange(9) % 3, label_names=names
    )
    probe = read("in.npz", task=task, samples=7)
    same(probe, read(save(probe, tmp_path / "out.npz")))


@pytest.mark.parametrize(
    "label",
    [
        lambda n: {"caption": f"Picture {n % 5}"},
        lambda n: {"captions": [f"Picture {n % 5}", "It is Red"]},
        lambda n: {"question": f"q{n % 2}", "answers": ["Yes", "no"][n % 2 :]},
        lambda n: {"expression": "it", "bbox": [n % 3, n % 2, 2 + n % 4, 3]},
    ],
)
def test_structured_labels_of_images_come_back(read, image_folder, write, tmp_path, label):
    image_folder({"all": 12})
    rows = [{"file_name": f"all/{n}.png", **label(n)} for n in range(12)]
    write("photos/metadata.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    probe = read("photos", samples=9)
    again = read(save(probe, tmp_path / "out.parquet"))
    same(probe, again)
    assert again.notes == ()


def test_an_existing_file_is_kept_unless_asked(read, image_folder, tmp_path):
    probe = read(image_folder({"cats": 3, "dogs": 2}))
    path = tmp_path / "out.parquet"
    path.write_text("precious")
    with pytest.raises(InputError, match="exists"):
        save(probe, path)
    assert path.read_text() == "precious"
    same(probe, read(save(probe, path, replace=True)))


def test_another_ending_is_refused(read, image_folder, tmp_path):
    probe = read(image_folder({"cats": 3, "dogs": 2}))
    with pytest.raises(InputError, match=r"written as \.parquet, not as '\.csv'") as caught:
        save(probe, tmp_path / "out.csv")
    assert caught.value.hint.endswith("out.parquet")


def test_an_interrupted_write_leaves_nothing(read, image_folder, tmp_path, monkeypatch):
    probe = read(image_folder({"cats": 3, "dogs": 2}))

    def interrupted(probe, path):
        path.write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(saving, "_write_parquet", interrupted)
    with pytest.raises(KeyboardInterrupt):
        save(probe, tmp_path / "out" / "a.parquet")
    assert list((tmp_path / "out").iterdir()) == []
