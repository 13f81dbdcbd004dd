"""Whether output that a page shows is of today: loosely, by words, or exactly."""

from __future__ import annotations

import re

NUMBER = re.compile(r"\b[0-9a-f]{8,}\b|\b[0-9a-f]{4}\b|[<+-]?\d[\d,.:]*(?:e[+-]?\d+)?")
KEY = re.compile(r"^([a-z][a-z ]{2,14}?) {2,}\S")


def differences(mark: str, shown: list[str], real: str) -> list[str]:
    """Give one sentence for every shown line that the real output does not bear out."""
    lines = real.splitlines()
    if mark == "output: exact":
        exact = [each.rstrip() for each in shown]  # lines about progress may come before
        return _in_order(["...", *exact], [each.rstrip() for each in lines])
    if mark == "output: words":
        between = [part for each in shown for part in ("...", words(each))]
        return _in_order(between, [words(each) for each in lines])
    return [f"nothing like {each!r}" for each in shown if not _borne_out(each, lines)]


def words(line: str) -> str:
    """Give a line without its numbers and the width of its columns."""
    return " ".join(NUMBER.sub("#", line).replace("#", " # ").split())


def _in_order(shown: list[str], real: list[str]) -> list[str]:
    """Every shown line must come, in this order; ``...`` stands for any lines, or for none."""
    at, free, missing = 0, False, []
    for line in shown:
        if line in {"...", ""}:
            free = free or line == "..."
            continue
        rest = [place for place, each in enumerate(real[at:], at) if each == line]
        if not rest or (not free and any(real[at : rest[0]])):
            missing.append(f"{line!r} is not what follows")
            continue
        at, free = rest[0] + 1, False
    return missing


def _borne_out(line: str, real: list[str]) -> bool:
    """Heads of tables, keys of cards, errors and hints have to be there; all else may vary."""
    if line.startswith(("Error: ", "Hint: ")):
        return any(words(each).startswith(words(line)) for each in real)
    if head := _head(line):
        return any(set(head) <= set(_cells(each)) for each in real)
    if key := KEY.match(line):
        return any(re.match(rf"{re.escape(key[1])} {{2,}}", each) for each in real)
    return True


def _cells(line: str) -> list[str]:
    return re.split(r" {2,}", line.strip())


def _head(line: str) -> list[str]:
    """Give the cells of a table's head that are in capitals; none, if it is no head."""
    cells = _cells(line)
    if len(cells) < 2 or not re.fullmatch(r"#|[A-Z][A-Z ]+", cells[0]):
        return []
    return [each for each in cells if re.fullmatch(r"#|[A-Z][A-Z_ ]+", each)]
