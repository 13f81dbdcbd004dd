"""``zoo finetune``, up to the first weight; the journeys train."""

from __future__ import annotations

import json

import pytest

from zoo.types.built import BuiltModel

DIGITS, SHAPES = "embedded:resnet-digits-0-4", "embedded:mobilenet-v1-shapes"
GOOD = (DIGITS, "--data", "demo", "--preset", "quick")
DRY = ("--dry-run", "--json")


@pytest.fixture(autouse=True)
def _without_estimates(monkeypatch):
    """Memory and time take seconds to estimate."""
    from zoo.building.plan import Estimates

    monkeypatch.setattr("zoo.building.estimates.estimate", lambda _: Estimates())


@pytest.fixture
def finetune(zoo, tmp_path, monkeypatch):
    """Run the command in an empty folder; nothing is fetched there."""
    monkeypatch.chdir(tmp_path)
    fetched = []
    monkeypatch.setattr(
        "zoo.sources.folder.FolderSource.fetch", lambda _, each: fetched.append(each.model)
    )

    def run(*arguments):
        result = zoo("finetune", *arguments, "--no-progress")
        assert not fetched
        assert "Traceback" not in result.err
        return result

    return run


@pytest.fixture
def drawn(tmp_path):
    """Draw eight pictures a class, in a folder a class or, for the class "", in none."""
    from PIL import Image

    def draw(name, *classes):
        for number, each in enumerate(classes):
            folder = tmp_path / name / each
            folder.mkdir(parents=True)
            for shade in range(8):
                Image.new("RGB", (8, 8), (9 * shade, 60 * number, 99)).save(folder / f"{shade}.png")
        return name

    return draw


def test_the_plan_says_what_becomes_of_the_head(finetune, tmp_path):
    result = finetune(*GOOD, "--dry-run")
    assert result.code == 0, result.err
    assert "head          new: that of the checkpoint does not know '5', '6', '7' and 2 more" in (
        result.out
    )
    assert "method        labels: the labels of the data teach it" in result.out
    assert "teacher" not in result.out
    assert not list(tmp_path.iterdir())


def test_a_head_is_kept_where_its_labels_are_the_classes_in_any_order(finetune, drawn):
    data = drawn("numbers", "3", "1", "4", "0", "2")
    document = finetune(DIGITS, "--data", data, *DRY).document
    assert document["head"] == "kept: its labels are the classes of the data"
    assert (document["command"], document["outputs"]) == ("finetune", 5)
    assert document["weights"] == {"labels": 1.0}
    assert finetune(DIGITS, "--data", data, "--head", "new", *DRY).document["head"] == (
        "new, as asked for"
    )


def test_fewer_classes_than_labels_keep_the_head_only_where_that_is_asked_for(finetune, drawn):
    data = drawn("numbers", "0", "1")
    new = finetune(DIGITS, "--data", data, *DRY).document
    assert new["head"] == "new: of its labels, '2', '3' and '4' are no class of the data"
    assert new["outputs"] == 2
    kept = finetune(DIGITS, "--data", data, "--head", "keep", *DRY).document
    assert (kept["head"], kept["outputs"]) == ("kept, as asked for", 5)


def test_methods_without_a_teacher_join_the_labels(finetune):
    document = finetune(*GOOD, "--method", "moex", "--set", "probability=0.25", *DRY).document
    assert document["method"] == "moex"
    assert document["weights"] == {"labels": 1.0}


