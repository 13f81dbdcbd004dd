"""The registry file: what is read, what is refused, how it is found and written."""

from __future__ import annotations

import importlib.resources
import json
from pathlib import Path

import jsonschema
import pytest

from zoo.errors import InputError, RegistryError
from zoo.registry import (
    Registry,
    candidate_for,
    find_registry,
    load_registry,
    packaged_registry,
    save_registry,
    schema,
)
from zoo.types import ModelEntry

ROOT = Path(__file__).parents[2]
PUBLISHED = importlib.resources.files("zoo") / "schemas" / "registry.schema.json"
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def entry(ref: str, **facts) -> ModelEntry:
    return ModelEntry(ref=ref, **facts)


@pytest.fixture
def registry(tmp_path) -> Registry:
    (tmp_path / "zoo" / "mine").mkdir(parents=True)
    path = tmp_path / "zoo" / "registry.json"
    entries = (
        entry(f"hub:org/net@{COMMIT}", bytes=7),
        entry("hub:org/other"),
        entry("hub:team/other"),
        entry("embedded:tiny"),
        entry("./mine", files={"config.json": "0" * 64}),
    )
    return Registry(path=path, entries=entries)


def written(path: Path, *models, **more) -> Path:
    path.write_text(json.dumps({"schema_version": 1, "models": models} | more, indent=2))
    return path


def test_the_published_schema_is_up_to_date():
    assert json.loads(PUBLISHED.read_text()) == schema()


def test_the_committed_registry_fits_the_schema_and_is_written_as_we_write_it(tmp_path):
    path = packaged_registry()
    jsonschema.validate(json.loads(path.read_text()), schema())
    committed = load_registry(path)

    copy = Registry(path=tmp_path / "registry.json", entries=committed.entries)
    save_registry(copy)

    assert copy.path.read_text() == path.read_text()


def test_the_committed_registry_is_broad_and_invents_nothing():
    entries = load_registry(ROOT / "registry.json").entries
    hub = [each for each in entries if each.parsed.source == "hub"]

    assert len(hub) >= 60
    assert {each.modality for each in hub} == {"image", "text", "audio"}
    for each in hub:
        assert each.task
        assert each.library
        if not each.parsed.pinned:  # what was never resolved is not guessed
            assert (each.parameters, each.bytes, each.labels, each.files) == (None, None, None, {})
            assert each.parsed.revision is None


def test_what_is_saved_is_what_is_loaded(registry):
    save_registry(registry)

    loaded = load_registry(registry.path)

    assert registry.replace(registry.entries) == loaded
    assert registry.path.read_text().endswith("}\n")
    save_registry(loaded)
    assert load_registry(registry.path) == loaded


def test_an_interrupted_save_leaves_the_old_file(registry, monkeypatch):
    save_registry(registry)
    before = registry.path.read_text()
    monkeypatch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(KeyboardInterrupt))

    with pytest.raises(KeyboardInterrupt):
        save_registry(registry.replace([]))
    assert registry.path.read_text() == before
    assert [path.name for path in registry.path.parent.iterdir() if path.is_file()] == [
        "registry.json"
    ]


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ('{"models": [\n  {"ref": "a/b",\n   "paramters": 3}]}', 3, "did you mean 'parameters'"),
        ('{"models": [],\n "modles": []}', 2, "did you mean 'models'"),
        (
            '{"models": [\n  {"ref": "a/b",\n   "bytes": "3"}]}',
            3,
            r"\$.models\[0\].bytes: expected",
        ),
        ('{"models": [\n  {"ref": "a/b"},\n  {"task": "x"}]}', 3, "missing required field `ref`"),
        ('{"models": [\n  {"ref": "a b"}]}', 2, "'a b' is not a model reference"),
        ('{"models": [\n  {"ref": "a/b"},\n  {"ref": "a/b"}]}', 3, "already entry 0"),
        ('{"models": [\n  {"ref": "a/b", "bytes": -1}]}', 2, "-1 is negative"),
        ('{"models": [{"ref": "a/b", "files":\n {"x": "12"}}]}', 2, "no sha256"),
        ('{"models": [{"ref": "a/b", "files":\n {"../x": "12"}}]}', 2, "leaves the checkpoint"),
        ('{"models": [{"ref": "a/b",\n "modality": "imge"}]}', 2, "invalid enum value 'imge'"),
        ('{"models": [{"ref": "a/b",\n "tags": {"x": 3}}]}', 2, "expected `str`"),
        ('{"models": {}}', 1, "expected `array`"),
        ('{\n"schema_version": 2, "models": []}', 2, "newer than this Zoo"),
        ("[]", 1, "a registry is an object"),
        ('{"models": [\n}', 2, "not valid JSON"),
    ],
)
def test_a_wrong_field_is_named_with_file_line_and_path(tmp_path, text, line, message):
    path = tmp_path / "registry.json"
    path.write_text(text)

    with pytest.raises(RegistryError, match=message) as caught:
        load_registry(path)
    assert f"{path}, line {line}" in caught.value.message
    assert "\n" not in caught.value.message


