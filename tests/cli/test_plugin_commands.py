"""The table of plugins' commands: asked of them once, and again when something has changed."""

from __future__ import annotations

import json

import pytest

from zoo_cli import plugin_commands

SOURCE = """
    from zoo import hookimpl
    from zoo.types.specs import CommandSpec

    @hookimpl
    def zoo_commands():
        return [CommandSpec(name="greet", target=__name__ + ":greet", summary="Greet.")]
"""
ADVERTISED = ["what is installed"]


@pytest.fixture
def site(stranger, tmp_path, monkeypatch):
    """One plugin with a command, a store, and a working folder without settings."""
    monkeypatch.setenv("ZOO_HOME", str(tmp_path / "home"))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    return stranger("zoo-greets", SOURCE)


@pytest.fixture
def asked(monkeypatch):
    """Count how often the plugins are asked."""
    times, really = [], plugin_commands._discovered
    monkeypatch.setattr(plugin_commands, "_discovered", lambda key: times.append(1) or really(key))
    return times


def greets():
    return list(plugin_commands.plugin_commands(ADVERTISED)) == ["greet"]


def test_plugins_are_asked_once_whatever_folder_somebody_works_in(
    site, asked, tmp_path, monkeypatch
):
    assert greets()
    monkeypatch.chdir(tmp_path)
    assert greets()
    assert len(asked) == 1


def test_they_are_asked_again_when_a_plugin_settings_or_zoo_itself_changes(
    site, asked, tmp_path, monkeypatch
):
    assert greets()
    (site / "zoo_greets" / "__init__.py").touch()
    assert greets()
    monkeypatch.setattr(plugin_commands, "__version__", "0.0.1")
    assert greets()
    assert len(asked) == 3
    (tmp_path / "elsewhere" / "zoo.toml").write_text('disable_plugins = ["zoo-greets"]\n')
    assert not greets()
    (tmp_path / "elsewhere" / "zoo.toml").unlink()
    monkeypatch.setenv("ZOO_DISABLE_PLUGINS", "zoo-greets")
    assert not greets()


@pytest.mark.parametrize("kept", ["", "{", "[]", "7", "{}", '{"key": 1}', "\x00"])
def test_a_damaged_table_is_made_anew(site, asked, tmp_path, kept):
    assert greets()
    (path,) = (tmp_path / "home" / "plugins").iterdir()
    path.write_text(kept, encoding="utf-8")
    assert greets()
    assert [each["name"] for each in json.loads(path.read_text())["commands"]] == ["greet"]


def test_a_store_that_cannot_be_written_to_costs_only_time(site, asked, tmp_path):
    (tmp_path / "home").write_text("no folder")
    assert greets()
    assert greets()
    assert len(asked) == 2
