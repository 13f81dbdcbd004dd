"""Compare an exported graph with the torch network it comes from, tap by tap, on real inputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.errors import CheckpointError
from zoo.types.runtimes import TapParity
from zoo_runtimes.onnx.sessions import open_session

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    import numpy.typing as npt

    from zoo.types.runtimes import EncodedInput, Precision
    from zoo_runtimes.backbones import TorchBackbone
    from zoo_runtimes.onnx.sessions import Session

    Array = npt.NDArray[Any]

TOLERANCE: Mapping[Precision, float] = {"fp32": 1e-4, "fp16": 2e-2, "int8": 1.0}
"""Largest difference of a tap, over its largest absolute value.

fp32: sums in another order differ by 1e-7 to 1e-5; a wrong operator by 1e-3 and more. fp16: eleven
bits a number differ by 4e-4 to 1e-3 on MiniLM and MobileNetV2, by 1.3e-2 on a MobileNetV1 a quarter
as wide. int8: what it costs depends on the network, so it is said, and only nonsense is refused.
"""
AGREEMENT_LOSS = 0.01
"""Share of first labels that a quantised network may change without a warning."""

_SIZES = (1, 3)
_LARGEST = 8
_SMALLEST_NORMAL = float(np.finfo(np.float32).tiny)


@dataclass(frozen=True)
class Comparison:
    """How two networks compare on the same inputs.

    Attributes:
        agreement: share of the samples with the same first label; None without a head, or where
            the logits are numbers.
    """

    taps: tuple[TapParity, ...]
    samples: int
    agreement: float | None


def compare(
    original: TorchBackbone,
    graph: Path,
    inputs: Sequence[EncodedInput],
    taps: Sequence[str],
    threads: int = 1,
) -> Comparison:
    """Run both on batches of 1, 3 and 8: a graph may have silently fixed a size.

    Args:
        original: on the CPU, in float32.
        graph: with an output of the name of each tap.
        inputs: as ``original.encode`` gave them.
        taps: names.
        threads: of ONNX Runtime.

    Raises:
        CheckpointError: the graph cannot be run at one of those sizes.
    """
    session = open_session(graph, threads=threads)
    expected: dict[str, list[Array]] = {name: [] for name in taps}
    found: dict[str, list[Array]] = {name: [] for name in taps}
    for batch in _batches(inputs):
        reference = original.extract(batch, taps)
        values = _run(original, session, batch, taps)
        for name in taps:
            expected[name].append(reference[name])
            found[name].append(values[name])
    pairs = {name: (np.concatenate(expected[name]), np.concatenate(found[name])) for name in taps}
    head = original.head
    classes = "logits" in pairs and head is not None and head.kind != "regression"
    return Comparison(
        taps=tuple(_parity(name, *pair) for name, pair in pairs.items()),
        samples=len(inputs),
        agreement=_agreement(*pairs["logits"]) if classes else None,
    )


def _batches(inputs: Sequence[EncodedInput]) -> Iterator[Sequence[EncodedInput]]:
    start, sizes = 0, iter(_SIZES)
    while start < len(inputs):
        size = next(sizes, _LARGEST)
        yield inputs[start : start + size]
        start += size


def _run(
    original: TorchBackbone, session: Session, batch: Sequence[EncodedInput], taps: Sequence[str]
) -> dict[str, Array]:
    _, _, feed = original.parts
    found: dict[str, Array] = {}
    for rows, tensors in feed.batches(batch):
        arrays = {name: tensor.contiguous().numpy() for name, tensor in tensors.items()}
        try:
            outputs = session.run(taps, arrays)
        except Exception as error:
            shapes = ", ".join(f"{name} {array.shape}" for name, array in arrays.items())
            raise CheckpointError(
                f"the exported network does not run on {shapes}: {str(error).splitlines()[0]}",
                "Run it with --runtime torch.",
            ) from error
        for name, values in zip(taps, outputs, strict=True):
            found.setdefault(name, np.empty((len(batch), *values.shape[1:]), np.float32))
            found[name][rows] = values
    return found


def _parity(tap: str, expected: Array, found: Array) -> TapParity:
    same = np.isfinite(expected) & np.isfinite(found)
    same |= (np.isnan(expected) & np.isnan(found)) | (expected == found)
    finite = np.isfinite(expected) & np.isfinite(found)
    distance = np.abs(expected[finite].astype(np.float64) - found[finite])
    difference = float(distance.max(initial=0.0)) if same.all() else float("inf")
    scale = float(np.abs(expected[finite]).max(initial=0.0))
    # Below the normal numbers nothing is exact, and some kernels make zeros of them.
    relative = difference / max(scale, _SMALLEST_NORMAL) if difference > _SMALLEST_NORMAL else 0.0
    return TapParity(tap=tap, dimension=expected.shape[1], difference=difference, relative=relative)


def _agreement(expected: Array, found: Array) -> float:
    return float((expected.argmax(axis=1) == found.argmax(axis=1)).mean())


def refuse(model: str, comparison: Comparison, tolerance: float, precision: Precision) -> None:
    """Refuse a graph that computes something else than the original.

    Raises:
        CheckpointError: naming the tap that differs most, and by how much.
    """
    worst = max(comparison.taps, key=lambda tap: tap.relative)
    way = "Run it with --runtime torch." if precision == "fp32" else "Use --precision fp32."
    if not np.isfinite(worst.difference):
        raise CheckpointError(
            f"{model}: exported in {precision}, {worst.tap} is not a finite number where the "
            "original is.",
            way,
        )
    if not worst.relative <= tolerance:  # nan as well
        raise CheckpointError(
            f"{model}: exported in {precision}, {worst.tap} differs from the original by "
            f"{worst.difference:.2g}, {worst.relative:.2g} of its largest value; {tolerance:.0e} "
            "is allowed.",
            way,
        )


def warn(comparison: Comparison, precision: Precision) -> str | None:
    """Say what quantising costs, where it is more than a point of agreement."""
    agreement = comparison.agreement
    if agreement is None and precision == "int8":
        worst = max(comparison.taps, key=lambda tap: tap.relative)
        return (
            f"int8 moves {worst.tap} by up to {worst.relative:.0%} of its largest value, and there "
            "are no first labels to show what that costs: check your own accuracy."
        )
    if precision == "fp32" or agreement is None or agreement >= 1 - AGREEMENT_LOSS - 1e-9:
        return None
    return (
        f"{precision} changes the first label of {1 - agreement:.1%} of {comparison.samples} "
        "samples, more than 1 point: check your own accuracy, or use --precision fp32."
    )
