"""Reporters are asked one by one: what each says, and what becomes of those that break."""

from __future__ import annotations

import sys
import types

import msgspec
import pytest

from zoo.errors import InputError, NotApplicable, UnknownNameError
from zoo.explaining.checking import unsupported_claims
from zoo.explaining.ledger import Ledger
from zoo.explaining.telling import ask, compose, reporters
from zoo.graph import Graph, GraphInfo
from zoo.hookspecs import hookimpl
from zoo.types import Claim, Figure, ReporterSpec
from zoo.types.reporting import Case

HERE = "zoo_test_reporters"


def observed(case, value=0.75):
    return case.ledger.observe("measurement", case.model, "score", source="x", value=value)


def plain(self, case):
    case.ledger.claim("measured", "It has {value}.", observed(case), value=0.75)


def headed(self, case):
    nothing = case.ledger.observe("absence", case.model, "part", source="graph")
    case.ledger.claim("not known", "No part is known.", nothing, topic="Parts")
    case.ledger.claim("not known", "Nor is a whole.", nothing)


def broken(self, case):
    plain(self, case)
    raise ZeroDivisionError("two\nlines")


def leaving(self, case):
    plain(self, case)
    sys.exit("enough")


def interrupted(self, case):
    raise KeyboardInterrupt


def silent(self, case):
    plain(self, case)
    raise NotApplicable("there are 7 'reasons',\n because of it.")


def mute(self, case):
    raise NotApplicable("")


def asking(self, case):
    raise InputError("crane has no sense #9.", "zoo graph show crane")


def numbered(self, case):
    case.ledger.claim("measured", "It beats 3 of 4.", observed(case))


def forged(self, case):
    """Say something past the ledger, after something that is true."""
    plain(self, case)
    ids = (observed(case).id,)
    ledger = case.ledger
    ledger.claims += [
        Claim(id="c9", text="It gets 97 % right.", level="measured", evidence=ids),
        Claim(id="c9", text="It is 'good'.", level="measured", evidence=ids),
        Claim(id="c9", text="It is sound.", level="known", evidence=ids),
        Claim(id="c9", text="It is sure.", level="certain", evidence=ids),
        Claim(id="c9", text="It leads thanks to it.", level="measured", evidence=ids),
        Claim(id="c9", text="It was seen.", level="measured", evidence=("e0",)),
    ]
    ledger.unknown.append(Claim(id="u1", text="9 are lost.", level="not known", evidence=ids))
    plain(self, case)


def drawing(self, case):
    """Draw evidence that there is, and some that there is not."""
    case.ledger.figure("bars", "Scores", "One bar.", observed(case), topic="Bars")
    for name in ("Nothing", "Nowhere"):
        ids = (f"e-{name}",)
        drawn = Figure(kind="bars", title=name, description="A bar.", evidence=ids)
        case.ledger.figures.insert(0, drawn)


def deriving(self, case):
    first = observed(case)
    second = case.ledger.derive("measurement", case.model, "half", [first], value=0.375)
    observed(case, 9)
    case.ledger.claim("measured", "Half of it is {value}.", second, value=0.375)


ORDER = {plain: 30, headed: 10, broken: 20, leaving: 20}
EVERYBODY = (
    plain, headed, broken, leaving, interrupted, silent, mute, asking, numbered, forged, drawing,
    deriving,
)  # fmt: skip


@pytest.fixture
def catalogue(catalogue):
    """The same, with reporters that behave and reporters that do not."""
    plugin = types.ModuleType(HERE)
    specs = [
        ReporterSpec(
            name=report.__name__,
            target=f"{HERE}:{report.__name__}",
            summary="t",
            order=ORDER.get(report, 50),
            topic="Scores" if report is plain else "",
            needs=("attributions", "graph") if report is headed else (),
        )
        for report in EVERYBODY
    ]
    specs.append(
        ReporterSpec(name="elsewhere", target=f"{HERE}:plain", summary="t", subject="class")
    )
    for report in EVERYBODY:
        setattr(plugin, report.__name__, type(report.__name__, (), {"report": report}))
    plugin.zoo_reporters = hookimpl(lambda: specs)
    sys.modules[HERE] = plugin
    catalogue.host.register(plugin, "test:reporters")
    yield catalogue
    del sys.modules[HERE]


@pytest.fixture
def told(catalogue):
    """Let reporters speak of a case: the report."""

    def tell(*names, graph=None, **options):
        case = Case(ledger=Ledger(), model="alpha", seed=7, graph=graph)
        specs = [catalogue.spec("reporter", name) for name in names]
        ledgers, failures = ask(case, specs, catalogue, options=options)
        report = compose(ledgers, failures, case, subject="ranking", title="alpha")
        assert unsupported_claims(report) == []
        return report

    return tell


def texts(claims):
    return [each.text for each in claims]


def test_reporters_come_in_their_order_and_then_by_name(catalogue):
    names = [spec.name for spec in reporters(catalogue, "ranking", ())]
    assert names[:4] == ["headed", "broken", "leaving", "plain"]
    assert names[4:] == sorted(names[4:])
    assert "elsewhere" not in names
    assert [spec.name for spec in reporters(catalogue, "class", ())] == ["elsewhere"]


