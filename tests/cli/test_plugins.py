from __future__ import annotations

import subprocess
import sys
import textwrap
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GOOD = """
    from zoo import Score, hookimpl
    from zoo.types import EstimatorSpec
    from zoo.types.specs import CommandSpec

    class Mine:
        def __init__(self, *, steps: int = 20): ...

        def score(self, features):
            import numpy as np

            values, labels = features.values.astype(float), features.labels
            means = [values[labels == each].mean(0) for each in np.unique(labels)]
            return Score(float(np.var(means, 0).sum() / (values.var(0).sum() + 1e-300)))

    @hookimpl
    def zoo_estimators():
        return [EstimatorSpec(name="mine", target=__name__ + ":Mine", summary="my own")]

    @hookimpl
    def zoo_commands():
        return [CommandSpec(name="greet", target=__name__ + "_command:greet", summary="Greet.")]
"""
COMMAND = """
    import click

    @click.command()
    def greet():
        '''Greet whoever asks.'''
        click.echo("hello")
"""


@pytest.fixture
def good(stranger):
    folder = stranger("zoo-good", GOOD)
    (folder / "zoo_good_command.py").write_text(textwrap.dedent(COMMAND), encoding="utf-8")


@pytest.fixture
def broken(stranger):
    stranger("zoo-broken", "import a_module_that_nobody_has")


def test_our_own_plugins_are_listed_with_what_they_provide(zoo):
    result = zoo("plugins", "list", "--json")
    assert result.code == 0
    mine = {each["name"]: each for each in result.document["plugins"]}
    assert "logme" in mine["zoo-reuse:transferability"]["provides"]["estimator"]
    assert mine["zoo-reuse:core"]["status"] == "ok"
    assert result.document["failures"] == []


def test_a_stranger_is_listed_and_shown_with_its_options(zoo, good):
    assert "zoo-good:zoo_good" in zoo("plugins", "list", "-q").out
    shown = zoo("plugins", "show", "mine", "--json").document["specs"][0]
    facts = {"type": "int", "default": 20, "required": False, "choices": [], "meaning": ""}
    assert shown["options"] == {"steps": facts}
    assert (shown["distribution"], shown["version"]) == ("zoo-good", "0.3.0")
    assert "--set mine.steps=...  (int, default 20)" in zoo("plugins", "show", "mine").out


def test_an_amalgamator_is_shown_with_what_it_needs_and_what_its_options_mean(zoo):
    text = zoo("plugins", "show", "cfl").out
    assert text.startswith("cfl  (amalgamator)\n")
    assert "way         training: a student is trained" in text
    assert (
        "needs       teachers with trained heads; the features of every network; 4 samples" in text
    )
    assert (
        "--set cfl.common_loss=...  (mmd | paired | mmd+paired, default mmd)\n      `mmd`" in text
    )
    shown = zoo("plugins", "show", "cfl", "--json").document["specs"][0]
    assert (shown["kind"], shown["way"], shown["smallest_batch"]) == ("amalgamator", "training", 4)
    assert shown["options"]["bandwidth"]["choices"] == ["fixed", "adaptive"]
    assert shown["options"]["width"]["meaning"].startswith("channels of the common space; ")


def test_a_merger_is_shown_with_the_base_that_it_needs(zoo):
    needs = "needs       checkpoints of one architecture"
    assert (
        f"{needs}; the checkpoint that they were made from"
        in zoo("plugins", "show", "merge-ties").out
    )
    assert f"{needs}\n" in zoo("plugins", "show", "merge-linear").out
    shown = zoo("plugins", "show", "merge-ties", "--json").document["specs"][0]
    assert (shown["way"], shown["needs_base"]) == ("merging", True)


def test_a_broken_plugin_is_listed_warned_about_and_costs_exit_code_3(zoo, broken):
    result = zoo("plugins", "list")
    assert result.code == 3
    assert "zoo-broken" in result.out
    assert "a_module_that_nobody_has" in result.err
    assert "Hint: zoo plugins check zoo-broken" in result.err
    assert "zoo-reuse:core" in result.out


def test_strict_stops_at_a_broken_plugin(zoo, broken):
    result = zoo("plugins", "list", "--strict")
    assert (result.code, result.out) == (1, "")
    assert "a_module_that_nobody_has" in result.err


def test_leaving_a_broken_plugin_out_makes_everything_well(zoo, broken):
    assert zoo("plugins", "list", "--no-plugin", "zoo-broken").code == 0