def test_labelled_data_to_judge_by_leaves_all_of_the_data_to_learn_from(finetune):
    assert finetune(*GOOD, *DRY).document["held_out"] == 90
    assert finetune(*GOOD, "--eval", "demo", *DRY).document["held_out"] == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--method", "kd"), ("kd needs a teacher", "zoo distill --teacher")),
        (("--method", "moex,herocon"), ("herocon needs a teacher",)),
        (("--method", "mox"), ("'mox'", "Did you mean 'moex'")),
        (("--set", "width=3"), ("--set width: no method is named",)),
        (("--set", "moex.probability=1"), ("options of moex are given", "--method moex")),
        (("--weight", "labels=0"), ("`labels` with the weight 0 teaches nothing",)),
        (("--weight", "soft=1"), ("'soft'", "labels")),
        (("--head", "keep"), ("--head keep: that of the checkpoint does not know '5'",)),
        (("--head", "keep", "--initial", "random"), ("starts from random weights",)),
        (("--data", "-"), ("standard input only once",)),
        (("--data", "absent"), ("no file or folder 'absent'",)),
        (("--samples", "1"), ("all of one class",)),
        (("--calibrate", "laplac"), ("Did you mean 'laplace'",)),
    ],
    ids=" ".join,
)
def test_what_is_refused(finetune, tmp_path, arguments, words):
    result = finetune(*GOOD, *arguments, "-o", "out")
    assert result.code == 2, result.err
    assert all(word in result.err for word in words), result.err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("classes", "words"),
    [(("",), "class"), (("one",), "all images of 'drawn' are in one sub-folder, 'one'; two")],
    ids=("no labels", "one class"),
)
def test_images_that_teach_nothing(finetune, drawn, classes, words):
    result = finetune(DIGITS, "--data", drawn("drawn", *classes), "--dry-run")
    assert result.code == 2
    assert words in result.err


@pytest.mark.parametrize(
    ("lines", "label", "words"),
    [
        (("text,label", *(f"word {n},{n / 7}" for n in range(20))), (), "regression"),
        (("text,a,b", *(f"w {n},{n % 2},{n % 3 % 2}" for n in range(20))), ("a", "b"), "multi-lab"),
        (("text", *(f"word {n}" for n in range(20))), (), "label"),
    ],
    ids=("numbers", "several labels", "none"),
)
def test_tables_that_the_loop_cannot_learn(finetune, tmp_path, lines, label, words):
    from zoo.testing.tiny_checkpoints import build_tiny_checkpoint

    build_tiny_checkpoint("bert", tmp_path / "reader")
    (tmp_path / "table.csv").write_text("\n".join(lines))
    chosen = [word for name in label for word in ("--label", name)]
    result = finetune("./reader", "--data", "table.csv", *chosen, "--dry-run")
    assert result.code == 2
    assert words in result.err
    assert "problems;" not in result.err


def test_classes_that_would_share_a_column_are_refused(finetune, drawn):
    result = finetune(DIGITS, "--data", drawn("drawn", "Cat", "cat", "dog"), "--dry-run")
    assert result.code == 2
    assert "the classes 'Cat' and 'cat' are one" in result.err


def test_data_of_the_other_kind(finetune, tmp_path):
    (tmp_path / "words.csv").write_text("text,label\n" + "good,a\nbad,b\n" * 9)
    result = finetune(DIGITS, "--data", "words.csv", "--dry-run")
    assert result.code == 2
    assert "holds texts, but the model reads images" in result.err


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"teacher: [{SHAPES}]", ("1 teacher is named", "zoo distill --labels")),
        ("labelled: false", ("labelled: false", "zoo distill")),
        ("keep: ['1']", ("makes no use of keep",)),
        ("command: distill", ("is a recipe of `zoo distill`",)),
    ],
)
def test_recipes_of_something_else_are_refused(finetune, tmp_path, text, words):
    (tmp_path / "run.yaml").write_text(text + "\n")
    result = finetune(*GOOD, "--config", "run.yaml", "--dry-run")
    assert result.code == 2
    assert all(word in result.err for word in words), result.err


def test_a_kept_head_is_none_of_distillation(finetune, zoo, tmp_path):
    (tmp_path / "run.yaml").write_text(f"student: {{model: '{SHAPES}', head: keep}}\n")
    arguments = ("--teacher", DIGITS, "--data", "demo", "--config", "run.yaml", "--dry-run")
    result = zoo("distill", *arguments)
    assert result.code == 2
    assert "`head: keep` is for fine-tuning" in result.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--data", "demo"), "no model is named to fine-tune"),
        ((DIGITS,), "no data is named to learn from"),
    ],
    ids=("model", "data"),
)
def test_what_is_missing_is_said(finetune, arguments, words):
    result = finetune(*arguments, "--dry-run")
    assert result.code == 2
    assert words in result.err


