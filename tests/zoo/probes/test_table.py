"""Files of texts, text pairs and image paths: what is guessed, and what is refused."""

from __future__ import annotations

import gzip
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

REVIEWS = "id,body,stars\n" + "".join(
    f"{n},this is a review of thing {n},{n % 3 + 1}\n" for n in range(30)
)


def note(probe, part):
    found = [each for each in probe.notes if part in each]
    assert found, probe.notes
    return found[0]


# What is guessed.


def test_columns_are_found_by_name(read, write):
    probe = read(write("reviews.csv", REVIEWS))
    assert probe.columns == {"text": "body", "label": "stars"}
    assert probe.label_names == ("1", "2", "3")
    assert probe.inputs[0] == "this is a review of thing 0"
    assert (
        note(probe, "Guessed") == "Guessed: text 'body' (by its name); label 'stars' (by its name)."
    )
    assert note(probe, "Not used") == "Not used: 'id'."


def test_whole_numbers_are_classes_and_the_note_says_how_to_make_them_a_target(read, write):
    path = write("reviews.csv", REVIEWS)
    probe = read(path)
    assert probe.task == "classification"
    assert "3 whole numbers (1 to 3), read as classes; --task regression" in note(
        probe, "whole numbers"
    )
    target = read(path, task="regression")
    assert target.task == "regression"
    assert target.labels.dtype == np.float64
    assert target.label_names == ("stars",)
    assert target.classes is None


def test_many_fractions_are_a_target(read, write):
    lines = "".join(f"sentence {n},{n / 7:.3f}\n" for n in range(40))
    probe = read(write("scores.csv", "sentence,score\n" + lines))
    assert probe.task == "regression"
    assert "--task classification makes them classes" in note(probe, "regression;")


def test_many_whole_numbers_that_are_no_ids_are_a_target(read, write):
    lines = "".join(f"house number {n},{1000 + 37 * n}\n" for n in range(60))
    assert read(write("prices.csv", "text,target\n" + lines)).task == "regression"


def test_many_ids_without_gaps_are_classes(read, write):
    lines = "".join(f"query {n},{n % 30}\n" for n in range(90))
    assert read(write("intents.csv", "text,intent\n" + lines)).classes == 30


def test_the_longest_column_is_the_text_and_the_only_one_of_few_values_the_label(read, write):
    lines = "".join(f"r{n},some long words about {n},{'xy'[n % 2]}\n" for n in range(20))
    probe = read(write("odd.csv", "code,words,kind_of\n" + lines))
    assert probe.columns == {"text": "words", "label": "kind_of"}
    assert "the longest texts" in note(probe, "Guessed")
    assert "the only column of few values" in note(probe, "Guessed")


@pytest.mark.parametrize(
    ("first", "second"),
    [("sentence1", "sentence2"), ("premise", "hypothesis"), ("text_a", "text_b"), ("q1", "q2")],
)
def test_pairs_are_found_by_their_names(read, write, first, second):
    lines = "".join(f"left {n},right {n},{n % 2}\n" for n in range(8))
    probe = read(write("pairs.csv", f"{first},{second},label\n{lines}"))
    assert probe.inputs[3] == ("left 3", "right 3")
    assert probe.columns["text"] == f"{first}, {second}"


def test_flags_override_every_guess(read, write):
    path = write("reviews.csv", "title,body,stars,useful\na,b,1,0\nc,d,2,1\ne,f,1,1\ng,h,2,0\n")
    probe = read(path, text=("title",), label=("useful",))
    assert probe.inputs == ["a", "c", "e", "g"]
    assert probe.labels.tolist() == [0, 1, 1, 0]
    assert read(path, text=("title", "body")).inputs[0] == ("a", "b")
    assert not any("Guessed" in each for each in probe.notes)


def test_labels_that_are_joined_are_multi_label(read, write):
    path = write("tags.csv", "text,tags\na,x;y\nb,y\nc,x; z\nd,z\ne,\n")
    probe = read(path)
    assert probe.task == "multi-label"
    assert probe.label_names == ("x", "y", "z")
    assert probe.labels.tolist() == [[1, 1, 0], [0, 1, 0], [1, 0, 1], [0, 0, 1]]
    assert "--task classification keeps each text whole" in note(probe, "joins")
    assert note(probe, "without a label") == "Left out 1 row without a label."


