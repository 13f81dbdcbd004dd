"""Whether a runtime keeps its promises, found out by opening tiny checkpoints with it.

A runtime of another format is tried on its example: the folder or the reference of a checkpoint
that it can open.
"""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from zoo.engine.machine import may_have_gpu
from zoo.errors import ZooError
from zoo.testing.kit import Check, Kit, Trial
from zoo.testing.places import contents, refused, touched
from zoo.testing.promises import (
    BrokenPromiseError,
    NotTriedError,
    asking,
    lacking,
    methods_of,
    mismatch,
)
from zoo.testing.runtime_trials import Given, each_checkpoint
from zoo.types.runtimes import OnDevice, Outlines, Runtime
from zoo.types.training import Forecasts, Trains

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import numpy.typing as npt

    Pooled = Mapping[str, npt.NDArray[Any]]

#: Largest difference of two passes over one input, relative to the largest value of a tap: what
#: the engine lets two runtimes differ by.
_TOLERANCE = 1e-4
_DEVICE = re.compile(r"[a-z]+(:\d+)?")
#: No machine has it.
_NO_DEVICE = "cuda:99"
_CHANNELS, _IMAGE = 3, 3
_LOGITS = "logits"


def check_trains(runtime: object, name: str = "") -> list[str]:
    """Compare the optional methods for training with those of the contract; nothing is opened.

    Args:
        runtime: the object of a runtime.
        name: of the runtime.

    Returns:
        One sentence a broken promise; empty for a runtime that does not train.
    """
    return [f"{name or type(runtime).__name__}: {each}." for each in _untrainable(runtime)]


def _untrainable(runtime: object) -> Iterator[str]:
    for protocol in (Trains, Forecasts):
        names = methods_of(protocol)
        if not hasattr(runtime, names[0]):
            continue
        if missing := lacking(runtime, protocol):
            yield f"has {names[0]}, and {missing}"
        for each in names:
            if hasattr(runtime, each) and (
                wrong := mismatch(getattr(runtime, each), getattr(protocol, each))
            ):
                yield f"{each} {wrong}"


def _exercise(trial: Trial) -> dict[str, dict[str, npt.NDArray[Any]]]:
    """Give the features of every tap of one checkpoint a modality."""
    return {
        given.modality: {
            name: np.array(rows) for name, rows in given.features(given.prepared()).items()
        }
        for given in each_checkpoint(trial)
    }


def _methods(trial: Trial) -> Iterator[str]:
    runtime = trial.make()
    if missing := lacking(runtime, Runtime):
        yield f"it {missing}"
        return
    for name in methods_of(Runtime):
        if wrong := mismatch(getattr(runtime, name), getattr(Runtime, name)):
            yield f"{name} {wrong}"
    with asking("identity"):
        said = runtime.identity()
    if not isinstance(said, str) or not said.strip():
        yield f"identity must give a name with versions, and gives {said!r}"
    elif said != trial.make().identity():
        yield "identity differs between two objects of it, so nothing that is kept is found again"


def _prepared(given: Given) -> Iterator[str]:
    """Ask whether each input is prepared alike alone, and as the engine can keep it."""
    with asking("input_key"):
        key = given.runtime.input_key(given.checkpoint, given.modality)
    if not isinstance(key, str):
        yield f"input_key must give a string, and gives {key!r}"
    if given.modality == "text":
        return
    arrays = given.prepared()
    if len(arrays) != len(given.inputs):
        yield f"prepare makes {len(arrays)} arrays of {len(given.inputs)} inputs"
        return
    for array in arrays:
        if given.modality == "image" and not _is_image(array):
            shown = f"{getattr(array, 'shape', '')} {getattr(array, 'dtype', type(array).__name__)}"
            yield f"prepare must give (H, W, 3) uint8 or (C, H, W) float32, and gives {shown}"
            return
    last = given.runtime.prepare(given.checkpoint, given.inputs[-1:])[0]
    if not np.array_equal(last, arrays[-1], equal_nan=True):
        yield "prepare makes something else of an input when it is alone"


def _is_image(array: Any) -> bool:
    if getattr(array, "ndim", 0) != _IMAGE:
        return False
    packed = array.dtype == np.uint8 and array.shape[-1] == _CHANNELS
    return bool(packed or array.dtype == np.float32)


def _taps(given: Given) -> Iterator[str]:
    """Ask whether every tap that is announced comes, as wide as announced."""
    names = given.taps
    if len(set(names)) < len(names):
        yield f"two taps are called {max(names, key=names.count)!r}"
    if given.backbone.default_tap not in names:
        yield f"the default tap {given.backbone.default_tap!r} is none of {', '.join(names)}"
    if _LOGITS in names[:-1]:
        yield f"{_LOGITS!r} must be the last tap"
    inputs = given.prepared()
    found = given.features(inputs)
    for tap in given.backbone.taps:
        rows = found.get(tap.name)
        if rows is None:
            yield f"the tap {tap.name!r} is announced and missing"
        elif rows.ndim != 2 or len(rows) != len(inputs) or rows.dtype != np.float32:
            yield (
                f"the tap {tap.name!r} must be ({len(inputs)}, D) float32, and is {rows.shape} "
                f"{rows.dtype}"
            )
        elif tap.dimension not in {None, rows.shape[1]}:
            yield f"the tap {tap.name!r} is {rows.shape[1]} wide, and {tap.dimension} are announced"
    with asking("extract of one tap"):
        one = given.features(inputs, names[:1])
    if names[:1] and names[0] not in one:
        yield f"the tap {names[0]!r} does not come when it alone is asked for"


