from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from zoo import scaffolding
from zoo.catalogue import KINDS as CATALOGUE
from zoo.errors import InputError
from zoo.scaffolding import KINDS, new_plugin, plugin_name, render


def left(folder):
    """What is there, hidden or not."""
    return sorted(each.name for each in folder.iterdir())


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_one_of_the_catalogue_and_is_rendered_whole(kind, tmp_path):
    hook = next(each.hook for each in CATALOGUE if each.noun == kind)
    files = new_plugin("margin", kind, tmp_path / "new", author='Ada "A." Lovelace')
    assert all(file.is_file() for file in files)
    for file in files:
        text = file.read_text(encoding="utf-8")
        assert not re.search(r"\{%|\{#|(?<!\$)\{\{|TODO", text), file
        if file.suffix == ".py":
            ast.parse(text)
    assert f"def {hook}(" in (tmp_path / "new/src/zoo_margin/__init__.py").read_text()
    project = tomllib.loads((tmp_path / "new/pyproject.toml").read_text(encoding="utf-8"))
    assert project["project"]["name"] == "zoo-margin"
    assert project["project"]["authors"] == [{"name": 'Ada "A." Lovelace'}]
    assert project["project"]["entry-points"] == {"zoo.v1": {"margin": "zoo_margin"}}
    workflow = yaml.safe_load((tmp_path / "new/.github/workflows/ci.yml").read_text())
    assert "zoo plugins check zoo-margin" in str(workflow["jobs"])


@pytest.mark.parametrize("name", ["x1", "a" * 19 + "-" + "b" * 20])
def test_short_and_long_names_leave_the_code_in_the_style_of_its_own_linter(name, tmp_path):
    for kind in KINDS:
        new_plugin(name, kind, tmp_path / kind)
    for command in (["check", "--no-cache"], ["format", "--no-cache", "--check"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, tmp_path],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("name", "distribution", "module", "method"),
    [
        ("margin", "zoo-margin", "zoo_margin", "margin"),
        ("zoo-margin", "zoo-margin", "zoo_margin", "margin"),
        ("Zoo_Margin.Two", "zoo-margin-two", "zoo_margin_two", "margin-two"),
        ("json", "zoo-json", "zoo_json", "json"),
    ],
)
def test_a_name_becomes_a_distribution_a_module_and_a_method(name, distribution, module, method):
    named = plugin_name(name, "estimator")
    assert (named.distribution, named.module, named.method) == (distribution, module, method)


def test_the_name_of_a_source_is_a_scheme():
    assert plugin_name("my-shelf", "source").method == "my_shelf"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("", "cannot be the name"),
        ("-margin", "cannot be the name"),
        ("margin-", "cannot be the name"),
        ("../margin", "cannot be the name"),
        ("margin two", "cannot be the name"),
        ("mårgin", "cannot be the name"),
        ("7days", "cannot be the name"),
        ("margin\n", "cannot be the name"),
        ("zoo-7days", "start with a letter"),
        ("a" * 41, "more than 40"),
        ("class", "Python's own"),
        ("zoo-match", "Python's own"),
        ("zoo", "Zoo's own"),
        ("ZOO.reuse", "Zoo's own"),
        ("zoo_cli", "Zoo's own"),
        ("reuse", "Zoo's own"),
        ("zoo-runtimes", "module zoo_runtimes is installed already"),
        ("growth", "module zoo_growth is installed already"),
    ],
)
def test_a_name_that_cannot_be_used_is_refused_in_one_sentence(name, words, tmp_path):
    with pytest.raises(InputError, match=words) as caught:
        new_plugin(name, "estimator", tmp_path / "new")
    assert repr(name) in caught.value.message
    assert left(tmp_path) == []


@given(st.text(max_size=50), st.sampled_from(sorted(KINDS)))
def test_any_text_is_a_name_or_is_refused(text, kind):
    try:
        named = plugin_name(text, kind)
    except InputError:
        return
    assert named.module.isidentifier()
    assert named.distribution == named.distribution.lower()
    assert plugin_name(named.distribution, kind) == named


def test_an_unknown_kind_is_refused_with_the_nearest(tmp_path):
    with pytest.raises(InputError, match="Did you mean 'distiller'"):
        new_plugin("margin", "distillers", tmp_path / "new")


@pytest.mark.parametrize("author", ["a\nb", "tab\there", "\x00"])
def test_an_author_that_is_no_line_is_refused(author, tmp_path):
    with pytest.raises(InputError, match="cannot be written on one line"):
        new_plugin("margin", "probe", tmp_path / "new", author=author)
    assert left(tmp_path) == []


def test_a_folder_that_is_not_free_is_left_as_it_is(tmp_path, monkeypatch):
    full, file, link = tmp_path / "full", tmp_path / "file", tmp_path / "link"
    full.mkdir()
    (full / "mine.txt").write_text("mine")
    file.write_text("mine")
    link.symlink_to(tmp_path / "nowhere")
    for place in (full, file, link):
        with pytest.raises(InputError, match=place.name):
            new_plugin("margin", "grower", place)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with pytest.raises(InputError, match="the one you are in"):
        new_plugin("margin", "grower", Path())
    assert left(tmp_path) == ["file", "full", "here", "link"]
    assert left(full) == ["mine.txt"]


def test_an_empty_folder_and_folders_that_are_not_there_yet_are_taken(tmp_path):
    (tmp_path / "empty").mkdir()
    assert new_plugin("margin", "grower", tmp_path / "empty")
    assert new_plugin("margin", "grower", tmp_path / "far" / "away")
    assert left(tmp_path / "far") == ["away"]


@pytest.mark.skipif(os.geteuid() == 0, reason="the administrator may write anywhere")
def test_a_folder_that_may_not_be_written_is_named(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(InputError, match="cannot be written"):
        new_plugin("margin", "grower", tmp_path / "new")


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(28, "No space left on device")])
def test_what_is_interrupted_leaves_nothing(error, tmp_path, monkeypatch):
    written = []

    def write(path, *_, **__):
        if len(written) == 5:
            raise error
        written.append(path)

    monkeypatch.setattr(Path, "write_text", write)
    with pytest.raises((KeyboardInterrupt, InputError)):
        new_plugin("margin", "grower", tmp_path / "new")
    assert left(tmp_path) == []


def test_a_template_that_asks_for_what_is_not_there_is_a_mistake():
    from jinja2 import UndefinedError

    with pytest.raises(UndefinedError):
        scaffolding._environment().from_string("{{ nothing }}").render()


def test_one_name_and_kind_render_to_the_same_text():
    named = plugin_name("margin", "source")
    assert render(named, "source") == render(named, "source")
    assert "authors" not in render(named, "source")["pyproject.toml"]
