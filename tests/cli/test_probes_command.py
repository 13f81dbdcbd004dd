"""``zoo probes``: what a person reads, what a program reads, and the file that comes back."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "structured-labels.md"

REVIEWS = "id,body,stars\n" + "".join(
    f"{n},this is a review of thing {n},{n % 3 + 1}\n" for n in range(60)
)


@pytest.fixture
def reviews(tmp_path):
    path = tmp_path / "reviews.csv"
    path.write_text(REVIEWS)
    return path


def test_show_says_what_was_understood(zoo, reviews):
    shown = zoo("probes", "show", reviews, "--probe-size", "30")
    assert shown.code == 0
    assert "classification, 3 classes" in shown.out
    assert "text: body, label: stars" in shown.out
    assert "30 of 60 rows, seed 0" in shown.out
    assert "--task regression reads them as quantities" in shown.out
    assert "this is a review of thing" in shown.out
    assert ["2", "10"] in [line.split() for line in shown.out.splitlines()]


def test_show_gives_programs_one_document(zoo, reviews):
    document = zoo("probes", "show", reviews, "--json").document
    assert document["schema_version"] == 1
    assert document["probe"]["task"] == "classification"
    assert document["probe"]["columns"] == {"text": "body", "label": "stars"}
    assert document["labels"] == [{"class": str(n), "samples": 20} for n in (1, 2, 3)]
    assert len(document["probe"]["fingerprint"]) == 64
    assert document["examples"][0] == {"label": "1", "input": "this is a review of thing 0"}


def test_show_gives_the_quantiles_of_a_target(zoo, reviews):
    shown = zoo("probes", "show", reviews, "--task", "regression", "--json").document
    assert [each["value"] for each in shown["targets"]] == [1, 1, 2, 3, 3]
    assert shown["probe"]["classes"] is None


@pytest.fixture
def questions(tmp_path):
    rows = [
        f"Who was the person called {n}?,A story about {n}.,Somebody number {n % 14}\n"
        for n in range(28)
    ]
    path = tmp_path / "questions.csv"
    path.write_text("question,context,answer\n" + "".join(rows))
    return path


def test_show_gives_an_excerpt_of_label_texts(zoo, questions):
    shown = zoo("probes", "show", questions)
    assert shown.code == 0
    assert "text, 14 distinct texts" in shown.out
    assert "Read as text question answering" in shown.out
    lines = [line.split() for line in shown.out.splitlines()]
    assert ["somebody", "number", "9", "2"] in lines
    assert ["somebody", "number", "10", "2"] not in lines
    assert "4 more: --limit 14" in shown.err
    every = zoo("probes", "show", questions, "--limit", "14")
    assert "somebody number 13" in every.out
    assert "more" not in every.err


def test_programs_get_every_label_text(zoo, questions):
    document = zoo("probes", "show", questions, "--json").document
    assert document["probe"]["task"] == "text"
    assert document["probe"]["classes"] is None
    assert document["labels"][0] == {"text": "somebody number 0", "samples": 2}
    assert len(document["labels"]) == 14
    assert document["examples"][0]["label"] == "somebody number 0"
    table = zoo("probes", "show", questions, "--format", "csv").out
    assert table.startswith("text,samples\nsomebody number 0,2\n")
    assert len(table.splitlines()) == 15


def test_a_written_sample_keeps_its_texts(zoo, questions, tmp_path):
    target = tmp_path / "probe.parquet"
    written = zoo("probes", "sample", questions, "--probe-size", "20", "-o", target, "--json")
    again = zoo("probes", "show", target, "--json").document
    assert again["probe"]["fingerprint"] == written.document["fingerprint"]
    assert again["probe"]["task"] == "text"


def test_the_page_on_structured_labels_shows_what_is_shown(zoo, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    page = PAGE.read_text(encoding="utf-8")
    (program,) = re.findall(r"^```python run\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    exec(compile(program, "shapes.py", "exec"), {})
    runs = [
        block.splitlines()
        for block in re.findall(r"^```console\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
        if block.endswith("...\n")
    ]
    assert len(runs) >= 5
    for typed, *lines in runs:
        shown = zoo(*shlex.split(typed)[2:])
        assert shown.code == 0, shown.err
        said = [line.rstrip() for line in shown.out.splitlines()]
        assert [line for line in lines[:-1] if line not in said] == []


@pytest.mark.parametrize("mode", ["csv", "md", "jsonl", "quiet", "table"])
def test_show_speaks_every_format(zoo, reviews, mode):
    shown = zoo("probes", "show", reviews, "--format", mode)
    assert shown.code == 0
    assert "3" in shown.out
    if mode == "quiet":
        assert shown.out == "1\n2\n3\n"
    if mode == "csv":
        assert shown.out.startswith("class,samples\n1,20\n")


def test_flags_and_settings_reach_the_loader(zoo, reviews, monkeypatch):
    monkeypatch.setenv("ZOO_PROBE_SIZE", "10")
    monkeypatch.setenv("ZOO_SEED", "7")
    shown = zoo("probes", "show", reviews, "--label", "stars", "--text", "body", "--json").document
    assert (shown["probe"]["samples"], shown["probe"]["seed"]) == (10, 7)
    assert not any("Guessed" in note for note in shown["probe"]["notes"])
    every = zoo("probes", "show", reviews, "--probe-size", "0", "--json").document
    assert every["probe"]["samples"] == 60


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nowhere.csv"], "there is no file or folder 'nowhere.csv'"),
        (["reviews.csv", "--label", "star"], "Did you mean 'stars'?"),
        (["reviews.csv", "--task", "ranking"], "'ranking' is not one of"),
        (["reviews.csv", "--split", "test"], "no splits"),
        (["review.csv"], "Did you mean 'reviews.csv'?"),
    ],
)
def test_bad_input_is_one_sentence_and_code_2(zoo, reviews, monkeypatch, arguments, sentence):
    monkeypatch.chdir(reviews.parent)
    shown = zoo("probes", "show", *arguments)
    assert shown.code == 2
    assert shown.out == ""
    assert shown.err.startswith("Error: ")
    assert sentence in shown.err
    assert "Traceback" not in shown.err


def test_a_written_sample_is_the_same_probe(zoo, reviews, tmp_path):
    target = tmp_path / "probe.parquet"
    written = zoo("probes", "sample", reviews, "--probe-size", "20", "-o", target, "--json")
    assert written.code == 0
    assert written.document["path"] == str(target)
    again = zoo("probes", "show", target, "--json").document
    assert again["probe"]["fingerprint"] == written.document["fingerprint"]
    assert again["probe"]["samples"] == 20


def test_a_written_sample_keeps_what_the_flags_said(zoo, reviews, tmp_path):
    folder = tmp_path / "probe"
    written = zoo("probes", "sample", reviews, "--task", "regression", "-o", folder)
    assert written.out == f"{folder / 'data' / 'train-00000-of-00001.parquet'}\n"
    assert zoo("probes", "show", folder, "--json").document["probe"]["task"] == "regression"


def test_an_existing_file_needs_a_yes(zoo, reviews, tmp_path):
    target = tmp_path / "probe.parquet"
    target.write_text("precious")
    refused = zoo("probes", "sample", reviews, "-o", target)
    assert refused.code == 2
    assert "--yes" in refused.err
    assert target.read_text() == "precious"
    assert zoo("probes", "sample", reviews, "-o", target, "--yes").code == 0


def test_a_target_is_needed(zoo, reviews):
    assert zoo("probes", "sample", reviews).code == 2
