"""What the reporter says of recorded transfers, and what it says where it can say nothing."""

from __future__ import annotations

import csv
import itertools
import os
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest

from zoo.explaining import Ledger
from zoo.explaining.wording import unsupported
from zoo.testing.reporting_trials import ESTIMATORS, sample_case, sample_graph
from zoo.types import TransferRecord
from zoo.types.reporting import Case
from zoo_explanation.contexts.history import history_of
from zoo_explanation.contexts.reporter import Contexts
from zoo_explanation.contexts.significance import associations
from zoo_explanation.contexts.spaces import COVERAGE, Spaces

PUBLISHED = Path(os.environ.get("ZOO_SHARED_DATA", "../shared/data")).resolve() / "published"


def report(history, graph=None, withheld=(), seed=0):
    ledger = Ledger("contexts", withheld)
    Contexts().report(Case(ledger=ledger, history=tuple(history), graph=graph, seed=seed))
    return ledger


def every_test(ledger):
    return next(
        each for each in ledger.evidence.values() if each.predicate == "every property tested"
    )


def records(seed=0, targets=5, sources=10, effect=2.0, **more):
    draw = np.random.default_rng(seed)
    found = []
    for source, target in itertools.product(range(sources), range(targets)):
        score = draw.normal()
        found.append(
            TransferRecord(
                source=f"model-{source}",
                target=f"data-{target}",
                value=effect * score + draw.normal(),
                origin=f"runs.csv, line {source}",
                quantities={"score": score, "parameters": float(source), "noise": draw.normal()},
                **more,
            )
        )
    return found


def texts(ledger):
    return [each.text for each in (*ledger.claims, *ledger.unknown)]


def test_a_strong_property_is_claimed_with_all_its_numbers():
    ledger = report(records())
    went, counted = ledger.claims
    assert went.level == counted.level == "supported"
    assert went.text.startswith(
        "In 50 recorded transfers over 5 targets, a higher value of score went with higher accuracy"
    )
    assert "90 % interval [" in went.text
    assert counted.text.startswith(
        "Properties tested on 50 recorded transfers: 3; of them passed: 1."
    )
    assert {row["property"] for row in every_test(ledger).object["rows"]} == {
        "score",
        "noise",
        "parameters",
    }
    assert not ledger.unknown


def test_a_property_that_went_with_bad_transfers_says_lower():
    ledger = report(records(effect=-2.0))
    assert "went with lower accuracy (rho -0." in ledger.claims[0].text


def test_every_number_of_every_claim_is_in_its_evidence():
    for history in (records(), records(effect=0.0), records(targets=1)):
        ledger = report(history, sample_graph())
        for each in (*ledger.claims, *ledger.unknown):
            assert unsupported(each.text, [ledger.evidence[one] for one in each.evidence]) == []


@pytest.mark.parametrize("count", [0, 1, 19])
def test_fewer_than_the_minimum_is_said_word_for_word(count):
    ledger = report(records()[:count])
    assert texts(ledger) == ["Fewer than 20 recorded transfers: no claim about what usually helps."]


def test_the_same_pair_twice_counts_once():
    assert "Fewer than 20" in texts(report(records()[:15] * 4))[0]


def test_few_targets_are_said():
    (said,) = texts(report(records(targets=3)))
    assert said == (
        "The 30 recorded transfers are of 10 models and 3 data sets; a claim about what usually "
        "helps needs 4 and 4."
    )


def test_where_nothing_passes_that_is_said_with_the_number_of_tests():
    (said,) = texts(report(records(seed=3, effect=0.0)))
    assert said == (
        "Properties tested on 50 recorded transfers: 3. None was found to go with higher or lower "
        "accuracy."
    )


def test_where_nothing_passes_the_ranking_rests_on_its_estimators_alone():
    case = sample_case(lacking=("graph",))
    Contexts().report(case)
    assert texts(case.ledger)[-1] == (
        "We found no tested property that explains this ranking; it rests on "
        f"{', '.join(ESTIMATORS[:-1])} and {ESTIMATORS[-1]} alone."
    )


@pytest.mark.parametrize("sign", [1, -1])
def test_where_the_two_models_stand_by_what_passed_is_said_with_the_ranking_or_against_it(sign):
    history = tuple(
        msgspec.structs.replace(each, quantities={ESTIMATORS[0]: each.quantities["score"]})
        for each in records(effect=2.0 * sign)
    )
    case = replace(sample_case(lacking=("graph",)), history=history)
    Contexts().report(case)
    (said,) = [each for each in case.ledger.claims if each.level == "measured"]
    assert case.ranking is not None
    values = {row.model: row.estimators[ESTIMATORS[0]].value for row in case.ranking.ranking}
    first, second = (
        row.model for row in case.ranking.ranking if row.model in (case.model, case.against)
    )
    agrees = (values[first] > values[second]) == (sign > 0)
    end = "that is the order of the ranking." if agrees else "the other order than the ranking."
    assert said.text.endswith(end)


def test_withholding_any_evidence_of_a_claim_takes_the_claim_away():
    ledger = report(records())
    said = ledger.claims[0]
    behind = set(said.evidence)
    while more := {one for each in behind for one in ledger.evidence[each].derived_from} - behind:
        behind |= more
    assert len(behind) == 7  # five targets, every test, and the one that is claimed
    for each in behind:
        assert said.text not in texts(report(records(), withheld=[each]))


