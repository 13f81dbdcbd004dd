"""Which broken promises of reporters are found: a reporter that lies is named with its sentence."""

from __future__ import annotations

import random
from contextlib import suppress
from dataclasses import replace

import numpy as np
import pytest

import zoo_explanation
from zoo.errors import NotApplicable
from zoo.explaining.checking import unsupported_claims
from zoo.explaining.ledger import Ledger
from zoo.testing.reporters import KIT, check_reporter, preference_in, report_of, sample_case
from zoo.types import Claim, ReporterSpec

SPEC = ReporterSpec(name="own", target=f"{__name__}:Honest", summary="")


class Honest:
    """A reporter that keeps its promises."""

    def score(self, case):
        if case.ranking is None:
            raise NotApplicable("there is no ranking")
        row = next(row for row in case.ranking.ranking if row.model == case.model)
        found = {"model": "the first", "score": row.score}
        return case.ledger.observe(
            "measurement", case.model, "score", source="here", **found
        ), found

    def report(self, case):
        evidence, found = self.score(case)
        case.ledger.claim("measured", "{model} has {score:.4f}.", evidence, **found)


def the_sentence(report, **options):
    kind = type("Liar", (Honest,), {"report": report, **options})
    sentence, *_ = check_reporter(SPEC, kind())
    assert sentence.startswith("own: ")
    assert sentence.endswith(".")
    assert ".." not in sentence
    return sentence


def test_an_honest_reporter_passes():
    assert check_reporter(SPEC) == []


def hard_coded(self, case):
    """A number of nobody."""
    evidence, found = self.score(case)
    case.ledger.claim(
        "measured", "{model} gets 97 of a hundred right.", evidence, model=found["model"]
    )


def forged(self, case):
    """Past the ledger, with a number that the evidence does not hold."""
    evidence, _ = self.score(case)
    ids = (evidence.id,) if evidence else ()
    if ids:
        said = Claim(id="c1", text="It gets 97.5 % right.", level="measured", evidence=ids)
        case.ledger.claims.append(said)


def unfounded(self, case):
    """Evidence that nobody recorded."""
    said = Claim(id="c1", text="It is good.", level="measured", evidence=("e000",))
    case.ledger.claims.append(said)


def causal(self, case):
    evidence, found = self.score(case)
    case.ledger.claim("measured", "{model} has {score:.4f} because of its data.", evidence, **found)


def forged_cause(self, case):
    evidence, _ = self.score(case)
    if evidence:
        said = Claim(
            id="c1", text="It leads due to its data.", level="measured", evidence=(evidence.id,)
        )
        case.ledger.claims.append(said)


def heedless(self, case):
    """Says the same where its evidence is withheld."""
    evidence, _ = self.score(case)
    if evidence is None:
        evidence = case.ledger.observe("measurement", case.model, "again", source="here")
    case.ledger.claim("measured", "It has a score.", evidence)


def invented(self, case):
    """A number of its own, dressed as evidence."""
    evidence = case.ledger.observe("measurement", case.model, "accuracy", source="x", share=97.5)
    case.ledger.claim("measured", "It gets {share:.1f} % right.", evidence, share=97.5)


def partial(self, case):
    """Prefers a model whatever the labels say."""
    evidence, found = self.score(case)
    case.ledger.claim(
        "measured", "{model} is better, with {score:.4f}.", evidence, prefers=case.model,
        models=(case.model,), **found,
    )  # fmt: skip


def unmarked(self, case):
    evidence, found = self.score(case)
    case.ledger.claim(
        "measured", "{model} is ranked above the rest.", evidence, model=found["model"]
    )


def graphless(self, case):
    """Cites triples and does not read them."""
    triples = list(case.graph.triples())[:1] if case.graph else [("<a:a>", "<a:b>", "<a:c>")]
    evidence = case.ledger.observe("fact", "dog", "kind", source="graph", triples=triples)
    case.ledger.claim("known", "A dog is a kind of thing.", evidence)


def moody(self, case):
    evidence, found = self.score(case)
    extra = case.ledger.observe("measurement", "it", "draw", source="x", draw=self.draw.random())
    case.ledger.claim("measured", "{model} has {score:.4f}.", evidence, extra, **found)


def drawing(self, case):
    random.random()
    Honest.report(self, case)


def meddling(self, case):
    features = case.read_features(case.model)
    features.values[:] = 0
    Honest.report(self, case)


def breaking(self, case):
    Honest.report(self, case)
    return case.target.labels[0]


def stopping(self, case):
    raise NotApplicable("Nothing can be said.")


def expecting(self, case):
    evidence = case.ledger.observe("prediction", "dog", "likely part", source="model", part="tail")
    case.ledger.claim("known", "A dog has a {part}.", evidence, part="tail")


def colouring(self, case):
    evidence = case.ledger.observe("measurement", "it", "name", source="x", name="a\x1b[31m")
    case.ledger.claim("measured", "It is {name}.", evidence, name="a\x1b[31m")


