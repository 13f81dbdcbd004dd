from __future__ import annotations

import pytest

from zoo_cli import diagnosis


@pytest.fixture
def light(monkeypatch):
    """Without the examinations that import frameworks."""
    for name in ("torch", "transformers", "torchvision", "timm", "onnxruntime", "cuda"):
        monkeypatch.delitem(diagnosis._EXAMINATIONS, name)


def found(result):
    return {each["check"]: each for each in result.document["checks"]}


def test_this_machine_is_healthy_and_every_part_is_named(zoo):
    result = zoo("doctor", "--json", "--offline")
    assert result.code == 0, result.out
    checks = found(result)
    assert set(checks) == set(diagnosis._EXAMINATIONS)
    assert all(each["status"] in {"ok", "warn"} for each in checks.values())
    assert "CPUExecutionProvider" in checks["onnxruntime"]["detail"]
    assert "offline" in checks["hub"]["detail"]


def test_a_token_is_never_printed(zoo, light, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_a_secret_value")
    result = zoo("doctor", "--json", "--offline")
    assert "with a token" in found(result)["hub"]["detail"]
    assert "secret" not in result.out + result.err


def test_a_home_that_is_a_file_fails_with_a_hint(zoo, light, monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("ZOO_HOME", str(tmp_path / "file"))
    result = zoo("doctor", "--json", "--offline")
    assert result.code == 1
    assert found(result)["store"]["status"] == "fail"
    assert "ZOO_HOME" in result.err


def test_a_missing_registry_is_an_explained_failure(zoo, light, monkeypatch, tmp_path):
    monkeypatch.setenv("ZOO_REGISTRY", str(tmp_path / "nothing.json"))
    result = zoo("doctor", "--json", "--offline")
    assert result.code == 1
    assert "nothing.json" in found(result)["registry"]["detail"]


def test_a_broken_plugin_is_a_warning_not_the_end(zoo, light, stranger):
    stranger("zoo-broken", "import a_module_that_nobody_has")
    result = zoo("doctor", "--json", "--offline")
    assert result.code == 0
    assert found(result)["plugins"]["status"] == "warn"


def test_a_library_that_only_looks_installed_fails(zoo, light, monkeypatch):
    monkeypatch.setitem(diagnosis._EXAMINATIONS, "torchvision", diagnosis._torchvision)
    monkeypatch.setattr(diagnosis, "_version", lambda name: "0.28.0")
    monkeypatch.setattr(diagnosis, "_import_error", lambda name: "operator does not exist")
    result = zoo("doctor", "--json", "--offline")
    assert result.code == 1
    assert "operator does not exist" in found(result)["torchvision"]["detail"]
    assert "pip uninstall torchvision" in found(result)["torchvision"]["hint"]


def test_two_runtimes_in_one_folder_are_found(zoo, light, monkeypatch):
    monkeypatch.setitem(diagnosis._EXAMINATIONS, "onnxruntime", diagnosis._onnxruntime)
    monkeypatch.setattr(diagnosis, "_version", lambda name: "1.31.1")
    result = zoo("doctor", "--json", "--offline")
    assert "both installed" in found(result)["onnxruntime"]["detail"]


def test_an_examination_that_breaks_is_a_finding(zoo, light, monkeypatch):
    def explode(name, context):
        raise RuntimeError("the doctor is ill")

    monkeypatch.setitem(diagnosis._EXAMINATIONS, "python", explode)
    result = zoo("doctor", "--offline")
    assert result.code == 1
    assert "the doctor is ill" in result.out