def test_those_that_need_what_nobody_wants_to_give_are_left_out_unless_they_are_named(catalogue):
    names = [spec.name for spec in reporters(catalogue, "ranking", (), without=("attributions",))]
    assert "headed" not in names
    assert "plain" in names
    only = reporters(catalogue, "ranking", ("plain", "headed", "plain"), without=("attributions",))
    assert [spec.name for spec in only] == ["headed", "plain"]


@pytest.mark.parametrize(
    ("name", "words"),
    [("plane", "Did you mean 'plain'?"), ("elsewhere", "no reporter called 'elsewhere'")],
)
def test_a_reporter_that_there_is_not_for_the_subject_is_refused(catalogue, name, words):
    with pytest.raises(UnknownNameError) as error:
        reporters(catalogue, "ranking", ("plain", name))
    assert words in error.value.message
    assert error.value.hint == "zoo plugins list --hook zoo_reporters"


def test_claims_are_numbered_through_and_stand_under_a_heading(told):
    report = told("plain", "headed", "plain")
    assert [each.id for each in (*report.claims, *report.unknown)] == ["c1", "c2", "u1", "u2"]
    assert [each.topic for each in report.claims] == ["Scores", "Scores"]
    assert [each.topic for each in report.unknown] == ["Parts", "headed"]
    assert report.seed == 7
    assert report.versions["zoo-reuse"]


def test_equal_evidence_of_two_reporters_is_kept_once_with_all_that_it_rests_on(told):
    report = told("deriving", "plain")
    half, whole = report.evidence
    assert half.derived_from == (whole.id,)
    assert [each.evidence for each in report.claims] == [(half.id,), (whole.id,)]


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("broken", "ZeroDivisionError: two"),
        ("leaving", "SystemExit: enough"),
        ("numbered", "reporter 'numbered' may not say 'It beats 3 of 4.': a number"),
    ],
)
def test_a_reporter_that_breaks_is_one_failure_and_the_others_speak(told, name, error):
    report = told("plain", name, "headed")
    (failure,) = report.failures
    assert failure.stage == f"report {name}"
    assert failure.error.startswith(error)
    assert failure.plugin == "test:reporters"
    assert report.claims[0].text == "It has 0.75."
    assert len(report.unknown) == 2


def test_what_it_said_before_it_broke_stands(told):
    assert texts(told("broken").claims) == ["It has 0.75."]


def test_a_person_who_interrupts_gets_through(told):
    with pytest.raises(KeyboardInterrupt):
        told("plain", "interrupted")


def test_bad_input_that_a_reporter_finds_reaches_the_person(told):
    with pytest.raises(InputError, match="crane has no sense #9"):
        told("plain", "asking")


def test_options_go_to_the_reporter_they_name(told):
    with pytest.raises(InputError, match="depth"):
        told("plain", plain={"depth": 3})


def test_a_reason_for_silence_is_listed_as_not_known(told):
    report = told("silent", "mute")
    reason = "there are 7 'reasons', because of it"
    assert texts(report.unknown) == [f"T{reason[1:]}.", "Mute has nothing to say."]
    (evidence,) = [each for each in report.evidence if each.id == report.unknown[0].evidence[0]]
    assert (evidence.kind, evidence.source) == ("absence", "reporter silent")
    assert evidence.object == {"reason": f"T{reason[1:]}"}
    assert texts(report.claims) == ["It has 0.75."]
    assert report.failures == ()


def test_a_claim_past_the_ledger_is_left_out_and_named(told):
    report = told("forged", "plain")
    assert texts(report.claims) == ["It has 0.75."] * 3
    assert [each.id for each in report.claims] == ["c1", "c2", "c3"]
    assert report.unknown == ()
    assert {each.stage for each in report.failures} == {"report forged"}
    said = ("It gets 97 % right.", "It is 'good'.", "It is sound.", "It is sure.",
            "It leads thanks to it.", "It was seen.", "9 are lost.")  # fmt: skip
    assert [each.error for each in report.failures] == [
        f"{text!r} is more than its evidence." for text in said
    ]


def test_a_drawing_of_nothing_is_left_out_and_named(told):
    report = told("drawing")
    assert [(each.title, each.topic, each.reporter) for each in report.figures] == [
        ("Scores", "Bars", "drawing")
    ]
    assert {each.id for each in report.evidence} == set(report.figures[0].evidence)
    assert sorted(each.error for each in report.failures) == [
        "'Nothing' is more than its evidence.",
        "'Nowhere' is more than its evidence.",
    ]


def test_graphs_that_were_read_are_listed_without_those_of_runs(told):
    assert told("plain").graphs == ()
    graph = Graph.in_memory(words=b"<a:b> <a:c> <a:d> .", animals=b"<a:b> <a:c> <a:e> .")
    graph.infos["run:one"] = GraphInfo(name="run:one", triples=5)
    (animals, words) = told("plain", graph=graph).graphs
    assert (animals.name, words.name, words.triples) == ("animals", "words", 1)


def test_equal_cases_make_equal_reports(told):
    names = ("headed", "deriving", "forged", "drawing", "broken")
    assert msgspec.json.encode(told(*names)) == msgspec.json.encode(told(*names))
