"""Whether a source of checkpoints keeps its promises.

Without an example it is asked for what is not there; with one, the reference of a checkpoint that
is, it is asked to bring it. ``assert not check_source(spec, "mine:tiny")`` is a test of its own.
"""

from __future__ import annotations

import atexit
import re
import shutil
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from zoo.catalogue import build, load_target, options_of
from zoo.registry import candidate_for
from zoo.testing.kit import Check, Kit, Trial, run_check
from zoo.testing.places import contents, need_network, placed, refused, touched
from zoo.testing.promises import (
    BrokenPromiseError,
    NotTriedError,
    asking,
    lacking,
    methods_of,
    mismatch,
)
from zoo.testing.watching import origin, watched
from zoo.types.model import Candidate, Checkpoint, ModelEntry
from zoo.types.protocols import Describes, Source

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zoo.testing.watching import Watched
    from zoo.types.specs import SourceSpec

#: What nobody has, as the part of a reference behind its scheme.
_UNKNOWN = (
    "no-such-checkpoint",
    "nobody/no-such-checkpoint@v9",
    "../no-such-checkpoint",
    "a b?c=d&e%",
    "é" * 300,
)
#: Opening them can run code.
_PICKLE = re.compile(r".*\.(bin|pt|pth|pkl|pickle|ckpt|npy)")
#: Libraries whose checkpoints have a configuration and safetensors.
_KNOWN_LIBRARIES = (None, "transformers", "timm", "sentence-transformers")
_CONFIG = "config.json"


def check_source(spec: SourceSpec, reference: str | None = None) -> list[str]:
    """Find out which promises a source breaks.

    Args:
        spec: what the plugin advertises.
        reference: of a checkpoint that it has; without one, less is asked.

    Returns:
        One sentence a broken promise.
    """
    trial = Trial(noun="source", spec=spec, example=reference)
    asked = (run_check(check, trial) for check in KIT.checks)
    return [f"{spec.name}: {each}." for outcome in asked for each in outcome.problems]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """A store of its own for one trial, in which objects of one source are made."""

    spec: SourceSpec
    home: str

    def source(self, *, offline: bool = False) -> Source:
        """Make it as the core does: it gets what it has options for."""
        known = options_of(load_target(self.spec))
        offers = {"home": self.home, "offline": offline or None, "on_event": lambda _: None}
        with asking("making it as the core does"):
            made: Source = build(
                self.spec, {name: offer for name, offer in offers.items() if name in known}
            )
            return made

    def candidate(self, text: str) -> Candidate:
        """Give what the core makes of a text that a person typed."""
        return candidate_for(text, None, base=origin())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Brought:
    """The example, fetched for the first time in this process.

    Attributes:
        seen: what was done beside it.
    """

    place: _Place
    candidate: Candidate
    checkpoint: Checkpoint
    seen: Watched


#: Fetched once a process, as it may be large or take long; by target and example.
_FETCHED: dict[tuple[str, str], _Brought] = {}


@contextmanager
def _place(trial: Trial) -> Iterator[_Place]:
    with TemporaryDirectory(prefix="zoo-check-") as home:
        yield _Place(spec=trial.spec, home=home)


def _brought(trial: Trial) -> _Brought:
    """Fetch the example, unless another check has.

    Raises:
        NotTriedError: there is none, or it is not on this machine and may not be asked for.
    """
    if trial.example is None:
        raise NotTriedError("it takes an example, the reference of a checkpoint that it has")
    key = (trial.spec.target, str(trial.example))
    if key not in _FETCHED:
        home = tempfile.mkdtemp(prefix="zoo-check-")
        atexit.register(shutil.rmtree, home, ignore_errors=True)
        place = _Place(spec=trial.spec, home=home)
        candidate = place.candidate(placed(trial.example))
        _FETCHED[key] = _fetched(place, candidate)
    return _FETCHED[key]


def _fetched(place: _Place, candidate: Candidate) -> _Brought:
    try:
        with watched() as seen, asking(f"fetching {candidate.model}"):
            found = place.source().fetch(candidate)
    except BrokenPromiseError as promise:
        need_network(promise)
        raise
    if not isinstance(found, Checkpoint):
        raise BrokenPromiseError(f"fetch must give a zoo.types.Checkpoint, and gives {found!r}")
    return _Brought(place=place, candidate=candidate, checkpoint=found, seen=seen)


def _methods(trial: Trial) -> Iterator[str]:
    with _place(trial) as place:
        source = place.source()
    if missing := lacking(source, Source):
        yield f"it {missing}"
        return
    names = methods_of(Source)
    for name in [*names, *(each for each in methods_of(Describes) if hasattr(source, each))]:
        promised = getattr(Source if name in names else Describes, name)
        if wrong := mismatch(getattr(source, name), promised):
            yield f"{name} {wrong}"


def _unknown(trial: Trial) -> Iterator[str]:
    """Ask for what is not there, offline."""
    with _place(trial) as place, watched():
        source = place.source(offline=True)
        for rest in _UNKNOWN:
            text = f"{trial.spec.name}:{rest}"
            entry = Candidate(entry=ModelEntry(ref=text), base=place.home)
            shown = text if len(text) < 60 else f"{text[:20]}..."
            for name in ("inspect", "fetch"):
                ask = partial(getattr(source, name), entry)
                yield from refused(f"{name} of {shown!r}, which is not there,", ask)
            ask = partial(source.missing_bytes, entry)
            yield from refused(f"missing_bytes of {shown!r}", ask, must=False)


