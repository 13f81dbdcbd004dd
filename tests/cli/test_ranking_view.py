from __future__ import annotations

import csv
import importlib.util
import io
import json
from pathlib import Path

import pytest

from zoo_cli.output import Output
from zoo_cli.ranking_view import show_ranking

_SPEC = importlib.util.spec_from_file_location(
    "render_fixtures", Path(__file__).parents[1] / "zoo" / "render" / "conftest.py"
)
_FIXTURES = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(_FIXTURES)
ranking = _FIXTURES.ranking
empty_ranking = _FIXTURES.empty_ranking


@pytest.fixture
def shown(ranking, capsys):
    def show(mode, limit=None):
        show_ranking(Output(mode=mode), ranking, limit)
        return capsys.readouterr()

    return show


def test_the_table_is_data_and_the_rest_is_beside_it(shown):
    captured = shown("auto")
    lines = captured.out.splitlines()
    assert lines[0].split()[:5] == ["#", "MODEL", "SCORE", "95", "%"]
    assert lines[2].endswith("tie with 1")
    assert "0.80 - 0.91" in lines[1]
    assert "org/broken-tokenizer (load): tokenizer.json is not valid JSON." in captured.err
    assert "3 models left out before the run (2 over --max-size, 1 gated)" in captured.err
    assert "Warning: Only 38 samples" in captured.err


def test_json_is_the_ranking_field_by_field(shown, ranking):
    document = json.loads(shown("json").out)
    assert document["ranking"][0]["interval"] == [0.8, 0.91]
    assert document["ranking"][0]["estimators"]["logme"]["z"] == pytest.approx(51.6)
    assert document["failures"][0]["hint"] == "zoo registry verify"
    assert set(document) >= {
        "schema_version", "run", "probe", "ranking", "prior", "excluded", "failures", "provenance",
    }  # fmt: skip


def test_a_limit_shortens_the_ranking_in_every_mode(shown):
    assert len(json.loads(shown("json", 2).out)["ranking"]) == 2
    captured = shown("auto", 2)
    assert len(captured.out.splitlines()) == 3
    assert "... and 4 more" in captured.err


def test_csv_has_numbers_and_whole_references(shown):
    rows = list(csv.DictReader(io.StringIO(shown("csv").out)))
    assert rows[0]["model"].endswith("1f2e3d4c5b6a79881f2e3d4c5b6a79881f2e3d4c")
    assert float(rows[0]["low"]) == pytest.approx(0.8)


def test_quiet_prints_references_best_first(shown, ranking):
    assert shown("quiet").out.split() == [row.model for row in ranking.ranking]


def test_nothing_ranked_is_said(empty_ranking, capsys):
    show_ranking(Output(), empty_ranking)
    assert "No model could be ranked." in capsys.readouterr().err
