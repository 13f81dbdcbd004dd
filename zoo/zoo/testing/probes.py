"""Whether a reader of data keeps its promises.

Without an example it is asked about data that is not there; with one, a path or an id that it
reads, it has to read it. ``assert not check_probe(spec, "letters.csv")`` is a test of its own.
"""

from __future__ import annotations

import itertools
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from zoo.errors import InputError, ZooError
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
from zoo.testing.watching import watched
from zoo.types.probe import Probe, ProbeModality, Task
from zoo.types.protocols import ProbeLoader, ProbeOptions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zoo.types.specs import ProbeSpec

#: What a person may type, and a shell may make of it.
_ODD = ("", " ", ".", "/", "..", "~nobody-of-this-name/x", "a" * 5000, "a\nb", "hub:", "?*[", "é:é")
_ENDINGS = (
    "", ".csv", ".tsv", ".txt", ".json", ".jsonl", ".parquet", ".npz", ".zip", ".db", ".sqlite",
    ".wav", ".xml", ".yaml", ".h5",
)  # fmt: skip
_SAMPLES = 8
_SEEDS = 3


def check_probe(spec: ProbeSpec, data: str | Path | None = None) -> list[str]:
    """Find out which promises a reader of data breaks.

    Args:
        spec: what the plugin advertises.
        data: a path or an id that it reads; without one, less is asked.

    Returns:
        One sentence a broken promise.
    """
    trial = Trial(noun="probe", spec=spec, example=data)
    asked = (run_check(check, trial) for check in KIT.checks)
    return [f"{spec.name}: {each}." for outcome in asked for each in outcome.problems]


def _exercise(trial: Trial) -> Probe:
    """Read a few samples of the example."""
    return _loaded(trial, samples=_SAMPLES)


def _loaded(trial: Trial, **options: Any) -> Probe:
    """Read the example, offline.

    Raises:
        NotTriedError: there is none, or it is not on this machine.
        BrokenPromiseError: what comes back is no probe.
    """
    if trial.example is None:
        raise NotTriedError("it takes an example, a path or an id that it reads")
    data = placed(trial.example)
    loader = trial.make()
    try:
        with asking(f"load of {data!r}"):
            probe = loader.load(data, ProbeOptions(offline=True, **options))
    except BrokenPromiseError as promise:
        need_network(promise)
        raise
    if not isinstance(probe, Probe):
        raise BrokenPromiseError(f"load must give a zoo.types.Probe, and gives {probe!r}")
    return probe


def _methods(trial: Trial) -> Iterator[str]:
    loader = trial.make()
    if missing := lacking(loader, ProbeLoader):
        yield f"it {missing}"
        return
    for name in methods_of(ProbeLoader):
        if wrong := mismatch(getattr(loader, name), getattr(ProbeLoader, name)):
            yield f"{name} {wrong}"


def _claims(trial: Trial) -> Iterator[str]:
    """Ask what it makes of texts that mean nothing, and of its example."""
    loader = trial.make()
    with TemporaryDirectory(prefix="zoo-check-") as folder, watched() as seen:
        missing = [f"{folder}/missing{ending}" for ending in _ENDINGS]
        for data in (*_ODD, folder, *missing):
            shown = data if len(data) < 60 else f"{data[:20]}..."
            with asking(f"claims of {shown!r}"):
                said = loader.claims(data)
            if not isinstance(said, bool):
                yield f"claims must say True or False, and says {said!r} of {shown!r}"
    yield from (f"claims asks {host}" for host in dict.fromkeys(seen.asked))
    yield from (f"claims writes {path}" for path in dict.fromkeys(seen.written))
    if trial.example is not None and not loader.claims(placed(trial.example)):
        yield f"it does not claim its example, {trial.example!r}"


def _refuses(trial: Trial) -> Iterator[str]:
    """Ask it to read what it claims by its name, where there is nothing, or rubbish."""
    loader = trial.make()
    endings = dict.fromkeys((*_ENDINGS, Path(str(trial.example or "")).suffix))
    options = ProbeOptions(offline=True)
    with TemporaryDirectory(prefix="zoo-check-") as folder:
        for ending, content in itertools.product(endings, (None, b"", b"\x00\xff\x13rubbish\n")):
            path = Path(folder) / f"x{ending}"
            if content is not None:
                path.write_bytes(content)
            if loader.claims(str(path)):
                state = "a missing" if content is None else "a broken" if content else "an empty"
                what = f"load of {state} {ending or 'file'}"
                ask = partial(loader.load, str(path), options)
                yield from refused(what, ask, ZooError if content else InputError)
            path.unlink(missing_ok=True)
        if loader.claims(folder):
            yield from refused("load of an empty folder", partial(loader.load, folder, options))


