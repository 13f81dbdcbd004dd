"""What one run of ``zoo`` knows about itself, from the first argument to the exit code."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TextIO

    from zoo_cli.errors import Explained
    from zoo_cli.output import Output


@dataclass
class Invocation:
    """State that outlives the command's own context.

    Attributes:
        output: the sink, once the command has one.
        resume: what to type to go on after an interruption.
        parting: what to say after an interruption, where nothing is kept.
        alone: this process is ours, from the first file descriptor to its end.
        stream: standard output, while a command keeps it for itself.
    """

    output: Output | None = None
    resume: str = ""
    parting: str = ""
    alone: bool = False
    stream: TextIO | None = None

    def report(self, explained: Explained, arguments: Sequence[str]) -> None:
        """In a JSON mode, say the failure on standard output too: a reader expects a document."""
        mode = self.output.mode if self.output else _asked_for(arguments)
        if mode not in {"json", "jsonl"} or (self.output and self.output.wrote):
            return
        import json

        error = {
            "message": explained.message,
            "hint": explained.hint,
            "exit_code": int(explained.code),
        }
        text = json.dumps(
            {"schema_version": 1, "error": error}, indent=2 if mode == "json" else None
        )
        stream = self.stream or sys.stdout
        if stream is not None:
            stream.write(text + "\n")
            stream.flush()


def _asked_for(arguments: Sequence[str]) -> str:
    """Guess the mode where the options could not even be read."""
    words = [each for each in arguments[: _end(arguments)] if each]
    if "--json" in words:
        return "json"
    for word, following in zip(words, [*words[1:], ""], strict=True):
        if word.startswith("--format="):
            return word.partition("=")[2]
        if word == "--format":
            return following
    return os.environ.get("ZOO_FORMAT", "auto")


def _end(arguments: Sequence[str]) -> int:
    return list(arguments).index("--") if "--" in arguments else len(arguments)