def test_lists_are_multi_label_and_an_empty_list_is_an_answer(read, write):
    rows = [{"text": "a", "labels": ["x", "y"]}, {"text": "b", "labels": []}]
    rows += [{"text": "c", "labels": ["y"]}, {"text": "d", "labels": None}]
    probe = read(write("tags.jsonl", "".join(json.dumps(row) + "\n" for row in rows)))
    assert probe.label_names == ("x", "y")
    assert probe.labels.tolist() == [[1, 1], [0, 0], [0, 1]]


def test_three_columns_of_0_and_1_are_multi_label(read, write):
    lines = "".join(f"t{n},{n % 2},{n // 2 % 2},{int(n > 4)}\n" for n in range(8))
    probe = read(write("toxic.csv", "comment_text,toxic,insult,threat\n" + lines))
    assert probe.task == "multi-label"
    assert probe.label_names == ("toxic", "insult", "threat")
    assert probe.labels.shape == (8, 3)


def test_several_targets_are_named_by_repeating_the_flag(read, write):
    lines = "".join(f"t{n},{n / 3:.2f},{-n / 7:.2f}\n" for n in range(8))
    probe = read(write("two.csv", "text,a,b\n" + lines), label=("a", "b"))
    assert (probe.task, probe.labels.shape) == ("regression", (8, 2))


def test_a_column_that_spells_the_label_out_names_the_classes(read, write):
    probe = read(
        write("setfit.csv", "text,label,label_text\na,0,bad\nb,1,good\nc,1,good\nd,0,bad\n")
    )
    assert probe.label_names == ("bad", "good")
    assert probe.columns == {"text": "text", "label": "label"}


def test_truth_values_are_two_classes(read, write):
    probe = read(write("b.csv", "question,passage,answer\nq,p,true\nr,s,false\nt,u,true\n"))
    assert probe.label_names == ("false", "true")
    assert probe.labels.tolist() == [1, 0, 1]


def test_a_split_column_is_honoured(read, write):
    rows = "".join(f"t{n},{n % 2},{'train' if n < 6 else 'test'}\n" for n in range(10))
    path = write("both.csv", "text,label,split\n" + rows)
    probe = read(path)
    assert (probe.split, probe.rows) == ("train", 6)
    assert read(path, split="test").rows == 4


def test_rows_without_text_or_label_are_left_out_and_counted(read, write):
    path = write("gaps.csv", "text,label\na,x\n,x\n  ,y\nb,\nc,y\nd,y\ne,x\n")
    probe = read(path)
    assert probe.inputs == ["a", "c", "d", "e"]
    assert "Left out 1 row without a label." in probe.notes
    assert "Left out 2 rows with an empty text." in probe.notes
    assert probe.rows == 4


def test_duplicates_are_counted(read, write):
    probe = read(write("twice.csv", "text,label\na,x\na,y\nb,x\nb,x\nc,y\n"))
    assert note(probe, "repeat") == (
        "2 of the 5 samples repeat the content of another one; 1 content has several labels."
    )


def test_the_sample_is_noted_and_nested(read, write):
    lines = "".join(f"text number {n},{'ab'[n % 5 == 0]}\n" for n in range(200))
    path = write("many.csv", "text,label\n" + lines)
    small, large = read(path, samples=50), read(path, samples=100)
    assert set(small.inputs) < set(large.inputs)
    assert np.bincount(small.labels).tolist() == [40, 10]
    assert "Took 50 of 200 rows, seed 0." in small.notes
    assert small.fingerprint == read(path, samples=50).fingerprint
    assert small.fingerprint != read(path, samples=50, seed=1).fingerprint
    assert read(path, samples=None).samples == read(path, samples=0).samples == 200


def test_a_sample_too_small_for_all_classes_says_what_would_do(read, write):
    lines = "".join(f"query {n},c{n % 30}\n" for n in range(90))
    probe = read(write("intents.csv", "text,intent\n" + lines), samples=40)
    assert "60 samples would hold two of each of the 30 classes." in probe.notes


