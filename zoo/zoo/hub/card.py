"""The front matter of a model card: facts that strangers wrote, read as plain data."""

from __future__ import annotations

import re
from typing import Any

_FRONT_MATTER = re.compile(r"\A\ufeff?---[ \t]*\r?\n(.*?)\r?\n---[ \t]*(\r?\n|\Z)", re.DOTALL)


def front_matter(text: str) -> dict[str, Any]:
    """Read the YAML block at the top of a card; a broken or missing one holds no facts."""
    import yaml

    block = _FRONT_MATTER.match(text)
    if block is None:
        return {}
    try:
        facts = yaml.safe_load(block[1])
    except yaml.YAMLError:
        return {}
    return facts if isinstance(facts, dict) else {}