@pytest.mark.parametrize(
    ("report", "words"),
    [
        (hard_coded, "a number in a sentence has to be a slot"),
        (forged, "'It gets 97.5 % right.' says '97.5', which is in none of its evidence"),
        (unfounded, "'It is good.' cites e000, which there is not"),
        (causal, "'because' names a cause, and nothing was taken away"),
        (forged_cause, "names a cause ('due to'), and nothing was taken away"),
        (heedless, "it still says 'It has a score.' without the evidence 'score'"),
        (invented, "it says 'It gets 97.5 % right.' whatever was measured"),
        (partial, "with shuffled labels it prefers a model: 'the first is better"),
        (unmarked, "with shuffled labels it prefers a model: 'the first is ranked above"),
        (graphless, "it still says 'A dog is a kind of thing.' of a graph that no longer holds"),
        (drawing, "it draws from the process's own random numbers"),
        (breaking, "report raises IndexError"),
        (stopping, "a reason must be one sentence without its full stop"),
        (expecting, "no evidence of the kind that a claim 'known' needs"),
        (colouring, "has control characters"),
    ],
)
def test_a_lie_is_one_clear_sentence(report, words):
    assert words in the_sentence(report)


def test_a_report_that_changes_its_mind_is_found():
    sentence = the_sentence(moody, draw=np.random.default_rng(0))
    assert "the same case gives another report the second time" in sentence


def test_what_lacks_a_method_or_cannot_be_made_is_said():
    assert check_reporter(SPEC, object()) == ["own: it lacks report."]
    nowhere = ReporterSpec(name="own", target="nowhere:Nobody", summary="")
    assert check_reporter(nowhere)[0].startswith("own: making it with its default options raises")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("alpha is ranked above beta by x: 2 vs 1.", "ranked above"),
        ("alpha is clearly better than beta.", "is clearly better"),
        ("2 of 3 estimators put alpha above beta.", "put alpha above"),
        ("It outperforms the rest.", "outperforms"),
        ("No model is clearly better than another: take the cheapest.", ""),
        ("Whether another is better is not known.", ""),
        ("x gives alpha 2 and beta 1.", ""),
        ("it beats 76 % of the others.", ""),
    ],
)
def test_a_preference_is_told_from_its_denial(text, words):
    assert preference_in(text) == words


SPECS = {spec.name: spec for spec in zoo_explanation.zoo_reporters()}


def reporters(names):
    from zoo.catalogue import build

    return {name: build(SPECS[name]) for name in names}


@pytest.mark.parametrize("shuffled", [False, True])
def test_of_a_hundred_random_runs_no_sentence_is_unsupported(shuffled):
    made = reporters(("preference", "classes", "layers", "lineage"))
    said, wrong, preferences = 0, [], 0
    for seed in range(100):
        case = sample_case(seed=seed, shuffled=shuffled, lacking=("graph",))
        for name, reporter in made.items():
            ledger = Ledger(name)
            with suppress(NotApplicable):
                reporter.report(replace(case, ledger=ledger))
            wrong += unsupported_claims(report_of(ledger))
            said += len(ledger.claims) + len(ledger.unknown)
            preferences += sum(bool(c.prefers or preference_in(c.text)) for c in ledger.claims)
    assert wrong == []
    assert said > 1500
    assert preferences == 0 if shuffled else preferences > 50


def test_every_claim_of_a_thousand_random_reports_cites_evidence_that_holds_its_numbers():
    draw = np.random.default_rng(0)
    for _ in range(1000):
        ledger = Ledger("random")
        for place in range(3):
            a, b = draw.normal(0, 10.0 ** draw.integers(-3, 4), 2).tolist()
            n = int(draw.integers(0, 10**6))
            one = ledger.observe("measurement", f"model-{place}", "a", source="x", a=a, n=n)
            two = ledger.derive("measurement", "both", "b", (one,), b=b)
            form = f".{draw.integers(0, 6)}{draw.choice(['f', 'e'])}"
            text = f"It has {{a:{form}}} and {{b:{form}}} of {{n:,}} in {{name}}."
            ledger.claim("measured", text, one, two, a=a, b=b, n=n, name=f"model-{place}")
        report = report_of(ledger)
        assert unsupported_claims(report) == []
        held = {each.id for each in report.evidence}
        assert all(each.evidence and held >= set(each.evidence) for each in report.claims)


def stumbles(self, case):
    Honest.report(self, case)
    return case.target.labels[0]


FAULTS = {
    "supported": hard_coded,
    "untouched-input": lambda self, case: case.cards.clear() or Honest.report(self, case),
    "same-bytes": drawing,
    "faithful": heedless,
    "no-preference-by-chance": partial,
    "missing-parts": stumbles,
    "measured": invented,
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_found_under_the_name_of_its_check(checks_that_fail, name):
    liar = type("Liar", (Honest,), {"report": FAULTS[name]})()
    assert checks_that_fail("reporter", ReporterSpec, liar) == [name]


def test_every_check_has_such_a_fault(checks_that_fail):
    assert {each.name for each in KIT.checks} == {"methods", *FAULTS}
    assert checks_that_fail("reporter", ReporterSpec, object()) == ["methods"]