# Formats.


JSON = [
    {"text": text, "label": label}
    for text, label in zip(("one", "two", "three"), "xyx", strict=True)
]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", "text,label\r\none,x\r\ntwo,y\r\nthree,x\r\n"),
        ("a.csv", "\ufefftext,label\none,x\ntwo,y\nthree,x\n"),
        ("excel.csv", "text;label\none;x\ntwo;y\nthree;x\n"),
        ("a.tsv", "text\tlabel\none\tx\ntwo\ty\nthree\tx\n"),
        ("a.jsonl", "\n".join(map(json.dumps, JSON))),
        ("a.json", json.dumps(JSON, indent=1)),
    ],
)
def test_equal_rows_give_equal_probes_in_every_format(read, write, name, text):
    probe = read(write(name, text))
    assert probe.inputs == ["one", "two", "three"]
    assert probe.labels.tolist() == [0, 1, 0]
    again = read(write("same.csv", "text,label\none,x\ntwo,y\nthree,x\n"))
    assert probe.fingerprint == again.fingerprint


def test_compressed_files_are_read(read, tmp_path):
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b"text,label\na,x\nb,y\nc,x\n"))
    assert read("a.csv.gz").samples == 3


def test_a_cell_may_hold_lines_and_delimiters(read, write):
    probe = read(write("a.csv", 'text,label\n"one\n, two",x\nb,y\nc,x\n'))
    assert probe.inputs[0] == "one\n, two"


def test_bare_quotes_in_tsv_are_text(read, write):
    probe = read(write("a.tsv", 'text\tlabel\n"one\tx\ntwo"\ty\nc\tx\n'))
    assert probe.inputs == ['"one', 'two"', "c"]


def test_texts_that_look_like_nothing_stay_texts(read, write):
    probe = read(write("a.csv", "text,label\nNA,x\nnull,y\nNone,x\n"))
    assert probe.inputs == ["NA", "null", "None"]


def test_parquet_keeps_the_class_names_of_its_schema(read, tmp_path):
    features = {"label": {"_type": "ClassLabel", "names": ["neg", "neutral", "pos"]}}
    table = pa.table({"text": ["a", "b", "c"], "label": [2, 0, -1]}).replace_schema_metadata(
        {"huggingface": json.dumps({"info": {"features": features}})}
    )
    table = pa.concat_tables([table, table])
    pq.write_table(table, tmp_path / "a.parquet")
    probe = read("a.parquet")
    assert probe.label_names == ("neg", "neutral", "pos")
    assert probe.labels.tolist() == [2, 0, 2, 0]
    assert "Left out 2 rows without a label." in probe.notes
    assert "'neutral' has no sample." in probe.notes


def test_image_paths_are_relative_to_their_file(read, image_folder, write):
    image_folder({"all": 3}, root="set/images")
    write(
        "set/list.csv", "path,label\nimages/all/0.png,x\nimages/all/1.png,y\nimages/all/2.png,x\n"
    )
    probe = read("set/list.csv")
    assert probe.modality == "image"
    assert probe.inputs[1].name == "list.csv row 3 (images/all/1.png)"
    assert probe.inputs[1].path.endswith("set/images/all/1.png")


def test_encoded_images_are_read_only_where_they_are_sampled(read, png, tmp_path):
    cells = [{"bytes": png(n), "path": f"{n}.png"} for n in range(40)]
    cells[7] = {"bytes": b"broken", "path": "7.png"}
    table = pa.table({"image": cells, "label": [n % 2 for n in range(40)]})
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=6)
    chosen = read("a.parquet", samples=4)
    assert chosen.inputs[0].data.startswith(b"\x89PNG")
    assert "a.parquet row" in chosen.inputs[0].name


def test_empty_image_cells_are_left_out(read, png, tmp_path):
    cells = [{"bytes": png(n), "path": None} for n in range(6)]
    cells[2] = None
    cells[3] = {"bytes": None, "path": None}
    pq.write_table(pa.table({"image": cells, "label": [0, 1] * 3}), tmp_path / "a.parquet")
    probe = read("a.parquet")
    assert probe.rows == 4
    assert "Left out 2 rows with an empty image." in probe.notes


