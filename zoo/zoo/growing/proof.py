"""The proof of a growth: both networks answer the same inputs, and the answers are compared."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import msgspec

from zoo.errors import CheckpointError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import torch
    from torch import Tensor

    from zoo.growing.work import Drawing
    from zoo.types.growers import WholeNetwork

Numbers = Literal["fp64", "fp32", "bf16", "fp16"]
#: Largest difference, as a multiple of max(1, largest answer). A network that computes in float32
#: inside cannot be better than that in float64.
TOLERANCES: Mapping[Numbers, float] = {"fp64": 1e-9, "fp32": 1e-4, "bf16": 1.0, "fp16": 1.0}
CASTING = 1e-5
#: In half precision the larger network may differ by so many times what rounding alone does to
#: the smaller one.
HALVES = 4.0


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """How far the larger network is from the smaller one.

    Attributes:
        numbers: what both computed in.
        largest: absolute difference of any number of any answer.
        scale: max(1, largest absolute answer of the smaller network).
        tolerance: largest ``largest / scale`` that passes.
        agreement: share of the samples with the same first label, where the first two of the
            smaller network are further apart than the tolerance; None without logits.
        samples: that were compared.
    """

    numbers: Numbers
    largest: float
    scale: float
    tolerance: float
    agreement: float | None = None
    samples: int = 0

    @property
    def passed(self) -> bool:
        """Whether they compute the same function."""
        same = self.largest <= self.tolerance * self.scale
        return same and (self.agreement is None or self.agreement == 1.0)


def compare(
    old: WholeNetwork,
    new: WholeNetwork,
    drawing: Drawing,
    inputs: Mapping[str, Tensor],
    numbers: Numbers,
) -> Difference:
    """Ask both networks, and compare everything that they answer.

    Args:
        old: the smaller one, in the numbers to compare.
        new: the larger one, in the same.
        drawing: how it came about; it says how features of the two belong together.
        inputs: a batch.
        numbers: what both compute in.

    Raises:
        CheckpointError: they answer nothing that could be compared.
    """
    before, after = old.outputs(inputs), new.outputs(inputs)
    if not before:
        raise CheckpointError(
            "the network answers no tensor of its own, so that nothing can be proved.",
            "Grow the checkpoint with another head, or without one.",
        )
    tolerance = CASTING if numbers == "fp64" and drawing.blueprint.casts else TOLERANCES[numbers]
    largest, scale, agreement = 0.0, 1.0, None
    for name, said in before.items():
        answer, found = said.to(_exact(said)), after.get(name)
        expected = _expected(name, answer, drawing)
        if found is None or found.shape != expected.shape:
            largest = math.inf
            continue
        distance = float((found.to(answer.dtype) - expected).abs().max()) if answer.numel() else 0.0
        largest = max(largest, math.inf if math.isnan(distance) else distance)
        scale = max(scale, float(answer.abs().max()))
        if name == "logits" and numbers in {"fp64", "fp32"}:
            agreement = _agreement(answer, found, tolerance * scale)
    return Difference(
        numbers=numbers,
        largest=largest,
        scale=scale,
        tolerance=tolerance,
        agreement=agreement,
        samples=len(next(iter(inputs.values()))),
    )


def _exact(answer: Tensor) -> torch.dtype:
    """Differences of half precision are formed in float32."""
    import torch

    return torch.float32 if answer.dtype in {torch.bfloat16, torch.float16} else answer.dtype


def _expected(name: str, answer: Tensor, drawing: Drawing) -> Tensor:
    """Features of a larger network are those of the smaller one, repeated."""
    if name not in drawing.blueprint.outputs:
        return answer
    from zoo.growing.axes import laid_out, write

    dim, layout = drawing.blueprint.outputs[name]
    found = replace(laid_out(layout, drawing.maps), fill="zero", volume=1.0)
    return write(answer, dim % answer.ndim, found)


def _agreement(before: Tensor, after: Tensor, margin: float) -> float:
    """Share of equal first labels, among answers that rounding cannot turn."""
    if before.shape[-1] < 2:
        return 1.0
    first = before.topk(2, dim=-1)
    sure = (first.values[..., 0] - first.values[..., 1]) > 2 * margin
    same = (after.argmax(-1) == first.indices[..., 0]) | ~sure
    return float(same.double().mean())


def prove(
    old: WholeNetwork,
    new: WholeNetwork,
    drawing: Drawing,
    batches: Sequence[Mapping[str, Tensor]],
    numbers: torch.dtype,
) -> tuple[Difference, ...]:
    """Compare two networks in float64 if they are in it, in float32, and in their own numbers.

    Both are in ``numbers`` afterwards.

    Args:
        old: the smaller one.
        new: the larger one.
        drawing: how it came about.
        batches: inputs.
        numbers: of the checkpoint's files.
    """
    import torch

    def over(kind: Numbers) -> Difference:
        return _worst([compare(old, new, drawing, batch, kind) for batch in batches])

    found, exact = [], []
    if next(old.module.parameters()).dtype == torch.float64:
        found.append(over("fp64"))
        exact = [old.outputs(batch) for batch in batches] if drawing.blueprint.casts else []
    old.module.float()
    new.module.float()
    found.append(over("fp32"))
    if exact:  # its own float32 inside limits how well it can be known
        own = HALVES * max(map(_rounding, exact, map(old.outputs, batches))) / found[0].scale
        found[0] = msgspec.structs.replace(found[0], tolerance=max(CASTING, own))
    if numbers in {torch.bfloat16, torch.float16}:
        exact = [old.outputs(batch) for batch in batches]
        old.module.to(numbers)
        new.module.to(numbers)
        own = max(map(_rounding, exact, map(old.outputs, batches)))
        worst = over("bf16" if numbers == torch.bfloat16 else "fp16")
        found.append(msgspec.structs.replace(worst, tolerance=HALVES * own / worst.scale))
    return tuple(found)


def _worst(found: Sequence[Difference]) -> Difference:
    """One word for several batches."""
    agreements = [each.agreement for each in found if each.agreement is not None]
    return msgspec.structs.replace(
        found[0],
        largest=max(each.largest for each in found),
        scale=max(each.scale for each in found),
        agreement=min(agreements) if agreements else None,
        samples=sum(each.samples for each in found),
    )


def _rounding(exact: Mapping[str, Tensor], rounded: Mapping[str, Tensor]) -> float:
    """What a network loses by its own numbers."""
    distances = [(exact[name].float() - rounded[name].float()).abs().max() for name in exact]
    return float(max(distances))
