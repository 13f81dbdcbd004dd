"""What preflight settles for a distillation: methods that fit, labels, and what speaks against."""

from __future__ import annotations

import json

import msgspec
import numpy as np
import pytest
from PIL import Image

from zoo.building.preflight import prepare
from zoo.building.problems import Problems
from zoo.building.recipes import assemble
from zoo.settings import Settings

ANIMALS = ("cat", "dog", "eel")


@pytest.fixture
def model(net):
    """Make a checkpoint with these labels; without any it has no head."""

    def make(name, labels=ANIMALS, **config):
        more = {"id2label": dict(enumerate(labels))} if labels else {}
        return net(name, head=bool(labels), **more, **config)

    return make


@pytest.fixture
def photos(tmp_path):
    """Thirty pictures in a folder a class, and one of something else."""
    for number in range(30):
        name = "yak" if number == 29 else ANIMALS[number % 3]
        folder = tmp_path / "photos" / name
        folder.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (number, 0, 0)).save(folder / f"{number:02}.png")
    return str(tmp_path / "photos")


@pytest.fixture
def check(methods_catalogue, tmp_path, photos, model):
    """Prepare a distillation as the command does; without more it is one with nothing wrong."""
    good = {"teacher": [model("large")], "student": model("small"), "data": photos}

    def run(place=None, **changes):
        flags = {name: each for name, each in (good | changes).items() if each is not None}
        assembled = assemble({"command": "distill", **flags})
        settings = Settings(home=str(tmp_path.parent / "home"), device="cpu")
        return prepare(
            assembled.recipe,
            settings,
            methods_catalogue,
            place=place or tmp_path / "out",
            free=assembled.free,
        )

    return run


@pytest.fixture
def wrong(check):
    """Give the only thing that is said to be wrong."""

    def run(**changes):
        with pytest.raises(Problems) as caught:
            check(**changes)
        (problem,) = caught.value.problems
        return f"{problem.message} ({problem.hint})"

    return run


def names(prepared):
    return [each.name for each in prepared.parts]


def test_without_a_method_logits_are_learned_where_the_teacher_has_some(check):
    prepared = check()
    assert (names(prepared), prepared.recipe.method) == (["soft"], "soft")
    assert prepared.why == "the teacher has logits"
    assert prepared.weights == {"soft": 1.0}
    assert prepared.space.labels == ANIMALS
    assert prepared.stages == ()
    assert not prepared.compare
    assert prepared.truth is None
    assert not any("one teacher" in each for each in prepared.notes)


def test_without_a_method_and_a_head_vectors_are_learned(check, model):
    prepared = check(teacher=[model("blind", ())])
    assert names(prepared) == ["ends"]
    assert prepared.why == "no teacher has a trained head"
    assert prepared.space is None
    assert prepared.request.labels == ()
    assert set(prepared.weights) == {"ends.end", "ends.more"}


def test_methods_add_up_with_their_weights(check):
    prepared = check(method="soft:2,ends:3,maps,calm")
    assert prepared.weights == {
        "soft": 2.0,
        "ends.end": 3.0,
        "ends.more": 9.0,
        "maps": 1.0,
        "calm": 2.0,
    }
    assert prepared.compare
    assert prepared.recipe.method == "soft:2,ends:3,maps,calm"
    assert prepared.spec.smallest_batch == 3
    assert len(prepared.stages) == 3


def test_a_head_that_nothing_teaches_gets_soft_targets(check):
    prepared = check(method="ends")
    assert names(prepared) == ["soft", "ends"]
    assert any("soft:0 leaves it out" in each for each in prepared.notes)
    blind = check(method="soft:0,ends")
    assert blind.space is None
    assert set(blind.weights) == {"ends.end", "ends.more"}
    assert check(method="wise,ends").parts[0].name == "wise"


def test_carrying_a_settled_recipe_out_again_chooses_nothing(check, methods_catalogue, tmp_path):
    first = check(method="ends:0.123456789", options={"ends.width": 16})
    assert first.recipe.options == {"ends": {"width": 16}}
    settings = Settings(home=str(tmp_path / "home"), device="cpu")
    written = msgspec.convert(msgspec.to_builtins(first.recipe), type(first.recipe))
    again = prepare(written, settings, methods_catalogue, place=tmp_path / "out")
    assert again.recipe == first.recipe
    assert again.weights == first.weights
    assert again.parts[1].method.width == 16


def test_an_option_belongs_to_a_method(check, wrong):
    assert check(method="ends", options={"width": 16}).parts[-1].method.width == 16
    assert "whose option is it? (--set ends.width=16)" in wrong(
        method="maps,ends", options={"width": 16}
    )
    assert "options of told are given" in wrong(method="ends", options={"told.width": 16})


def test_options_of_a_method_that_is_named_no_more_are_left_out_of_a_file(tmp_path):
    path = tmp_path / "run.yaml"
    path.write_text(
        "command: distill\nmethod: ends,told\noptions: {told: {width: 4}, ends: {width: 6}}\n"
    )
    kept = assemble({"options": {"ends.width": 7}}, path)
    assert kept.recipe.options == {"told": {"width": 4}, "ends": {"width": 6}, "ends.width": 7}
    other = assemble({"method": "soft,ends:2"}, path)
    assert other.recipe.options == {"ends": {"width": 6}}
    assert other.notes == ("The file's options of told are left out: --method soft,ends:2.",)


def test_what_is_typed_wins_over_what_a_file_says_of_a_method(check):
    options = {"ends": {"width": 6}, "ends.width": 10}
    assert check(method="soft,ends", options=options).parts[-1].method.width == 10