# Bad input: one sentence each.


def test_an_empty_file_says_so(refused, write):
    assert "is empty" in refused(write("a.csv", ""))
    assert "is empty" in refused(write("b.jsonl", "  \n"))
    assert "has no rows" in refused(write("c.csv", "text,label\n"))
    message = refused(write("d.csv", "text,label\n,x\nb,\n"))
    assert "has no row with an input and a label. Left out 1 row without a label." in message


@pytest.mark.parametrize(
    "text",
    [
        "good film,1\nbad film,0\ndull film,0\n",
        "good,positive\nbad,negative\nfine,positive\n",
        "this is a very long first sentence,x\nb,y\nc,x\n",
    ],
)
def test_a_file_without_a_header_says_so(refused, write, text):
    message = refused(write("a.csv", text))
    assert "looks like data, not like column names" in message
    assert "text,label" in message


def test_no_label_column_lists_the_columns(refused, write):
    lines = "".join(f"{n},words number {n}\n" for n in range(30))
    message = refused(write("a.csv", "id,text\n" + lines))
    assert "looks like labels" in message
    assert "'id' and 'text'" in message
    assert "--label NAME" in message


def test_two_candidate_labels_are_named(refused, write):
    lines = "".join(f"t{n},{n % 2},{n % 3}\n" for n in range(30))
    message = refused(write("a.csv", "text,sentiment,topic\n" + lines))
    assert "'sentiment' and 'topic' of" in message
    assert "could both be the label" in message
    assert "--label sentiment or --label topic" in message
    message = refused(write("b.csv", "text,u,v\n" + lines))
    assert "--label u or --label v" in message


def test_a_wrong_column_suggests_the_right_one(refused, write):
    path = write("reviews.csv", REVIEWS)
    assert "has no column 'star'. Did you mean 'stars'?" in refused(path, label=("star",))
    assert "has no column 'Bodi'. Did you mean 'body'?" in refused(path, text=("Bodi",))
    assert "has no column 'img'." in refused(path, image="img")


def test_a_wrong_task_suggests_the_right_one(refused, write):
    path = write("reviews.csv", REVIEWS)
    assert "Did you mean 'regression'?" in refused(path, task="regresion")


def test_one_class_and_classes_of_one_are_refused(refused, write):
    assert "are of one class, 'x'" in refused(write("a.csv", "text,label\na,x\nb,x\n"))
    assert "class of its own" in refused(write("b.csv", "text,label\na,x\nb,y\n"))


def test_a_constant_target_is_refused(refused, write):
    path = write("a.csv", "text,score\na,1.5\nb,1.5\n")
    assert "the target 'score' of" in refused(path)
    assert "1.5 in all 2 rows" in refused(path)


def test_one_constant_target_among_several_is_noted(read, refused, write):
    path = write("a.csv", "text,u,v,w\na,1.5,0.5,2\nb,1.5,0.7,2\n")
    probe = read(path, label=("u", "v"))
    assert probe.labels.shape == (2, 2)
    assert note(probe, "the same") == "'u' is the same in all rows."
    assert "'u' and 'w' of" in refused(path, label=("u", "w"))


def test_a_text_among_numbers_is_named_with_its_row(refused, write):
    path = write("a.csv", "text,score\na,1\nb,great\nc,2\n")
    assert "'great' in a.csv row 3 is none" in refused(path, task="regression")


def test_nan_labels_are_counted_and_the_first_is_named(refused, tmp_path):
    pq.write_table(
        pa.table({"text": list("abcd"), "score": [0.5, float("nan"), 1.0, float("inf")]}),
        tmp_path / "a.parquet",
    )
    message = refused("a.parquet")
    assert "2 labels that are NaN or infinite; the first is in a.parquet row 2" in message


