from __future__ import annotations

import re

import pytest
from msgspec.structs import replace

from zoo.layers import LayerReport, LayerRow, Similarity, split_layer
from zoo.render.layers import bar, curve, layer_columns, layer_html, layer_rows, target_of, verdict
from zoo.types.provenance import provenance_now
from zoo.types.ranking import EstimatorCell, ProbeSummary

PROBE = ProbeSummary(
    name="photos",
    source="photos/",
    task="classification",
    modality="image",
    samples=40,
    classes=2,
    fingerprint="f" * 64,
)


def row(layer, score, like):
    return LayerRow(
        layer=layer,
        dimension=8,
        score=score,
        estimators={} if score is None else {"logme": EstimatorCell(value=score - 1, z=7.2)},
        similarity={} if like is None else {"depara": Similarity(value=like)},
    )


@pytest.fixture
def report():
    return LayerReport(
        model="hub:org/<b>name</b>",
        probe=PROBE,
        cut_at="block.1",
        chosen_by="consensus",
        default_layer="head_input",
        against="hub:org/<b>name</b>:logits",
        layers=(
            row("block.1", 0.9, 0.4),
            row("block.2", 0.25, 0.6),
            row("head_input", 0.5, 1.0),
        ),
        failures=(),
        provenance=provenance_now(seed=0, device="cpu"),
    )


def without_scores(report, values):
    layers = [
        replace(each, score=None, estimators={}, similarity={"depara": Similarity(value=value)})
        for each, value in zip(report.layers, values, strict=True)
    ]
    return replace(report, layers=tuple(layers), chosen_by="depara")


def test_a_page_is_self_contained_and_escapes_what_others_wrote(report):
    page = layer_html(report)
    assert "<b>name</b>" not in page
    assert "&lt;b&gt;name" in page
    assert page.count("<svg") == 2
    assert not re.findall(r"(?:src|href)=\"(?!#)", page)


def test_the_verdict_names_the_layer_and_what_is_most_like_the_reference(report):
    text = verdict(replace(report, model="hub:org/name", against="hub:org/name:logits"))
    assert text == (
        "Cut name at block.1, not at head_input. Most like its head (depara): head_input, 1.00."
    )


def test_a_layer_beside_itself_is_not_the_most_like(report):
    text = verdict(replace(report, against=f"{report.model}:head_input"))
    assert "block.2, 0.60" in text


def test_a_reference_is_named_as_people_say_it(report):
    assert target_of(report) == "its head"
    assert target_of(replace(report, against=f"{report.model}:block.2")) == "its block.2"
    assert target_of(replace(report, against="hub:org/other:block.2")) == "other:block.2"
    assert target_of(replace(report, against="./folder")) == "folder"


def test_the_curve_is_the_consensus_or_else_the_similarity_stretched(report):
    assert curve(report) == [0.9, 0.25, 0.5]
    assert curve(without_scores(report, [2.0, None, 4.0])) == [0.0, None, 1.0]
    assert curve(without_scores(report, [None, None, None])) == [None, None, None]


@pytest.mark.parametrize(
    ("height", "text"),
    [(None, ""), (0, ""), (1, "\u2588" * 20), (0.03125, "\u258b"), (7, "\u2588" * 20)],
)
def test_a_bar_has_eighths_of_a_character(height, text):
    assert bar(height) == text


def test_rows_mark_the_cut_and_the_usual_layer(report):
    columns, rows = layer_columns(report), layer_rows(report)
    shown = [[column.text(each) for column in columns] for each in rows]
    assert shown[0][-1] == "<- cut here"
    assert shown[2][-1] == "the usual layer"
    assert "-0.100 (z 7)" in shown[0]
    assert rows[0]["logme"] == pytest.approx(-0.1)


def test_without_a_score_there_is_no_column_of_scores_and_one_plot(report):
    bare = without_scores(report, [0.1, 0.2, 0.3])
    assert "score" not in [column.name for column in layer_columns(bare)]
    assert layer_html(bare).count("<svg") == 1
    assert "(by depara alone)" in verdict(bare)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("hub:org/name", ("hub:org/name", "")),
        ("hub:org/name@main:block.3", ("hub:org/name@main", "block.3")),
        ("hub:gpt2", ("hub:gpt2", "")),
        ("hub:gpt2:logits", ("hub:gpt2", "logits")),
        ("./folder", ("./folder", "")),
        ("./folder:head_input", ("./folder", "head_input")),
        ("./odd:folder/name", ("./odd:folder/name", "")),
        ("name:stage.1", ("name", "stage.1")),
        ("", ("", "")),
    ],
)
def test_a_layer_stands_behind_the_last_colon(text, expected):
    assert split_layer(text, {"hub": None, "embedded": None}) == expected
