"""``zoo explain``: what it prints, what it traces, and what it refuses."""

from __future__ import annotations

import importlib.util
import io
import json
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from zoo.errors import ZooError
from zoo.explaining import journey
from zoo.explaining.history import read_history
from zoo.runs import Request, start_run
from zoo.types.explaining import Evidence, Report
from zoo_cli.explain_view import ask_senses
from zoo_cli.output import Output

_SPEC = importlib.util.spec_from_file_location(
    "sample_explanation",
    Path(__file__).parents[1] / "zoo" / "render" / "sample_explanation.py",
)
_SAMPLE = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(_SAMPLE)

MODELS = ("embedded:resnet-digits-0-4", "embedded:regnet-textures", "embedded:vit-digit-parity")
QUICK = ("--only", "preference")


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ZOO_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "100")
    return tmp_path / "home"


@pytest.fixture
def run(home, ranking):
    """A finished run over packaged models, whose scores are the fixture's."""
    made = start_run(home, Request(data="demo", models=MODELS, folder=str(home.parent)))
    rows = tuple(
        replace(row, model=model, tied=False, tied_with=())
        for row, model in zip(ranking.ranking, MODELS, strict=False)
    )
    made.mark("done", replace(ranking, run=made.name, ranking=rows, prior=(), failures=()))
    return made


@pytest.fixture
def explained(run):
    """The same, with the sample as its last explanation."""
    report = replace(_SAMPLE.sample_report(), run=run.name)
    (run.folder / "explanation.json").write_bytes(msgspec.json.encode(report))
    return report


def test_the_newest_run_is_explained_claim_by_claim(zoo, run):
    result = zoo("explain", *QUICK)
    assert result.code == 0, result.err
    assert f"The newest run: {run.name}." in result.err
    assert "Why this order" in result.out
    assert "resnet-digits-0-4 is ranked above regnet-textures" in " ".join(result.out.split())
    assert "[measured e" in result.out
    assert "Not known" in result.out
    assert f"Hint: zoo explain {run.name[-4:]} --evidence e" in result.err


def test_json_lists_claims_unknowns_and_the_evidence_of_both(zoo, run):
    document = zoo("explain", run.name[-4:], *QUICK, "--json").document
    ids = {each["id"] for each in document["evidence"]}
    for claim in (*document["claims"], *document["unknown"]):
        assert claim["text"]
        assert claim["level"] in {"measured", "known", "supported", "not known"}
        assert claim["evidence"]
        assert set(claim["evidence"]) <= ids
    assert document["claims"]
    assert document["schema_version"] == 1
    assert (document["run"], document["model"]) == (run.name, MODELS[0])
    again = zoo("explain", run.name[-4:], *QUICK, "--json").document
    assert again == document


@pytest.mark.parametrize(
    ("arguments", "pair"),
    [
        ((), (0, 1)),
        (("--model", "2"), (1, 0)),
        (("-m", "vit-digit-parity"), (2, 0)),
        (("-m", MODELS[2], "--against", "2"), (2, 1)),
    ],
)
def test_models_are_named_by_reference_by_their_last_part_or_by_rank(zoo, run, arguments, pair):
    document = zoo("explain", run.name, *arguments, *QUICK, "--json").document
    assert (document["model"], document["against"]) == tuple(MODELS[each] for each in pair)


def test_quiet_prints_ids_and_lines_are_claims(zoo, run):
    quiet = zoo("explain", run.name, *QUICK, "-q")
    assert quiet.out.split()[:2] == ["c1", "c2"]
    assert quiet.err == ""
    lines = zoo("explain", run.name, *QUICK, "--format", "jsonl").out.splitlines()
    assert [json.loads(line)["id"] for line in lines] == quiet.out.split()
    written = zoo("explain", run.name, *QUICK, "--format", "md").out
    assert written.startswith("# ")
    assert "## Evidence" in written


def test_the_page_has_the_ranking_and_the_claims(zoo, run, home):
    result = zoo("explain", run.name, *QUICK, "--html", "why.html")
    assert result.code == 0, result.err
    page = (home.parent / "why.html").read_text(encoding="utf-8")
    assert "The ranking" in page
    assert 'id="c1"' in page
    assert "Page: why.html" in result.err


def test_a_sentence_is_traced_in_the_last_explanation(zoo, run):
    document = zoo("explain", run.name, "--model", "2", *QUICK, "--json").document
    claim = document["claims"][0]
    traced = zoo("explain", run.name, "--evidence", claim["evidence"][0])
    assert traced.code == 0, traced.err
    assert traced.out.startswith(f"{claim['evidence'][0]}  measurement: ")
    assert f"source: ranking.json of run {run.name}" in traced.out
    assert "sha256: " in traced.out
    assert f"cited by {claim['id']} (measured)" in traced.out
    whole = zoo("explain", run.name, "--evidence", claim["id"], "--json").document
    assert whole["claim"]["text"] == claim["text"]
    assert {each["id"] for each in whole["evidence"]} >= set(claim["evidence"])
    quiet = zoo("explain", run.name, "--evidence", claim["id"], "-q").out.split()
    assert quiet == [each["id"] for each in whole["evidence"]]


