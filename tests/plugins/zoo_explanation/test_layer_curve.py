"""Where to cut a model, and what the last layer would have been worth."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest

from zoo.errors import NotApplicable
from zoo.explaining.checking import unsupported_claims
from zoo.explaining.ledger import Ledger
from zoo.testing.reporters import report_of, sample_case
from zoo.types.ranking import LayerScore
from zoo_explanation.layer_curve import LayerCurve


def told(case, chosen="", scores=(), **fields):
    if chosen:
        layers = tuple(
            LayerScore(layer=name, score=score)
            for name, score in zip(("first", "second", "last"), scores, strict=True)
        )
        rows = tuple(
            msgspec.structs.replace(row, layer=chosen, layers=layers, **fields)
            for row in case.ranking.ranking
        )
        case = replace(case, ranking=msgspec.structs.replace(case.ranking, ranking=rows))
    ledger = Ledger("layers")
    LayerCurve().report(replace(case, ledger=ledger))
    assert unsupported_claims(report_of(ledger)) == []
    return ledger


def test_a_better_layer_is_named_with_its_distance_from_the_last():
    ledger = told(sample_case(), "second", (0.2, 0.9, 0.4))
    assert ledger.claims[0].text == (
        "Of the 3 layers of alpha, 'second' scores best: it beats 90 % of the others, the last "
        "one, 'last', 40 %. A new head goes to 'second'."
    )
    assert ledger.claims[1].text == (
        "The difference between 'second' and 'last', the last layer of alpha, is 50 points of a "
        "hundred."
    )
    (figure,) = ledger.figures
    assert figure.data["layers"] == ["first", "second", "last"]
    assert [each["name"] for each in figure.data["series"]] == ["alpha", "beta-50"]
    assert figure.data["series"][0]["chosen"] == "second"
    assert "are 20, 90, 40" in figure.description


def test_the_last_layer_may_be_the_best():
    ledger = told(sample_case(), "last", (0.1, 0.5, 0.9))
    assert "the last, 'last', scores best: it beats 90 %" in ledger.claims[0].text


def test_a_better_layer_that_is_not_clearly_better_was_not_taken():
    ledger = told(sample_case(), "last", (0.1, 0.6, 0.5))
    assert ledger.claims[0].text == (
        "Of the 3 layers of alpha, 'second' scores best (it beats 60 % of the others), though not "
        "clearly: the usual place, 'last' (50 %), was kept."
    )


def test_where_one_layer_was_scored_the_others_are_not_known():
    ledger = told(sample_case(lacking=("layers",)))
    assert not ledger.claims
    assert not ledger.figures
    assert ledger.unknown[0].text.endswith(
        "whether another does better is not known (zoo recommend --layers all scores all)."
    )


def test_without_signal_no_layer_is_better_than_another():
    ledger = told(sample_case(), "second", (0.2, 0.9, 0.4), signal=False)
    assert not ledger.claims
    assert not ledger.figures
    assert "Where to cut alpha is not known" in ledger.unknown[0].text


def test_models_with_other_layers_are_drawn_on_their_own():
    case = sample_case()
    rows = tuple(
        row
        if row.model != case.against
        else msgspec.structs.replace(
            row,
            layers=tuple(
                msgspec.structs.replace(each, layer=f"x.{each.layer}") for each in row.layers
            ),
            layer=f"x.{row.layer}",
        )
        for row in case.ranking.ranking
    )
    ranking = msgspec.structs.replace(case.ranking, ranking=rows)
    assert len(told(replace(case, ranking=ranking)).figures) == 2


def test_without_a_ranking_it_refuses():
    with pytest.raises(NotApplicable, match="there is no ranking"):
        told(replace(sample_case(), ranking=None))