def test_one_teacher_without_a_head_leaves_features_alone(check, model):
    prepared = check(teacher=["a=" + model("a"), "b=" + model("b", ())])
    assert names(prepared) == ["ends"]
    assert prepared.why == "not every teacher has a head that tells classes apart"
    assert prepared.space is None


def test_the_paper_preset_takes_the_options_of_the_paper(check):
    assert check(method="ends").parts[-1].method.width == 8
    assert check(method="ends", preset="paper", batch=9).parts[-1].method.width == 64
    chosen = check(method="ends", preset="paper", batch=9, options={"width": 4})
    assert chosen.parts[-1].method.width == 4


def test_the_same_labels_in_another_order_are_brought_into_one(check, model):
    prepared = check(teacher=["a=" + model("a"), "b=" + model("b", ANIMALS[::-1])], method="wise")
    assert prepared.space.labels == ANIMALS
    assert prepared.method.columns == ((0, 1, 2), (2, 1, 0))


def test_some_labels_are_kept(check):
    prepared = check(keep=["eel", "cat"], method="wise")
    kept = prepared.space.labels
    assert set(kept) == {"cat", "eel"}
    assert [[ANIMALS[n] for n in each] for each in prepared.method.columns] == [list(kept)]


def test_logits_of_different_labels_are_refused_where_they_are_compared(wrong, model):
    teachers = ["a=" + model("a"), "b=" + model("b", ("dog", "eel", "fox"))]
    said = wrong(teacher=teachers, method="wise")
    assert "teacher a knows 3 of the student's 4 labels" in said
    assert "zoo amalgamate" in said


def test_the_labels_of_the_data_are_learned_where_that_is_said(check):
    prepared = check(labelled=True, method="soft,ends")
    assert prepared.weights["labels"] == 1.0
    assert prepared.space.labels == (*ANIMALS, "yak")
    counts = np.bincount(prepared.truth, minlength=4)
    assert counts.tolist() == [10, 10, 9, 1]


def test_the_only_teacher_may_know_more_labels_than_the_data(check, model, tmp_path):
    more = ("yak", *ANIMALS, "fox")
    prepared = check(teacher=[model("wide", more)], labelled=True, method="wise")
    assert prepared.space.labels == more
    assert prepared.method.columns == ((0, 1, 2, 3, 4),)
    assert np.bincount(prepared.truth, minlength=5).tolist() == [1, 10, 10, 9, 0]


def test_a_teacher_without_a_head_and_labels_make_a_classifier(check, model):
    prepared = check(teacher=[model("blind", ())], labelled=True)
    assert prepared.space.labels == (*ANIMALS, "yak")
    assert names(prepared) == ["ends"]
    assert prepared.method.columns == (None,)
    assert prepared.weights["labels"] == 1.0
    assert prepared.request.labels == (*ANIMALS, "yak")


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"labelled": True}, "no teacher knows 'yak'"),
        ({"twice": True}, "several teachers know 'cat', 'dog'"),
    ],
)
def test_a_joint_target_needs_one_teacher_a_label(wrong, model, more, words):
    if more.pop("twice", False):
        more = {"teacher": ["a=" + model("a"), "b=" + model("b", ANIMALS[::-1])]}
    assert words in wrong(targets="gated", **more)


def test_labels_that_are_not_kept_teach_nothing(check):
    prepared = check(labelled=True, keep=["cat", "dog"], method="soft,ends")
    assert prepared.space.labels == ("cat", "dog")
    assert set(prepared.truth.tolist()) == {-1, 0, 1}
    assert any("those samples teach no label" in each for each in prepared.warnings)


@pytest.mark.parametrize(
    ("method", "words"),
    [
        ("sofd", "sofd"),
        ("soft,soft", "names soft twice"),
        ("told", "told needs the labels of the data"),
        ("crowd", "crowd compares several teachers with one another, and one is named"),
        ("soft:0", "no loss to learn from"),
        ("mixer:2", "mixer gives no loss"),
        ("wise,mixer", "only soft targets and labels can be mixed"),
    ],
)
def test_a_method_that_cannot_be_is_one_sentence(wrong, method, words):
    assert words in wrong(method=method)


@pytest.mark.parametrize("method", ["soft", "wise,ends"])
def test_logits_of_a_teacher_without_a_head_cannot_be_learned(wrong, model, method):
    said = wrong(teacher=[model("blind", ())], method=method)
    assert "blind" in said
    assert "has no trained head" in said
    assert "--method ends" in said


def test_a_method_of_one_teacher_takes_no_other(wrong, model):
    said = wrong(teacher=["a=" + model("a"), "b=" + model("b")], method="lone")
    assert "lone learns from one teacher, and 2 are named" in said


@pytest.mark.parametrize("kind", ["multi_label_classification", "regression"])
def test_a_head_that_tells_no_classes_apart_teaches_no_logits(check, wrong, model, kind):
    teacher = [model("odd", problem_type=kind)]
    said = wrong(teacher=teacher, method="wise,ends")
    assert "wise needs the teacher's logits, and the head of odd" in said
    assert "tells no classes apart" in said
    prepared = check(teacher=teacher)
    assert (names(prepared), prepared.space) == (["ends"], None)
    learned = check(teacher=teacher, labelled=True)
    assert learned.space.labels == (*ANIMALS, "yak")
    assert learned.space.teachers[0].labels == ()
    assert set(learned.weights) == {"labels", "ends.end", "ends.more"}


def test_the_plan_says_who_looks_where(check):
    plan = json.loads(msgspec.json.encode(check(method="soft,ends,maps").plan))
    assert [(each["method"], each["student"]) for each in plan["pairing"]] == [
        ("ends", "s2"),
        ("maps", "s1"),
        ("maps", "s2"),
        ("maps", "s1"),
    ]
    assert [len(each["teachers"]) for each in plan["pairing"]] == [1, 1, 1, 0]
