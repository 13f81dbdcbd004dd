"""The README shows what the demo prints."""

from __future__ import annotations

import json
import re

import jsonschema
import pytest


@pytest.mark.slow
def test_the_demo_ranks_as_the_readme_shows(page, python, generate):
    out = python("-m", "zoo_cli", "recommend", "--demo", "--offline", "--no-progress", "--json")
    ranking = json.loads(out)
    shown = re.findall(r"^(\d)  (embedded:\S+) +(\d\.\d\d) ", page("README.md"), re.MULTILINE)
    assert [(row["rank"], row["model"]) for row in ranking["ranking"]] == [
        (int(rank), model) for rank, model, _ in shown
    ]
    for row, (_, _, score) in zip(ranking["ranking"], shown, strict=True):
        assert row["score"] == pytest.approx(float(score), abs=0.02)
    jsonschema.validate(ranking, json.loads(generate.ranking_schema()))
