"""The site is built without a warning, reaches every page, and asks nobody else for anything."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from zoo import hookspecs

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(each.relative_to(DOCS).with_suffix("") for each in DOCS.rglob("*.md"))
SECTIONS = ("Tutorial", "How to", "Reference", "Explanation")


class Links(HTMLParser):
    """Gather what a browser fetches by itself, and what a person may click on."""

    def __init__(self, text):
        super().__init__()
        self.fetched, self.clicked, self.anchors = [], [], set()
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self.anchors.add(found.get("id"))
        if tag == "a":
            self.clicked.append(found.get("href") or "")
        elif tag != "link" or found.get("rel") not in ("index", "search", "next", "prev"):
            self.fetched += [found[name] for name in ("src", "href") if found.get(name)]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Build the site once; ``-W`` makes an error of every warning."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "--quiet"]
    done = subprocess.run(
        [*command, "-d", str(folder / "trees"), str(DOCS), str(folder / "html")],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert (done.returncode, done.stderr) == (0, "")
    return folder / "html"


@pytest.fixture(scope="module")
def read(site):
    """Read a page of the site once."""
    known = {page: Links(_text(site, page)) for page in PAGES}
    return known.__getitem__


def _text(site, page):
    return (site / page).with_suffix(".html").read_text(encoding="utf-8")


def test_the_navigation_has_every_page_under_its_section(site):
    text = _text(site, "index")
    assert re.findall(r'class="caption-text">([^<]+)<', text) == list(SECTIONS)
    listed = set(re.findall(r'class="reference internal" href="([^"#]+)\.html"', text))
    assert {page.as_posix() for page in PAGES} - {"index"} <= listed


def test_no_page_makes_a_browser_ask_somebody_else(site, read):
    for page in PAGES:
        assert not [each for each in read(page).fetched if re.match(r"(https?:)?//", each)]
    for style in site.rglob("*.css"):
        text = style.read_text(encoding="utf-8")
        assert not re.findall(r"(?:url\(|@import)\s*[\"']?(?:https?:)?//", text), style.name


def test_every_link_inside_the_site_leads_somewhere(site, read):
    for page in PAGES:
        for link in (*read(page).fetched, *read(page).clicked):
            name, _, anchor = link.partition("#")
            if ":" in name or not (name or anchor):
                continue
            target = (site / page).parent / re.sub(r"\?.*", "", name) if name else None
            assert target is None or target.exists(), f"{link} of {page}"
            if anchor and (target is None or target.suffix == ".html"):
                there = target.resolve().relative_to(site).with_suffix("") if target else page
                if there in PAGES:
                    assert anchor in read(there).anchors, f"{link} of {page}"


def test_the_search_needs_no_server(site):
    index = (site / "searchindex.js").read_text(encoding="utf-8")
    assert index.startswith("Search.setIndex(")
    assert "zoo_label_encoders" in index


@pytest.mark.parametrize("name", [each for each in vars(hookspecs) if each.startswith("zoo_")])
def test_every_hook_has_a_heading(name, read):
    assert name.replace("_", "-") in read(Path("reference/hooks")).anchors
