from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_every_setting_is_shown_with_where_it_comes_from(zoo, tmp_path, monkeypatch):
    (tmp_path / "zoo.toml").write_text("folds = 5\nseed = 1\n", encoding="utf-8")
    monkeypatch.setenv("ZOO_SEED", "7")
    document = zoo("config", "show", "--strict", "--json").document
    assert document["settings"]["folds"] == 5
    assert document["origins"]["folds"].endswith("zoo.toml")
    assert (document["settings"]["seed"], document["origins"]["seed"]) == (7, "ZOO_SEED")
    assert document["origins"]["strict"] == "flag"
    assert document["origins"]["threads"] == "default"
    assert document["settings"]["home"].startswith("/")


def test_a_wrong_value_names_the_variable(zoo, monkeypatch):
    monkeypatch.setenv("ZOO_FOLDS", "many")
    result = zoo("config", "show")
    assert result.code == 2
    assert "ZOO_FOLDS" in result.err


def test_an_unknown_key_names_the_file_and_the_nearest_key(zoo, tmp_path):
    (tmp_path / "zoo.toml").write_text("sede = 1\n", encoding="utf-8")
    result = zoo("config", "show", "--json")
    assert result.code == 2
    assert "zoo.toml" in result.err
    assert "'seed'" in result.document["error"]["message"]


def test_paths_say_which_files_exist(zoo, tmp_path):
    (tmp_path / "zoo.toml").touch()
    paths = {each["what"]: each for each in zoo("config", "path", "--json").document["paths"]}
    assert paths["settings"] == {
        "what": "settings",
        "path": str(tmp_path / "zoo.toml"),
        "exists": True,
    }
    assert not paths["project"]["exists"]


def test_table_csv_and_quiet_agree(zoo):
    names = zoo("config", "show", "-q").out.split()
    assert names == [
        line.split(",")[0] for line in zoo("config", "show", "--format", "csv").out.split()[1:]
    ]
