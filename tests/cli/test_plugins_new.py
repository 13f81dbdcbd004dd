from __future__ import annotations

import pytest

from zoo.scaffolding import KINDS


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_files_and_what_to_type_next_are_printed(zoo, here):
    done = zoo("plugins", "new", "margin", "--kind", "estimator")
    assert done.code == 0, done.err
    assert f"{here / 'zoo-margin'}: a new estimator, margin." in done.out
    assert "  src/zoo_margin/estimator.py" in done.out.splitlines()
    typed = [line.strip() for line in done.err.splitlines()]
    assert typed[typed.index("Next:") + 1 :] == [
        "cd zoo-margin",
        "pip install -e '.[test]'",
        "zoo plugins check zoo-margin",
        "pytest",
    ]


def test_the_document_says_what_was_written(zoo, here):
    done = zoo("plugins", "new", "zoo-shelf", "--kind", "source", "-o", "own place", "--json")
    document = done.document
    assert done.code == 0
    assert document["folder"] == str(here / "own place")
    assert (document["distribution"], document["name"]) == ("zoo-shelf", "shelf")
    there = [each for each in (here / "own place").rglob("*") if each.is_file()]
    assert sorted(document["files"]) == sorted(
        each.relative_to(here / "own place").as_posix() for each in there
    )
    assert document["next"][0] == "cd 'own place'"
    assert zoo("plugins", "new", "b", "--kind", "probe", "-q").out == f"{here / 'zoo-b'}\n"


def test_the_help_names_every_kind_and_has_examples(zoo):
    text = zoo("plugins", "new", "--help").out
    assert all(kind in text for kind in KINDS)
    assert "zoo plugins new margin --kind estimator" in text


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["margin"], "--kind is missing"),
        (["margin", "--kind", "estimater"], "Did you mean 'estimator'?"),
        (["zoo-reuse", "--kind", "estimator"], "Zoo's own name"),
        (["logme", "--kind", "estimator"], "already provided by zoo-reuse:transferability"),
        (["recommend", "--kind", "command"], "already provided by zoo itself"),
        (["hub", "--kind", "source"], "already provided by zoo-reuse:core"),
        (["margin", "--kind", "grower", "-o", "full"], "is not empty"),
        (["margin", "--kind", "grower", "--author", "a\nb"], "on one line"),
    ],
)
def test_bad_input_is_one_sentence_and_nothing_is_written(zoo, here, words, said):
    (here / "full").mkdir()
    (here / "full" / "mine").touch()
    done = zoo("plugins", "new", *words)
    assert (done.code, done.out) == (2, "")
    assert said in done.err
    assert len([line for line in done.err.splitlines() if line.startswith("Error: ")]) == 1
    left = [each.relative_to(here).as_posix() for each in here.rglob("*")]
    assert sorted(left) == ["full", "full/mine"]


def test_a_name_of_another_kind_is_free(zoo, here):
    assert zoo("plugins", "new", "logme", "--kind", "reporter").code == 0
