"""The reference pages say what the code says."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from pathlib import Path

import pytest

from zoo import hookspecs
from zoo.building.evaluation import BlockMass, Judgement, Metrics
from zoo.building.intervals import Difference, Share
from zoo.building.plan import Estimates, Plan, PlannedNetwork
from zoo.catalogue import Catalogue
from zoo.host import PluginHost
from zoo.settings import Settings
from zoo.training.journal import JournalLine
from zoo.types import explaining, ranking
from zoo.types.built import BuiltModel
from zoo.types.failure import Failure
from zoo.types.provenance import Provenance
from zoo_cli.main import TABLE

ROOT = Path(__file__).parents[2]
HOOKS = [
    each for each in inspect.getmembers(hookspecs, inspect.isfunction) if each[0][:4] == "zoo_"
]
STRUCTS = (
    ranking.Ranking,
    ranking.ProbeSummary,
    ranking.RankingRow,
    ranking.EstimatorCell,
    ranking.LayerScore,
    ranking.PriorRow,
    ranking.Exclusion,
    Failure,
    Provenance,
)
BUILT = (
    BuiltModel,
    Plan,
    PlannedNetwork,
    Estimates,
    Metrics,
    Judgement,
    BlockMass,
    Share,
    Difference,
    JournalLine,
    explaining.Report,
    explaining.Claim,
    explaining.Evidence,
    explaining.Figure,
    explaining.GraphUse,
)


def test_the_generated_parts_are_up_to_date():
    pages = [ROOT / "docs" / "plugins.md", *sorted((ROOT / "docs" / "reference").glob("*.md"))]
    command = [
        sys.executable,
        "-m",
        "cogapp",
        "-I",
        str(ROOT / "docs"),
        "--check",
        *map(str, pages),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"run `make docs`:\n{done.stdout}{done.stderr}"


@pytest.mark.parametrize(("name", "function"), HOOKS, ids=[name for name, _ in HOOKS])
def test_every_hook_is_documented_with_its_signature(name, function, generate, page):
    assert f"`{generate.signature(name, function)}`" in page("docs/plugins.md")


def test_every_estimator_has_a_section_with_its_source(page):
    text = page("docs/reference/estimators.md")
    provided = Catalogue(PluginHost().discover()).provided("estimator").values()
    for spec in (each.spec for each in provided if each.plugin.startswith("zoo-reuse:")):
        assert f"\n## {spec.name}\n" in text
        assert spec.reference in text


@pytest.mark.parametrize("name", Settings.__struct_fields__)
def test_every_setting_is_documented_with_its_variable(name, page):
    text = page("docs/reference/settings.md")
    assert f"| `{name}` |" in text
    assert f"`ZOO_{name.upper()}`" in text


@pytest.mark.parametrize("name", TABLE)
def test_every_command_is_documented(name, page):
    assert f"\n## zoo {name}" in page("docs/reference/cli.md")


@pytest.mark.parametrize("struct", [*STRUCTS, *BUILT], ids=lambda struct: struct.__name__)
def test_every_field_of_a_document_is_documented(struct, page):
    text = page("docs/reference/json.md")
    missing = [name for name in struct.__struct_fields__ if f"`{name}`" not in text]
    assert not missing


def test_the_published_schema_of_a_ranking_is_that_of_the_code(generate):
    published = generate.RANKING_SCHEMA.read_text(encoding="utf-8")
    assert published == generate.ranking_schema(), "run `make docs`"


def test_the_published_schema_is_a_schema_and_knows_every_field(generate):
    import jsonschema

    schema = json.loads(generate.ranking_schema())
    jsonschema.Draft202012Validator.check_schema(schema)
    for struct in STRUCTS:
        assert set(schema["$defs"][struct.__name__]["properties"]) == set(struct.__struct_fields__)
