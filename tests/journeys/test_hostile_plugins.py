"""Plugins that do what they must not: each costs itself alone, and is told of with what to do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from zoo_cli import main

HEAD = """
    from zoo import Score, hookimpl
    from zoo.types import CommandSpec, EstimatorSpec, ProbeSpec, ReporterSpec, SourceSpec

    def spec(name, target, kind=EstimatorSpec):
        return kind(name=name, target=__name__ + ":" + target, summary="s")
"""


@dataclass(frozen=True)
class Case:
    """A plugin, what is said of it, and whether it counts as a failure."""

    source: str
    said: str
    status: str = "ok"
    stage: str = "zoo_estimators"


def hook(body: str, name: str = "zoo_estimators", parameters: str = "") -> str:
    return f"@hookimpl\ndef {name}({parameters}):\n    {body}\n"


LISTED = {
    "missing-import": Case(
        "import a_module_that_nobody_has", "a_module_that_nobody_has", "failed", "plugin"
    ),
    "exits-at-import": Case("raise SystemExit(7)", "SystemExit: 7", "failed", "plugin"),
    "no-python": Case("def x(:", "SyntaxError", "failed", "plugin"),
    "misspelt-hook": Case(
        hook("return []", "zoo_estimatorz"),
        "no hook called 'zoo_estimatorz'. Did you mean 'zoo_estimators'?",
        "failed",
        "plugin",
    ),
    "misspelt-parameter": Case(
        hook("pass", "zoo_score_recorded", "rekord"),
        "zoo_score_recorded has no parameter 'rekord'. It has: record.",
        "failed",
        "plugin",
    ),
    "wraps-others": Case(
        "@hookimpl(wrapper=True)\ndef zoo_estimators():\n    return (yield)\n",
        "is a wrapper of others' hooks",
        "failed",
        "plugin",
    ),
    "takes-a-name": Case(
        hook("return [spec('logme', 'X')]"),
        "the estimator 'logme' is already provided by zoo-reuse:transferability",
    ),
    "takes-a-command": Case(
        hook("return [spec('score', 'X', CommandSpec)]", "zoo_commands"),
        "the command 'score' is already provided by zoo-reuse",
        stage="zoo_commands",
    ),
    "raises": Case(hook("raise ValueError('no such luck')"), "ValueError: no such luck"),
    "exits": Case(hook("raise SystemExit(3)"), "SystemExit: 3"),
    "generates": Case(hook("yield spec('x', 'X')"), "gives a generator"),
    "answers-7": Case(hook("return 7"), "gives a int"),
    "no-spec": Case(hook("return ['logme']"), "gives 'logme', which is no EstimatorSpec"),
    "no-name": Case(
        hook("return [EstimatorSpec(name=3, target='x:y', summary='s')]"), "name is 3, no text"
    ),
}
OBJECTS = """
    import os, subprocess

    class Raises:
        def score(self, features):
            raise ValueError("no such luck")

    class Exits:
        def score(self, features):
            raise SystemExit(3)

    class Answers:
        def score(self, features):
            return "very good"

    class Writes:
        def score(self, features):
            features.values[:] = 0
            return Score(1.0)

    class Yields:
        def score(self, features):
            yield Score(1.0)

    class Prints:
        def score(self, features):
            print("printed by score")
            os.write(1, b"written by score\\n")
            subprocess.run([PYTHON, "-c", "print('said by a child of score')"])
            return Score(1.0)

    print("printed at import")

    @hookimpl
    def zoo_estimators():
        print("printed in a hook")
        names = ("Raises", "Exits", "Answers", "Writes", "Yields", "Prints")
        return [spec("my-" + name.lower(), name) for name in names]
