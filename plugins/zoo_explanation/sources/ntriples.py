"""N-Triples: what may stand in an IRI and in a literal, and a writer that buffers."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import quote

from zoo.graph.terms import SKOS, TERMS, WN, XSD

if TYPE_CHECKING:
    from typing import BinaryIO

PREF_LABEL = f"<{SKOS}prefLabel>"
ALT_LABEL = f"<{SKOS}altLabel>"
DEFINITION = f"<{SKOS}definition>"
CLOSE_MATCH = f"<{SKOS}closeMatch>"
MERO_PART = f"<{WN}mero_part>"
WNID30 = f"<{WN}wnid30>"
ILI = f"<{WN}ili>"
LEXFILE = f"<{WN}lexfile>"
SENSE = f"<{TERMS}sense>"

_BUFFER = 1 << 16
# RFC 3987; a percent sign stands only before two hexadecimal digits.
_FORBIDDEN = re.compile(
    "%(?![0-9A-Fa-f]{2})"
    "|[^A-Za-z0-9\\-._~:/?#@!$&'()*+,;=%"
    "\u00a0-\ud7ff\uf900-\ufdcf\ufdf0-\uffef\U00010000-\U0001fffd\U00020000-\U0002fffd]"
)
_SPECIAL = re.compile('[\x00-\x1f\x7f"\\\\]')
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t", '"': '\\"', "\\": "\\\\"}


def iri(text: str) -> str:
    """Write an IRI, percent-encoding what may not stand in one."""
    return f"<{_FORBIDDEN.sub(_encode, text)}>"


def part_of_iri(text: str) -> str:
    """Encode any text as one segment of an IRI."""
    return quote(text, safe="", errors="replace")


def literal(text: str, language: str = "") -> str:
    """Write a string; line ends, quotes, backslashes and control characters are escaped."""
    escaped = _SPECIAL.sub(_escape, text) if _SPECIAL.search(text) else text
    return f'"{escaped}"@{language}' if language else f'"{escaped}"'


def integer(number: int) -> str:
    """Write a whole number."""
    return f'"{number}"^^<{XSD}integer>'


def double(number: float) -> str:
    """Write a number."""
    return f'"{number!r}"^^<{XSD}double>'


def _encode(match: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in match[0].encode("utf-8", "replace"))


def _escape(match: re.Match[str]) -> str:
    return _SHORT.get(match[0]) or f"\\u{ord(match[0]):04X}"


@dataclass(eq=False)
class TripleWriter:
    """Write triples of ready terms to a stream."""

    out: BinaryIO
    _lines: list[str] = field(default_factory=list)

    def add(self, subject: str, predicate: str, object_: str) -> None:
        """Write one triple; the terms come from :func:`iri` and :func:`literal`."""
        self._lines.append(f"{subject} {predicate} {object_} .\n")
        if len(self._lines) >= _BUFFER:
            self.flush()

    def flush(self) -> None:
        """Hand everything to the stream."""
        self.out.write("".join(self._lines).encode("utf-8", "replace"))
        self._lines.clear()
