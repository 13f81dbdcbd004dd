from __future__ import annotations

from msgspec.structs import replace

from zoo.render import markdown


def test_markdown_has_every_section(ranking):
    text = markdown(ranking)
    for heading in ("## Estimators", "## Prior", "## Left out", "## Failed", "## Provenance"):
        assert heading in text
    assert "| 1 | microsoft/resnet-50@1f2e3d4 | 0.86 | 0.80 - 0.91 |" in text
    assert "> **Warning:** Only 38 samples" in text
    assert "0.560 (z 3)*" in text


def test_markdown_tables_have_as_many_cells_as_columns(ranking):
    lines = [line for line in markdown(ranking).splitlines() if line.startswith("|")]
    assert {line.count("|") for line in lines} == {14, 6, 5}


def test_a_ranking_of_nothing_is_said(empty_ranking):
    text = markdown(replace(empty_ranking, excluded=(), failures=()))
    assert "No model could be ranked." in text
    assert "## Prior" not in text
