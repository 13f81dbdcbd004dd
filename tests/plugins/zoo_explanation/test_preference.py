"""Why one model stands above another, in sentences that only the ranking fills."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest

from zoo.errors import NotApplicable
from zoo.explaining.checking import unsupported_claims
from zoo.explaining.ledger import Ledger
from zoo.testing.reporters import preference_in, report_of, sample_case
from zoo.types import TransferRecord
from zoo.types.ranking import Truth
from zoo_explanation.own_records import correlation
from zoo_explanation.preference import TIED, Preference

CLEAR = 3  # a seed with a clear order


def told(case):
    ledger = Ledger("preference")
    Preference().report(replace(case, ledger=ledger))
    assert unsupported_claims(report_of(ledger)) == []
    return ledger


def texts(ledger):
    return [each.text for each in (*ledger.claims, *ledger.unknown)]


def changed(case, **rows):
    """Change rows of the ranking: alpha=..., beta=... dicts of fields."""
    names = {"alpha": case.model, "beta": case.against}
    changes = {names[name]: fields for name, fields in rows.items()}
    ranking = msgspec.structs.replace(
        case.ranking,
        ranking=tuple(
            msgspec.structs.replace(row, **changes.get(row.model, {}))
            for row in case.ranking.ranking
        ),
    )
    return replace(case, ranking=ranking)


def cell(case, model, estimator):
    row = next(row for row in case.ranking.ranking if row.model == model)
    return row.estimators[estimator]


def test_a_clear_order_is_said_with_every_number_and_prefers_the_first():
    case = sample_case(seed=CLEAR)
    ledger = told(case)
    first = ledger.claims[0]
    assert first.text.startswith("alpha is ranked above beta-50: score 0.64, 95 % interval 0.57")
    assert first.prefers == case.model
    one, other = (cell(case, each, "ridge").value for each in (case.model, case.against))
    said = f"alpha is ranked above beta-50 by ridge: {one:.2f} vs {other:.2f} (95 % intervals "
    assert any(text.startswith(said) for text in texts(ledger))
    assert any(
        text.startswith("3 of 3 estimators put alpha above beta-50") for text in texts(ledger)
    )
    assert all(bool(each.prefers) == bool(preference_in(each.text)) for each in ledger.claims)
    assert TIED not in texts(ledger)


def test_asked_the_other_way_round_the_answer_is_the_same():
    case = sample_case(seed=CLEAR)
    turned = told(replace(case, model=case.against, against=case.model))
    assert turned.claims[0].text == told(case).claims[0].text
    assert turned.claims[0].prefers == case.model


def test_an_estimator_that_disagrees_is_never_left_out():
    case = sample_case(seed=CLEAR)
    turned = msgspec.structs.replace(
        cell(case, case.model, "ridge"), value=0.1, interval=(0.0, 0.2)
    )
    row = next(row for row in case.ranking.ranking if row.model == case.model)
    ledger = told(changed(case, alpha={"estimators": {**row.estimators, "ridge": turned}}))
    (sentence,) = [each for each in ledger.claims if each.text.startswith("Not all agree")]
    assert "beta-50 is ranked above alpha by ridge" in sentence.text
    assert sentence.prefers == case.against
    assert any(text.startswith("2 of 3 estimators") for text in texts(ledger))


@pytest.mark.parametrize(
    ("alpha", "beta", "words"),
    [
        ({"tied_with": ("beta",)}, {}, "are tied"),
        ({"score": 0.5}, {"score": 0.5}, "have the same score"),
        ({"signal": False}, {}, "says nothing that shuffled labels do not"),
    ],
)
def test_what_is_not_told_apart_is_called_so_word_for_word(alpha, beta, words):
    case = sample_case(seed=CLEAR)
    if "tied_with" in alpha:
        alpha = {"tied_with": (case.against,)}
    ledger = told(changed(case, alpha=alpha, beta=beta))
    assert words in ledger.claims[0].text
    said = "The two checkpoints are not distinguishable with the measurements made."
    assert said in [each.text for each in ledger.unknown]
    assert not any(each.prefers or preference_in(each.text) for each in ledger.claims)


def test_overlapping_scores_that_most_estimators_contradict_are_no_preference():
    ledger = told(sample_case(seed=2))
    assert "the intervals overlap, and most estimators put alpha first" in ledger.claims[0].text
    assert not any(each.prefers for each in ledger.claims)


def test_one_model_alone_is_compared_with_shuffled_labels():
    ledger = told(sample_case(seed=CLEAR, lacking=("against",)))
    assert "as the only model ranked, it is compared with shuffled labels" in ledger.claims[0].text
    assert any("none was ranked" in each.text for each in ledger.unknown)
    assert not any(each.prefers for each in ledger.claims)


def test_a_missing_and_a_saturated_value_are_named_and_not_counted():
    case = sample_case(seed=CLEAR)
    row = next(row for row in case.ranking.ranking if row.model == case.model)
    cells = dict(row.estimators)
    cells["ridge"] = msgspec.structs.replace(cells["ridge"], value=None, note="no logits.")
    cells["neighbours"] = msgspec.structs.replace(cells["neighbours"], saturated=True)
    ledger = told(changed(case, alpha={"estimators": cells}))
    assert "What ridge makes of alpha is not counted: no logits." in texts(ledger)
    assert (
        "What neighbours makes of alpha is not counted: saturated at this sample size and width."
        in texts(ledger)
    )
    assert not any("by ridge:" in text for text in texts(ledger))


def test_without_history_the_order_rests_on_the_estimators_word_for_word():
    case = sample_case(seed=CLEAR, lacking=("history", "scores"))
    case = changed(case, alpha={"tied_with": (), "rank": 1, "score": 0.9, "interval": (0.8, 1.0)})
    said = "We found no tested property that explains this ranking; it rests on separation alone."
    assert said in texts(told(case))


def records(estimator, turned=False):
    return tuple(
        TransferRecord(
            source=f"m{i}",
            target=target,
            value=i / 10,
            quantities={estimator: float(-i if turned else i * i)},
        )
        for target in ("a", "b")
        for i in range(5)
    )


def test_our_own_records_say_how_far_an_estimator_can_be_believed():
    case = sample_case(seed=CLEAR, lacking=("scores",))
    ledger = told(replace(case, history=records("separation", turned=True)))
    assert (
        "separation has rank correlation -1.00 with fine-tuned accuracy in our own records; a "
        "ranking by it is a hint, not a result."
    ) in texts(ledger)
    assert correlation(records("other"), "separation") is None
    assert correlation(records("separation")[:7], "separation") is None
    assert correlation(records("separation"), "separation") == (pytest.approx(1.0), 10, 2)


def test_what_fine_tuning_reached_is_said_and_what_was_not_tried_is_not_known():
    case = sample_case(seed=CLEAR)
    truth = Truth(
        model=case.model, accuracy=0.931, interval=(0.88, 0.96), samples=200, steps=3,
        seconds=1.0, folder="x",
    )  # fmt: skip
    ranking = msgspec.structs.replace(case.ranking, truth=(truth,))
    said = texts(told(replace(case, ranking=ranking)))
    assert (
        "Fine-tuned on your data, alpha gets 93.1 % of 200 held-out samples right (95 % interval "
        "88.0 to 96.0)."
    ) in said
    assert any(text.startswith("What beta-50 would reach after fine-tuning") for text in said)


def test_data_that_say_otherwise_than_the_prior_are_shown_beside_the_score():
    case = sample_case(seed=CLEAR)
    ledger = told(changed(case, alpha={"evidence": 0.45}, beta={"evidence": 0.55}))
    assert any(
        text.startswith("By your data alone alpha would have 0.45 and beta-50 0.55, which is the")
        for text in texts(ledger)
    )


def test_every_warning_of_the_ranking_is_repeated():
    case = sample_case(seed=CLEAR)
    assert case.ranking.warnings
    assert set(case.ranking.warnings) <= set(texts(told(case)))


def test_a_model_that_was_not_ranked_is_refused_in_one_sentence():
    with pytest.raises(NotApplicable, match="hub:no/model is not among the models"):
        told(replace(sample_case(), against="hub:no/model"))
    with pytest.raises(NotApplicable, match="there is no ranking to read"):
        told(replace(sample_case(), ranking=None))
