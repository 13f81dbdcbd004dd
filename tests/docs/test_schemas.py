"""The published JSON Schemas are those of the code; tests/cli holds every document against them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import click
import jsonschema
import pytest

from zoo_cli.documents import DOCUMENTS
from zoo_cli.lazy import LazyGroup
from zoo_cli.main import zoo

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "docs" / "reference"
SCHEMAS = {
    path.name.removesuffix(".schema.json"): path
    for path in (REFERENCE / "schemas").glob("*.schema.json")
}


@pytest.fixture(scope="module")
def made(generate):
    return generate.schema_files()


def test_published_schemas_are_up_to_date(made):
    published = {path: path.read_text(encoding="utf-8") for path in SCHEMAS.values()}
    published[REFERENCE / "registry.schema.json"] = (REFERENCE / "registry.schema.json").read_text()
    assert set(published) == set(made), "run `make docs`"
    stale = [path.name for path, text in made.items() if published[path] != text]
    assert not stale, "run `make docs`"


def test_every_command_says_what_it_prints():
    assert set(commands(zoo, click.Context(zoo), ())) == set(DOCUMENTS)


def commands(group, context, above):
    """Walk Zoo's own commands."""
    names = group.table if isinstance(group, LazyGroup) else group.list_commands(context)
    for name in names:
        inner = group.get_command(context, name)
        path = (*above, name)
        if isinstance(inner, click.Group):
            yield from commands(inner, click.Context(inner, parent=context), path)
        else:
            yield " ".join(path)


@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_a_schema_is_one_and_says_what_its_fields_mean(name, page):
    schema = json.loads(SCHEMAS[name].read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["$id"] == f"urn:zoo:{name}:1"
    assert f"(schemas/{name}.schema.json)" in page("docs/reference/json.md")
    for definition in schema["$defs"].values():
        assert definition["description"]


@pytest.mark.parametrize("path", [ROOT / "registry.json"], ids=lambda path: path.name)
def test_the_schema_of_a_registry_takes_registries(path, registry_schema):
    registry_schema.validate(json.loads(path.read_text(encoding="utf-8")))


def test_the_schema_of_a_registry_takes_the_examples_of_the_page(page, blocks, registry_schema):
    examples = blocks(page("docs/reference/registry.md"), "json")
    assert examples
    for example in examples:
        registry_schema.validate(json.loads(example))


@pytest.mark.parametrize(
    "wrong",
    ['{"models": [{}]}', '{"models": [{"ref": "./a", "licence": "mit"}]}', '{"entries": []}'],
)
def test_the_schema_of_a_registry_refuses_what_zoo_refuses(wrong, registry_schema):
    assert not registry_schema.is_valid(json.loads(wrong))


def test_the_schema_of_an_error_takes_the_example_of_the_page(page, blocks):
    schema = json.loads(SCHEMAS["error"].read_text(encoding="utf-8"))
    shown = [each for each in blocks(page("docs/reference/json.md"), "json") if '"error"' in each]
    assert len(shown) == 1
    jsonschema.validate(json.loads(shown[0]), schema)


@pytest.fixture(scope="module")
def registry_schema():
    text = (REFERENCE / "registry.schema.json").read_text(encoding="utf-8")
    return jsonschema.Draft202012Validator(json.loads(text))


def test_the_drawing_of_the_imports_is_up_to_date(generate):
    drawn = generate.imports_drawing()
    published = (ROOT / "docs" / "images" / "imports.svg").read_text(encoding="utf-8")
    assert published == drawn, "run `make docs`"
    (told,) = re.findall(r"<desc>(.*?)</desc>", drawn)
    others = [each for each in told.split(". ") if not each.startswith("zoo.types:")]
    assert all("zoo.types" in each for each in others)  # as the drawing says