def test_one_hook_is_listed_with_summaries(zoo):
    result = zoo("plugins", "list", "--hook", "zoo_sources", "--json")
    assert {each["name"] for each in result.document["specs"]} >= {"hub", "folder", "embedded"}


def test_an_unknown_hook_and_an_unknown_name_get_suggestions(zoo):
    result = zoo("plugins", "list", "--hook", "zoo_estimator")
    assert result.code == 2
    assert "Did you mean 'zoo_estimators'?" in result.err
    result = zoo("plugins", "show", "logmee")
    assert result.code == 2
    assert "Did you mean 'logme'?" in result.err


def test_a_plugin_command_joins_help_and_runs(zoo, good):
    text = zoo("--help").out
    assert "Plugin commands:" in text
    assert "Greet. [zoo-good]" in text
    assert zoo("greet").out == "hello\n"


def test_a_broken_plugin_command_is_an_explained_failure(zoo, stranger):
    stranger("zoo-good", GOOD)
    result = zoo("greet")
    assert result.code == 1
    assert "zoo_good_command" in result.err
    assert "Hint: zoo plugins check zoo-good" in result.err


def test_a_command_that_is_not_there_may_be_that_of_a_plugin_that_does_not_load(zoo, broken):
    result = zoo("greet")
    assert (result.code, result.out) == (2, "")
    assert "zoo-broken:zoo_broken 0.3.0 (plugin): ModuleNotFoundError" in result.err
    assert "Hint: zoo plugins check zoo-broken" in result.err
    assert "No such command 'greet'" in result.err


def test_the_check_passes_a_good_plugin(zoo, good):
    result = zoo("plugins", "check", "zoo-good", "--json")
    assert [each for each in result.document["checks"] if not each["ok"]] == []
    assert result.code == 0
    assert {each["check"] for each in result.document["checks"]} == {
        "load",
        "light import",
        "estimator mine",
        "command greet",
    }


@pytest.mark.parametrize(
    "names",
    [
        ["core"],
        # Tests of their own ask the same of what is quick in them.
        pytest.param(["runtimes", "amalgamation", "growth"], marks=pytest.mark.exhaustive),
        pytest.param(["transferability", "distillation"], marks=pytest.mark.exhaustive),
        pytest.param(["explanation"], marks=pytest.mark.exhaustive),
    ],
)
def test_the_check_passes_every_plugin_of_our_own(zoo, names):
    named = [f"zoo-reuse:{name}" for name in names]
    checks = zoo("plugins", "check", *named, "--json").document["checks"]
    assert {each["plugin"] for each in checks} == set(named)
    assert len(checks) > 10
    assert [each for each in checks if not each["ok"]] == []


def test_the_check_finds_what_is_wrong(zoo, stranger):
    stranger(
        "zoo-bad",
        """
        import numpy
        from zoo import hookimpl
        from zoo.types import EstimatorSpec

        class Lacking: ...

        @hookimpl
        def zoo_estimators():
            return [
                EstimatorSpec(name="lacking", target=__name__ + ":Lacking", summary="s"),
                EstimatorSpec(name="absent", target=__name__ + ":Absent", summary="s"),
            ]

        @hookimpl
        def zoo_probes():
            return [7]
        """,
    )
    result = zoo("plugins", "check", "zoo-bad", "--json")
    assert result.code == 3
    failed = {each["check"]: each["detail"] for each in result.document["checks"] if not each["ok"]}
    assert "numpy" in failed["light import"]
    assert "lacks score" in failed["estimator lacking"]
    assert "Absent" in failed["estimator absent"]
    assert "ProbeSpec" in failed["zoo_probes"]


def test_the_check_understands_a_plugin_that_speaks_last_and_past_python(zoo, stranger):
    stranger(
        "zoo-late",
        r"""
        import atexit, os, sys

        if "zoo_cli" not in sys.modules:
            atexit.register(lambda: print("good night"))
            os.write(1, b"good \xff day")
        """,
    )
    result = zoo("plugins", "check", "zoo-late", "--json")
    assert (result.code, [each["check"] for each in result.document["checks"]]) == (
        0,
        ["load", "light import"],
    )


