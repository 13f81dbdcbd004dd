"""Whether a merger keeps its promises, found out by giving it tensors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from zoo.testing.findings import METHODS, Found, promised, under
from zoo.testing.promises import BrokenPromiseError, asking, lacking, sentences
from zoo.types.training import Merger

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torch import Tensor

_COUNTS = (2, 3, 4)
_SHAPES = ((), (7,), (3, 4), (2, 3, 1, 2))
_NAME = "layer.weight"


def found_of_merger(merger: Any) -> Iterator[Found]:
    """Say what a merger breaks, by the name of the check; see ``docs/plugins.md``.

    Args:
        merger: an object with the methods of :class:`zoo.types.training.Merger`.
    """
    if missing := lacking(merger, Merger):
        yield Found(METHODS, f"it {missing}")
        return
    if not isinstance(merger.needs_base, bool):
        yield Found("base", f"needs_base must be True or False, and is {merger.needs_base!r}")
        return
    with promised("models"):
        counts = _counts(merger)
    yield Found("models")
    with promised("merged"):
        yield from dict.fromkeys(each for count in counts for each in _broken(merger, count))


def merged_tensors(merger: Merger) -> dict[str, Tensor]:
    """Merge as many tensors as it takes, of every shape."""
    count = _counts(merger)[0]
    found = {}
    for shape in _SHAPES:
        base, *models = _draw(count + 1, shape, torch.float32)
        found[f"{shape}"] = _merge(merger, models, base, "tensors")
    return found


def _counts(merger: Merger) -> list[int]:
    """Find the numbers of models that it can combine."""
    fitting, refusal = [], ""
    for count in _COUNTS:
        with asking("check"):
            said = sentences(merger.check(count))
        if said:
            refusal = said[0].rstrip(".")
        else:
            fitting.append(count)
    if not fitting:
        listed = ", ".join(map(str, _COUNTS))
        raise BrokenPromiseError(f"check refuses every number of models ({listed}): {refusal}")
    return fitting


def _broken(merger: Merger, count: int) -> Iterator[Found]:
    for shape in _SHAPES:
        for dtype in (torch.float32, torch.float64):
            yield from _with_tensors(merger, _draw(count + 1, shape, dtype))
    yield from _unread_base(merger, _draw(count + 1, (9, 8), torch.float64))


def _with_tensors(merger: Merger, drawn: Sequence[Tensor]) -> Iterator[Found]:
    """Merge models, and models that do not differ."""
    base, *models = drawn
    known = [each.clone() for each in drawn]
    what = f"{len(models)} {str(base.dtype).removeprefix('torch.')} tensors of {tuple(base.shape)}"
    merged = _merge(merger, models, base, what)
    wrong = list(_misshapen(merged, base, what))
    yield from under("merged", wrong)
    if wrong:
        return
    if not all(torch.equal(*pair) for pair in zip(drawn, known, strict=True)):
        yield Found("untouched-input", "merge changes the tensors that it is given")
        return
    yield Found("untouched-input")
    yield Found("seeded")
    if not torch.equal(merged, _merge(merger, models, base, what)):
        yield Found(
            "seeded", "merge must give the same for the same name, and draws anew each time"
        )
    yield Found("equal-models")
    equal = _merge(merger, [base] * len(models), base, what)
    if not torch.allclose(equal, base, rtol=1e-5, atol=1e-6):
        what = "models that are the base" if merger.needs_base else "equal models"
        gives = "the base" if merger.needs_base else "that model"
        yield Found("equal-models", f"{what} must give {gives}, and do not")


def _misshapen(merged: Tensor, base: Tensor, what: str) -> Iterator[str]:
    if merged.shape != base.shape:
        yield f"merge must keep the shape of {what}, and gives {tuple(merged.shape)}"
    elif merged.dtype != base.dtype:
        yield f"merge must keep the kind of {what}, and gives {merged.dtype}"
    elif not bool(torch.isfinite(merged).all()):
        yield f"merge must give finite numbers, and does not for {what}"


def _unread_base(merger: Merger, drawn: Sequence[Tensor]) -> Iterator[Found]:
    yield Found("base")
    if not merger.needs_base:
        return
    base, *models = drawn
    there, elsewhere = (
        _merge(merger, models, each, "tensors") for each in (base, base + models[0].flip(0))
    )
    if torch.equal(there, elsewhere):
        yield Found("base", "needs_base is true, and merge makes nothing of the base")


def _merge(merger: Merger, models: Sequence[Tensor], base: Tensor, what: str) -> Tensor:
    with asking(f"merge of {what}"):
        merged = merger.merge(_NAME, models, base if merger.needs_base else None)
    if not isinstance(merged, torch.Tensor):
        raise BrokenPromiseError(f"merge must give a tensor, and gives {type(merged).__name__}")
    return merged


def _draw(count: int, shape: tuple[int, ...], dtype: torch.dtype) -> list[Tensor]:
    generator = torch.Generator().manual_seed(count)
    return [torch.randn(shape, generator=generator, dtype=dtype) for _ in range(count)]
