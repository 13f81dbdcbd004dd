"""The messages that the troubleshooting page explains are messages that Zoo prints."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "how-to" / "troubleshooting.md").read_text(encoding="utf-8")
TABLES = re.findall(r"^\| message \|.*\n((?:\|.*\n?)+)", PAGE, re.MULTILINE)
ROWS = re.findall(r"^\| (?!-)(.+?) \|", "".join(TABLES), re.MULTILINE)
#: What stands for something else in a message: dots, numbers, names, words that vary.
PLACEHOLDER = re.compile(
    r"'?\.\.\.'?|\b[A-Z]+\b|\$\.models\[i\]|\b(?:estimator|images|both|together)\b"
)


@pytest.fixture(scope="module")
def sentences():
    """Every text in the source, adjacent literals joined; what is filled in becomes a mark."""
    found = set()
    for folder in ("zoo", "cli", "plugins"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.JoinedStr):
                    parts = [getattr(each, "value", "") for each in node.values]
                    found.add("\0".join(each if isinstance(each, str) else "" for each in parts))
                elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                    found.add(node.value)
    return "\n".join(found)


@pytest.mark.parametrize("message", ROWS)
def test_every_message_is_one_of_ours(message, sentences):
    pieces = [piece.strip(" .:,()") for piece in PLACEHOLDER.split(message)]
    missing = [piece for piece in pieces if len(piece) > 2 and piece not in sentences]
    assert not missing
