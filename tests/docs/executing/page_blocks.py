"""The fenced blocks of a page, and what is said of each in a comment before it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[3]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(
    r"(?:^<!-- (?P<mark>[a-z][^\n]*?) -->\n)?^```(?P<info>[^\n]*)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
#: What a comment before a block may begin with.
MARKS = ("not run: ", "file: ", "skips ", "output: exact", "output: words", "exit: ")


@dataclass(frozen=True)
class Block:
    """One block: ``info`` is its language, ``mark`` the comment before it, if there is one."""

    info: str
    text: str
    mark: str
    line: int

    @property
    def language(self) -> str:
        return self.info.partition(" ")[0]

    @property
    def not_run(self) -> str:
        """Why it is not run; empty: it is."""
        return self.mark.removeprefix("not run: ") if self.mark.startswith("not run: ") else ""

    @property
    def skipped(self) -> str:
        """What command lines begin with that are not run; empty: there are none."""
        found = re.match(r"skips ([^:]+): \S+", self.mark)
        return found[1] if found else ""

    @property
    def file(self) -> str:
        """The file that the comment or the first line names: ``# NAME.EXT``, alone on its line."""
        if self.mark.startswith("file: "):
            return self.mark.removeprefix("file: ")
        found = re.match(r"(?:#|//) ([\w./-]+\.\w+)\n", self.text)
        return found[1] if found else ""

    def commands(self) -> list[tuple[str, list[str]]]:
        """Give each line after ``$ ``, continued ones joined, with the output that is shown."""
        found: list[tuple[str, list[str]]] = []
        lines = iter(self.text.splitlines())
        for line in lines:
            if line.startswith("$ "):
                typed = line[2:]
                while typed.endswith("\\"):
                    typed = typed[:-1] + next(lines).removeprefix("> ")
                found.append((typed, []))
            elif found:
                found[-1][1].append(line)
        return found


def blocks_of(text: str) -> list[Block]:
    """Give the blocks of a page, in order."""
    found = []
    for match in BLOCK.finditer(text):
        mark = match["mark"] or ""
        mark = mark if mark.startswith(MARKS) else ""
        line = text[: match.start("info")].count("\n") + 1
        found.append(Block(match["info"], match["text"], mark, line))
    return found


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()
