"""What a SPARQL text asks for, before the store sees it: questions only, and no network."""

from __future__ import annotations

import re

from zoo.errors import InputError

_OPAQUE = re.compile(
    r'"""(?:[^\\]|\\.)*?"""'
    r"|'''(?:[^\\]|\\.)*?'''"
    r'|"(?:[^"\\\n]|\\.)*"'
    r"|'(?:[^'\\\n]|\\.)*'"
    r"|<[^<>\s]*>"
    r"|#[^\n]*",
    re.DOTALL,
)
_UPDATE = re.compile(
    r"^\s*(?:(?:PREFIX\s+\S*\s*_|BASE\s+_)\s*)*"
    r"(INSERT|DELETE|LOAD|CLEAR|CREATE|DROP|COPY|MOVE|ADD|WITH)\b",
    re.IGNORECASE,
)
_SERVICE = re.compile(r"(?<![?$:\w])SERVICE\b(?!:)", re.IGNORECASE)


def check_question(text: str) -> None:
    """Refuse what changes the graph, and what would ask another server.

    Raises:
        InputError: it is an update, or has a SERVICE clause.
    """
    plain = _OPAQUE.sub(lambda found: "\n" if found[0].startswith("#") else " _ ", text)
    update = _UPDATE.match(plain)
    if update:
        raise InputError(
            f"{update[1].upper()} would change the graph, and a query only asks.",
            "zoo graph import and zoo graph remove change it.",
        )
    if _SERVICE.search(plain):
        raise InputError(
            "SERVICE would ask another server, and a query reads this graph only.",
            "zoo graph import FILE brings the triples here.",
        )
