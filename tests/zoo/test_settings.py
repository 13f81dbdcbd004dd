from __future__ import annotations

import pytest

from zoo.errors import InputError
from zoo.settings import resolve


def test_flags_beat_the_environment_beats_the_file_beats_the_default(tmp_path, monkeypatch):
    (tmp_path / "zoo.toml").write_text("seed = 1\nfolds = 2\njobs = 3\n")
    monkeypatch.setenv("ZOO_FOLDS", "4")
    monkeypatch.setenv("ZOO_JOBS", "5")
    found = resolve({"jobs": 6, "device": None}, tmp_path)
    settings = found.settings
    assert (settings.seed, settings.folds, settings.jobs, settings.device) == (1, 4, 6, "auto")
    assert found.origins["seed"] == str(tmp_path / "zoo.toml")
    assert found.origins["folds"] == "ZOO_FOLDS"
    assert found.origins["jobs"] == "flag"
    assert found.origins["device"] == "default"


def test_pyproject_is_read_and_other_tools_tables_are_left_alone(tmp_path):
    (tmp_path / "pyproject.toml").write_text("[tool.other]\nx = 1\n[tool.zoo]\nseed = 9\n")
    assert resolve({}, tmp_path).settings.seed == 9


def test_a_section_that_is_no_table_is_told(tmp_path):
    (tmp_path / "pyproject.toml").write_text("[tool]\nzoo = 3\n")
    with pytest.raises(InputError, match=r"tool\.zoo is no table"):
        resolve({}, tmp_path)
    (tmp_path / "pyproject.toml").write_text("tool = 3\n")
    assert resolve({}, tmp_path).settings.seed == 0


def test_a_broken_pyproject_of_somebody_else_does_not_stop_us(tmp_path):
    (tmp_path / "pyproject.toml").write_text("not toml [")
    assert resolve({}, tmp_path).settings.seed == 0


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("sede = 1", "Did you mean 'seed'?"),
        ("seed = 'x'", "setting 'seed'"),
        ("seed = [", "is not valid TOML"),
        ("jobs = -1", "setting 'jobs'"),
        ("threads = 0", "setting 'threads'"),
        ("timeout = -1.0", "setting 'timeout'"),
        ("precision = 'fp8'", "setting 'precision'"),
    ],
)
def test_a_wrong_file_gets_one_sentence_that_names_it(tmp_path, monkeypatch, text, sentence):
    monkeypatch.delenv("ZOO_JOBS")  # which every test has, and which would win
    (tmp_path / "zoo.toml").write_text(text)
    with pytest.raises(InputError) as error:
        resolve({}, tmp_path)
    assert sentence in error.value.message
    assert "zoo.toml" in error.value.message


def test_a_word_that_is_none_gets_the_list():
    with pytest.raises(InputError) as error:
        resolve({"precision": "fp8"})
    assert error.value.hint == "Write fp32, bf16, fp16 or int8."


def test_a_wrong_variable_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("ZOO_SEED", "soon")
    with pytest.raises(InputError, match="setting 'seed' from ZOO_SEED"):
        resolve({}, tmp_path)


@pytest.mark.parametrize(("text", "offline"), [("1", True), ("true", True), ("0", False)])
def test_the_hub_s_own_offline_switch_is_honoured(tmp_path, monkeypatch, text, offline):
    monkeypatch.setenv("HF_HUB_OFFLINE", text)
    assert resolve({}, tmp_path).settings.offline is offline


def test_lists_in_the_environment_are_split_at_commas(tmp_path, monkeypatch):
    monkeypatch.setenv("ZOO_DISABLE_PLUGINS", "a,b")
    assert resolve({}, tmp_path).settings.disable_plugins == ("a", "b")
