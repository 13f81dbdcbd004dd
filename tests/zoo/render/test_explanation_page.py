"""Explanations as one HTML page."""

from __future__ import annotations

import importlib.util
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from msgspec.structs import replace

from zoo.errors import InputError
from zoo.render import html
from zoo.render.explanation_figures import bar_rows, picture_rows
from zoo.render.explanation_page import explanation_html, write_explanation_html
from zoo.types.explaining import Claim, Evidence, Figure, Report

_SPEC = importlib.util.spec_from_file_location(
    "sample_explanation", Path(__file__).with_name("sample_explanation.py")
)
_SAMPLE = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(_SAMPLE)

VOID = {"meta", "img", "br", "rect", "path", "use", "line", "link"}


class Reader(HTMLParser):
    """Tags, attributes and text of a page; fails on tags that do not match."""

    def __init__(self, page):
        super().__init__()
        self.open, self.tags, self.attributes, self.said = [], [], [], []
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.said.append(data)


@pytest.fixture(scope="module")
def report():
    return _SAMPLE.sample_report()


@pytest.fixture(scope="module")
def page(report):
    return explanation_html(report)


@pytest.fixture(scope="module")
def read(page):
    return Reader(page)


def test_every_claim_has_its_level_as_a_word_and_links_to_its_evidence(report, page):
    for each in (*report.claims, *report.unknown):
        item = page[page.index(f'<li class="claim" id="{each.id}">') :].partition("</li>")[0]
        assert f">{each.level}</span>" in item
        assert (">tentative</span>" in item) == each.tentative
        assert re.findall(r'href="#(\w+)"', item) == list(each.evidence)


def test_anchors_lead_somewhere_and_ids_are_unique(read):
    ids = [value for name, value in read.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    targets = [value for name, value in read.attributes if name == "href"]
    assert {each.removeprefix("#") for each in targets} <= set(ids)
    labelled = " ".join(value for name, value in read.attributes if name == "aria-labelledby")
    assert set(labelled.split()) <= set(ids)


def test_the_page_asks_for_nothing_and_runs_nothing(page, read):
    assert "script" not in read.tags
    assert "link" not in read.tags
    assert not [name for name, _ in read.attributes if name.startswith("on")]
    linked = [value for name, value in read.attributes if name in ("src", "href")]
    assert all(each.startswith(("#", "data:image/png;base64,")) for each in linked)
    assert not re.search(r"@import|url\((?!#)", page)


def test_strangers_texts_are_shown_as_they_are(read):
    said = " ".join(read.said)
    assert "<script>alert('x')</script> [here](javascript:alert(1))" in said
    assert "rose <img src=x>" in said
    assert "any of several <b>herbs</b>" in said
    assert read.tags.count("img") == 2


HOSTILE = (
    "<script>alert(1)</script>",
    "\"'><img src=x onerror=alert(1)>",
    "javascript:alert(1)",
    "</title></svg><b>",
    "]]><!--",
    "$\\alpha$ _under {{ 7*7 }}",
)


@pytest.mark.parametrize("words", HOSTILE)
def test_a_hostile_label_is_text_wherever_it_stands(words):
    figure = {"title": words, "description": words, "evidence": ("e1",), "topic": words}
    data = {
        "path": {"paths": [{"caption": words, "nodes": [words, "b", words], "links": [words]}]},
        "bars": {"names": [words, words], "rows": [{"label": words, "values": [1, words]}]},
        "curve": {"layers": [words], "series": [{"name": words, "values": [1], "chosen": 0}]},
        "images": {"rows": [{"caption": words, "images": [{"png": _SAMPLE.png(9), "alt": words}]}]},
    }  # fmt: skip
    data["bars"]["rows"][0]["values"][1] = None
    report = Report(
        subject="ranking", title=words, run=words, model=words, data=words,
        claims=(Claim(id="c1", text=words, level="known", evidence=("e1",), topic=words),),
        evidence=(Evidence(id="e1", kind="fact", subject=words, predicate=words,
                           object={words: words}, source=words, sha256=words, check=words,
                           triples=(("<a>", "<b>", f'"{words}"'),)),),
        figures=tuple(Figure(kind=kind, data=each, **figure) for kind, each in data.items()),
        versions={words: words},
    )  # fmt: skip
    read = Reader(explanation_html(report))
    assert "script" not in read.tags
    assert read.tags.count("img") == 1
    assert not [name for name, _ in read.attributes if name.startswith("on")]
    assert not [v for name, v in read.attributes if name == "href" and not v.startswith("#")]
    assert " ".join(words.split()) in " ".join(read.said)


def test_drawings_have_titles_descriptions_and_the_words_of_their_links(page, read):
    drawings = page.count('role="img"')
    assert drawings == page.count("<desc") == 4
    assert read.tags.count("svg") > drawings  # the bars say their numbers beside them
    assert page.count(">is a kind of</text>") == 8
    assert "daisy / is a kind of / composite plant / is a kind of / herb" in page
    assert 'alt="resnet-50: the flower&#39;s middle is bright"' in page


def test_the_evidence_table_says_source_digest_triples_and_how_to_check(report, page):
    for each in report.evidence:
        assert f'<tr id="{each.id}">' in page
    assert "not confirmed" in page
    assert "9f" * 32 in page
    assert "composite plant (oewn-00000002-n) wn:hypernym oewn-00000003-n" in page
    assert "zoo graph query &#39;SELECT ?x WHERE" in page


def test_only_real_pictures_are_shown():
    rows = [{"caption": "c", "images": [{"png": bad, "alt": "a"} for bad in ("", "AAAA", "<x>")]}]
    figure = Figure(kind="images", title="t", description="d", evidence=("e",), data={"rows": rows})
    assert picture_rows(figure) == [{"caption": "c", "images": []}]


def test_bars_share_one_scale_and_keep_their_sign():
    rows = [{"label": "a", "values": [50.0, -25.0]}, {"label": "b", "values": [None, 0]}]
    figure = Figure(
        kind="bars", title="t", description="d", evidence=("e",), data={"names": "xy", "rows": rows}
    )
    (first, second) = [each["bars"] for each in bar_rows(figure)[1]]
    assert [each["length"] for each in first] == [100.0, 50.0]
    assert [each["negative"] for each in first] == [False, True]
    assert [each["text"] for each in second] == ["-", "0"]


def test_an_empty_explanation_is_a_page_that_says_so():
    page = explanation_html(Report(subject="ranking", title="Nothing"))
    assert "No reporter listed anything" in page
    Reader(page)


def test_empty_figures_draw_nothing(report):
    figures = tuple(
        Figure(kind=kind, title="t", description="d", evidence=("e",))
        for kind in ("path", "curve", "bars", "images")
    )
    Reader(explanation_html(replace(report, figures=figures)))


def test_the_ranking_stands_in_the_page_and_the_explanation_in_the_ranking(report, ranking):
    page = explanation_html(report, ranking)
    assert "The ranking" in page
    assert "microsoft/resnet-50@1f2e3d4" in page
    both = html(ranking, report)
    read = Reader(both)
    ids = [value for name, value in read.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    assert 'id="c1"' in both
    assert 'id="c1"' not in html(ranking)


def test_equal_reports_give_equal_pages(report, page):
    assert explanation_html(report) == page


def test_a_page_that_cannot_be_written_is_one_sentence(report, tmp_path):
    with pytest.raises(InputError, match="cannot be written"):
        write_explanation_html(report, tmp_path / "no" / "page.html")
