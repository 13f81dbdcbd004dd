"""``zoo layers`` on tiny checkpoints, through the real engine."""

from __future__ import annotations

import csv
import io
import shutil

import numpy as np
import pytest

from zoo.testing.tiny_checkpoints import build_tiny_checkpoint

WORDS = {"good": "a very good film", "bad": "an awful plot", "pet": "the cat and the dog"}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Texts of three classes, three checkpoints, and a store that the tests share."""
    folder = tmp_path_factory.mktemp("layers")
    random = np.random.default_rng(0)
    fill = np.array(["one", "two", "three", "red", "green", "blue", "word", "model"])
    lines = ["text,label"]
    for number in range(36):
        name = list(WORDS)[number % 3]
        lines.append(f"{WORDS[name]} {' '.join(random.choice(fill, 3))},{name}")
    (folder / "texts.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    build_tiny_checkpoint("bert", folder / "bert")
    build_tiny_checkpoint("distilbert", folder / "plain", head=False)
    build_tiny_checkpoint("vit", folder / "images")
    shutil.copytree(folder / "bert", folder / "broken")
    (folder / "broken" / "model.safetensors").write_bytes(b"\0" * 100)
    return folder


@pytest.fixture
def layers(zoo, place, monkeypatch):
    """Run ``zoo layers`` among the checkpoints, at little cost."""
    monkeypatch.chdir(place)
    monkeypatch.setenv("ZOO_HOME", str(place / "home"))

    def run(*arguments):
        few = ("--device", "cpu", "--permutations", 5, "--folds", 3)
        return zoo("layers", *arguments, *few)

    return run


def test_every_layer_has_its_scores_and_the_best_one_is_named(layers, place):
    page = place / "layers.html"
    result = layers("./bert", "texts.csv", "--json", "--html", page)
    assert result.code == 0, result.err
    document = result.document
    assert document["schema_version"] == 1
    assert document["model"] == "./bert"
    names = [row["layer"] for row in document["layers"]]
    assert names == ["embeddings", "block.1", "block.2", "block.3", "head_input"]
    assert document["cut_at"] in names
    assert document["chosen_by"] == "consensus"
    assert document["default_layer"] == "head_input"
    assert document["against"] == "./bert:logits"
    for row in document["layers"]:
        assert row["dimension"] == 32
        assert 0 <= row["score"] <= 1
        assert {"logme", "knn"} <= set(row["estimators"])
        (similar,) = row["similarity"].values()
        assert -1.25 <= similar["value"] <= 1.25
        assert {"node", "edge"} <= set(similar["details"])
    text = page.read_text(encoding="utf-8")
    assert text.count("<svg") == 2
    assert "http" not in text.replace("http-equiv", "")
    assert f"Cut bert at {document['cut_at']}" in text


def test_labels_are_embedded_as_a_person_says(layers):
    scored = [
        layers("./bert", "texts.csv", "-e", "emms", "--label-encoder", name, "--json").document
        for name in ("one_hot", "ngrams")
    ]
    values = [[row["estimators"]["emms"]["value"] for row in each["layers"]] for each in scored]
    assert values[0] != values[1]
    unknown = layers("./bert", "texts.csv", "-e", "emms", "--label-encoder", "one.hot")
    assert unknown.code == 2
    assert "one_hot" in unknown.err


def test_people_see_a_curve_and_where_to_cut(layers):
    result = layers("./bert", "texts.csv")
    assert result.code == 0, result.err
    lines = result.out.splitlines()
    assert lines[0].split()[:3] == ["LAYER", "WIDTH", "SCORE"]
    assert "depara: like its head" in lines[0]
    assert sum("<- cut here" in line for line in lines) == 1
    assert "\u2588" in result.out
    assert "Cut bert at" in result.err
    assert "Most like its head (depara):" in result.err


def test_csv_has_plain_numbers(layers):
    result = layers("./bert", "texts.csv", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(result.out)))
    assert len(rows) == 5
    assert float(rows[0]["logme"])
    assert float(rows[0]["like_depara"]) < 1.3


@pytest.mark.exhaustive
def test_a_model_without_a_head_is_compared_with_its_usual_layer(layers):
    result = layers("./plain", "texts.csv", "--json", "--attribution", "none")
    assert result.code == 0, result.err
    document = result.document
    assert document["against"] == "./plain:head_input"
    similar = document["layers"][-1]["similarity"]["depara"]
    assert similar["value"] == pytest.approx(1)
    assert "edges only" in similar["note"]


@pytest.mark.exhaustive
def test_another_model_may_be_the_reference_at_a_layer_of_choice(layers):
    arguments = ("./bert", "texts.csv", "--against", "./plain:block.2", "-e", "rsa", "-e", "depara")
    result = layers(*arguments, "--json")
    assert result.code == 0, result.err
    document = result.document
    assert document["against"] == "./plain:block.2"
    for row in document["layers"]:
        assert set(row["similarity"]) == {"rsa", "depara"}
        assert set(row["estimators"]) == {"depara"}
    again = layers("./bert", "texts.csv", "--against", "./plain", "-e", "rsa", "--json").document
    assert again["against"] == "./plain:head_input"
    assert again["chosen_by"] == "rsa"
    values = {row["layer"]: row["similarity"]["rsa"]["value"] for row in again["layers"]}
    assert again["cut_at"] == max(values, key=values.get)


@pytest.mark.parametrize("other", ["./broken", "./images"])
def test_a_reference_that_cannot_be_had_leaves_the_scores_and_ends_partially(layers, other):
    result = layers("./bert", "texts.csv", "--against", other, "--json")
    assert result.code == 3
    document = result.document
    assert all(row["estimators"] and not row["similarity"] for row in document["layers"])
    assert [failure["model"] for failure in document["failures"]] == [other]


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (("./broken", "texts.csv"), 1, "./broken cannot be measured"),
        (("./absent", "texts.csv"), 2, "./absent"),
        (("./bert", "absent.csv"), 2, "absent.csv"),
        (("./bert", "texts.csv", "--against", "./plain:block.9"), 2, "'block.9'"),
        (("./bert", "texts.csv", "--against", "./plain:logits"), 2, "'logits'"),
        (("./bert", "texts.csv", "-e", "depare"), 2, "Did you mean 'depara'"),
        (("./bert", "texts.csv", "--html", "no/such/page.html"), 2, "does not exist"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(layers, arguments, code, sentence):
    result = layers(*arguments)
    assert result.code == code, result.err
    assert sentence in result.err
    assert "Traceback" not in result.err
    assert not result.out


@pytest.mark.exhaustive
def test_an_unknown_attribution_leaves_the_edges_and_says_so(layers):
    result = layers("./bert", "texts.csv", "--attribution", "lpr", "--json")
    assert result.code == 3
    assert "Did you mean 'lrp'" in result.err
    assert all(row["similarity"]["depara"]["value"] for row in result.document["layers"])


@pytest.mark.exhaustive
def test_all_names_every_estimator_and_shows_those_that_compare_beside_them(layers):
    result = layers("./bert", "texts.csv", "-e", "all", "--json")
    assert result.code == 0, result.err
    row = result.document["layers"][-1]
    assert {"logme", "sfda", "emms"} <= row["estimators"].keys()
    assert {"depara", "rsa", "dds"} <= row["similarity"].keys()


def test_among_layers_that_are_equally_alike_the_usual_one_is_kept(layers):
    result = layers("./bert", "texts.csv", "-e", "rsa", "--against", "./bert", "--json")
    assert result.code == 0, result.err
    assert result.document["cut_at"] == result.document["default_layer"]


def test_an_interruption_writes_no_page(layers, place, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("zoo.layers.read_models", interrupt)
    page = place / "never.html"
    assert layers("./bert", "texts.csv", "--html", page).code == 130
    assert not page.exists()