def _offline(trial: Trial) -> Iterator[str]:
    """Ask nobody while offline, for what is not there, and for what was fetched before."""
    with _place(trial) as place, watched() as seen:
        source = place.source(offline=True)
        entry = Candidate(entry=ModelEntry(ref=f"{trial.spec.name}:nobody/x"), base=place.home)
        for name in methods_of(Source):
            list(refused("", partial(getattr(source, name), entry), must=False))
    yield from (f"it asks {host} while offline" for host in dict.fromkeys(seen.asked))
    if trial.example is None:
        return
    known = _brought(trial)
    with watched() as seen, asking("fetching offline what was fetched before"):
        again = known.place.source(offline=True).fetch(known.candidate)
    yield from (f"it asks {host} while offline" for host in dict.fromkeys(seen.asked))
    if again.digest != known.checkpoint.digest:
        yield "offline it gives other files than it had fetched"


def _inspects(trial: Trial) -> Iterator[str]:
    """Ask for an entry, and for what is missing after it was fetched."""
    known = _brought(trial)
    source, candidate = known.place.source(), known.candidate
    with asking("inspect"):
        entry = source.inspect(candidate)
    if not isinstance(entry, ModelEntry):
        yield f"inspect must give a zoo.types.ModelEntry, and gives {entry!r}"
        return
    wanted = candidate.entry.parsed
    for each, what in ((entry, "inspect"), (known.checkpoint.entry, "fetch")):
        with asking(f"reading the reference {each.ref!r} that {what} gives"):
            said = each.parsed
        if (said.source, said.name) != (wanted.source, wanted.name):
            yield f"{what} of {candidate.model} gives an entry of {each.ref}"
    with asking("missing_bytes"):
        missing = source.missing_bytes(candidate)
    if type(missing) is not int or missing < 0:
        yield f"missing_bytes must give a number of bytes, and gives {missing!r}"
    elif missing:
        yield f"missing_bytes says {missing} when everything was fetched"


def _safe(trial: Trial) -> Iterator[str]:
    """Look at the files of a checkpoint."""
    found = _brought(trial).checkpoint
    folder = Path(found.folder)
    if not folder.is_absolute() or not folder.is_dir():
        yield f"a checkpoint's folder must be absolute and there, and is {found.folder!r}"
        return
    here = {path.relative_to(folder).as_posix() for path in folder.rglob("*")}
    files = set(found.entry.files) or here
    yield from (f"its entry lists {name!r}, which is not there" for name in sorted(files - here))
    for name in sorted(files):
        if _PICKLE.fullmatch(name):
            yield f"the checkpoint has {name!r}: opening it can run code"
    if found.entry.library in _KNOWN_LIBRARIES:
        if _CONFIG not in files:
            yield f"the checkpoint has no {_CONFIG}"
        if not any(name.endswith(".safetensors") for name in files):
            yield "the checkpoint has no safetensors weights"


def _reproducible(trial: Trial) -> Iterator[str]:
    """Fetch again, twice with one object."""
    known = _brought(trial)
    first = known.checkpoint
    if not isinstance(first.digest, str) or not first.digest.strip():
        yield f"the digest must identify the files, and is {first.digest!r}"
    source = known.place.source()
    for again in (source.fetch(known.candidate), source.fetch(known.candidate)):
        for what in ("digest", "folder"):
            if getattr(again, what) != getattr(first, what):
                yield f"fetching it again gives another {what}"
                return


def _untouched(trial: Trial) -> Iterator[str]:
    known = _brought(trial)
    before = contents(known.checkpoint.folder)
    source = known.place.source()
    source.inspect(known.candidate)
    source.fetch(known.candidate)
    for wrong in touched(before, contents(known.checkpoint.folder)):
        yield f"when it is fetched again, {wrong}"


def _describes(trial: Trial) -> Iterator[str]:
    """Ask for a checkpoint without its weights, where it can give that."""
    with _place(trial) as place:
        if not isinstance(place.source(), Describes):
            raise NotTriedError("it has no describe")
    known = _brought(trial)
    source: Any = known.place.source()
    with asking("describe"):
        said = source.describe(known.candidate)
    if not isinstance(said, Checkpoint):
        yield f"describe must give a zoo.types.Checkpoint, and gives {said!r}"
    elif not (Path(said.folder) / _CONFIG).is_file():
        yield f"describe gives a folder without {_CONFIG}"


def _quiet(trial: Trial) -> Iterator[str]:
    for words in _brought(trial).seen.printed:
        first = words.strip().splitlines()[:1]
        yield f"it prints {first[0]!r}" if first else "it prints an empty line"


KIT = Kit(
    checks=(
        Check("methods", "it has the methods of a source", _methods),
        Check("unknown", "what is not there is refused with a sentence", _unknown),
        Check("offline", "offline nobody is asked, and what was fetched is there", _offline),
        Check("inspects", "an entry is complete without weights, and bytes are counted", _inspects),
        Check("safe", "a checkpoint is a folder with a configuration and safetensors", _safe),
        Check("reproducible", "the same reference gives the same files", _reproducible),
        Check("untouched-input", "what was fetched stays as it is", _untouched),
        Check("describes", "configuration and preprocessing come without weights", _describes),
        Check("quiet", "standard output belongs to the command: nothing is printed", _quiet),
    ),
)