def _whole(trial: Trial) -> Iterator[str]:
    """Ask whether inputs, labels and their names fit each other."""
    probe = _loaded(trial, samples=None)
    if probe.task not in get_args(Task) or probe.modality not in get_args(ProbeModality):
        yield f"there is no task {probe.task!r} of the modality {probe.modality!r}"
        return
    labels = np.asarray(probe.labels)
    if len(labels) != len(probe.inputs):
        yield f"there are {len(probe.inputs)} inputs and {len(labels)} labels"
    if len(labels) < 2:
        yield f"it reads {len(labels)} samples of its example"
        return
    yield from _wrong_labels(probe, labels)
    if not isinstance(probe.fingerprint, str) or len(probe.fingerprint) != 64:
        yield f"the fingerprint must be 64 hexadecimal digits, and is {probe.fingerprint!r}"
    if probe.rows < len(labels):
        yield f"rows says {probe.rows}, and {len(labels)} samples were read"
    if probe.source != placed(trial.example):
        yield f"source must be what the person typed, and is {probe.source!r}"


def _wrong_labels(probe: Probe, labels: np.ndarray[Any, Any]) -> Iterator[str]:
    names = len(probe.label_names)
    if probe.task in {"classification", "text"}:
        if labels.dtype != np.int64 or labels.ndim != 1:
            yield f"labels must be (N,) int64, and are {labels.shape} {labels.dtype}"
        elif labels.min() < 0 or labels.max() >= names:
            yield f"labels go from {labels.min()} to {labels.max()}, and there are {names} names"
        return
    if labels.dtype != np.float64:
        yield f"labels of {probe.task} must be float64, and are {labels.dtype}"
    elif not np.isfinite(labels).all():
        yield "there are labels that are no finite numbers"
    width = labels.shape[1] if labels.ndim > 1 else 1
    if width != names:
        yield f"there are {width} labels a sample, and {names} names"


def _sample(trial: Trial) -> Iterator[str]:
    """Ask for samples of several sizes and seeds."""
    every = _loaded(trial, samples=None)
    for size in sorted({2, _SAMPLES, every.samples - 1} - {1, 0, -1}):
        try:
            probe = _loaded(trial, samples=size)
        except BrokenPromiseError:  # so few may hold no two classes
            continue
        if probe.samples > size:
            yield f"{probe.samples} samples come where {size} were asked for"
    size = max(2, min(_SAMPLES, every.samples - 1))
    known: dict[str, tuple[Any, ...]] = {}
    for seed in range(_SEEDS):
        first, again = (_loaded(trial, samples=size, seed=seed) for _ in range(2))
        if _content(first) != _content(again) or first.fingerprint != again.fingerprint:
            yield "the same seed gives another sample"
            return
        if known.setdefault(first.fingerprint, _content(first)) != _content(first):
            yield "two different samples have one fingerprint"
            return


def _content(probe: Probe) -> tuple[Any, ...]:
    inputs = [each.tolist() if hasattr(each, "tolist") else each for each in probe.inputs]
    return (inputs, np.asarray(probe.labels).tolist(), list(probe.label_names))


def _untouched(trial: Trial) -> Iterator[str]:
    if trial.example is None or not Path(placed(trial.example)).exists():
        raise NotTriedError("it takes an example that is a file or a folder")
    before = contents(placed(trial.example))
    _loaded(trial)
    yield from touched(before, contents(placed(trial.example)))


KIT = Kit(
    exercise=_exercise,
    checks=(
        Check("methods", "it has the methods of a reader of data", _methods),
        Check("claims", "it says of any text whether it reads it, and asks nobody", _claims),
        Check("refuses", "what it cannot read it refuses with a sentence", _refuses),
        Check("whole", "inputs, labels and names fit each other", _whole),
        Check("sample", "a sample is as large as asked, and the same for a seed", _sample),
        Check("untouched-input", "the data stays as it is", _untouched),
    ),
)