def test_equal_input_gives_equal_bytes():
    one, other = (report(records(), sample_graph(), seed=4) for _ in range(2))
    assert msgspec.json.encode(one.claims) == msgspec.json.encode(other.claims)
    assert one.evidence.keys() == other.evidence.keys()


HEADS = [("beagle", "wolf"), ("tabby", "tiger"), ("oak", "tulip"), ("car", "truck"),
         ("hammer", "jar"), ("dog", "cow"), ("daisy", "rose"), ("robin", "finch")]  # fmt: skip
DATA = {
    "pets": ("dog", "cat"),
    "hounds": ("beagle", "hound"),
    "zoo": ("tiger", "wolf", "robin"),
    "farm": ("cow", "horse", "dog"),
    "garden": ("daisy", "rose", "tulip"),
    "trees": ("oak",),
}


def of_classes(weight=0.0, seed=0):
    """Make transfers that went well where both sides have mammals."""
    draw = np.random.default_rng(seed)
    mammals = {"beagle", "wolf", "tabby", "tiger", "dog", "cow", "cat", "hound", "horse"}
    return [
        TransferRecord(
            source=f"model-{place}",
            target=target,
            value=float(draw.normal() + weight * bool({*head} & mammals and {*labels} & mammals)),
            source_labels=head,
            target_labels=labels,
        )
        for place, head in enumerate(HEADS * 2)
        for target, labels in DATA.items()
    ]


def test_a_kind_on_both_sides_is_found_in_the_graph_and_cites_its_links():
    ledger = report(of_classes(weight=4.0), sample_graph())
    said = [each for each in ledger.claims if "on both sides went with higher" in each.text]
    assert any("having classes of the kind carnivore" in each.text for each in said)
    facts = [each for each in ledger.evidence.values() if each.kind == "fact"]
    assert all(each.triples for each in facts)
    graph = sample_graph()
    held = set(graph.triples())
    assert all(triple in held for each in facts for triple in each.triples)


def test_without_a_graph_nothing_is_said_of_classes():
    ledger = report(of_classes(weight=4.0))
    assert every_test(ledger).object["tests"] == 0


def test_properties_of_label_spaces_and_repeated_transfers():
    spaces = Spaces(sample_graph())
    doubled = [*of_classes(), *of_classes()]
    history = history_of(doubled, spaces)
    assert len(history.records) == len(of_classes())
    coverage = history.transfers.quantities[COVERAGE]
    pairs = [(each.source, each.target) for each in history.records]
    found = dict(zip(pairs, coverage, strict=True))
    assert found["model-5", "pets"] == 0.5  # dog, and no cat
    assert found["model-1", "zoo"] == pytest.approx(1 / 3)
    assert found["model-2", "pets"] == 0.0
    for name, flag in history.transfers.quantities.items():
        if name in history.contexts:
            assert 8 <= flag.sum() <= len(flag) - 8
            (entailment,) = history.contexts[name]
            for record, value in zip(history.records, flag, strict=True):
                both = (record.source_labels, record.target_labels)
                assert value == all(entailment in spaces.entailments(each) for each in both)


def test_one_metric_a_target_and_results_are_no_properties():
    mixed = [
        *records(),
        TransferRecord(source="model-0", target="data-0", value=9.0, metric="auc"),
    ]
    history = history_of(mixed)
    assert history.metric == "accuracy"
    assert len(history.records) == 50
    measured = [
        TransferRecord(
            source=each.source,
            target=each.target,
            value=1.0,
            quantities=each.quantities | {"local": 0.5, "hard": 0.5, "soft": 0.5},
        )
        for each in records()
    ]
    found = history_of(measured)
    assert found.measure == "feature transferability index"
    assert not {"local", "hard", "soft"} & found.transfers.quantities.keys()


def published(name, value, *quantities):
    path = PUBLISHED / name
    if not path.exists():
        pytest.skip(f"{path} is not there")
    with path.open(newline="") as file:
        return [
            TransferRecord(
                source=line["model"],
                target=line["dataset"],
                value=float(line[value]),
                origin=name,
                quantities={each: float(line[each]) for each in quantities if line[each]},
            )
            for line in csv.DictReader(file)
        ]


def test_published_fine_tuning_results_support_their_own_estimators():
    scores = ("HScore", "LEEP", "LogME", "NCE")
    history = published("tllib_model_selection_scores.csv", "finetuned_acc", *scores)
    ledger = report(history)
    said = [each for each in ledger.claims if "went with higher accuracy" in each.text]
    assert any("a higher value of LogME" in each.text for each in said)
    transfers, draw = history_of(history).transfers, np.random.default_rng(0)
    claimed = 0
    for _ in range(50):
        outcome = transfers.outcome.copy()
        for target in np.unique(transfers.targets):
            chosen = transfers.targets == target
            outcome[chosen] = draw.permutation(outcome[chosen])
        tested = associations(replace(transfers, outcome=outcome))
        claimed += any(each.passes() for each in tested.associations)
    assert claimed <= 5