def test_without_a_kept_explanation_one_is_made_to_trace(zoo, run):
    (run.folder / "explanation.json").write_text("{ damaged", encoding="utf-8")
    result = zoo("explain", run.name, "--evidence", "c1", *QUICK)
    assert result.code == 0, result.err
    assert "c1: measured" in result.out
    kept = msgspec.json.decode((run.folder / "explanation.json").read_bytes(), type=Report)
    assert kept.run == run.name


def test_nodes_are_named_by_the_graph_where_there_is_one(zoo, explained, home):
    from zoo.graph import open_graph

    path = next(each for each in explained.evidence if each.predicate == "hypernym path")
    assert "wn:hypernym oewn-00000003-n" in zoo("explain", "--evidence", path.id).out
    assert not (home / "graph").exists()
    with open_graph(home) as graph:
        graph.store.load(f'{_SAMPLE.node(3)} <{_SAMPLE.LABEL}> "herb" .'.encode(), _ntriples())
        graph.keep()
    assert "wn:hypernym herb (oewn-00000003-n)" in zoo("explain", "--evidence", path.id).out


def _ntriples():
    from pyoxigraph import RdfFormat

    return RdfFormat.N_TRIPLES


BROKEN = """
    from zoo.hookspecs import hookimpl
    from zoo.types import ReporterSpec

    @hookimpl
    def zoo_reporters():
        return (ReporterSpec(name="noisy", target="zoo_noisy:Noisy", summary="breaks"),
                ReporterSpec(name="silent", target="zoo_noisy:Silent", summary="says nothing"))

    class Noisy:
        def report(self, case):
            raise RuntimeError("it broke <b>badly</b>")

    class Silent:
        def report(self, case):
            from zoo.errors import NotApplicable
            raise NotApplicable("nobody asked")
"""


def test_a_reporter_that_breaks_is_named_and_the_others_speak(zoo, run, stranger):
    stranger("zoo-noisy", BROKEN)
    result = zoo("explain", run.name, *QUICK, "--only", "noisy")
    assert result.code == 3
    assert "Failed: zoo-noisy" in result.out
    assert "it broke <b>badly</b>" in " ".join(result.out.split())
    assert "Why this order" in result.out
    document = zoo("explain", run.name, "--only", "noisy", "--json")
    assert document.code == 3
    assert document.document["failures"][0]["plugin"].startswith("zoo-noisy")


def test_nothing_to_say_is_code_four(zoo, run, stranger):
    stranger("zoo-noisy", BROKEN)
    result = zoo("explain", run.name, "--only", "silent")
    assert result.code == 4
    assert "Nobody asked." in result.out
    assert "Nothing can be said but what is not known." in result.err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("nope",), "no run called 'nope'"),
        (("{run}", "-m", "resnet-digits"), "Did you mean 'resnet-digits-0-4'?"),
        (("{run}", "-m", "9"), "there is no model of rank 9"),
        (("{run}", "-m", "1", "--against", "1"), "cannot be compared with itself"),
        (("{run}", "--only", "prefrence"), "Did you mean 'preference'?"),
        (("{run}", "--html", "no/why.html"), "does not exist"),
        (("{run}", "--sense", "crane"), "not of the form LABEL=SENSE"),
        (("{run}", "--history", "gone.csv"), "gone.csv cannot be read"),
        (("{run}", "--data", "photos"), "--data says what --unseen is tried on"),
        (("{run}", "--evidence", "e0", *QUICK), "no evidence or claim called 'e0'"),
        (("--unseen", "zebra"), "name it, as in zoo explain ./classifier --unseen zebra"),
        (("./m", "--unseen", "zebra", "--against", "2"), "--against asks about a run"),
        (("./gone", "--unseen", "zebra"), "./gone does not exist"),
    ],
)
def test_a_bad_question_is_one_sentence(zoo, run, arguments, sentence):
    result = zoo("explain", *(each.format(run=run.name) for each in arguments))
    assert result.code == 2
    assert sentence in " ".join(result.err.split())
    assert "Traceback" not in result.err
    assert result.out == ""


def test_two_models_of_one_name_have_to_be_told_apart(zoo, run):
    rows = run.ranking.ranking
    twins = (replace(rows[0], model="./a/vit"), replace(rows[1], model="./b/vit"))
    run.mark("done", replace(run.ranking, ranking=twins))
    result = zoo("explain", run.name, "--model", "vit")
    assert result.code == 2
    assert "could be any of ./a/vit, ./b/vit" in result.err


def test_a_run_without_a_ranking_says_how_to_go_on(zoo, run, empty_ranking):
    (run.folder / "ranking.json").unlink()
    run.mark("interrupted")
    result = zoo("explain", run.name)
    assert result.code == 2
    assert f"run {run.name} has no ranking yet: it is interrupted." in result.err
    assert f"zoo recommend --resume {run.name}" in result.err
    run.mark("failed", empty_ranking)
    assert "ranked no model" in zoo("explain", run.name).err


def test_without_any_run_the_first_step_is_named(zoo, home):
    result = zoo("explain")
    assert result.code == 2
    assert "there is no run yet" in result.err
    assert "zoo recommend --demo" in result.err


