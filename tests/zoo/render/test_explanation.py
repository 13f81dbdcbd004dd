"""Explanations on a terminal and as Markdown, and traces of what they rest on."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest
from msgspec.structs import replace

from zoo.errors import InputError
from zoo.render.explanation import claim_rows, text, wrapped
from zoo.render.explanation_markdown import code, escaped, markdown
from zoo.render.explanation_parts import clean, found_text, path_text, paths_of, rests_on
from zoo.render.explanation_trace import check_command, shortened, trace, trace_text
from zoo.types.explaining import Claim, Evidence, Figure, Report

_SPEC = importlib.util.spec_from_file_location(
    "sample_explanation", Path(__file__).with_name("sample_explanation.py")
)
_SAMPLE = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(_SAMPLE)


@pytest.fixture(scope="module")
def report():
    return _SAMPLE.sample_report()


def claim(words, **attributes):
    return Claim(id="c1", text=words, level="known", evidence=("e1",), **attributes)


EMPTY = Report(subject="ranking", title="Nothing")


def test_every_claim_stands_under_its_topic_with_level_and_evidence(report):
    said = " ".join(text(report).split())
    for each in (*report.claims, *report.unknown):
        ids = " ".join(each.evidence)
        words = f"{each.level}, tentative" if each.tentative else each.level
        assert f"[{words} {ids}]" in said
        assert clean(each.text) in re.sub(r"\[[a-z, ]+ e[\de ]\w[\w ]*\] ", "", said)
    headings = [each for each in text(report).splitlines() if each and each[0] != " "]
    assert headings[1:4] == ["Why this order", "Class by class", "What the models have seen"]


@pytest.mark.parametrize("width", [40, 60, 100])
def test_no_line_is_wider_than_the_terminal(report, width):
    lines = text(report, width).splitlines()
    assert max(map(len, lines)) <= width


def test_colour_adds_nothing_to_what_is_said(report):
    plain = text(report)
    painted = text(report, paint=lambda words, role: f"\x1b[1m{words}\x1b[0m" if role else words)
    assert re.sub(r"\x1b\[\dm", "", painted) == plain


def test_what_is_not_known_has_a_section_even_when_it_is_empty():
    assert "Not known\n  No reporter listed anything" in text(EMPTY)
    assert "## Not known\n\n* No reporter listed anything" in markdown(EMPTY)


def test_failures_credits_and_guesses_are_named(report):
    said = text(report)
    assert "Failed: report noisy: it <b>broke</b>. zoo plugins check noisy" in said
    assert "From the graph wordnet: 412 345 triples, CC-BY-4.0. Open WordNet." in said
    assert "[known, tentative " in said


def test_a_path_is_a_chain_that_turns_at_the_common_ancestor(report):
    assert "daisy -> composite plant -> herb -> vascular plant <- orchid" in text(report, 200)
    turned = Figure(
        kind="path", title="t", description="d", evidence=("e1",),
        data={"paths": [{"nodes": ["a", "b", "c", "d"], "links": ["in", "in", "has"]},
                        {"nodes": ["a", "b"], "links": []}, {"nodes": []}]},
    )  # fmt: skip
    assert [path_text(each) for each in paths_of(turned)] == ["a -> b -> c <- d", "a -> b"]


def test_wide_tables_become_lines_on_a_narrow_terminal(report):
    assert "daisy: resnet-50 0.96, mobilenet_v2_1.0_224 0.91" in text(report, 60)


def test_control_characters_of_strangers_reach_nobody():
    hostile = "a\x1b[31mb\u202ec\x00d\x9be\nf\u200bg"
    report = replace(EMPTY, title=hostile, claims=(claim(hostile, topic=hostile),))
    for written in (text(report), markdown(report)):
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b\u202e]", written)
        assert "a[31mbcde fg" in written.replace("\\", "")


def test_models_are_named_as_people_name_them(report):
    commit = "1f2e3d4c5b6a79881f2e3d4c5b6a79881f2e3d4c"
    model = f"hub:org/vit@{commit}"
    said = text(replace(EMPTY, model=model, claims=(claim(f"{model} is first.", models=(model,)),)))
    assert "org/vit@1f2e3d4 is first." in said
    assert claim_rows(report)[0]["models"] == [_SAMPLE.A, _SAMPLE.B]


HOSTILE = (
    "# heading",
    "1. list",
    "- list",
    "> quote",
    "[here](javascript:alert(1))",
    "![x](http://evil.example/x.png)",
    "<script>alert(1)</script>",
    "a | b",
    "`code` *bold* _it_ ~~gone~~ $x$",
    "&lt;b&gt;",
    "http://evil.example www.evil.example",
    "\\[not escaped\\](x)",
)


@pytest.mark.parametrize("words", HOSTILE)
def test_labels_and_cards_stay_text_in_markdown(words):
    html = pytest.importorskip("markdown_it").MarkdownIt("commonmark").enable("table")
    report = replace(
        EMPTY,
        claims=(claim(words, topic=words),),
        evidence=(
            Evidence(id="e1", kind="fact", subject=words, predicate="p", object={"x": words}),
        ),
    )  # fmt: skip
    page = html.render(markdown(report))
    shown = re.sub(r"<code>.*?</code>", "", page)
    assert not re.search(r"<(script|img|a|blockquote|ol|strong|hr|del)\b", shown)
    assert page.count("<h1>") == 1
    assert re.findall(r"<h2>(.*?)</h2>", page)[1:] == ["Not known", "Evidence", "Provenance"]
    rows = re.findall(r"<tr>(.*?)</tr>", page, flags=re.DOTALL)
    assert [row.count("<td") + row.count("<th") for row in rows] == [7, 7]


def test_what_markdown_would_read_is_escaped():
    assert escaped("[a](b)") == "\\[a\\](b)"
    assert escaped("1. a") == "1\\. a"
    assert escaped("<b>&") == "&lt;b>&amp;"
    assert code("a `b`") == "`` a `b` ``"
    assert code("") == ""


def test_markdown_has_claims_tables_evidence_and_provenance(report):
    written = markdown(report)
    for each in (*report.claims, *report.unknown):
        assert all(f"`{name}`" in written for name in each.evidence)
    assert "| daisy | 0.96 | 0.91 |" in written
    assert "| embeddings | 0.2 | 0.15 |" in written
    assert "*known, tentative*" in written
    assert "* run: `2026-11-20-a1f3`" in written


def test_a_claim_is_traced_down_to_what_nothing_was_derived_from(report):
    found = trace(report, "c1")
    assert [each.id for each in found.evidence][:2] == list(found.claim.evidence)
    assert {each.predicate for each in found.evidence} == {
        "score", "order in resamples", "agreement"
    }  # fmt: skip
    said = trace_text(found, report)
    assert said.splitlines()[1] == "c1: measured"
    assert "sha256: " + "9f" * 32 in said
    assert "check: zoo runs show 2026-11-20-a1f3 --json" in said
    assert ": see above" in said


def test_a_piece_of_evidence_shows_triples_by_name_and_the_query_that_finds_it(report):
    path = next(each for each in report.evidence if each.predicate == "hypernym path")
    said = trace_text(trace(report, path.id), report)
    start = "triple: daisy (oewn-00000001-n) wn:hypernym composite plant (oewn-00000002-n)"
    assert start in said
    assert "triple: daisy (oewn-00000001-n) skos:prefLabel 'daisy'" in said
    assert "check: zoo graph query 'SELECT ?x WHERE" in said
    assert "cited by c4 (known, tentative): The nearest training class" in said
    named = trace_text(trace(report, path.id), report, name_of=lambda iri: f"N{iri[-3]}")
    assert "N3 (oewn-00000003-n) wn:hypernym N4" in named


def test_an_unknown_id_names_the_nearest_and_where_to_look(report):
    with pytest.raises(InputError) as caught:
        trace(report, "c11")
    assert "Did you mean 'c1'?" in caught.value.message
    assert "zoo explain 2026-11-20-a1f3 --json" in caught.value.hint


def test_evidence_is_found_again_by_a_command():
    of = {"id": "e1", "kind": "fact", "subject": "a", "predicate": "p"}
    triple = ("<urn:a>", "<urn:b>", '"it\'s"')
    assert check_command(Evidence(**of)) == ""
    assert check_command(Evidence(**of, check="zoo runs show x")) == "zoo runs show x"
    asked = check_command(Evidence(**of, triples=(triple,)))
    assert asked == "zoo graph query 'ASK { <urn:a> <urn:b> \"it'\"'\"'s\" }'"


def test_iris_are_shortened_by_the_longest_prefix():
    assert shortened("urn:zoo:model:org/vit") == "model:org/vit"
    assert shortened("http://www.w3.org/2004/02/skos/core#prefLabel") == "skos:prefLabel"
    assert shortened("https://example.org/a/b/") == "b"


def test_evidence_may_rest_on_itself_without_end():
    of = {"kind": "fact", "subject": "a", "predicate": "p"}
    loop = (
        Evidence(id="e1", derived_from=("e2",), **of),
        Evidence(id="e2", derived_from=("e1",), **of),
    )
    report = replace(EMPTY, evidence=loop)
    assert [each.id for each in rests_on(report, ["e1"])] == ["e1", "e2"]
    assert "e1: see above" in trace_text(trace(report, "e1"), report)


def test_long_lists_are_cut_and_say_so():
    evidence = Evidence(
        id="e1", kind="fact", subject="a", predicate="p",
        object={"n": list(range(9)), "nothing": None, "share": 0.123456, "sure": True},
    )  # fmt: skip
    assert found_text(evidence) == (
        "n: 0, 1, 2, 3, 4, 5 and 3 more; nothing: -; share: 0.1235; sure: yes"
    )


def test_wide_characters_count_twice():
    assert wrapped("雛菊 雛菊 雛菊", 9) == ["雛菊 雛菊", "雛菊"]
    assert wrapped("", 9) == []
