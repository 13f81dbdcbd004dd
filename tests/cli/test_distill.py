"""``zoo distill``, up to the first weight; the journeys train."""

from __future__ import annotations

import json

import pytest

from zoo.types.built import BuiltModel

DIGITS, PARITY = "embedded:resnet-digits-0-4", "embedded:vit-digit-parity"
SHAPES = "embedded:mobilenet-v1-shapes"
TEACHER, STUDENT, DATA = ("--teacher", f"big={DIGITS}"), ("--student", SHAPES), ("--data", "demo")
GOOD = (*TEACHER, *STUDENT, *DATA, "--preset", "quick")
DRY = ("--dry-run", "--json")


@pytest.fixture(autouse=True)
def _without_estimates(monkeypatch):
    """Memory and time take seconds to estimate."""
    from zoo.building.plan import Estimates

    monkeypatch.setattr("zoo.building.estimates.estimate", lambda _: Estimates())


@pytest.fixture
def distill(zoo, tmp_path, monkeypatch):
    """Run the command in an empty folder; nothing is fetched there."""
    monkeypatch.chdir(tmp_path)
    fetched = []
    monkeypatch.setattr(
        "zoo.sources.folder.FolderSource.fetch", lambda _, each: fetched.append(each.model)
    )

    def run(*arguments):
        result = zoo("distill", *arguments, "--no-progress")
        assert not fetched
        assert "Traceback" not in result.err
        return result

    return run


@pytest.fixture
def pictures(tmp_path):
    """A folder of images without labels; the tests run beside it."""
    from PIL import Image

    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(70):
        Image.new("RGB", (8, 8), (3 * number, number, 255)).save(folder / f"{number}.png")
    return "pictures"


@pytest.fixture
def shallow(tmp_path):
    """A network with a single stage, which needs no weights to be a student."""
    config = {"model_type": "resnet", "architectures": ["ResNetForImageClassification"]}
    config |= {"hidden_sizes": [8], "depths": [1], "embedding_size": 8, "layer_type": "basic"}
    (tmp_path / "shallow").mkdir()
    (tmp_path / "shallow" / "config.json").write_text(json.dumps(config))
    return "./shallow"


def test_the_plan_says_where_every_method_looks(distill, tmp_path):
    result = distill(*GOOD, "--method", "kd,rkd,at:500", "--dry-run")
    assert result.code == 0, result.err
    lines = [line.split() for line in result.out.splitlines()]
    assert ["stages", "METHOD", "STUDENT", "TEACHER"] in lines
    assert any(line[0] == "rkd" and len(line) == 5 for line in lines), result.out
    assert sum(line[0] == "at" for line in lines) > 1
    assert "at.attention 500" in result.out
    assert "Nothing was fetched" in result.err
    assert not list(tmp_path.iterdir())


def test_the_plan_as_a_document_has_the_pairing(distill):
    document = distill(*GOOD, "--method", "kd,rkd,hkd:3", *DRY).document
    assert (document["command"], document["dry_run"]) == ("distill", True)
    assert document["weights"]["soft"] == 1.0
    assert {each["method"] for each in document["pairing"]} == {"rkd", "hkd"}
    for pair in document["pairing"]:
        assert pair["aliases"] == ["big"]
        assert len(pair["teachers"]) == len(pair["teacher_shapes"]) == 1
        assert pair["student"]
        assert pair["student_shape"].isdigit()


def test_no_label_is_read_unless_labels_are_asked_for(distill, pictures):
    arguments = (*TEACHER, *STUDENT, "--data", pictures, "--method", "kd,rkd", *DRY)
    assert distill(*arguments).code == 0
    result = distill(*arguments, "--labels")
    assert result.code == 2
    assert "pictures" in result.document["error"]["message"]
    assert "class" in result.document["error"]["message"]


def test_labels_become_a_loss(distill):
    document = distill(*GOOD, "--method", "rkd", "--labels", *DRY).document
    assert document["weights"]["labels"] == 1.0
    assert document["outputs"] == 10


def test_options_belong_to_the_method_before_the_point_or_to_the_only_one(distill):
    alone = distill(*GOOD, "--method", "rkd", "--set", "angle=7", *DRY).document
    assert alone["weights"]["rkd.angle"] == 7
    arguments = ("--method", "sp,rkd", "--set", "rkd.angle=7", "--weight", "rkd.distance=2")
    both = distill(*GOOD, *arguments, *DRY).document
    assert (both["weights"]["rkd.angle"], both["weights"]["rkd.distance"]) == (7, 2)


