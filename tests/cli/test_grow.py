"""``zoo grow``, in this process, on tiny checkpoints."""

from __future__ import annotations

import json

import pytest

from zoo.testing.tiny_checkpoints import build_tiny_checkpoint


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory):
    folder = tmp_path_factory.mktemp("small")
    names = ("vit", "bert", "beit", "resnet")
    return {name: str(build_tiny_checkpoint(name, folder / name)) for name in names}


@pytest.fixture
def grow(zoo, checkpoints, tmp_path, monkeypatch):
    """Run the command in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def run(model, *arguments):
        result = zoo("grow", checkpoints.get(model, model), *arguments, "--no-progress")
        assert "Traceback" not in result.err
        return result

    return run


@pytest.fixture
def unread(monkeypatch):
    """Fail where a weight is fetched or read."""

    def never(*_, **__):
        raise AssertionError("a weight was read")

    monkeypatch.setattr("zoo.sources.folder.FolderSource.fetch", never)
    monkeypatch.setattr("zoo_runtimes.torch_runtime.TorchRuntime.open_whole", never)


@pytest.mark.usefixtures("unread")
def test_a_dry_run_shows_the_plan_and_reads_no_weight(grow, tmp_path):
    result = grow("vit", "--width", "1.5x", "--depth", "+1", "-o", "grown", "--dry-run")
    assert result.code == 0, result.err
    for words in (
        "grows     hidden: 32 -> 48, whole copies, and 16 channels of their mean (exact)",
        "heads of 4 layers: 4 -> 6",
        "layers of vit.layers: 3 -> 4, new ones add nothing yet (exact)",
        "FLOPs an input",
        "the same function; compared in fp64 and fp32",
        "folder    grown",
    ):
        assert words in result.out, words
    assert result.err == "Nothing was fetched or written. Remove --dry-run to start.\n"
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("unread")
def test_a_dry_run_as_json_needs_no_folder(grow):
    plan = grow("bert", "--mlp", "+16", "--seed", 3, "--dry-run", "--json").document
    assert plan["dry_run"] is True
    assert (plan["family"], plan["method"], plan["seed"], plan["exact"]) == (
        *("bert", "net2net", 3, True),
    )
    assert [(step["what"], step["old"], step["new"]) for step in plan["steps"]] == [
        ("mlp of 3 layers", 48, 64)
    ]
    assert plan["before"]["parameters"] < plan["after"]["parameters"]
    assert plan["proof"] == ["fp64", "fp32"]


@pytest.mark.usefixtures("unread")
def test_a_dry_run_warns_where_the_function_is_not_kept_or_memory_is_short(grow, monkeypatch):
    monkeypatch.setattr("zoo.building.estimates.free_memory", lambda _: 1000)
    result = grow("bert", "--width", "1.5x", "--allow-inexact", "--dry-run")
    assert result.code == 0
    assert "not exact: a norm writes it (post-norm)" in result.out
    assert "another function" in result.out
    assert "Warning: the larger network will not compute the same function." in result.err
    assert "Warning: that is more memory than the 1.0 kB that are free." in result.err
    assert "it is made in float32 alone" in result.err


def test_the_plan_goes_before_and_the_proof_after(grow, tmp_path):
    result = grow("resnet", "--width", "1.5x", "--depth", "0,1,0,0", "-o", "grown", "--yes")
    assert result.code == 2
    assert "would shrink" in result.err
    result = grow("resnet", "--width", "1.5x", "--depth", "1,2,1,1", "-o", "grown", "--yes")
    assert result.code == 0, result.err
    assert result.out.splitlines()[0].split() == [
        *("NUMBERS", "LARGEST", "DIFFERENCE", "ALLOWED", "LARGEST", "ANSWER"),
        *("SAME", "FIRST", "LABEL"),
    ]
    assert [line.split()[0] for line in result.out.splitlines()[1:]] == ["fp64", "fp32"]
    said = result.err
    assert said.index("model     ") < said.index("Wrote grown: ")
    assert "compared on 32 inputs of noise" in said
    assert "Hint: zoo finetune ./grown --data LABELLED -o OUT" in said
    assert (tmp_path / "grown" / "growth.json").exists()


def test_the_report_as_json_is_the_one_in_the_folder(grow, tmp_path):
    result = grow("vit", "--mlp", "64", "-o", "grown", "--yes", "--json")
    assert result.code == 0, result.err
    assert result.document == json.loads((tmp_path / "grown" / "growth.json").read_bytes())
    assert "model     " in result.err


def test_without_a_terminal_or_yes_nothing_is_done(grow, tmp_path):
    result = grow("vit", "--mlp", "64", "-o", "grown")
    assert result.code == 2
    assert "Add --yes" in result.err
    assert not list(tmp_path.iterdir())


def test_what_is_not_exact_is_written_only_where_that_is_allowed(grow, tmp_path):
    result = grow("bert", "--width", "1.5x", "-o", "grown", "--yes")
    assert result.code == 2
    assert "would no longer compute the same function: hidden: a norm writes it" in result.err
    assert "--allow-inexact" in result.err
    assert not list(tmp_path.iterdir())
    result = grow("bert", "--width", "1.5x", "-o", "grown", "--yes", "--allow-inexact")
    assert result.code == 0, result.err
    assert "Warning: it does not compute the same function" in result.err
    assert (tmp_path / "grown" / "config.json").exists()


def test_a_proof_that_fails_ends_with_one_and_leaves_nothing(grow, tmp_path, monkeypatch):
    monkeypatch.setitem(
        __import__("zoo.growing.proof", fromlist=["TOLERANCES"]).TOLERANCES, "fp64", 0.0
    )
    result = grow("vit", "--width", "2x", "--depth", "+1", "-o", "grown", "--yes")
    assert result.code == 1
    assert "the larger network differs by" in result.err
    assert "nothing was written" in result.err
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("unread")
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--width", "1.3x"), ("no whole number", "1.25x (5 heads) or 1.5x (6 heads)")),
        (("--hidden", "50"), ("50 is no multiple of 4", "48 or 52")),
        (("--hidden", "16"), ("would shrink from 32 to 16", "zoo distill")),
        (("--kv-heads", "8"), ("keys of its own",)),
        (("--width", "twice"), ("'twice' is no factor",)),
        (("--depth", "x"), ("the depth 'x' is no size",)),
        (("--depth", "2"), ("would shrink from 3 to 2",)),
        ((), ("nothing is to grow", "--width 1.5x")),
        (("--width", "1x"), ("would stay as it is",)),
        (("--width", "2x", "--to", "c.json"), ("--to says everything",)),
        (("--to", "c.json"), ("the configuration 'c.json' cannot be read",)),
        (("--width", "2x", "--method", "net2nte"), ("Did you mean 'net2net'?",)),
        (("--width", "2x", "--set", "nois=1"), ("'net2net' has no option 'nois'",)),
        (("--width", "2x", "--set", "noise"), ("noise",)),
        (("--width", "2x", "--set", "noise=0"), ("stay equal for ever",)),
        (("--width", "2x", "--method", "stack"), ("stack does not keep it",)),
        (("--width", "2x", "--method", "ligo"), ("ligo learns from data", "--data DATA")),
        (("--width", "2x", "--data", "absent"), ("no file or folder 'absent'",)),
        (("--width", "2x", "--runtime", "onnx"), ("no runtime makes larger networks",)),
        (("--width", "2x", "--place", "top"), ("top", "between")),
        (("--width", "2x", "--samples", "0"), ("--samples",)),
    ],
    ids=" ".join,
)
def test_what_is_refused(grow, tmp_path, arguments, words):
    result = grow("vit", *arguments, "-o", "out")
    assert result.code == 2, result.err
    assert result.err.startswith("Error: ")
    assert len(result.err.splitlines()) <= 3
    assert all(word in result.err for word in words), result.err
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("unread")
def test_models_that_cannot_grow(grow, tmp_path):
    result = grow("beit", "--width", "2x", "-o", "out")
    assert result.code == 2
    assert "nobody here knows how to grow the architecture 'beit'" in result.err
    assert "Known: bert, " in result.err
    assert "A plugin adds one with the hook zoo_families" in result.err
    for model in ("./absent", "embedded:absent"):
        assert grow(model, "--width", "2x", "-o", "out").code == 2
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("unread")
def test_places_that_are_taken(grow, tmp_path):
    asked = ("vit", "--width", "2x", "--yes")
    result = grow(*asked)
    assert (result.code, "Give -o DIR" in result.err) == (2, True)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").touch()
    for place, words in (
        ("full", "the folder 'full' is not empty: it holds thesis.txt"),
        ("full/thesis.txt", "'full/thesis.txt' is a file, not a folder"),
        ("full/thesis.txt/grown", "is a file, not a folder"),
    ):
        result = grow(*asked, "-o", place)
        assert result.code == 2
        assert words in result.err
    assert [path.name for path in tmp_path.rglob("*")] == ["full", "thesis.txt"]


@pytest.mark.usefixtures("unread")
@pytest.mark.parametrize(
    ("sizes", "words"),
    [
        ("", "does not say how a model is to grow"),
        (":widht=2x", "Did you mean 'width'?"),
        (":width=1.3x", "no whole number"),
        (":width=2x,width=3x", "says a size twice"),
    ],
)
def test_references_that_say_no_growth(zoo, checkpoints, tmp_path, sizes, words):
    (tmp_path / "lines.txt").write_text("one\n")
    result = zoo("predict", f"grow:{checkpoints['vit']}{sizes}", tmp_path / "lines.txt")
    assert result.code == 2, result.err
    assert words in result.err
    assert "Traceback" not in result.err
