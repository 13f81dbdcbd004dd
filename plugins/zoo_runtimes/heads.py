"""What the logits of a trained head mean, from its configuration. Imports no framework."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zoo.types.runtimes import Head

if TYPE_CHECKING:
    from zoo.types.runtimes import HeadKind


def head_of(config: Any, width: int) -> Head:
    """Name the classes of ``width`` logits; ``LABEL_3`` where the checkpoint gives no name.

    Args:
        config: a transformers configuration, or whatever has its attributes.
        width: number of logits.
    """
    raw = getattr(config, "id2label", None) or {}
    names = {int(number): str(name) for number, name in raw.items()}
    labels = tuple(names.get(number, f"LABEL_{number}") for number in range(width))
    return Head(labels=labels, kind=_kind(getattr(config, "problem_type", None), width))


def _kind(problem: str | None, width: int) -> HeadKind:
    if problem == "multi_label_classification":
        return "multi-label"
    if problem == "regression" or (width == 1 and problem is None):
        return "regression"
    return "classification"