def test_a_file_that_is_missing_or_no_text_is_one_sentence(tmp_path):
    with pytest.raises(RegistryError, match="there is no registry") as caught:
        load_registry(tmp_path / "none.json")
    assert "zoo registry add" in caught.value.hint
    (tmp_path / "binary.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RegistryError, match="cannot be read"):
        load_registry(tmp_path / "binary.json")
    with pytest.raises(RegistryError, match="cannot be read"):
        load_registry(tmp_path)


def test_the_search_order(tmp_path, monkeypatch):
    asked, variable = written(tmp_path / "asked.json"), written(tmp_path / "variable.json")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")

    assert find_registry() == packaged_registry()
    (tmp_path / "config" / "zoo").mkdir(parents=True)
    users = written(tmp_path / "config" / "zoo" / "registry.json")
    assert find_registry() == users
    here = written(tmp_path / "work" / "registry.json")
    assert find_registry().resolve() == here
    monkeypatch.setenv("ZOO_REGISTRY", str(variable))
    assert find_registry() == variable
    assert find_registry(str(asked)) == asked
    with pytest.raises(RegistryError, match=r"no registry typo\.json"):
        find_registry("typo.json")


@pytest.mark.parametrize(
    ("text", "ref"),
    [
        (f"hub:org/net@{COMMIT}", f"hub:org/net@{COMMIT}"),
        ("hub:org/net", f"hub:org/net@{COMMIT}"),
        ("org/net", f"hub:org/net@{COMMIT}"),
        ("net", f"hub:org/net@{COMMIT}"),
        ("embedded:tiny", "embedded:tiny"),
        ("tiny", "embedded:tiny"),
        ("mine", "./mine"),
    ],
)
def test_an_entry_answers_to_every_name_it_has(registry, text, ref):
    candidate = candidate_for(text, registry, base=Path("/elsewhere"))

    assert candidate.model == ref
    assert candidate.base == str(registry.base)


def test_what_no_entry_answers_to_is_a_reference_of_its_own(registry):
    assert candidate_for("new/model", registry, base=Path()).entry == entry("hub:new/model")
    assert candidate_for("new/model@v1", None, base=Path()).model == "hub:new/model@v1"
    assert candidate_for("hub:gpt2", registry, base=Path()).model == "hub:gpt2"
    assert candidate_for("hub:org/net@v2", registry, base=Path()).entry.bytes is None


def test_a_folder_keeps_the_text_and_gets_what_the_registry_knows(registry, tmp_path):
    candidate = candidate_for("./zoo/mine", registry, base=tmp_path)

    assert candidate.model == "./zoo/mine"
    assert candidate.folder == tmp_path / "zoo" / "mine"
    assert candidate.entry.files == {"config.json": "0" * 64}
    absolute = candidate_for(str(tmp_path / "zoo"), registry, base=Path("/"))
    assert absolute.folder == tmp_path / "zoo"
    assert absolute.entry.files == {}


def test_a_folder_answers_to_the_text_that_rankings_print(registry, tmp_path):
    candidate = candidate_for("./mine", registry, base=tmp_path)

    assert candidate.model == "./mine"
    assert candidate.folder == tmp_path / "zoo" / "mine"


def test_a_folder_without_a_dot_is_not_guessed_to_be_one(registry, tmp_path):
    with pytest.raises(InputError, match=r"'zoo/mine' could be the folder ./zoo/mine or") as caught:
        candidate_for("zoo/mine", registry, base=tmp_path)
    assert caught.value.hint == "Write ./zoo/mine for the folder, hub:zoo/mine for the Hub."
    assert candidate_for("hub:zoo/mine", registry, base=tmp_path).model == "hub:zoo/mine"


def test_the_folder_of_the_person_decides_where_a_registry_is_looked_for(tmp_path):
    there = written(tmp_path / "registry.json")

    assert find_registry("", tmp_path) == there


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nett", "no model called 'nett'. Did you mean 'net'?"),
        ("other", "could be any of hub:org/other, hub:team/other"),
        ("./nothing", "the model folder ./nothing does not exist"),
        ("hub:a b", "is not a model reference"),
    ],
)
def test_what_nothing_answers_to_is_told(registry, text, message):
    with pytest.raises(InputError) as caught:
        candidate_for(text, registry, base=Path())
    assert message in caught.value.message
    assert caught.value.hint


def test_a_file_in_place_of_a_folder_is_told(registry, tmp_path):
    (tmp_path / "model.safetensors").touch()

    with pytest.raises(InputError, match="is a file, not a folder"):
        candidate_for("./model.safetensors", registry, base=tmp_path)


def test_a_large_registry_lists_only_the_nearest_name(tmp_path):
    many = [entry(f"hub:org/net-{number}") for number in range(50)]
    large = Registry(path=tmp_path / "registry.json", entries=tuple(many))

    with pytest.raises(InputError, match=r"among the 50 known. Did you mean 'net-49'"):
        candidate_for("net-049", large, base=tmp_path)
