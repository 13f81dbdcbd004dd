"""The ledger: a sentence says what its evidence holds, or it is not said."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.errors import PluginError
from zoo.explaining import Ledger
from zoo.types import Claim, Figure


@pytest.fixture
def ledger():
    return Ledger("own")


def score(ledger, value=0.75, **more):
    """Record that a model has a score."""
    return ledger.observe("measurement", "alpha", "score", source="x.json", value=value, **more)


@pytest.mark.parametrize(
    ("template", "slots", "words"),
    [
        ("It has {value:.2f}.", {"value": 0.76}, "value = 0.76 is in none of its evidence"),
        ("It has {value:.2f}.", {"value": 0.7500001}, "is in none of its evidence"),
        ("{name} leads.", {"name": "beta"}, "name = 'beta' is in none of its evidence"),
        ("{names} lead.", {"names": ("alpha", "beta")}, "names = 'beta' is in none"),
        ("{value}.", {"value": "0.75"}, "value = '0.75' is in none of its evidence"),
        ("{value}.", {"value": None}, "value = None is in none of its evidence"),
        ("{value}.", {"value": True}, "value = True is in none of its evidence"),
        ("It beats 3 others.", {}, "a number in a sentence has to be a slot"),
        ("It beats \u0663 others.", {}, "a number in a sentence has to be a slot"),
        ("It leads due to its size.", {}, "'due to' names a cause, and nothing was taken away"),
        ("Size DRIVES it.", {}, "'DRIVES' names a cause"),
        ("It has {value}.", {}, "what it is filled with does not fit ('value')"),
        ("{name:.2f}.", {"name": "alpha"}, "what it is filled with does not fit"),
        ("{value.first}.", {"value": 0.75}, "what it is filled with does not fit"),
    ],
)
def test_what_the_evidence_does_not_hold_is_refused(ledger, template, slots, words):
    with pytest.raises(PluginError, match="reporter 'own' may not say") as refused:
        ledger.claim("measured", template, score(ledger), **slots)
    assert words in refused.value.message
    assert template in refused.value.message
    assert ledger.claims == ledger.unknown == []


@pytest.mark.parametrize("value", [float("nan"), float("inf"), np.float32("nan")])
def test_what_is_no_number_is_not_said_even_if_it_was_found(ledger, value):
    evidence = score(ledger, value)
    with pytest.raises(PluginError, match=r"value is (nan|inf), which is no number to say"):
        ledger.claim("measured", "It has {value:.2f}.", evidence, value=value)
    assert ledger.claims == []


@pytest.mark.parametrize(
    ("level", "kind", "allowed"),
    [
        ("measured", "measurement", True),
        ("measured", "fact", False),
        ("known", "fact", True),
        ("known", "alignment", True),
        ("known", "measurement", False),
        ("supported", "test", True),
        ("supported", "record", False),
        ("not known", "absence", True),
        ("not known", "prediction", True),
        ("not known", "fact", False),
        ("certain", "fact", False),
    ],
)
def test_a_level_needs_evidence_of_its_kind(ledger, level, kind, allowed):
    evidence = ledger.observe(kind, "alpha", "something", source="x")
    if allowed:
        assert ledger.claim(level, "It is so.", evidence).level == level
    else:
        with pytest.raises(PluginError, match=f"that a claim '{level}' needs"):
            ledger.claim(level, "It is so.", evidence)


@pytest.mark.parametrize("kind", ["prediction", "absence"])
def test_what_is_only_expected_is_never_more_than_not_known(ledger, kind):
    expected = ledger.observe(kind, "alpha", "likely part", source="x")
    with pytest.raises(PluginError, match="what it rests on is no more than expected"):
        ledger.claim("measured", "It is so.", score(ledger), expected)
    assert ledger.claim("not known", "It may be so.", expected)


def test_a_cause_is_named_only_where_something_was_taken_away(ledger):
    without = ledger.observe("ablation", "alpha", "score without colour", source="x", value=0.5)
    said = ledger.claim("measured", "It falls to {value} because of it.", without, value=0.5)
    assert said.text == "It falls to 0.5 because of it."


def test_a_name_in_a_slot_may_hold_digits_and_causes(ledger):
    name = "because-50"
    evidence = ledger.observe("record", "x", "name", source="x", name=name)
    assert ledger.claim("known", "It is {name}.", evidence, name=name).text == f"It is {name}."


def test_without_its_evidence_nothing_is_said(ledger):
    withheld = score(ledger).id
    lacking = Ledger("own", withheld=(withheld,))
    assert score(lacking) is None
    assert lacking.evidence == {}
    assert lacking.derive("measurement", "alpha", "half", [None], value=1) is None
    other = score(lacking, 0.5)
    assert lacking.derive("measurement", "both", "mean", [other, None], value=1) is None
    assert lacking.derive("measurement", "both", "mean", [], value=1) is None
    assert lacking.claim("measured", "It has a score.", other, None) is None
    assert lacking.claim("measured", "It has a score.") is None
    assert lacking.figure("bars", "Scores", "Two bars.", other, None) is None
    assert lacking.figure("bars", "Scores", "Two bars.") is None
    assert (lacking.claims, lacking.unknown, lacking.figures) == ([], [], [])


def test_derived_evidence_can_be_withheld_too(ledger):
    half = ledger.derive("measurement", "alpha", "half", [score(ledger)], value=0.375)
    lacking = Ledger("own", withheld=(half.id,))
    assert lacking.derive("measurement", "alpha", "half", [score(lacking)], value=0.375) is None


def test_nothing_can_be_said_of_evidence_that_nobody_made():
    with pytest.raises(ValueError, match="at least one piece of evidence"):
        Claim(id="c1", text="It is so.", level="known", evidence=())
    with pytest.raises(ValueError, match="needs a text"):
        Claim(id="c1", text=" ", level="known", evidence=("e1",))
    with pytest.raises(ValueError, match="at least one piece of evidence"):
        Figure(kind="bars", title="t", description="d", evidence=())


def test_a_guess_makes_tentative_whatever_rests_on_it(ledger):
    sure = ledger.observe("fact", "dog", "kind", source="graph")
    guess = ledger.observe("alignment", "dog", "sense", source="graph", confirmed=False)
    path = ledger.derive("fact", "dog", "path", [sure, guess])
    assert not path.confirmed
    assert not ledger.claim("known", "It is sure.", sure).tentative
    assert ledger.claim("known", "It is likely.", sure, path).tentative


def test_claims_and_unknowns_are_counted_apart(ledger):
    nothing = ledger.observe("absence", "alpha", "licence", source="x")
    for _ in range(2):
        ledger.claim("measured", "It has a score.", score(ledger))
        ledger.claim("not known", "It has no licence.", nothing)
    assert [each.id for each in ledger.claims] == ["ownc1", "ownc2"]
    assert [each.id for each in ledger.unknown] == ["ownu1", "ownu2"]
    assert {each.reporter for each in (*ledger.claims, *ledger.unknown)} == {"own"}


def test_evidence_that_is_cited_twice_is_listed_once(ledger):
    evidence = score(ledger)
    claim = ledger.claim("measured", "It has a score.", evidence, score(ledger))
    figure = ledger.figure("bars", "Scores", "One bar.", evidence, evidence, rows=np.arange(2))
    assert claim.evidence == figure.evidence == (evidence.id,)
    assert figure.data == {"rows": [0, 1]}
    assert len(ledger.evidence) == 1


def test_slots_are_filled_with_numbers_texts_and_lists(ledger):
    evidence = score(ledger, np.float32(0.1), parts={"names": ["a", "b", "c"]}, n=1200)
    said = ledger.claim(
        "measured", "{who} has {value:.2f} of {n:,} in {names}.", evidence,
        who="alpha", value=np.float32(0.1), n=np.int64(1200), names=["a", "b", "c"],
    )  # fmt: skip
    assert said.text == "alpha has 0.10 of 1,200 in a, b and c."
    assert msgspec.json.decode(msgspec.json.encode(evidence))["object"]["n"] == 1200


found = st.dictionaries(
    st.text(min_size=1, max_size=5),
    st.one_of(st.integers(-9, 9), st.text(max_size=5), st.booleans(), st.lists(st.integers(0, 9))),
    max_size=4,
)


@given(found, found)
def test_equal_evidence_has_an_equal_id_and_other_evidence_another(one, other):
    def observed(values):
        return Ledger().observe("fact", "dog", "kind", source="x", values=values)

    assert observed(one).id == observed(dict(reversed(one.items()))).id
    same = msgspec.json.encode(one, order="sorted") == msgspec.json.encode(other, order="sorted")
    assert (observed(one).id == observed(other).id) is same


def test_an_id_changes_with_every_field():
    plain = {"kind": "fact", "subject": "dog", "predicate": "kind", "source": "x"}
    changes = (
        {"kind": "record"}, {"subject": "cat"}, {"predicate": "part"}, {"source": "y"},
        {"sha256": "0"}, {"triples": [("<a:a>", "<a:b>", "<a:c>")]}, {"check": "ASK {}"},
        {"confirmed": False}, {"value": 1},
    )  # fmt: skip
    ids = [Ledger().observe(**{**plain, **change}).id for change in ({}, *changes)]
    assert len(set(ids)) == len(ids)
    assert all(each[0] == "e" and len(each) == 11 for each in ids)