def test_the_check_runs_an_amalgamator_and_a_merger(zoo, stranger):
    stranger(
        "zoo-bad",
        """
        from zoo import hookimpl
        from zoo.types import AmalgamatorSpec, RuntimeSpec

        class Sum:
            needs_base = False
            def check(self, models): return []
            def merge(self, name, tensors, base): return sum(tensors)

        class Half:
            def pair(self, teachers, student): return []
            def check(self, stages, batch): return []
            def weights(self, teachers): return {"gap": 1.0}
            def build(self, stages): raise SystemExit

        class Runtime:
            def identity(self): ...
            def input_key(self, checkpoint, modality): ...
            def prepare(self, checkpoint, inputs): ...
            def open(self, checkpoint, options): ...
            def open_teacher(self, checkpoint): ...

        @hookimpl
        def zoo_amalgamators():
            own = {"summary": "s", "features": False}
            return [
                AmalgamatorSpec(name="sum", target=__name__ + ":Sum", kind="merging", **own),
                AmalgamatorSpec(name="half", target=__name__ + ":Half", **own),
            ]

        @hookimpl
        def zoo_runtimes():
            return [RuntimeSpec(name="odd", target=__name__ + ":Runtime", summary="s")]
        """,
    )
    result = zoo("plugins", "check", "zoo-bad", "--json")
    assert result.code == 3
    failed = {
        (each["check"], each["promise"]): each["detail"]
        for each in result.document["checks"]
        if not each["ok"]
    }
    assert "equal models must give that model" in " ".join(failed.values())
    assert "build raises SystemExit" in failed["amalgamator half", "build"]
    assert "identity must give a name" in failed["runtime odd", "methods"]
    assert {check for check, _ in failed} == {
        "runtime odd",
        "amalgamator sum",
        "amalgamator half",
    }
    assert "docs/plugins.md says what it promises" in result.err


def test_the_check_names_a_plugin_that_cannot_be_loaded(zoo, broken):
    result = zoo("plugins", "check", "zoo-broken", "--json")
    assert result.code == 3
    assert result.document["checks"][0]["ok"] is False


def test_the_check_of_an_unknown_plugin_is_wrong_usage(zoo):
    assert zoo("plugins", "check", "zoo-nobody").code == 2


@pytest.mark.parametrize(
    ("name", "words"),
    [("zoo-reuse", "Zoo itself"), ("numpy", "no installed plugin called 'numpy'")],
)
def test_only_strangers_plugins_can_be_uninstalled(zoo, name, words):
    result = zoo("plugins", "uninstall", name, "--yes")
    assert result.code == 2
    assert words in result.err


def test_install_refuses_options_in_disguise(zoo):
    result = zoo("plugins", "install", "--", "--index-url=x")
    assert result.code == 2


@pytest.fixture(scope="module")
def other_environment(tmp_path_factory):
    """An environment of its own, which sees our packages, and pip, through a path file."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, symlinks=True)
    python = folder / "bin" / "python"
    site = next((folder / "lib").glob("python*/site-packages"))
    seen = [path for path in sys.path if path.endswith("site-packages")]
    sources = [str(ROOT / each) for each in ("zoo", "cli", "plugins")]
    (site / "ours.pth").write_text("\n".join([*seen, *sources]) + "\n", encoding="utf-8")
    return python


def test_a_plugin_is_installed_seen_and_uninstalled_even_when_broken(other_environment, tmp_path):
    project = tmp_path / "zoo-tiny"
    (project / "zoo_tiny").mkdir(parents=True)
    (project / "zoo_tiny" / "__init__.py").write_text("import nobody_has_this\n")
    (project / "pyproject.toml").write_text(
        textwrap.dedent("""
        [build-system]
        requires = ["hatchling"]
        build-backend = "hatchling.build"
        [project]
        name = "zoo-tiny"
        version = "0.4.0"
        [project.entry-points."zoo.v1"]
        tiny = "zoo_tiny"
        """)
    )
    subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--wheel", "-o", tmp_path, project],
        check=True,
        capture_output=True,
    )

    def zoo(*arguments):
        command = [other_environment, "-m", "zoo_cli", "plugins", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    installed = zoo("install", str(next(tmp_path.glob("*.whl"))), "--offline", "-q")
    assert (installed.returncode, installed.stdout) == (0, "zoo-tiny\n"), installed.stderr
    assert zoo("list").returncode == 3
    assert zoo("uninstall", "zoo-tiny").returncode == 2  # nobody to ask
    removed = zoo("uninstall", "zoo-tiny", "--yes", "--json")
    assert removed.returncode == 0, removed.stderr
    assert '"zoo-tiny"' in removed.stdout
    assert "zoo-tiny" not in zoo("list").stdout
    missing = zoo("install", str(tmp_path / "nothing.whl"), "--offline")
    assert missing.returncode == 1
    assert "pip could not install" in missing.stderr
