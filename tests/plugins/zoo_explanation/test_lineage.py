"""Where a model comes from: what its card says, and what it does not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from zoo.errors import NotApplicable
from zoo.explaining.checking import unsupported_claims
from zoo.explaining.ledger import Ledger
from zoo.testing.reporters import report_of, sample_case
from zoo.types import ModelEntry
from zoo_explanation.lineage import Lineage


def told(case):
    ledger = Ledger("lineage")
    Lineage().report(replace(case, ledger=ledger))
    assert unsupported_claims(report_of(ledger)) == []
    return ledger


def texts(ledger):
    return [each.text for each in (*ledger.claims, *ledger.unknown)]


def test_the_card_is_repeated_and_what_it_leaves_out_is_not_known():
    ledger = told(sample_case())
    said = texts(ledger)
    assert "alpha was made from zoo/alpha-base, says its card." in said
    assert "alpha was trained on imagenet-1k, says its card." in said
    assert "The licence of alpha is apache-2.0, says its card." in said
    assert (
        "Not stated for beta-50: which model it was made from, which data it was trained on and "
        "its licence (it has no card that says so)."
    ) in said
    assert {each.level for each in ledger.claims} == {"known", "measured"}


def test_sizes_and_their_ratio_are_said_once():
    said = texts(told(sample_case()))
    assert "alpha has 4.2M parameters and takes 17 MB on disk." in said
    assert "alpha is 6.0 times smaller on disk than beta-50." in said
    assert sum("times" in text for text in said) == 1


def test_models_of_about_one_size_are_not_compared():
    case = sample_case()
    entries = {
        model: ModelEntry(ref=model, bytes=size)
        for model, size in ((case.model, 100), (case.against, 120))
    }
    assert not any("times" in text for text in texts(told(replace(case, entries=entries))))


def test_what_strangers_wrote_is_one_plain_line_of_reasonable_length():
    case = sample_case()
    card = {
        "base_model": "a\x1b[2J\u202eb\n\nc",
        "datasets": [f"set-{n}" for n in range(40)],
        "license": "x" * 5000,
        "tags": {"deep": [1, {"er": None}]},
    }
    said = texts(told(replace(case, cards={case.model: card})))
    assert "alpha was made from a[2Jb c, says its card." in said
    assert any(
        "was trained on set-0, set-1, set-2, set-3, set-4 and others, says" in text for text in said
    )
    assert max(map(len, said)) < 300


@pytest.mark.parametrize("value", [None, [], {}, [None, {"a": 1}], "", " \n"])
def test_a_card_that_says_nothing_states_nothing(value):
    case = sample_case()
    entries = {case.model: ModelEntry(ref=case.model)}
    cards = {case.model: {"license": value, "datasets": value, "base_model": value}}
    ledger = told(replace(case, cards=cards, entries=entries, ranking=None))
    assert not ledger.claims
    assert ledger.unknown[0].text.endswith("its licence (its card does not say).")


def test_the_registry_is_asked_where_there_is_no_card():
    case = sample_case()
    entry = ModelEntry(ref=case.model, license="mit", tags={"pretraining": "a, b"})
    said = texts(told(replace(case, cards={}, entries={case.model: entry})))
    assert "The licence of alpha is mit, says its registry entry." in said
    assert "alpha was trained on a and b, says its registry entry." in said


def test_nothing_registered_is_a_reason():
    with pytest.raises(NotApplicable, match="nothing is registered of these models"):
        told(sample_case(lacking=("entries",)))
