"""Whether a source of the knowledge graph keeps its promises.

``assert not check_graph_source(spec, "kinds.csv")`` is a test of its own; without an example it is
asked for what is not there.
"""

from __future__ import annotations

import io
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from zoo.errors import InputError
from zoo.graph import Graph
from zoo.testing.kit import Check, Kit, Trial, run_check
from zoo.testing.places import contents, placed, refused, touched
from zoo.testing.promises import (
    BrokenPromiseError,
    NotTriedError,
    asking,
    described,
    lacking,
    mismatch,
)
from zoo.testing.watching import watched
from zoo.types.reporting import GraphSource, SourceFacts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zoo.types.specs import GraphSourceSpec

_RUBBISH = b"\x00\xff\xfe not a line of anything\t{<\n" * 3


def check_graph_source(spec: GraphSourceSpec, place: str | Path | None = None) -> list[str]:
    """Find out which promises a source of the graph breaks.

    Args:
        spec: what the plugin advertises.
        place: a file or folder that it reads; without one, less is asked.

    Returns:
        One sentence a broken promise.
    """
    trial = Trial(noun="graph_source", spec=spec, example=place)
    asked = (run_check(check, trial) for check in KIT.checks)
    return [f"{spec.name}: {each}." for outcome in asked for each in outcome.problems]


def _place(trial: Trial) -> Path:
    if trial.example is None:
        raise NotTriedError("it takes an example, a file or a folder that it reads")
    return Path(placed(trial.example))


def _written(trial: Trial) -> tuple[bytes, Any]:
    """Read the example, offline."""
    out = io.BytesIO()
    place = _place(trial)
    with asking(f"write of {place}"):
        facts = trial.make().write(place, out, offline=True)
    return out.getvalue(), facts


def _methods(trial: Trial) -> Iterator[str]:
    source = trial.make()
    if missing := lacking(source, GraphSource):
        yield f"it {missing}"
    elif wrong := mismatch(source.write, GraphSource.write):
        yield f"write {wrong}"


def _refuses(trial: Trial) -> Iterator[str]:
    """Ask for what is not there, offline, and for rubbish."""
    source = trial.make()
    with TemporaryDirectory(prefix="zoo-check-") as folder:
        path = Path(folder) / f"missing{Path(str(trial.example or '')).suffix}"
        ask = partial(source.write, path, io.BytesIO(), offline=True)
        yield from refused("write of a missing place", ask, InputError)
        with watched() as seen:
            ask = partial(source.write, None, io.BytesIO(), offline=True)
            what = "write without a place, offline,"
            yield from refused(what, ask, InputError, must=not trial.spec.fetches)
        yield from (f"it asks {host} while offline" for host in dict.fromkeys(seen.asked))
        path.write_bytes(_RUBBISH)
        out = io.BytesIO()
        ask = partial(source.write, path, out, offline=True)
        wrong = list(refused("write of a file of rubbish", ask, must=False))
        yield from wrong
        if not wrong and out.getvalue():
            yield from _no_triples(out.getvalue(), "of a file of rubbish it writes what")


def _triples(trial: Trial) -> Iterator[str]:
    """Load what it writes into a graph, and look at what it says of it."""
    written, facts = _written(trial)
    yield from _no_triples(written, "it writes what")
    if not written.strip():
        yield "it writes no triple of its example"
    if not isinstance(facts, SourceFacts):
        yield f"write must give zoo.types.SourceFacts, and gives {facts!r}"


def _no_triples(written: bytes, words: str) -> Iterator[str]:
    try:
        Graph.in_memory(trial=written)
    except (SyntaxError, ValueError, OSError) as error:
        yield f"{words} is no N-Triples: {described(error)}"


def _untouched(trial: Trial) -> Iterator[str]:
    place = _place(trial)
    if not place.exists():
        raise BrokenPromiseError(f"its example is not there: {place}")
    before = contents(place)
    _written(trial)
    yield from touched(before, contents(place))


KIT = Kit(
    exercise=_written,
    checks=(
        Check("methods", "it can be called as the contract says", _methods),
        Check("refuses", "what it cannot read it refuses with a sentence", _refuses),
        Check("triples", "what it writes is N-Triples", _triples),
        Check("untouched-input", "the data stays as it is", _untouched),
    ),
)