def test_a_page_that_cannot_be_written_leaves_one_sentence(zoo, run, home):
    (home.parent / "taken").mkdir()
    result = zoo("explain", run.name, *QUICK, "--html", "taken")
    assert result.code == 2
    assert "Traceback" not in result.err


@pytest.fixture
def carried_out(run, monkeypatch):
    """Resume the run without measuring anything again; one reporter explains it."""
    explain = journey.explain_run
    monkeypatch.setattr("zoo.api.carry_out", lambda run, *_, **__: run.ranking)
    monkeypatch.setattr(
        journey, "explain_run", lambda *given, **how: explain(*given, **how, only=QUICK[1:])
    )
    return run


def test_recommend_explains_in_the_same_document_and_page(zoo, home, carried_out):
    asked = ("recommend", "--resume", carried_out.name, "--explain")
    result = zoo(*asked, "--html", "r.html", "--json")
    assert result.code == 0, result.err
    assert [row["rank"] for row in result.document["ranking"]] == [1, 2, 3]
    assert result.document["explanation"]["claims"]
    assert 'id="c1"' in (home.parent / "r.html").read_text(encoding="utf-8")
    short = carried_out.name[-4:]
    assert f"Next: zoo explain {short} | zoo runs show {short} --html report.html" in result.err
    assert (carried_out.folder / "explanation.json").exists()
    shown = zoo(*asked).out
    assert shown.index("SCORE") < shown.index("Why this order") < shown.index("Not known")


def test_an_explanation_that_cannot_be_made_costs_nobody_the_ranking(zoo, carried_out, monkeypatch):
    def refuse(*_, **__):
        raise ZooError("another process holds it.", "Try again.")

    monkeypatch.setattr(journey, "explain_run", refuse)
    result = zoo("recommend", "--resume", carried_out.name, "--explain", "--json")
    assert result.code == 3
    assert result.document["explanation"] is None
    assert "another process holds it." in result.err


@pytest.mark.exhaustive
def test_recommend_explains_what_it_has_measured(zoo, home):
    few = ("--permutations", 5, "--folds", 3, "--probe-size", 40, "--device", "cpu", "--offline")
    models = [part for each in MODELS[:2] for part in ("-m", each)]
    result = zoo("recommend", "--demo", *models, *few, "--explain", "--json")
    assert result.code == 0, result.err
    topics = {each["topic"] for each in result.document["explanation"]["claims"]}
    assert len(topics) > 1


HISTORY = (
    "source,target,value,metric,logme,source_labels\na,x,0.9,accuracy,1.5,cat; dog\nb,x,0.7,,,\n"
)


def test_a_history_has_results_quantities_and_classes(tmp_path):
    (tmp_path / "history.csv").write_text(HISTORY, encoding="utf-8")
    first, second = read_history(tmp_path / "history.csv")
    assert (first.source, first.target, first.value) == ("a", "x", 0.9)
    assert first.quantities == {"logme": 1.5}
    assert first.source_labels == ("cat", "dog")
    assert first.origin == "history.csv, line 2"
    assert (second.metric, second.quantities, second.source_labels) == ("accuracy", {}, ())


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("source,value\na,1\n", "has no column 'target'; it has: source, value."),
        ("source,target,value\na,x,good\n", "line 2, column 'value': 'good' is no number."),
        ("model,set,value,size\na,x,1,big\n", "line 2, column 'size': 'big' is no number."),
        ("source,target,value\n", "has no row below a header."),
    ],
)
def test_a_bad_history_is_one_sentence(zoo, run, home, content, sentence):
    (home.parent / "h.csv").write_text(content, encoding="utf-8")
    result = zoo("explain", run.name, "--history", "h.csv")
    assert result.code == 2
    assert sentence in result.err


def test_help_imports_nothing_heavy():
    code = (
        "import sys; from zoo_cli.main import run; run(['explain', '--help']); "
        "print('MODULES', *sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.rpartition("MODULES")[2].split())
    assert not loaded & {"torch", "numpy", "jinja2", "matplotlib", "pyoxigraph", "rdflib", "rich"}


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_person_at_a_terminal_is_asked_which_sense_is_meant(monkeypatch):
    crane = Evidence(
        id="e1",
        kind="alignment",
        subject="crane",
        predicate="is taken for",
        object={
            "undecided": True,
            "label": "crane",
            "sense": "crane",
            "gloss": "lifts heavy objects",
            "iri": "urn:machine",
            "alternatives": [{"sense": "crane", "gloss": "a large bird", "iri": "urn:bird"}],
        },
    )
    report = Report(subject="ranking", title="", evidence=(crane,))
    monkeypatch.setattr("sys.stderr", Terminal())
    monkeypatch.setattr("sys.stdin", Terminal("2\n"))
    assert ask_senses(Output(), report) == {"crane": "urn:bird"}
    assert "2  crane: a large bird" in sys.stderr.getvalue()
    monkeypatch.setattr("sys.stdin", io.StringIO("2\n"))
    assert ask_senses(Output(), report) == {}
    assert ask_senses(Output(mode="json"), report) == {}
