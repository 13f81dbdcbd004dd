from __future__ import annotations

import re
import stat
from html.parser import HTMLParser

import pytest
from msgspec.structs import replace

from zoo.errors import InputError
from zoo.render import html, write_html

VOID = {"meta", "br", "hr", "img", "link", "input"}


class Reader(HTMLParser):
    """Collects elements, and complains about tags that do not match."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)

    def all(self, name):
        return [attributes for tag, attributes in self.elements if tag == name]


@pytest.fixture
def page(ranking):
    return html(ranking)


@pytest.fixture
def read(page):
    return Reader(page)


def test_the_page_is_well_formed_and_every_id_is_its_own(read):
    ids = [attributes["id"] for _, attributes in read.elements if "id" in attributes]
    assert len(ids) == len(set(ids))


def test_the_page_asks_for_nothing(page, read):
    assert not read.all("script")
    assert not read.all("link")
    assert "http:" not in page
    assert "https:" not in page
    assert "@import" not in page
    for tag, attributes in read.elements:
        for name in ("src", "href", "xlink:href"):
            if name in attributes:
                assert attributes[name].startswith("#"), (tag, attributes)
    assert all(match.startswith("#") for match in re.findall(r"url\((.*?)\)", page))


def test_references_inside_the_drawings_resolve(page, read):
    ids = {attributes["id"] for _, attributes in read.elements if "id" in attributes}
    used = set(re.findall(r"url\(#(.*?)\)", page))
    used |= {a["xlink:href"][1:] for _, a in read.elements if "xlink:href" in a}
    assert used <= ids


def test_everything_of_the_ranking_is_on_the_page(ranking, read):
    text = " ".join(" ".join(read.texts).split())
    for wanted in (
        "microsoft/resnet-50@1f2e3d4",
        "0.80 - 0.91",
        "tie with 1",
        "Only 38 samples",
        "over --max-size",
        "tokenizer.json is not valid JSON.",
        "zoo registry verify",
        "2026-11-20-a1f3",
        "zoo recommend photos/flowers --html 'my report.html'",
        ranking.probe.fingerprint,
        "torch 2.13.0",
        "3 files are no images",
    ):
        assert wanted in text, wanted


def test_other_peoples_text_is_never_markup(page):
    assert "<b>102" not in page
    assert "flowers &lt;b&gt;102&lt;/b&gt;" in page


def test_hostile_text_in_every_free_field_is_escaped(ranking):
    evil = "</desc></svg><script>alert(1)</script>"
    first = replace(ranking.ranking[0], model=f"./{evil}", license=evil, architecture=evil)
    page = html(
        replace(
            ranking,
            ranking=(replace(first, layer=evil), *ranking.ranking[1:]),
            warnings=(evil,),
            run=evil,
            probe=replace(ranking.probe, source=evil, notes=(evil,)),
        )
    )
    assert "<script" not in page
    Reader(page)


def test_tables_have_captions_and_named_rows_and_columns(read):
    assert len(read.all("table")) == len(read.all("caption")) == 3
    scopes = {attributes.get("scope") for attributes in read.all("th")}
    assert scopes == {"col", "row"}


def test_plots_are_named_and_described_for_those_who_do_not_see_them(read):
    drawings = read.all("svg")
    assert len(drawings) == 2
    ids = {attributes.get("id") for _, attributes in read.elements}
    for attributes in drawings:
        assert attributes["role"] == "img"
        assert set(attributes["aria-labelledby"].split()) <= ids
    assert "1. microsoft/resnet-50@1f2e3d4: 0.86, interval 0.80 to 0.91" in " ".join(read.texts)


def test_plots_follow_the_colours_of_the_page(page):
    drawn = "".join(re.findall(r"<svg.*?</svg>", page, flags=re.DOTALL))
    assert "var(--accent)" in drawn
    assert not re.findall(r"#0102\d\d", drawn)


def test_headings_are_in_order_and_the_language_is_named(read):
    levels = [tag for tag, _ in read.elements if tag in {"h1", "h2", "h3"}]
    assert levels[0] == "h1"
    assert set(levels[1:]) == {"h2"}
    assert read.all("html")[0]["lang"] == "en"


def test_the_same_ranking_gives_the_same_page(ranking, page):
    assert html(ranking) == page


def test_without_layers_there_is_no_layer_plot(ranking):
    bare = tuple(replace(row, layers=()) for row in ranking.ranking)
    page = html(replace(ranking, ranking=bare))
    assert "Where to cut" not in page
    assert len(Reader(page).all("svg")) == 1


def test_a_ranking_of_nothing_still_makes_a_page(empty_ranking):
    read = Reader(html(empty_ranking))
    assert "No model could be ranked." in " ".join(read.texts)
    assert not read.all("svg")


def test_the_file_is_written_whole_and_readable_by_others(ranking, tmp_path):
    path = tmp_path / "report.html"
    write_html(ranking, path)
    assert path.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert [each.name for each in tmp_path.iterdir()] == ["report.html"]
    assert stat.S_IMODE(path.stat().st_mode) & stat.S_IRUSR


@pytest.mark.parametrize("name", ["missing/report.html", "folder"])
def test_a_place_that_cannot_be_written_is_one_sentence(ranking, tmp_path, name):
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match="cannot be written"):
        write_html(ranking, tmp_path / name)
    assert [each.name for each in tmp_path.iterdir()] == ["folder"]