@pytest.mark.parametrize("option", ["--teacher=x", "--no-cache", "--temperature=2", "--keep=x"])
def test_options_about_teachers_are_none_of_it(finetune, option):
    result = finetune(*GOOD, option, "--dry-run")
    assert result.code == 2
    assert option.partition("=")[0] in result.err


def test_a_recipe_says_all_of_it(finetune, tmp_path):
    (tmp_path / "run.yaml").write_text(
        f"student: {SHAPES}\ndata: demo\npreset: quick\nepochs: 2\nmethod: moex\nhead: new\n"
    )
    document = finetune("--config", "run.yaml", *DRY).document
    assert (document["epochs"], document["method"]) == (2, "moex")
    typed = finetune(DIGITS, "--config", "run.yaml", *DRY).document
    assert typed["student"]["model"] == DIGITS


@pytest.mark.parametrize(
    ("preset", "schedule"),
    [
        ("paper", {"optimiser": "sgd", "learning_rate": 0.01, "decay": "step", "epochs": 30}),
        ("balanced", {"optimiser": "adam", "decay": "cosine", "epochs": 30}),
        ("quick", {"optimiser": "adam", "decay": "cosine", "epochs": 6}),
    ],
)
def test_the_recipe_that_is_carried_out(finetune, monkeypatch, preset, schedule):
    asked = []

    def journey(prepared, folder, settings, catalogue, *, on_event):
        asked.append(prepared.recipe)
        return BuiltModel(folder=folder, command="finetune", method="labels", teachers={})

    monkeypatch.setattr("zoo.building.journey.build", journey)
    result = finetune(*GOOD, "--preset", preset, "-o", "out", "--yes")
    assert result.code == 0, result.err
    (recipe,) = asked
    assert (recipe.command, recipe.method, recipe.labelled) == ("finetune", "labels", True)
    assert recipe.student.head == "new"
    assert {name: getattr(recipe.schedule, name) for name in schedule} == schedule


def test_a_kept_head_learns_as_slowly_as_the_body(finetune, drawn, monkeypatch):
    asked = []
    monkeypatch.setattr(
        "zoo.building.journey.build", lambda prepared, *_, **__: asked.append(prepared.recipe)
    )
    import zoo

    data = drawn("numbers", "0", "1", "2", "3", "4")
    zoo.finetune(DIGITS, data, "kept", samples=20)
    zoo.finetune(DIGITS, data, "drawn", head="new", preset="quick", epochs=2)
    kept, new = asked
    assert (kept.student.head, kept.samples, kept.schedule.head_rate) == ("keep", 20, 1.0)
    assert (new.student.head, new.preset, new.schedule.epochs) == ("new", "quick", 2)
    assert new.schedule.head_rate > 1
    assert kept.schedule.learning_rate == new.schedule.learning_rate


def test_help_ends_with_examples(zoo):
    text = zoo("finetune", "--help").out
    assert "Examples:" in text
    assert "--head" in text
    assert "finetune" in zoo("--help").out


def test_only_methods_without_a_teacher_complete():
    from zoo_cli.lazy import load
    from zoo_cli.main import TABLE

    command = load(TABLE["finetune"].target)
    option = next(each for each in command.params if each.name == "method")
    context = command.make_context("finetune", [], resilient_parsing=True)
    names = {each.value for each in option.shell_complete(context, "")}
    assert {"moex", "gnnsd", "exemplar"} <= names
    assert "kd" not in names


def test_what_was_made_is_shown_beside_its_start(zoo, monkeypatch, tmp_path):
    from zoo.building import journey

    monkeypatch.chdir(tmp_path)
    share = {"low": 0.1, "high": 0.9, "samples": 9}
    metrics = {
        "student": {"joint": {"value": 0.75, **share}},
        "start": {"joint": {"value": 0.5, **share}},
    }
    built = BuiltModel(
        folder="out", command="finetune", method="labels", teachers={}, metrics=metrics
    )
    monkeypatch.setattr(journey, "resume", lambda *_, **__: built)
    result = zoo("resume", "out")
    assert [line.split() for line in result.out.splitlines()] == [
        ["MODEL", "ACCURACY"],
        ["student", "0.750"],
        ["start", "0.500"],
    ]
    assert json.loads(zoo("resume", "out", "--json").out)["metrics"] == metrics
