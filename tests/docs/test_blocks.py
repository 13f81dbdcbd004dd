"""Every code block of README and docs is run, or says in a comment before it why it cannot be.

A page is a session: see ``executing/page_sessions.py`` for what each takes for granted. Pages that
take long are run by ``make test-exhaustive``.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "executing"))

from page_blocks import PAGES, ROOT, blocks_of, name_of
from page_sessions import SESSIONS, Page
from page_shell import Session, environment

#: What is no program: listings, and ``py``, the signatures of the reference.
READ_ONLY = {"", "text", "{toctree}", "py"}
#: Its blocks are usages and examples out of the commands' own help.
PARSED = "docs/reference/cli.md"
#: It needs an environment of its own: test_tutorial_plugin.py.
ELSEWHERE = "docs/tutorial-plugin.md"
PLAYED = [path for path in PAGES if name_of(path) not in {PARSED, ELSEWHERE}]
#: Program that is not run here -> the options that pages give it.
BENCHMARKS: dict[str, set[str]] = {}
for _page in PAGES:
    for _block in blocks_of(_page.read_text("utf-8")):
        if _block.language in {"console", "sh"} and _block.not_run:
            for _line in _block.text.replace("\\\n", " ").splitlines():
                if _program := re.search(r"benchmarks/\S+\.py", _line):
                    BENCHMARKS.setdefault(_program[0], set()).update(
                        re.findall(r" (--[\w-]+)", _line)
                    )


def quick(path):
    page = SESSIONS.get(name_of(path), Page())
    blocks = [each for each in blocks_of(path.read_text("utf-8")) if not each.not_run]
    calm = not any(each.language in {"console", "sh"} for each in blocks)
    return page.quick or calm


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_what_is_not_run_has_a_reason(path):
    for block in blocks_of(path.read_text("utf-8")):
        if block.mark.startswith("not run"):
            assert len(block.not_run.split()) >= 3, f"line {block.line}"


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_every_block_is_of_a_kind_that_is_run_or_read(path):
    for block in blocks_of(path.read_text("utf-8")):
        known = hasattr(Session, f"_{block.language}") or block.language in READ_ONLY
        assert known, f"line {block.line}: nobody runs {block.info!r}"


def test_every_session_is_of_a_page_that_exists():
    assert set(SESSIONS) <= set(map(name_of, PAGES))


@pytest.mark.slow
@pytest.mark.exhaustive
@pytest.mark.parametrize("name", sorted(BENCHMARKS))
def test_benchmarks_that_take_hours_have_the_options_that_pages_give_them(name):
    done = subprocess.run(
        [sys.executable, ROOT / name, "--help"], capture_output=True, text=True, check=True
    )
    missing = {each for each in BENCHMARKS[name] if each not in done.stdout}
    assert not missing


@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    "path",
    [
        pytest.param(path, marks=() if quick(path) else (pytest.mark.exhaustive, pytest.mark.slow))
        for path in PLAYED
    ],
    ids=name_of,
)
def test_every_block_does_what_the_page_says(path, tmp_path):
    page = SESSIONS.get(name_of(path), Page())
    with hub_of(page, tmp_path) as variables:
        room = tmp_path / "room"
        room.mkdir()
        page.material(room)
        surroundings = environment(room, **page.settings) | variables
        started = frozenset(re.findall(r"^\$ python (\S+)", path.read_text("utf-8"), re.MULTILINE))
        session = Session(room, surroundings, page.names, page.thin, started)
        for typed in page.before:
            code, said = session.run(typed)
            assert code == 0, said
        wrong = []
        for block in blocks_of(path.read_text("utf-8")):
            try:
                session.play(block)
            except AssertionError as error:
                wrong.append(str(error).partition("\nassert ")[0])
        for typed, seconds in session.log:
            print(f"{seconds:6.1f} s  {typed[:100]}")
        assert not wrong, "\n\n".join(wrong)


class hub_of:
    """A Hub on this machine with the checkpoints that a page names, where it names some."""

    def __init__(self, page, place):
        self.page, self.place = page, place

    def __enter__(self):
        if not self.page.hub:
            return {}
        from page_materials import model

        from zoo.testing.loopback_hub import LoopbackHub

        self.hub = LoopbackHub()
        self.hub.__enter__()
        for name, recipe in self.page.hub.items():
            model(self.place / "hub" / name, recipe)
            self.hub.add(name, self.place / "hub" / name)
        return self.hub.environment(self.place / "hf")

    def __exit__(self, *error):
        if self.page.hub:
            self.hub.__exit__(*error)