""".replace("PYTHON", repr(sys.executable))
SCORED = {
    "my-raises": "ValueError: no such luck",
    "my-exits": "SystemExit: 3",
    "my-answers": "which is no score",
    "my-writes": "read-only",
    "my-yields": "which is no score",
}


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Leave a distribution where an installer would; several at once stay beside each other."""
    folder, modules = tmp_path / "site", []

    def add(distribution, source, version="0.3.0", metadata=""):
        module = distribution.replace("-", "_")
        modules.append(module)
        (folder / module).mkdir(parents=True)
        text = textwrap.dedent(HEAD) + textwrap.dedent(source)
        (folder / module / "__init__.py").write_text(text, encoding="utf-8")
        info = folder / f"{module}-{version}.dist-info"
        info.mkdir()
        head = f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n{metadata}"
        (info / "METADATA").write_text(head, encoding="utf-8")
        (info / "entry_points.txt").write_text(f"[zoo.v1]\n{module} = {module}\n", encoding="utf-8")
        return info

    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setenv("PYTHONPATH", str(folder))
    monkeypatch.setenv("ZOO_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(main.zoo, "_plugins", None)
    monkeypatch.setenv("COLUMNS", "500")
    yield add
    for name in [each for each in sys.modules if each.partition(".")[0] in modules]:
        del sys.modules[name]


@pytest.fixture
def zoo(capsys):
    def run(*arguments):
        capsys.readouterr()
        code = main.run([str(each) for each in arguments])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


@pytest.fixture
def features(tmp_path):
    drawn = np.random.default_rng(0)
    path = tmp_path / "features.npz"
    np.savez(path, X=drawn.normal(size=(40, 6)), y=drawn.integers(0, 2, 40))
    return path


def alone(*arguments):
    """Run ``zoo`` in a process of its own, where even a file descriptor may be written to."""
    done = subprocess.run(
        [sys.executable, "-m", "zoo_cli", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"ZOO_OFFLINE": "1"},
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("name", LISTED)
def test_a_hostile_plugin_costs_itself_alone_and_says_what_to_do(zoo, install, name):
    case, distribution = LISTED[name], f"zoo-{name}"
    install(distribution, case.source)
    install("zoo-beside", hook("return [spec('beside', 'X')]"))
    code, out, err = zoo("plugins", "list", "--json")
    assert code == 3
    document = json.loads(out)
    rows = {each["distribution"]: each for each in document["plugins"]}
    assert rows["zoo-beside"]["provides"] == {"estimator": ["beside"]}
    assert rows[distribution]["status"] == case.status
    (failure,) = document["failures"]
    plugin = f"{distribution}:{distribution.replace('-', '_')}"
    assert (failure["plugin"], failure["version"]) == (plugin, "0.3.0")
    assert failure["stage"] == case.stage
    assert case.said in failure["error"]
    assert f"Warning: {plugin} 0.3.0 ({case.stage}): " in err
    assert f"Hint: zoo plugins check {distribution} says more; --no-plugin {distribution}" in err
    assert zoo("plugins", "list", "--json", "--no-plugin", distribution)[0] == 0


def test_objects_that_break_are_told_of_one_by_one_and_the_others_score(install, features):
    install("zoo-hostile", OBJECTS)
    names = [*SCORED, "my-prints", "logme"]
    chosen = [word for name in names for word in ("-e", name)]
    code, out, err = alone("score", features, *chosen, "--permutations", "0", "--json")
    assert code == 3
    document = json.loads(out)
    assert document["scores"].keys() == {"my-prints", "logme"}
    told = {each["stage"]: each for each in document["failures"]}
    for name, words in SCORED.items():
        failure = told[f"score {name}"]
        assert words in failure["error"]
        assert (failure["plugin"], failure["version"]) == ("zoo-hostile:zoo_hostile", "0.3.0")
        assert f"(score {name}, zoo-hostile:zoo_hostile 0.3.0): " in err
    assert "Hint: zoo plugins check zoo-hostile" in err
    printed = ("printed at import", "printed in a hook", "printed by score")
    for words in (*printed, "written by score", "said by a child of score"):
        assert words in err
    assert (
        "Warning: zoo-hostile:zoo_hostile 0.3.0 (print): it prints 'printed at import'; standard "
        "output belongs to the command.\n"
        "Hint: Its author: print to standard error, or log. --no-plugin zoo-hostile leaves it out."
    ) in err


def test_a_default_estimator_that_cannot_be_made_leaves_the_data_to_the_others(
    zoo, install, features
):
    install(
        "zoo-odd",
        """
        class Exits:
            def __init__(self):
                raise SystemExit(3)

        @hookimpl
        def zoo_estimators():
            return [spec("my-exits", "Exits"), spec("my-absent", "Absent")]
        """,
    )
    code, out, err = zoo("score", features, "--permutations", "0", "--json")
    document = json.loads(out)
    assert (code, "logme" in document["scores"]) == (3, True)
    told = {each["stage"]: each for each in document["failures"]}
    assert told.keys() == {"score my-exits", "score my-absent"}
    assert {each["plugin"] for each in told.values()} == {"zoo-odd:zoo_odd"}
    assert "SystemExit: 3" in err
    assert "'my-absent' cannot be loaded" in err
    assert "Hint: zoo plugins check zoo-odd" in err
    assert zoo("score", features, "-e", "my-exits", "--permutations", "0", "--json")[0] == 1


def test_what_only_prints_is_a_warning_in_process_too(zoo, install):
    install("zoo-loud", "print('good morning')")
    code, out, err = zoo("plugins", "list", "--json")
    assert (code, json.loads(out)["failures"]) == (0, [])
    assert "zoo-loud:zoo_loud 0.3.0 (print): it prints 'good morning'" in err


def test_a_slow_import_is_measured_and_told_of(zoo, install, monkeypatch):
    monkeypatch.setattr("zoo.host.SLOW_SECONDS", 0.05)
    install("zoo-slow", "import time\ntime.sleep(0.06)")
    code, out, err = zoo("plugins", "list", "--json")
    document = json.loads(out)
    (row,) = [each for each in document["plugins"] if each["distribution"] == "zoo-slow"]
    assert (code, row["status"], row["seconds"] > 0.06) == (0, "ok", True)
    assert [each["plugin"] for each in document["warnings"]] == ["zoo-slow:zoo_slow"]
    assert "zoo-slow:zoo_slow 0.3.0 (slow import): its import takes 0." in err
    assert "--no-plugin zoo-slow leaves it out" in err


def test_help_keeps_to_itself_what_plugins_print_and_lists_the_commands_that_work(install):
    install("zoo-loud", 'import os\nprint("good morning")\nos.write(1, b"good night")')
    install("zoo-broken", "raise SystemExit(7)")
    install("zoo-greets", hook("return [spec('greet', 'X', CommandSpec)]", "zoo_commands"))
    code, out, _ = alone("--help")
    assert code == 0
    assert "greet" in out
    assert "good" not in out


def test_a_command_of_a_plugin_owns_standard_output_and_its_exit_code(install):
    install(
        "zoo-greets",
        """
        import click

        @click.command()
        def greet():
            print("hello")
            raise SystemExit(5)

        @hookimpl
        def zoo_commands():
            return [spec("greet", "greet", CommandSpec)]
        """,
    )
    assert alone("greet")[:2] == (5, "hello\n")


CONTRACT = """
    class Odd:
        def __init__(self, **options): ...
        def claims(self, data):
            {claims}
        def load(self, data, options):
            {load}

    @hookimpl
    def zoo_probes():
        return [ProbeSpec(name="odd", target=__name__ + ":Odd", summary="s", priority=-1)]
"""


@pytest.mark.parametrize("does", ["raise SystemExit(3)", "raise ValueError('no')"])
def test_a_loader_that_breaks_when_it_is_asked_leaves_the_data_to_the_others(
    zoo, install, tmp_path, does
):
    (tmp_path / "data.csv").write_text("text,label\n" + "red fox,a\nblue jay,b\n" * 9)
    install("zoo-odd", CONTRACT.format(claims=does, load="..."))
    code, out, err = zoo("probes", "show", tmp_path / "data.csv", "--json")
    assert code == 3
    assert json.loads(out)["probe"]["samples"] == 18
    assert "zoo-odd:zoo_odd 0.3.0 (zoo_probes): the probe loader 'odd' failed" in err


@pytest.mark.parametrize("does", ["raise SystemExit(3)", "raise ValueError('no')", "return 7"])
def test_a_loader_that_breaks_on_the_data_it_claimed_is_named(zoo, install, does):
    install("zoo-odd", CONTRACT.format(claims="return True", load=does))
    code, out, err = zoo("probes", "show", "anything", "--json")
    assert code == 1
    assert json.loads(out)["error"]["exit_code"] == 1
    assert "the probe loader 'odd' of zoo-odd:zoo_odd 0.3.0 failed on 'anything'" in err
    assert "Hint: zoo plugins check zoo-odd" in err


def test_what_nobody_watches_is_traced_back_to_its_plugin(zoo, install, tmp_path):
    """A graph source is called in the middle of a command; its code is in the traceback."""
    install(
        "zoo-reads",
        """
        from zoo.types import GraphSourceSpec

        class Reads:
            def write(self, place, out, *, offline):
                raise SystemExit(9)

        @hookimpl
        def zoo_graph_sources():
            return [GraphSourceSpec(name="reads", target=__name__ + ":Reads", summary="s")]
        """,
    )
    (tmp_path / "place").write_text("x")
    code, out, err = zoo("graph", "import", tmp_path / "place", "--as", "reads", "--json")
    assert code == 1
    assert "error" in json.loads(out)
    assert "the plugin zoo-reads:zoo_reads 0.3.0 broke" in err
    assert "zoo plugins check zoo-reads" in err


def test_events_reach_every_listener_and_none_can_change_them(install):
    from zoo.host import PluginHost
    from zoo.types import ScoreRecord

    for name, body in {
        "a-changes": "record.details['seen'] = 1.0",
        "b-raises": "raise SystemExit(4)",
        "c-looks": "print(len(record.details))",
    }.items():
        install(f"zoo-{name}", hook(body, "zoo_score_recorded", "record"))
    host = PluginHost().discover()
    record = ScoreRecord(model="m", layer="l", estimator="e", value=1.0)
    host.tell("zoo_score_recorded", record=record)
    assert record.details == {}
    assert [each.plugin for each in host.failures] == ["zoo-b-raises:zoo_b_raises"]


@pytest.mark.parametrize(
    "name", ["zoo-broken", "zoo_broken", "zoo-broken:zoo_broken", "Zoo.Broken"]
)
@pytest.mark.parametrize("odd", [False, True], ids=["plain", "no metadata"])
def test_a_broken_plugin_is_known_by_any_of_its_names_without_being_imported(install, name, odd):
    from zoo_cli import installer

    info = install("zoo-broken", "raise SystemExit(7)")
    known = "zoo-broken"
    if odd:
        (info / "METADATA").unlink()
        known = "zoo_broken"
    assert installer.removable(name) == known
    assert "zoo_broken" not in sys.modules


def test_entry_points_that_cannot_be_parsed_are_their_distribution_s_problem(zoo, install):
    info = install("zoo-odd", "")
    (info / "entry_points.txt").write_text("[zoo.v1]\nthis is no entry point\n")
    install("zoo-beside", hook("return [spec('beside', 'X')]"))
    code, out, err = zoo("plugins", "list", "--json")
    rows = {each["distribution"]: each for each in json.loads(out)["plugins"]}
    assert (code, rows["zoo-odd"]["status"], rows["zoo-beside"]["status"]) == (3, "failed", "ok")
    assert "zoo-odd:? 0.3.0 (plugin): its entry_points.txt cannot be read" in err


def test_what_needs_another_zoo_says_which(zoo, install):
    install("zoo-newer", "import not_yet", metadata="Requires-Dist: zoo-reuse>=9.1\n")
    info = install("zoo-next", "", metadata="Requires-Dist: zoo-reuse (>=2.0)\n")
    (info / "entry_points.txt").write_text("[zoo.v2]\nnext = zoo_next\n")
    code, out, err = zoo("plugins", "list", "--json")
    rows = {each["distribution"]: each for each in json.loads(out)["plugins"]}
    assert code == 3
    assert "it needs zoo-reuse>=9.1, and this is " in err
    assert rows["zoo-next"]["status"] == "other contract"
    assert rows["zoo-next"]["error"] == (
        "written for zoo.v2, and this Zoo loads zoo.v1: needs zoo-reuse>=2.0"
    )
    assert "zoo_next" not in sys.modules


def test_metadata_that_cannot_be_read_costs_its_plugin_alone(zoo, install):
    info = install("zoo-next", "")
    (info / "METADATA").write_bytes(b"Name: zoo-next\nRequires-Dist: \xff\n")
    (info / "entry_points.txt").write_text("[zoo.v2]\nnext = zoo_next\n")
    install("zoo-beside", hook("return [spec('beside', 'X')]"))
    code, out, _ = zoo("plugins", "list", "--json")
    rows = {each["distribution"]: each for each in json.loads(out)["plugins"]}
    assert (code, rows["zoo-beside"]["status"]) == (0, "ok")
    assert rows["zoo_next"]["error"].endswith("needs a Zoo that loads zoo.v2")


def test_a_plugin_is_shown_with_whose_it_is_and_what_it_does_not_promise(zoo, install):
    install(
        "zoo-mine",
        """
        class Mine:
            def score(self, features): ...

        @hookimpl
        def zoo_estimators():
            broken = {"order-free": "it samples rows"}
            return [EstimatorSpec(name="mine", target=__name__ + ":Mine", summary="my own",
                                  expected_failures=broken)]
        """,
        metadata="Summary: A try.\nAuthor: Ada\nLicense-Expression: MIT\n"
        "Project-URL: Homepage, https://example.org\n",
    )
    code, out, _ = zoo("plugins", "show", "zoo-mine")
    assert code == 0
    assert out.startswith("zoo-mine:zoo_mine  (plugin)\n  A try.\n  from        zoo-mine 0.3.0\n")
    for words in ("author      Ada", "licence     MIT", "homepage    https://example.org"):
        assert words in out
    assert "hooks       zoo_estimators\n  provides    estimator: mine\n" in out
    assert "does not promise order-free (it samples rows)" in " ".join(out.split())
    assert json.loads(zoo("plugins", "show", "zoo-mine", "--json")[1])["plugins"][0]["hooks"]


def test_commands_of_plugins_are_kept_until_something_changes(zoo, install, monkeypatch):
    def listed():
        monkeypatch.setattr(main.zoo, "_plugins", None)
        for name in [each for each in sys.modules if each.startswith("zoo_greets")]:
            del sys.modules[name]
        out = zoo("--help")[1]
        return [name for name in ("greet", "wave") if f"  {name} " in out]

    info = install("zoo-greets", hook("return [spec('greet', 'X', CommandSpec)]", "zoo_commands"))
    assert listed() == ["greet"]
    assert listed() == ["greet"]
    assert "zoo_greets" not in sys.modules, "help imports no plugin that it knows"
    module = info.parent / "zoo_greets" / "__init__.py"
    module.write_text(module.read_text().replace("'greet'", "'wave'"))
    os.utime(module, ns=(1, 1))
    assert listed() == ["wave"]
    monkeypatch.setenv("ZOO_DISABLE_PLUGINS", "zoo-greets")
    assert listed() == []
    monkeypatch.delenv("ZOO_DISABLE_PLUGINS")
    module.write_text("import nobody_has_this")
    assert listed() == []
    module.write_text(
        textwrap.dedent(HEAD) + hook("return [spec('wave', 'X', CommandSpec)]", "zoo_commands")
    )
    os.utime(module, ns=(2, 2))
    assert listed() == ["wave"]
    (info / "entry_points.txt").unlink()
    assert listed() == []
    assert Path(os.environ["ZOO_HOME"], "plugins").is_dir()
