"""Everything that can be known to be wrong is said in one list, and nothing is fetched."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import msgspec
import pytest
from PIL import Image

from zoo.building.preflight import prepare
from zoo.building.problems import Problems
from zoo.building.recipes import assemble
from zoo.settings import Settings

BIRDS = ("crane", "heron", "stork")
MACHINES = ("digger", "lorry")


@pytest.fixture
def parts(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    import planning_parts

    planning_parts.Counting.fetched.clear()
    planning_parts.Namer.asked.clear()
    yield planning_parts
    assert not planning_parts.Counting.fetched
    sys.modules.pop("planning_parts", None)


@pytest.fixture
def catalogue(parts):
    import zoo.builtin
    from zoo.catalogue import Catalogue
    from zoo.host import PluginHost

    host = PluginHost(strict=False)
    host.register(parts, "zoo-reuse:parts")
    host.register(zoo.builtin, "zoo-reuse:core")
    return Catalogue(host)


@pytest.fixture
def model(net):
    def make(name, labels=(), licence="mit", base="", **config):
        folder = Path(net(name, head=bool(labels), **config))
        if labels:
            found = json.loads((folder / "config.json").read_text())
            found["id2label"] = {str(n): label for n, label in enumerate(labels)}
            (folder / "config.json").write_text(json.dumps(found))
        parent = f"base_model: {base}\n" if base else ""
        (folder / "README.md").write_text(f"---\nlicense: {licence}\n{parent}---\n")
        return str(folder)

    return make


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(40):
        Image.new("RGB", (8, 8), (number, 0, 0)).save(folder / f"{number:02}.png")
    return str(folder)


@pytest.fixture
def good(model, photos):
    """A recipe with nothing wrong with it."""
    return {
        "teacher": [f"birds={model('birds', BIRDS)}", f"machines={model('machines', MACHINES)}"],
        "student": model("small", ("cat", "dog")),
        "data": photos,
    }


@pytest.fixture
def check(catalogue, tmp_path):
    """Prepare a recipe, as the command does."""

    def run(recipe, *, place=None, settings=None, **changes):
        flags = {name: value for name, value in (recipe | changes).items() if value is not None}
        assembled = assemble(flags)
        before = sorted(tmp_path.rglob("*"))
        settings = settings or Settings(home=str(tmp_path.parent / "home"), device="cpu")
        try:
            return prepare(
                assembled.recipe,
                settings,
                catalogue,
                place=place or tmp_path / "out",
                free=assembled.free,
            )
        finally:
            assert sorted(tmp_path.rglob("*")) == before

    return run


@pytest.fixture
def wrong(check, good):
    """Give what is said about a recipe with something wrong."""

    def run(**changes):
        with pytest.raises(Problems) as caught:
            check(good, **changes)
        assert caught.value.exit_code == 2
        return [f"{each.message} ({each.hint})" for each in caught.value.problems]

    return run


def test_a_good_recipe_is_settled(check, good, tmp_path):
    prepared = check(good)
    assert prepared.spec.name == "sets"
    assert prepared.recipe.method == "sets"
    assert [each.alias for each in prepared.teachers] == ["birds", "machines"]
    assert prepared.space.labels == BIRDS + MACHINES
    assert prepared.request.labels == BIRDS + MACHINES
    assert prepared.stages[0].teachers[1].grid == (2, 2)
    assert prepared.weights == {"soft": 1.0, "distance": 0.5}
    assert prepared.extras == 9
    assert (len(prepared.rows), prepared.held_out) == (40, 4)
    assert prepared.student.weights
    again = msgspec.convert(msgspec.to_builtins(prepared.recipe), type(prepared.recipe))
    assert again == prepared.recipe


def test_carrying_a_settled_recipe_out_again_chooses_nothing(check, good, catalogue, tmp_path):
    first = check(good, preset="quick")
    settings = Settings(home=str(tmp_path / "home"), device="cpu")
    again = prepare(first.recipe, settings, catalogue, place=tmp_path / "out", resumed=True)
    assert again.recipe == first.recipe
    assert again.stages == first.stages
    assert again.rows == first.rows


def test_the_plan_says_everything(check, good):
    plan = check(good, preset="quick").plan
    document = json.loads(msgspec.json.encode(plan))
    assert [each["classes"] for each in document["teachers"]] == [3, 2]
    assert document["teachers"][0]["shape"] == [16, 2, 2]
    assert document["student"]["classes"] == 5
    assert (document["grid"], document["targets"]) == ("2x2", "standardised")
    assert document["labels"] == "3 + 2, 0 shared names"
    assert "36" in document["notes"][-1]
    assert document["batch"] == 36
    assert "kept on disk" in document["cache"]
    assert document["estimates"]["disk"] > 0


def test_all_problems_are_in_one_list(wrong, model, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").write_text("years of work")
    said = wrong(
        teacher=[f"a={model('a', BIRDS)}", f"a={tmp_path / 'gone'}", f"b={model('b')}"],
        student=str(tmp_path / "no"),
        data=str(tmp_path / "phots"),
        eval=str(tmp_path / "nothing"),
        method="setz",
        precision="fp16",
    )
    expected = (
        ("thesis.tex", "-o NEW"),
        ("2 teachers are called 'a'", "--teacher a-2"),
        ("gone does not exist", "hub:org/name"),
        ("no does not exist", "hub:org/name"),
        ("'setz'", "Did you mean 'sets'"),
        ("phots", "Did you mean"),
        ("teacher b", "no trained head"),
        ("fp16", "--precision fp32"),
        ("nothing", ""),
    )
    assert len(said) == len(expected), said
    for sentence, words in zip(said, expected, strict=True):
        assert all(word in sentence for word in words), sentence


def test_several_problems_are_numbered_with_what_to_type(check, good):
    with pytest.raises(Problems) as caught:
        check(good, data=None, student=None)
    lines = caught.value.message.splitlines()
    assert lines[0].startswith("2 problems; no weight was fetched")
    assert lines[1].strip() == "1. no student is named."
    assert lines[2].strip().startswith("Hint: --student MODEL")
    assert lines[3].strip().startswith("2. no data is named")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"teacher": []}, ("no teacher is named", "--teacher birds=MODEL")),
        ({"set": {"wide": 3}}, ("no option 'wide'", "width")),
        ({"set": {"width": "x"}}, ("sets.width = 'x'",)),
        ({"set": {"width": 3}}, ("the width is odd",)),
        ({"batch": 2}, ("a batch of 2 is too small for sets", "4 are the least", "--batch 16")),
        ({"batch": 64}, ("36 samples", "4 are held out", "fewer than a batch of 64", "--batch 36")),
        ({"weight": {"distanse": 1}}, ("'distanse'", "Did you mean 'distance'")),
        ({"cache": True}, ("random views", "fixed views")),
        ({"keep": ["crain"]}, ("crain", "Did you mean 'crane'")),
        ({"data": "-"}, ("standard input", ".txt")),
        ({"labels": "map.yaml"}, ("map.yaml", "cannot be read")),
    ],
    ids=str,
)
def test_one_thing_that_is_wrong_is_one_sentence(wrong, changes, words):
    said = wrong(**changes)
    assert len(said) == 1, said
    assert all(word in said[0] for word in words), said


def test_an_output_folder_that_exists(wrong, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "config.json").write_text("{}")
    assert "finished model" in wrong()[0]


def test_an_empty_folder_of_data(wrong, tmp_path):
    (tmp_path / "empty").mkdir()
    assert "holds no images" in wrong(data=str(tmp_path / "empty"))[0]


def test_teachers_and_student_that_read_different_things(wrong, good, model):
    reviews = model("reviews", ("bad", "good"), modality="text", model_type="bert")
    said = wrong(teacher=[*good["teacher"], f"reviews={reviews}"])
    assert len(said) == 1
    assert "reviews" in said[0]
    assert "reads texts, but birds" in said[0]
    assert "student" in wrong(student=reviews)[0]


def test_the_kind_of_the_data_is_compared_with_the_teachers(wrong, tmp_path):
    (tmp_path / "lines.csv").write_text("text\n" + "a fine film\n" * 20)
    assert "holds texts" in wrong(data=str(tmp_path / "lines.csv"))[0]


def test_shared_labels_need_a_decision(wrong, check, good, model):
    storks = model("storks", ("Stork", "crane"))
    teachers = [good["teacher"][0], f"storks={storks}"]
    said = wrong(teacher=teachers)
    assert len(said) == 1
    assert "share 2 labels" in said[0]
    assert "--labels union" in said[0]
    apart = check(good, teacher=teachers, labels="separate")
    assert apart.space.labels[0] == "birds/crane"
    assert apart.recipe.targets.kind == "standardised"
    joined = check(good, teacher=teachers, labels="union")
    assert len(joined.space.labels) == 3
    assert joined.recipe.targets.kind == "union"
    assert any("targets are union" in note for note in joined.notes)
    assert "one column" in wrong(teacher=teachers, labels="union", targets="concat")[0]


def test_the_same_names_in_another_order_are_named_as_such(wrong, good, model):
    other = model("other", tuple(reversed(BIRDS)))
    assert "in a different order" in wrong(teacher=[good["teacher"][0], f"other={other}"])[0]


def test_heads_that_do_not_classify(wrong, good, model):
    tags = model("tags", ("red", "blue"), problem_type="multi_label_classification")
    price = model("price", ("price",))
    said = wrong(teacher=[good["teacher"][0], f"tags={tags}", f"price={price}"])
    assert len(said) == 2
    assert "teacher tags" in said[0]
    assert "several labels at once" in said[0]
    assert "numbers" in said[1]


def test_a_broken_teacher_hides_nothing_of_the_others(wrong, good, model):
    broken = model("broken", BIRDS)
    (Path(broken) / "config.json").write_text("{")
    said = wrong(teacher=[f"a={broken}", good["teacher"][0], f"b={model('headless')}"], batch=1)
    words = ("not valid JSON", "teacher b", "a batch of 1")
    assert len(said) == 3, said
    assert all(word in sentence for word, sentence in zip(words, said, strict=True))


def test_a_checkpoint_whose_layers_cannot_be_named(wrong, good, model):
    odd = model("odd", MACHINES, architectures=["Shapeless"])
    path = Path(odd) / "config.json"
    config = json.loads(path.read_text()) | {"num_labels": 2, "pretrained_cfg": {}}
    path.write_text(json.dumps(config))
    said = wrong(student=odd)
    assert len(said) == 1
    assert "has no layers" in said[0]


def test_the_cache_has_to_fit_the_disk(wrong, monkeypatch):
    monkeypatch.setattr("zoo.building.caching.free_bytes", lambda *_: 1000)
    said = wrong(views=2, cache=True)
    assert len(said) == 1
    assert "1.0 kB free" in said[0]
    assert "--no-cache" in said[0]


def test_evaluation_data_has_to_know_some_label(wrong, check, good, tmp_path):
    for name in ("crane", "lorry", "sofa"):
        (tmp_path / "val" / name).mkdir(parents=True)
        for number in range(2):
            Image.new("RGB", (8, 8), (number, 9, 9)).save(tmp_path / "val" / name / f"{number}.png")
    prepared = check(good, eval=str(tmp_path / "val"))
    assert prepared.evaluation.samples == 6
    assert any("'sofa'" in each for each in prepared.warnings)
    for name in ("crane", "lorry"):
        (tmp_path / "val" / name).rename(tmp_path / "val" / f"a {name}")
    said = wrong(eval=str(tmp_path / "val"))
    assert len(said) == 1
    assert "no label of the student" in said[0]


def test_a_student_may_be_a_configuration_alone(check, wrong, good, model):
    bare = Path(model("bare", ("cat", "dog")))
    (bare / "model.safetensors").unlink()
    prepared = check(good, student=str(bare))
    assert prepared.request.initial == "random"
    assert prepared.recipe.student.initial == "random"
    assert prepared.recipe.schedule.learning_rate == 1e-3
    named = check(good, student=str(bare / "config.json"))
    assert named.recipe.student.model == str(bare)
    assert "no safetensors weights" in wrong(student=str(bare), initial="pretrained")[0]
    assert any(
        "paper" in each for each in check(good, student=str(bare), preset="paper", batch=8).warnings
    )


def test_a_student_that_was_only_pickled_is_not_taken_for_a_configuration(wrong, model):
    pickled = Path(model("pickled", ("cat", "dog")))
    (pickled / "model.safetensors").rename(pickled / "pytorch_model.bin")
    assert "safetensors" in wrong(student=str(pickled))[0]


def test_a_learning_rate_that_was_typed_stays(check, good):
    schedule = check(good, learning_rate=0.02).recipe.schedule
    assert (schedule.learning_rate, schedule.head_rate) == (0.02, 1.0)
    advised = check(good).recipe.schedule  # a tiny student
    assert (advised.learning_rate, advised.head_rate) == (1e-3, 1.0)


def test_one_teacher_is_allowed_and_another_method_named(check, good):
    prepared = check(good, teacher=good["teacher"][:1])
    assert any("--method plain" in note for note in prepared.notes)


def test_teachers_without_heads_teach_features(check, good, model):
    teachers = [f"a={model('a')}", f"b={model('b')}"]
    prepared = check(good, teacher=teachers)
    assert prepared.spec.name == "blind"
    assert prepared.space is None
    assert prepared.request.labels == ()
    assert prepared.weights == {"distance": 0.5}


def test_weights_that_can_be_merged_are(check, good, model):
    teachers = [model("one", BIRDS, base="org/base"), model("two", BIRDS, base="org/base")]
    prepared = check({"teacher": teachers})
    assert prepared.spec.name == "mean"
    assert "no student is named" in prepared.why
    assert prepared.space.labels == BIRDS
    advised = check(good, teacher=teachers, labels="union")
    assert advised.spec.name == "sets"
    assert any("--method mean" in note for note in advised.notes)


def test_weights_of_two_architectures_are_not_merged(wrong, good, model):
    other = model("other", BIRDS, architectures=["ResNetForImageClassification"])
    said = wrong(method="mean", student=None, teacher=[good["teacher"][0], f"other={other}"])
    assert len(said) == 1
    assert "one architecture" in said[0]
    assert "Leave --method out" in said[0]


def test_what_some_methods_need_beside_the_teachers(wrong, model):
    teachers = [model("one", BIRDS), model("two", BIRDS)]
    said = wrong(method="changes", student=None, teacher=teachers)
    assert len(said) == 1
    assert "changes needs the checkpoint" in said[0]
    assert "--base MODEL" in said[0]
    assert "one model has no mean" in wrong(method="mean", student=None, teacher=teachers[:1])[0]


def test_licences_that_bind_are_warned_of(check, good, model):
    teachers = [good["teacher"][0], f"nc={model('nc', MACHINES, licence='cc-by-nc-4.0')}"]
    warnings = " ".join(check(good, teacher=teachers).warnings)
    assert "nc is licensed for non-commercial use (cc-by-nc-4.0)" in warnings


def test_statistics_of_next_to_no_samples_a_label_are_warned_of(check, good):
    def warned(**more):
        return any("--targets gated" in each for each in check(good, **more).warnings)

    assert warned(samples=12)
    assert not warned(samples=12, targets="gated")


def test_a_small_batch_is_warned_of(check, good):
    assert any("16 or more are advised" in each for each in check(good, batch=8).warnings)


def test_a_runtime_that_does_not_train_is_passed_over_or_refused(wrong, check, good, tmp_path):
    assert check(good).teachers[0].runtime.name == "namer"
    settings = Settings(home=str(tmp_path.parent / "home"), device="cpu", runtime="idle")
    with pytest.raises(Problems, match="'idle' does not train"):
        check(good, settings=settings)


def test_a_tap_can_be_named(check, wrong, good):
    teachers = [
        {"model": each.partition("=")[2], "alias": each.partition("=")[0], "tap": "stage.1"}
        for each in good["teacher"]
    ]
    prepared = check(good, teacher=teachers)
    assert prepared.stages[0].teachers[0].width == 8
    teachers[0]["tap"] = "stage.9"
    assert "stage.9" in wrong(teacher=teachers)[0]


def test_samples_are_spread_evenly(check, good):
    assert check(good, samples=8, batch=4).rows == (0, 5, 10, 15, 20, 25, 30, 35)


def test_nothing_of_a_package_that_onnx_needs(wrong, monkeypatch):
    monkeypatch.setattr("zoo.building.checks.find_spec", lambda name: None)
    said = wrong(onnx=True)
    assert "onnx and onnxscript" in said[0]
    assert "pip install 'zoo-reuse[onnx]'" in said[0]


@pytest.mark.parametrize(("changes", "cache"), [({"views": 2}, "yes"), ({}, "no")])
def test_whether_to_cache_is_decided_once_whatever_room_there_is_later(check, good, changes, cache):
    assert check(good, **changes).recipe.cache == cache
