"""Captioning: images whose labels are sentences of their own."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

CAPTIONS = ("A red disc", "A blue disc", "A red  square.", "A blue disc", "Nothing at all")


@pytest.fixture
def captioned(image_folder, write):
    """Write images and their list: ``captioned([{"caption": ...}, ...])``."""

    def make(rows, name="metadata.jsonl"):
        image_folder({"all": len(rows)})
        named = [{"file_name": f"all/{n}.png", **row} for n, row in enumerate(rows)]
        write(f"photos/{name}", "".join(json.dumps(row) + "\n" for row in named))
        return "photos"

    return make


def test_a_list_of_captions_beside_images_is_captioning(read, captioned):
    probe = read(captioned([{"caption": each} for each in CAPTIONS]))
    assert (probe.task, probe.modality, probe.classes) == ("text", "image", None)
    assert probe.label_names == ("a red disc", "a blue disc", "a red square.", "nothing at all")
    assert probe.labels.tolist() == [0, 1, 2, 1, 3]
    assert probe.labels.dtype == np.int64
    assert probe.columns == {"image": "file_name", "label": "caption"}
    assert "Read as captioning: image 'file_name'; label 'caption'." in probe.notes
    assert "Each label is a caption in lower case." in probe.notes


def test_a_csv_list_says_the_same(read, captioned, write):
    folder = captioned([{"caption": each} for each in CAPTIONS])
    first = read(folder)
    (write("photos/x", "").parent / "metadata.jsonl").unlink()
    lines = "".join(f"all/{n}.png,{each}\n" for n, each in enumerate(CAPTIONS))
    write("photos/metadata.csv", f"file_name,caption\n{lines}")
    again = read(folder)
    assert again.label_names == first.label_names
    assert again.fingerprint == first.fingerprint


def test_several_captions_of_an_image_are_one_label(read, captioned):
    rows = [{"captions": ["A disc.", "It is Red"]}, {"captions": ["A square."]}, {"captions": []}]
    probe = read(captioned(rows))
    assert probe.label_names == ("a disc. it is red", "a square.")
    assert "Joined the several captions of 1 image." in probe.notes
    assert "Left out 1 row without a label." in probe.notes


def test_numbered_columns_of_captions_are_joined(read, captioned):
    rows = [{"caption_0": "One", "caption_1": "Two"}, {"caption_0": "Three", "caption_1": None}]
    probe = read(captioned(rows))
    assert probe.label_names == ("one two", "three")
    assert probe.columns["label"] == "caption_0, caption_1"


def test_rows_of_the_same_image_are_joined(read, image_folder, write):
    image_folder({"all": 3})
    lines = [("0", "One"), ("1", "Two"), ("0", "Three"), ("2", ""), ("2", "Four"), ("0", "Five")]
    text = "".join(f"all/{name}.png,{caption}\n" for name, caption in lines)
    write("photos/metadata.csv", f"file_name,caption\n{text}")
    probe = read("photos")
    assert [image.name.partition("(")[2] for image in probe.inputs] == [
        "all/0.png)",
        "all/1.png)",
        "all/2.png)",
    ]
    assert probe.label_names == ("one three five", "two", "four")
    assert "Joined the several captions of 1 image." in probe.notes
    assert "Left out 1 row without a label." in probe.notes
    assert probe.rows == 3


def test_rows_of_an_image_in_another_split_stay_apart(read, image_folder, write):
    image_folder({"all": 3})
    lines = "0,train,a\n1,train,b\n0,test,c\n2,train,d\n"
    rows = "".join(f"all/{line[0]}.png{line[1:]}\n" for line in lines.splitlines())
    path = write("photos/list.csv", f"file_name,split,caption\n{rows}")
    assert read(path).label_names == ("a", "b", "d")


def test_encoded_images_with_an_id_are_joined_by_it(read, png, tmp_path):
    cells = [{"bytes": png(n // 2), "path": None} for n in range(6)]
    table = {"image": cells, "image_id": [1, 1, 2, 2, 3, 3], "caption": list("abcdea")}
    pq.write_table(pa.table(table), tmp_path / "a.parquet")
    probe = read("a.parquet")
    assert probe.label_names == ("a b", "c d", "e a")


def test_a_text_beside_images_is_the_caption_where_nothing_else_is_a_label(read, refused, png):
    cells = [{"bytes": png(n), "path": None} for n in range(6)]
    texts = [f"Picture number {n}" for n in range(6)]
    pq.write_table(pa.table({"image": cells, "text": texts}), "a.parquet")
    assert read("a.parquet").task == "text"
    pq.write_table(pa.table({"image": cells, "text": texts, "label": [0, 1] * 3}), "b.parquet")
    assert "one of them at a time" in refused("b.parquet")
    pq.write_table(pa.table({"image": cells, "text": texts, "kind": [0, 1] * 3}), "c.parquet")
    assert "one of them at a time" in refused("c.parquet")
    assert read("b.parquet", task="text").columns == {"image": "image", "label": "text"}
    assert read("b.parquet", label=("text",)).task == "text"


def test_a_caption_beside_a_label_is_no_silent_guess(read, refused, captioned):
    rows = [{"caption": each, "label": "xy"[n % 2]} for n, each in enumerate(CAPTIONS)]
    folder = captioned(rows)
    assert "one of them at a time" in refused(folder)
    assert read(folder, label=("caption",)).task == "text"
    assert read(folder, image="file_name", label=("label",)).task == "classification"


def test_one_of_several_captions_may_be_chosen(read, captioned):
    rows = [{"caption_0": "One", "caption_1": "Two"}, {"caption_0": "Three", "caption_1": "Four"}]
    assert read(captioned(rows), label=("caption_1",)).label_names == ("two", "four")


def test_the_sample_is_plain_and_keeps_its_own_texts_alone(read, captioned):
    folder = captioned([{"caption": f"Picture {n % 30}"} for n in range(90)])
    small, large = read(folder, samples=20), read(folder, samples=40)
    assert {image.name for image in small.inputs} < {image.name for image in large.inputs}
    assert sorted(set(small.labels.tolist())) == list(range(len(small.label_names)))
    first = [small.labels.tolist().index(n) for n in range(len(small.label_names))]
    assert first == sorted(first)
    numbers = [int(image.name.split("/")[1].partition(".")[0]) for image in small.inputs]
    texts = [small.label_names[each] for each in small.labels]
    assert texts == [f"picture {number % 30}" for number in numbers]
    assert read(folder, samples=20, seed=1).fingerprint != small.fingerprint


def test_the_texts_are_part_of_the_fingerprint(read, captioned):
    one = read(captioned([{"caption": each} for each in ("a", "b", "c")]))
    other = read(captioned([{"caption": each} for each in ("a", "b", "d")]))
    assert one.labels.tolist() == other.labels.tolist()
    assert one.fingerprint != other.fingerprint


# Bad input.


def test_one_and_the_same_caption_is_refused(refused, captioned):
    message = refused(captioned([{"caption": "A dog"}, {"caption": "a  dog"}]))
    assert "2 samples of 'photos' are labelled with one and the same text, 'a dog'" in message


def test_a_missing_file_is_named_with_its_row(refused, captioned, write):
    folder = captioned([{"caption": each} for each in CAPTIONS])
    (write("photos/x", "").parent / "all" / "3.png").unlink()
    message = refused(folder)
    assert "image 'metadata.jsonl row 4 (all/3.png)' of 'photos' is not there" in message


def test_a_broken_line_is_named(refused, captioned, write):
    captioned([{"caption": each} for each in CAPTIONS])
    write("photos/metadata.jsonl", '{"file_name": "all/0.png", "caption": "a"}\n{"file_name"\n')
    assert "metadata.jsonl' cannot be read as JSONL: line 2" in refused("photos")


def test_captions_that_are_no_texts_are_named(refused, captioned):
    folder = captioned([{"caption": "a", "taken": "2024-01-02"}, {"caption": "b", "taken": None}])
    message = refused(folder, label=("taken",), task="text", image="file_name")
    assert "column 'taken' of 'photos' holds" in message
    assert "no texts" in message


def test_no_caption_at_all_is_said(refused, captioned):
    message = refused(captioned([{"caption": ""}, {"caption": "  "}]))
    assert "has no row with an input and a label. Left out 2 rows without a label." in message


def test_captions_and_answers_together_are_no_guess(read, refused, captioned):
    rows = [{"caption": f"c{n}", "question": f"q{n}", "answer": f"a{n}"} for n in range(4)]
    folder = captioned(rows)
    message = refused(folder)
    assert "could be captioning (label 'caption') or visual question answering" in message
    assert "--label caption or --label question --label answer" in message
    assert read(folder, label=("caption",)).label_names[0] == "c0"
    assert read(folder, label=("question", "answer")).label_names[0] == "q0 a0"
    assert read(folder, label=("answer",)).label_names[0] == "a0"
