"""``zoo amalgamate`` and ``zoo resume``, up to the first weight; the journeys train."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from zoo.types.built import BuiltModel

DIGITS, PARITY = "embedded:resnet-digits-0-4", "embedded:vit-digit-parity"
SHAPES, HUES = "embedded:mobilenet-v1-shapes", "embedded:mobilenet-v2-hues"
GOOD = ("--teacher", f"digits={DIGITS}", "--teacher", PARITY, "--student", SHAPES, "--data", "demo")


@pytest.fixture(autouse=True)
def _without_estimates(request, monkeypatch):
    """Memory and time take seconds to estimate; one test does."""
    from zoo.building.cost import Rates
    from zoo.building.plan import Estimates

    rates = Rates(dense=1e10, grouped=1e9, moved=1e9, image=1e-3)
    monkeypatch.setattr("zoo.building.cost.machine_rates", lambda *_: rates)
    if "as_a_document" not in request.node.name:
        downloads = lambda draft: sum(each.download for each in draft.teachers)  # noqa: E731
        monkeypatch.setattr(
            "zoo.building.estimates.estimate", lambda draft: Estimates(download=downloads(draft))
        )


@pytest.fixture
def amalgamate(zoo, tmp_path, monkeypatch):
    """Run the command in an empty folder; whatever it is refused for, nothing is fetched there."""
    monkeypatch.chdir(tmp_path)
    fetched = []
    monkeypatch.setattr(
        "zoo.sources.folder.FolderSource.fetch", lambda _, each: fetched.append(each.model)
    )

    def run(*arguments):
        result = zoo("amalgamate", *arguments, "--no-progress")
        assert not fetched
        return result

    return run


@pytest.fixture
def build(monkeypatch):
    """Stand in for the journey."""
    asked = []

    def journey(prepared, folder, settings, catalogue, *, on_event):
        asked.append((prepared, folder))
        outcome = journey.outcome
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    journey.outcome = BuiltModel(
        folder="out",
        command="amalgamate",
        method="cfl",
        teachers={"digits": DIGITS},
        labels=("0", "1"),
        metrics={
            "student": {"joint": {"value": 0.9}, "agreements": {"digits": {"value": 0.8}}},
            "kd": {"joint": {"value": 0.7}},
        },
        parameters=58_000,
        bytes=240_000,
        steps=72,
        seconds=12.0,
        notes=("cfl is 20.0 points above kd in joint accuracy.",),
    )
    journey.asked = asked
    monkeypatch.setattr("zoo.building.journey.build", journey)
    return journey


def test_the_plan_of_a_dry_run(amalgamate, tmp_path):
    result = amalgamate(*GOOD, "--preset", "quick", "--dry-run")
    assert result.code == 0, result.err
    for words in (
        "teacher digits",
        "5 classes",
        "block.4 [48,8,8]",
        "5 + 2, 0 shared names",
        "cfl: classifiers of different architectures",
        "6 epochs (quick) on cpu",
        "soft targets alone",
        "nothing to download",
    ):
        assert words in result.out, result.out
    assert "Nothing was fetched" in result.err
    assert not list(tmp_path.iterdir())


def test_the_plan_as_a_document(amalgamate):
    document = amalgamate(*GOOD, "--preset", "quick", "--dry-run", "--json").document
    assert document["dry_run"] is True
    assert document["schema_version"] == 1
    assert [each["alias"] for each in document["teachers"]] == ["digits", "vit-digit-parity"]
    assert document["student"]["classes"] == document["outputs"] == 7
    assert document["weights"] == {"soft": 1.0, "mmd": 1.0, "reconstruction": 1.0}
    assert document["estimates"]["memory"] > 0
    assert document["estimates"]["seconds"] > 0


def test_every_problem_is_in_one_list(amalgamate, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").write_text("years of work")
    result = amalgamate(
        *("--teacher", f"a={DIGITS}", "--teacher", f"a={PARITY}x", "--student", "./none"),
        *("--data", "phots", "--method", "clf", "--precision", "fp16", "-o", "out"),
    )
    assert result.code == 2
    lines = result.err.splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith("Error:"))
    assert lines[start] == "Error: 7 problems; no weight was fetched and nothing was written."
    sentences = [line for line in lines[start:] if line.strip()[:1].isdigit()]
    assert len(sentences) == 7
    for words in ("thesis.tex", "called 'a'", "vit-digit-parity", "./none", "'cfl'", "phots"):
        assert any(words in sentence for sentence in sentences), words
    assert "Traceback" not in result.err


def test_problems_are_a_document_where_one_is_asked_for(amalgamate):
    result = amalgamate(*GOOD[:-2], "--dry-run", "--json")
    assert result.code == 2
    assert result.document["error"]["message"] == "no data is named to train on."
    assert result.document["error"]["exit_code"] == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--method", "clf"), ("'clf'", "Did you mean 'cfl'")),
        (("--batch", "2"), ("a batch of 2 is too small for cfl", "--batch 16")),
        (("--set", "widht=3"), ("no option 'widht'",)),
        (("--set", "width"), ("OPTION=VALUE",)),
        (("--method", "cfl", "--set", "kd.width=3"), ("option of kd",)),
        (("--weight", "mdm=3"), ("'mdm'", "Did you mean 'mmd'")),
        (("--cache",), ("random views",)),
        (("--labels", "map.yaml"), ("map.yaml", "cannot be read")),
        (("--labels", "union", "--label-map", "x"), ("one of them",)),
        (("--keep", "evn"), ("'evn'", "Did you mean 'even'")),
        (("--teacher", "student=./x"), ("cannot be called 'student'",)),
        (("--method", "merge-linear"), ("only weights of one architecture",)),
        (("--config", "run.yaml"), ("run.yaml", "cannot be read")),
        (("--device", "cuda:7"), ("cuda:7",)),
        (("--preset", "papr"), ("papr",)),
        (("--samples", "3"), ("2 samples", "fewer than a batch of 64")),
    ],
    ids=" ".join,
)
def test_what_is_refused(amalgamate, tmp_path, arguments, words):
    result = amalgamate(*GOOD, *arguments, "-o", "out")
    assert result.code == 2, result.err
    assert all(word in result.err for word in words), result.err
    assert "Traceback" not in result.err
    assert not list(tmp_path.iterdir())


def test_shared_labels_are_asked_about(amalgamate):
    twice = ("--teacher", f"a={DIGITS}", "--teacher", f"b={DIGITS}", *GOOD[4:])
    result = amalgamate(*twice, "-o", "out")
    assert result.code == 2
    assert "a and b share 5 labels" in result.err
    assert "--labels union" in result.err
    assert "a/0" not in result.err
    apart = amalgamate(*twice, "--labels", "separate", "--dry-run", "--json").document
    assert apart["outputs"] == 10
    joined = amalgamate(*twice, "--labels", "union", "--dry-run", "--json").document
    assert (joined["outputs"], joined["targets"]) == (5, "union")


def test_a_label_map_is_written_and_taken(amalgamate, tmp_path):
    result = amalgamate(*GOOD, "--write-label-map", "map.yaml")
    assert result.code == 0, result.err
    text = (tmp_path / "map.yaml").read_text()
    assert "even: even" in text
    (tmp_path / "map.yaml").write_text(text.replace("even: even", "even: ~"))
    document = amalgamate(*GOOD, "--labels", "map.yaml", "--dry-run", "--json").document
    assert document["outputs"] == 6


def test_a_folder_has_to_be_named(amalgamate):
    result = amalgamate(*GOOD)
    assert result.code == 2
    assert "Give -o DIR" in result.err


def test_a_recipe_in_a_file(amalgamate, tmp_path):
    (tmp_path / "run.yaml").write_text(
        f"teacher: [digits={DIGITS}, {PARITY}]\nstudent: {SHAPES}\ndata: demo\npreset: quick\n"
        "epochs: 2\nmethod: kd\n"
    )
    arguments = ("--config", "run.yaml", "--dry-run", "--json")
    assert amalgamate(*arguments).document["epochs"] == 2
    changed = amalgamate(*arguments, "--epochs", "4", "--teacher", f"h={HUES}").document
    assert changed["epochs"] == 4
    assert [each["alias"] for each in changed["teachers"]] == ["h"]
    assert (changed["method"], changed["why"]) == ("kd", "as asked for")


def test_nothing_begins_without_a_yes(amalgamate, build):
    result = amalgamate(*GOOD, "-o", "out")
    assert result.code == 2
    assert "Add --yes" in result.err
    assert "teacher digits" in result.err
    assert not build.asked


def test_what_was_built_is_compared_and_the_next_command_named(amalgamate, build):
    result = amalgamate(*GOOD, "-o", "out", "--yes")
    assert result.code == 0, result.err
    assert "AGREES WITH DIGITS" in result.out
    assert "0.900" in result.out
    assert "20.0 points above kd" in result.err
    assert "Wrote out: 240 kB, 58k parameters, 2 labels, 12 s" in result.err
    assert "zoo predict ./out DATA" in result.err
    (prepared, folder) = build.asked[0]
    assert folder == "out"
    assert prepared.recipe.teachers[0].model == DIGITS


def test_the_result_as_json(amalgamate, build):
    document = amalgamate(*GOOD, "-o", "out", "--yes", "--json").document
    assert document["metrics"]["student"]["joint"]["value"] == 0.9
    assert document["folder"] == "out"


def test_an_interruption_names_what_goes_on(amalgamate, build, tmp_path):
    import msgspec

    build.outcome = msgspec.structs.replace(build.outcome, interrupted=True, metrics={})
    result = amalgamate(*GOOD, "-o", "out", "--yes")
    assert result.code == 130
    assert "stopped after 72 steps" in result.err
    assert "zoo resume out" in result.err
    build.outcome = KeyboardInterrupt()
    early = amalgamate(*GOOD, "-o", "out", "--yes")
    assert early.code == 130
    assert "zoo resume" not in early.err


def test_weights_that_are_merged_need_no_student(amalgamate):
    arguments = ("--teacher", f"a={DIGITS}", "--teacher", f"b={DIGITS}", "--dry-run", "--json")
    document = amalgamate(*arguments).document
    assert document["method"] == "merge-linear"
    assert document["student"] is None
    assert document["steps"] == 0


@pytest.mark.parametrize("folder", ["gone", "other"])
def test_resuming_what_is_none(zoo, tmp_path, monkeypatch, folder):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "other").mkdir()
    result = zoo("resume", folder)
    assert result.code == 2
    assert folder in result.err
    assert "Hint:" in result.err


def test_help_ends_with_examples(zoo):
    text = zoo("amalgamate", "--help").out
    assert "Examples:" in text
    assert "--write-label-map" in text
    assert "zoo resume both" in text
    assert "amalgamate" in zoo("--help").out


def test_only_configurations_come_from_the_hub(zoo, loopback_hub, tmp_path, monkeypatch):
    from zoo import embedded

    monkeypatch.chdir(tmp_path)
    for name in ("resnet-digits-0-4", "mobilenet-v1-shapes"):
        folder = Path(embedded.folder(name))
        files = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
        loopback_hub.add(f"org/{name}", files)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    result = zoo(
        *("amalgamate", "--teacher", "hub:org/resnet-digits-0-4", "--teacher", PARITY),
        *("--student", "hub:org/mobilenet-v1-shapes", "--data", "demo", "--dry-run", "--json"),
    )
    assert result.code == 0, result.err
    document = json.loads(result.out)
    assert "@" in document["teachers"][0]["model"]
    assert document["estimates"]["download"] > 300_000
    whole = [
        each
        for each in loopback_hub.requests
        if "safetensors" in each.path and "/resolve/" in each.path and not each.range
    ]
    assert not whole
