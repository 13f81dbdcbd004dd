"""What is said of unseen classes, what is not, and what it rests on."""

from __future__ import annotations

import pytest

from zoo.errors import NotApplicable
from zoo.explaining.wording import unsupported
from zoo_explanation.zero_shot.prototypes import Prototypes
from zoo_explanation.zero_shot.reporter import Unseen


def said(case, reporter=Unseen):
    reporter().report(case)
    return case.ledger


@pytest.fixture(scope="module")
def graph(planted):
    from zoo.graph import Graph

    return Graph.in_memory(planted=planted.triples())


@pytest.fixture(scope="module")
def ledger(planted, graph):
    unseen = [planted.name("bird", 0), planted.name("fish", 1)]
    return said(planted.case(unseen, images=15, graph=graph))


def test_common_attributes_are_said_with_their_triples(ledger):
    (claim, *_) = [each for each in ledger.claims if "has part beak and wing" in each.text]
    evidence = [ledger.evidence[each] for each in claim.evidence]
    triples = {triple for each in evidence for triple in each.triples}
    assert any("mero_part" in predicate and "beak" in o for _, predicate, o in triples)
    assert any("hypernym" in predicate and "amber-bird" in s for s, predicate, _ in triples)


def test_every_check_finds_its_evidence_again(ledger, graph):
    checks = [each.check for each in ledger.evidence.values() if each.check]
    assert checks
    for check in checks:
        answer = graph.query(check)
        assert bool(answer) if check.startswith("ASK") else list(answer)


def test_accuracy_stands_beside_chance_and_word_vectors(ledger):
    (claim,) = [each for each in ledger.claims if "word vectors" in each.text]
    assert "chance is 50.0 %" in claim.text
    assert claim.tentative  # the senses were found by the names alone


def test_no_sentence_says_more_than_its_evidence(ledger):
    for claim in ledger.claims + ledger.unknown:
        evidence = [ledger.evidence[each] for each in claim.evidence]
        assert unsupported(claim.text, evidence) == []


def test_without_images_a_deletion_is_an_ablation_of_the_row(planted, graph):
    ledger = said(planted.case([planted.name("bird", 0)], graph=graph))
    (claim,) = [each for each in ledger.claims if "due to" in each.text]
    assert {ledger.evidence[each].kind for each in claim.evidence} == {"ablation"}


def test_equal_input_gives_equal_reports(planted, graph):
    ledgers = [said(planted.case([planted.name("tree", 2)], graph=graph)) for _ in range(2)]
    assert ledgers[0].claims == ledgers[1].claims
    assert ledgers[0].evidence == ledgers[1].evidence


def test_withheld_evidence_takes_its_claims_along(planted, graph, ledger):
    unseen = [planted.name("bird", 0), planted.name("fish", 1)]
    cited = {each: claim for claim in ledger.claims for each in claim.evidence}
    one_of_each_kind = {ledger.evidence[each].predicate: each for each in cited}
    for withheld in one_of_each_kind.values():
        less = said(planted.case(unseen, images=15, graph=graph, withheld=[withheld]))
        gone = {each.text for each in ledger.claims if withheld in each.evidence}
        assert not gone & {each.text for each in less.claims}


def test_a_class_that_is_not_in_the_graph_is_not_known(planted, graph):
    ledger = said(planted.case(["zyzzyva"], graph=graph))
    assert ledger.claims == []
    assert "nothing of that name" in ledger.unknown[0].text


def test_a_class_of_the_head_is_no_unseen_class(planted, graph):
    case = planted.case([planted.name("bird", 0)], graph=graph)
    from dataclasses import replace

    ledger = said(replace(case, unseen=(planted.name("bird", 3),)))
    assert any("is no unseen class" in each.text for each in ledger.claims)


def test_a_class_too_far_from_everything_seen_is_not_known(planted, graph):
    ledger = said(planted.case(["thing"], graph=graph))
    assert any("a very general one" in each.text for each in ledger.unknown)


def test_without_a_graph_nothing_is_said(planted):
    from dataclasses import replace

    with pytest.raises(NotApplicable, match="no knowledge graph"):
        said(replace(planted.case(["thing"]), graph=None))


def test_prototypes_need_images(planted, graph):
    names = tuple(planted.name(kind, 0) for kind in planted.KINDS)
    with pytest.raises(NotApplicable, match="no names"):
        said(planted.case(names, graph=graph), Prototypes)


def test_prototypes_say_nothing_where_random_classes_do_as_well(planted, graph):
    names = tuple(planted.name(kind, 0) for kind in planted.KINDS[:2])
    with pytest.raises(NotApplicable, match="random ones"):
        said(planted.case(names, images=10, graph=graph), Prototypes)