def test_another_encoding_is_named_with_its_line(refused, write):
    message = refused(write("a.csv", "text,label\nfine,x\ncaf\xe9,y\n", "latin-1"))
    assert "not UTF-8 (line 3 holds the byte 0xe9)" in message
    assert "iconv" in message
    assert "UTF-16" in refused(write("b.csv", "text,label\na,x\n", "utf-16"))


def test_a_ragged_line_is_named(refused, write):
    message = refused(write("a.csv", "text,label\na,x\nb,y,z\n"))
    assert "cannot be read as CSV" in message
    assert "3" in message


def test_a_broken_json_line_is_named(refused, write):
    assert "cannot be read as JSONL: line 2: " in refused(
        write("a.jsonl", '{"text":"a"}\n{"text":\n')
    )
    assert "no list of objects" in refused(write("a.json", "[1,2]"))


def test_broken_parquet_is_named(refused, write, tmp_path):
    assert "cannot be read as parquet" in refused(write("a.parquet", b"PAR1 not really"))
    pq.write_table(pa.table({"text": ["a"] * 500, "label": [0] * 500}), tmp_path / "b.parquet")
    whole = (tmp_path / "b.parquet").read_bytes()
    (tmp_path / "b.parquet").write_bytes(whole[: len(whole) // 2])
    assert "cannot be read as parquet" in refused("b.parquet")


def test_an_unknown_type_is_named(refused, write):
    message = refused(write("notes.docx", "x"))
    assert "cannot read '.docx'" in message
    assert ".csv" in message


def test_a_missing_image_is_named_with_where_it_was_looked_for(refused, write, tmp_path):
    message = refused(write("list.csv", "image,label\na.png,x\nb.png,y\nc.png,x\n"))
    assert "'list.csv row 2 (a.png)'" in message
    assert "is not there (and 2 others)" in message
    assert str(tmp_path / "a.png") in message


def test_image_addresses_are_not_downloaded(refused, write):
    text = "image,label\nhttps://h/a.png,x\nhttps://h/b.png,y\nhttps://h/c.png,x\n"
    assert "not downloaded one by one" in refused(write("list.csv", text))


def test_images_beside_texts_ask_for_one_of_them(read, refused, png, tmp_path):
    cells = [{"bytes": png(n), "path": None} for n in range(4)]
    table = pa.table({"image": cells, "text": list("abcd"), "label": [0, 1, 0, 1]})
    pq.write_table(table, tmp_path / "a.parquet")
    message = refused("a.parquet")
    assert "holds images (column 'image') and texts ('text')" in message
    assert "--image image" in message
    assert read("a.parquet", image="image").modality == "image"
    assert read("a.parquet", text=("text",)).inputs == list("abcd")
    assert "one of them at a time" in refused("a.parquet", image="image", text=("text",))


def test_audio_is_named(refused, tmp_path):
    features = {"audio": {"_type": "Audio"}}
    cells = [{"bytes": b"RIFF", "path": None}] * 4
    table = pa.table({"audio": cells, "label": [0, 1, 0, 1]}).replace_schema_metadata(
        {"huggingface": json.dumps({"info": {"features": features}})}
    )
    pq.write_table(table, tmp_path / "a.parquet")
    assert "holds audio, which Zoo cannot read" in refused("a.parquet")


def test_a_class_beyond_the_names_is_named(refused, tmp_path):
    features = {"label": {"_type": "ClassLabel", "names": ["a", "b"]}}
    table = pa.table({"text": list("abcd"), "label": [0, 1, 2, 1]}).replace_schema_metadata(
        {"huggingface": json.dumps({"info": {"features": features}})}
    )
    pq.write_table(table, tmp_path / "a.parquet")
    assert "has 2 classes, but a.parquet row 3 says class 2" in refused("a.parquet")


def test_multi_label_marks_must_be_marks(refused, write):
    path = write("a.csv", "text,a,b\nx,1,2\ny,0,1\nz,1,0\n")
    assert "cannot be read as multi-label" in refused(path, label=("a", "b"), task="multi-label")
    assert "hold 0 and 1" in refused(path, label=("a", "b"), task="multi-label")


def test_a_split_of_a_file_without_splits_is_refused(refused, write):
    assert "no splits" in refused(write("reviews.csv", REVIEWS), split="test")
