"""Looking at one checkpoint: what its source answers is not taken on trust."""

from __future__ import annotations

import pytest

from zoo.checkpoints import inspected
from zoo.errors import PluginError
from zoo.types import Candidate, ModelEntry


class Answering:
    """A source that gives what it is told to."""

    def __init__(self, answer):
        self.answer = answer

    def inspect(self, candidate):
        del candidate
        return self.answer


def test_the_entry_of_a_source_completes_a_candidate(tmp_path):
    candidate = Candidate(entry=ModelEntry(ref="mine:tiny"), base=str(tmp_path))
    entry = ModelEntry(ref="mine:tiny", bytes=7)
    assert inspected(candidate, Answering(entry)).entry is entry


@pytest.mark.parametrize("answer", [None, 3, {"ref": "mine:tiny"}])
def test_a_source_that_gives_something_else_is_named(tmp_path, answer):
    candidate = Candidate(entry=ModelEntry(ref="mine:tiny"), base=str(tmp_path))
    with pytest.raises(PluginError, match="mine:tiny: its source gives") as refused:
        inspected(candidate, Answering(answer))
    assert refused.value.hint == "zoo plugins show mine says whose it is."