def test_maps_are_warned_of_across_architectures(distill):
    arguments = (*TEACHER, "--student", PARITY, *DATA, "--preset", "quick", "--dry-run")
    assert "worse than no distillation" in distill(*arguments, "--method", "at").err
    assert "worse than no distillation" not in distill(*arguments, "--method", "rkd").err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--method", "kdd"), ("'kdd'", "Did you mean 'kd'")),
        (("--method", "kd:much"), ("'much'", "weight")),
        (("--method", "kd:"), ("'kd:'", "weight")),
        (("--method", "kd,kd"), ("kd twice",)),
        (("--method", "kd,"), ("'kd,'",)),
        (("--method", "rkd", "--set", "hkd.width=3"), ("hkd", "rkd")),
        (("--method", "rkd,sp", "--set", "angle=3"), ("--set angle", "--set rkd.angle=3")),
        (("--method", "rkd", "--set", "angel=3"), ("no option 'angel'",)),
        (("--method", "rkd", "--set", "angle"), ("METHOD.OPTION=VALUE",)),
        (("--method", "rkd", "--set", "angle=-3"), ("rkd.angle", "-3")),
        (("--weight", "sofd=2"), ("'sofd'", "Did you mean 'soft'")),
        (("--weight", "soft=much"), ("--weight",)),
        (("--method", "herocon"), ("herocon needs the labels", "--labels")),
        (("--method", "gnnsd"), ("gnnsd needs a graph", "convolutional")),
        (("--method", "graph"), ("several teachers",)),
        (("--method", "rkd", "--batch", "2"), ("batch of 2", "rkd")),
        (("--method", "reviewkd", "--student", "./shallow"), ("reviewkd", "1")),
        (("--method", "crd", "--set", "width=100000000"), ("crd", "are free")),
        (("--calibrate", "laplac"), ("'laplac'", "Did you mean 'laplace'")),
    ],
    ids=" ".join,
)
def test_what_is_refused(distill, shallow, tmp_path, arguments, words):
    before = sorted(tmp_path.rglob("*"))
    result = distill(*GOOD, *arguments, "-o", "out")
    assert result.code == 2, result.err
    assert all(word in result.err for word in words), result.err
    assert "problems;" not in result.err, result.err
    assert sorted(tmp_path.rglob("*")) == before


def test_a_method_of_one_teacher_refuses_two(distill):
    result = distill(*GOOD, "--teacher", f"more={DIGITS}", "--method", "reviewkd", "--dry-run")
    assert result.code == 2
    assert "Error: reviewkd learns from one teacher, and 2 are named" in result.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((*STUDENT, *DATA), "no teacher is named"),
        ((*TEACHER, *DATA), "no student is named"),
        ((*TEACHER, *STUDENT), "no data is named"),
    ],
    ids=("teacher", "student", "data"),
)
def test_who_is_missing_is_said(distill, arguments, words):
    result = distill(*arguments, "--method", "kd", "--dry-run")
    assert result.code == 2
    assert words in result.err


@pytest.mark.parametrize("option", ["--base=x", "--targets=union", "--write-label-map=x"])
def test_options_of_amalgamation_are_none_of_distillation(distill, option):
    result = distill(*GOOD, option, "--dry-run")
    assert result.code == 2
    assert option.partition("=")[0] in result.err


def test_a_folder_has_to_be_named(distill):
    result = distill(*GOOD)
    assert result.code == 2
    assert "Give -o DIR" in result.err


def test_a_recipe_of_another_command_is_refused(distill, zoo, tmp_path):
    (tmp_path / "run.yaml").write_text("command: amalgamate\nmethod: cfl\n")
    result = distill(*GOOD, "--config", "run.yaml", "--dry-run")
    assert result.code == 2
    assert "'run.yaml' is a recipe of `zoo amalgamate`" in result.err
    assert "zoo amalgamate --config run.yaml" in result.err
    (tmp_path / "run.yaml").write_text("command: distill\nmethod: kd\n")
    assert "zoo distill --config" in zoo("amalgamate", "--config", "run.yaml", "--dry-run").err


def test_a_recipe_in_a_file(distill, tmp_path):
    (tmp_path / "run.yaml").write_text(
        f"teacher: [big={DIGITS}]\nstudent: {SHAPES}\ndata: demo\npreset: quick\nepochs: 2\n"
        "method: kd,rkd:2\nset: {rkd: {angle: 3}}\n"
    )
    arguments = ("--config", "run.yaml", *DRY)
    document = distill(*arguments).document
    assert (document["epochs"], document["weights"]["rkd.angle"]) == (2, 6)
    typed = distill(*arguments, "--set", "rkd.angle=5", "--method", "rkd:1").document
    assert (typed["weights"]["rkd.angle"], typed["weights"]["rkd.distance"]) == (5, 25)