def _outline(given: Given) -> Iterator[str]:
    """Ask whether the configuration alone names the same taps as opening it."""
    if not isinstance(given.runtime, Outlines):
        raise NotTriedError("it has no outline")
    with asking("outline"):
        said = given.runtime.outline(given.checkpoint, given.modality)
    first = [(tap.name, tap.dimension) for tap in said]
    second = [(tap.name, tap.dimension) for tap in given.backbone.taps]
    if first != second:
        other = next((one, two) for one, two in _pairs(first, second) if one != two)
        yield f"outline says {other[0]}, and opening it {other[1]}"


def _pairs(first: list[Any], second: list[Any]) -> Iterator[tuple[Any, Any]]:
    for number in range(max(len(first), len(second))):
        yield tuple(each[number] if number < len(each) else "nothing" for each in (first, second))  # type: ignore[misc]


def _finite(given: Given) -> Iterator[str]:
    for name, rows in given.features(given.prepared()).items():
        if not np.isfinite(rows).all():
            yield f"the features of {name!r} are not finite"


def _batch_free(given: Given) -> Iterator[str]:
    inputs = given.prepared()
    together = _copied(given.features(inputs))
    for row in (0, len(inputs) - 1):
        alone = given.features(inputs[row : row + 1])
        for name in _apart({tap: rows[row : row + 1] for tap, rows in together.items()}, alone):
            yield f"input {row} has other features of {name!r} alone than in a batch"


def _order_free(given: Given) -> Iterator[str]:
    inputs = given.prepared()
    forward = _copied(given.features(inputs))
    back = given.features(inputs[::-1])
    for name in _apart(forward, {tap: rows[::-1] for tap, rows in back.items()}):
        yield f"the features of {name!r} depend on the order of the inputs"


def _copied(pooled: Pooled) -> dict[str, npt.NDArray[Any]]:
    return {name: np.array(rows) for name, rows in pooled.items()}


def _apart(first: Pooled, second: Pooled) -> Iterator[str]:
    """Name the taps whose features differ by more than rounding."""
    for name in first:
        one, two = first[name], second[name]
        scale = float(np.abs(one).max(initial=0.0))
        if one.shape != two.shape or not np.allclose(
            one, two, rtol=0, atol=_TOLERANCE * scale, equal_nan=True
        ):
            yield name


def _untouched(given: Given) -> Iterator[str]:
    """Ask whether the files and the inputs are as they were; opening came before."""
    before = contents(given.checkpoint.folder)
    inputs = given.prepared()
    copies = [np.array(each) if isinstance(each, np.ndarray) else each for each in inputs]
    given.features(inputs)
    given.open().close()
    yield from touched(before, contents(given.checkpoint.folder))
    if not all(np.array_equal(one, two) for one, two in zip(inputs, copies, strict=True)):
        yield "it writes into the inputs that it is given"


def _honest_device(given: Given) -> Iterator[str]:
    """Ask where it runs; then for a device that there is not."""
    if isinstance(given.backbone, OnDevice):
        said = given.backbone.device
        if not isinstance(said, str) or not _DEVICE.fullmatch(said):
            yield f"device must be a name such as 'cpu' or 'cuda:0', and is {said!r}"
        elif said.startswith("cuda") and not may_have_gpu():
            yield f"it says that it runs on {said!r}, which this machine does not have"
    try:
        opened = given.open(_NO_DEVICE)
    except ZooError:
        return
    found = getattr(opened, "device", "")
    opened.close()
    if not found:
        yield f"it opens for {_NO_DEVICE!r}, which is not there, and does not say where it runs"
    elif found == _NO_DEVICE:
        yield f"it says that it runs on {_NO_DEVICE!r}, which is not there"


def _refuses(given: Given) -> Iterator[str]:
    """Ask it to open a folder without weights."""
    with TemporaryDirectory(prefix="zoo-check-") as folder:
        for path in Path(given.checkpoint.folder).glob("*.json"):
            (Path(folder) / path.name).write_bytes(path.read_bytes())
        empty = msgspec.structs.replace(given.checkpoint, folder=folder, digest="0" * 64)
        options = given.options
        yield from refused(
            "opening a checkpoint without weights", partial(given.runtime.open, empty, options)
        )


def _trains(trial: Trial) -> Iterator[str]:
    yield from _untrainable(trial.make())


def _each(ask: Callable[[Given], Iterator[str]]) -> Callable[[Trial], Iterator[str]]:
    """Ask of every checkpoint that is tried."""

    def broken(trial: Trial) -> Iterator[str]:
        for given in each_checkpoint(trial):
            try:
                yield from (f"with {given.name}, {each}" for each in ask(given))
            except BrokenPromiseError as promise:
                yield f"with {given.name}, {promise}"

    return broken


KIT = Kit(
    exercise=_exercise,
    checks=(
        Check("methods", "it has the methods of a runtime, and a name with versions", _methods),
        Check("prepares", "each input is prepared for itself, as it is kept", _each(_prepared)),
        Check("taps", "every tap that is announced comes, as wide as announced", _each(_taps)),
        Check("outline", "the configuration alone names the same taps", _each(_outline)),
        Check("finite", "the features are finite numbers", _each(_finite)),
        Check("batch-free", "what else is in the batch changes no features", _each(_batch_free)),
        Check("order-free", "the order of the inputs changes no features", _each(_order_free)),
        Check("untouched-input", "files and inputs stay as they are", _each(_untouched)),
        Check("honest-device", "it says truly where it runs", _each(_honest_device)),
        Check("refuses", "what it cannot open it refuses with a sentence", _each(_refuses)),
        Check("trains", "its methods for training can be called as the contract says", _trains),
    ),
)
