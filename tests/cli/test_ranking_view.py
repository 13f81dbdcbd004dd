from __future__ import annotations

import csv
import io
import json

import pytest
from msgspec.structs import replace

from zoo.types.ranking import EstimatorCell
from zoo_cli.output import Output
from zoo_cli.ranking_view import show_quality, show_ranking


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
    assert "3 models left out (2 over --max-size, 1 gated)" in captured.err
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


def test_evidence_is_shown_where_the_score_is_more_than_it(ranking, capsys):
    rows = tuple(replace(row, evidence=row.score / 2) for row in ranking.ranking)
    show_ranking(Output(), replace(ranking, ranking=rows))
    lines = capsys.readouterr().out.splitlines()
    assert "EVIDENCE" in lines[0]
    assert " 0.43 " in lines[1]
    show_ranking(
        Output(), replace(ranking, ranking=tuple(replace(r, evidence=r.score) for r in rows))
    )
    assert "EVIDENCE" not in capsys.readouterr().out


def test_the_cells_of_prior_and_combined_do_not_hide_the_place_of_the_prior(ranking, capsys):
    extra = {"prior": EstimatorCell(value=7.9, rank=1), "combined": EstimatorCell(value=0.4)}
    rows = tuple(replace(r, estimators={**r.estimators, **extra}) for r in ranking.ranking)
    show_ranking(Output(mode="csv"), replace(ranking, ranking=rows))
    first = next(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert (first["prior"], first["prior_score"], first["combined"]) == ("2", "7.9", "0.4")


def test_the_quality_of_a_ranking_is_printed_below_it_for_people_only(ranking, capsys, tmp_path):
    lines = [f"{row.model},{1 - row.rank / 10}" for row in ranking.ranking[:5]]
    (tmp_path / "truth.csv").write_text("\n".join(["model,accuracy", *lines]) + "\n")
    show_quality(Output(), ranking, tmp_path / "truth.csv")
    captured = capsys.readouterr()
    words = [line.split() for line in captured.out.splitlines()]
    assert words[1][:4] == ["BY", "MODELS", "TAU_W", "P"]
    assert words[2][:3] == ["score", "5", "1.000"]
    assert words[3][0] == "prior"
    assert "Without a result: embedded:shapes-resnet." in captured.err
    show_quality(Output(mode="json"), ranking, tmp_path / "truth.csv")
    assert capsys.readouterr().out == ""