def test_the_recipe_that_is_carried_out(distill, monkeypatch):
    asked = []

    def journey(prepared, folder, settings, catalogue, *, on_event):
        asked.append(prepared.recipe)
        return BuiltModel(folder=folder, command="distill", method="kd", teachers={"big": DIGITS})

    monkeypatch.setattr("zoo.building.journey.build", journey)
    result = distill(*GOOD, "--method", "kd,rkd:2", "--labels", "-o", "out", "--yes")
    assert result.code == 0, result.err
    (recipe,) = asked
    assert (recipe.command, recipe.method, recipe.labelled) == ("distill", "kd,rkd:2", True)
    assert "stages" in result.err


def test_help_says_what_adds_up_and_ends_with_examples(zoo):
    text = zoo("distill", "--help").out
    assert "Several methods add up" in text
    assert "--labels is given" in text
    assert "Examples:" in text
    assert "kd,rkd,hkd:3" in text
    assert "distill" in zoo("--help").out


def completed(name: str, incomplete: str) -> list[str]:
    from zoo_cli.lazy import load
    from zoo_cli.main import TABLE

    command = load(TABLE[name].target)
    option = next(each for each in command.params if each.name == "method")
    context = command.make_context(name, [], resilient_parsing=True)
    return [each.value for each in option.shell_complete(context, incomplete)]


def test_names_of_methods_complete():
    assert {"kd", "rkd", "herocon", "gnnsd", "moex", "exemplar"} <= set(completed("distill", ""))
    assert completed("distill", "kd:2,rk") == ["kd:2,rkd"]
    assert "rkd,kd" in completed("distill", "rkd,")
    assert "rkd,rkd" not in completed("distill", "rkd,")
    assert "cfl" in completed("amalgamate", "c")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("hkd", ("hkd  (distiller)", "any number", "logits of teacher and student", "3\n")),
        ("graph", ("two or more, seen together",)),
        ("reviewkd", ("one alone", "may harm across architectures")),
        ("kd", ("are its loss",)),
        ("herocon", ("(objective)", "the labels of the data")),
        ("gnnsd", ("(regulariser)", "weight")),
        ("moex", ("(augmenter)", "--set moex.")),
        ("exemplar", ("(pretext)", "20% of the training")),
        ("laplace", ("(calibrator)", "--set laplace.")),
    ],
)
def test_every_kind_has_a_card(zoo, name, words):
    result = zoo("plugins", "show", name)
    assert result.code == 0, result.err
    assert all(word in result.out for word in words), result.out


def test_a_distiller_that_breaks_a_promise_is_found(zoo, stranger):
    stranger(
        "zoo-rash",
        """
        from zoo import hookimpl
        from zoo.types import AugmenterSpec, DistillerSpec

        class Rash:
            def pair(self, teachers, student): return []
            def check(self, classroom): return []
            def weights(self, teachers): return {"gap": 1.0}
            def build(self, classroom): raise SystemExit

        @hookimpl
        def zoo_distillers():
            return [DistillerSpec(name="rash", target=__name__ + ":Rash", summary="s")]

        @hookimpl
        def zoo_augmenters():
            return [AugmenterSpec(name="rash", target=__name__ + ":Rash", summary="s")]
        """,
    )
    result = zoo("plugins", "check", "zoo-rash", "--json")
    assert result.code == 3
    failed = {each["check"]: each["detail"] for each in result.document["checks"] if not each["ok"]}
    assert set(failed) == {"distiller rash", "augmenter rash"}
    assert "lacks probability, tap, mix" in failed["augmenter rash"]


def test_the_hook_lists_distillers_with_their_facts(zoo):
    specs = zoo("plugins", "list", "--hook", "zoo_distillers", "--json").document["specs"]
    known = {each["name"]: each for each in specs}
    assert known["graph"]["teachers"] == "several"
    assert known["at"]["imitates_maps"] is True
    assert known["gnnsd"]["kind"] == "regulariser"  # everything that --method takes is there


def test_the_function_says_what_the_command_says(monkeypatch, tmp_path):
    import zoo
    from zoo.errors import InputError

    asked = []
    monkeypatch.setattr(
        "zoo.building.journey.build", lambda prepared, *_, **__: asked.append(prepared)
    )
    monkeypatch.chdir(tmp_path)
    zoo.distill(
        {"big": DIGITS},
        SHAPES,
        "demo",
        "out",
        method="kd,rkd",
        labels=True,
        preset="quick",
        options={"rkd": {"angle": 2}},
        epochs=3,
    )
    recipe = asked[0].recipe
    assert (recipe.command, recipe.labelled, recipe.schedule.epochs) == ("distill", True, 3)
    assert recipe.options["rkd"]["angle"] == 2
    with pytest.raises(InputError, match="Did you mean 'rkd'"):
        zoo.distill([DIGITS], SHAPES, "demo", "out", method="rdk")
