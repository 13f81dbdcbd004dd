"""``zoo recommend --pretext`` on images without labels, through the real engine."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from zoo.testing.tiny_checkpoints import build_tiny_checkpoint


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Twelve unlabelled pictures, a checkpoint, and a store that the tests share."""
    folder = tmp_path_factory.mktemp("pretext")
    (folder / "loose").mkdir()
    for number in range(12):
        cells = np.random.default_rng(number).integers(0, 256, (6, 6, 3))
        pixels = np.kron(cells, np.ones((7, 7, 1))).astype(np.uint8)
        Image.fromarray(pixels).save(folder / "loose" / f"{number:02}.png")
    (folder / "one").mkdir()
    Image.fromarray(pixels).save(folder / "one" / "only.png")
    (folder / "reviews.txt").write_text("good\nbad\nugly\n", encoding="utf-8")
    build_tiny_checkpoint("vit", folder / "vit")
    return folder


@pytest.fixture
def recommend(zoo, place, monkeypatch):
    """Run ``zoo recommend`` beside the checkpoint, at little cost."""
    monkeypatch.chdir(place)
    monkeypatch.setenv("ZOO_HOME", str(place / "home"))
    few = ("--device", "cpu", "--permutations", 5, "--folds", 3, "--probe-size", 40)

    def run(*arguments):
        return zoo("recommend", *arguments, *few)

    return run


MODELS = ("-m", "./vit")


def test_images_without_labels_are_ranked_and_the_answer_says_what_it_is(recommend, zoo):
    result = recommend("loose", "--pretext", "exemplar", *MODELS, "--json")
    assert result.code == 0, result.err
    document = result.document
    assert [row["model"] for row in document["ranking"]] == ["./vit"]
    assert document["probe"]["name"] == "loose (exemplar)"
    assert (document["probe"]["samples"], document["probe"]["classes"]) == (40, 4)
    assert any("The labels are surrogate" in each for each in document["warnings"])
    assert any("No class of yours was seen" in each for each in document["warnings"])
    again = zoo("recommend", "--resume", document["run"], "--dry-run", "--json")
    assert again.code == 0, again.err
    assert again.document["probe"] == document["probe"]
    page = zoo("runs", "show", document["run"], "--format", "md").out
    assert "**Warning:** The labels are surrogate" in page


def test_options_of_the_pretext_are_set_like_those_of_any_method(recommend):
    asked = ("loose", "--pretext", "exemplar", *MODELS, "--dry-run", "--json")
    plain, small = recommend(*asked), recommend(*asked, "--set", "exemplar.size=16")
    assert plain.code == small.code == 0, small.err
    fingerprints = {each.document["probe"]["fingerprint"] for each in (plain, small)}
    assert len(fingerprints) == 2
    assert any("4 of 12 images gave a seed" in note for note in plain.document["probe"]["notes"])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("loose",), "Without any labels: --pretext exemplar"),
        (("loose", "--pretext", "exemplr"), "Did you mean 'exemplar'?"),
        (("one", "--pretext", "exemplar"), "'one' holds 1 image; exemplar tells two or more apart"),
        (("reviews.txt", "--pretext", "exemplar"), "exemplar is made from images"),
        (("loose", "--pretext", "exemplar", "--label", "kind"), "--pretext has none"),
        (("loose", "--pretext", "exemplar", "--set", "exemplar.size=2"), "exemplar.size is 2"),
        (("loose", "--pretext", "exemplar", "--set", "exemplar.sise=9"), "no option 'sise'"),
        (("--resume", "a1f3", "--pretext", "exemplar"), "--pretext, --permutations"),
    ],
)
def test_a_bad_question_is_one_sentence(recommend, arguments, said):
    result = recommend(*arguments)
    assert result.code == 2
    assert said in " ".join(result.err.split())
    assert "Traceback" not in result.err


def test_texts_without_labels_are_not_sent_to_a_task_for_images(recommend):
    result = recommend("reviews.txt")
    assert result.code == 2
    assert "--pretext" not in result.err


def test_a_table_of_images_alone_is_pointed_to_a_pretext(recommend, place):
    names = "".join(f"{number:02}.png\n" for number in range(12))
    (place / "loose" / "list.csv").write_text(f"file_name\n{names}", encoding="utf-8")
    result = recommend("loose/list.csv")
    (place / "loose" / "list.csv").unlink()
    assert result.code == 2
    assert "--pretext exemplar" in result.err


def test_the_api_ranks_without_labels(place, monkeypatch):
    import zoo
    from zoo.settings import resolve

    monkeypatch.chdir(place)
    monkeypatch.setenv("ZOO_HOME", str(place / "home"))
    settings = resolve({"device": "cpu", "permutations": 5, "folds": 3, "probe_size": 40}).settings
    ranking = zoo.recommend("loose", models=["./vit"], pretext="exemplar", settings=settings)
    assert [row.model for row in ranking.ranking] == ["./vit"]
    assert ranking.warnings[0].startswith("The labels are surrogate")
