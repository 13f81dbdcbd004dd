"""An optimiser with a rate each for body, head and extras, and how the rates fall."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from zoo.building.recipe import Schedule
    from zoo.training.setup import Learner

_MOMENTUM = 0.9


def make_optimiser(
    learners: Mapping[str, Learner], schedule: Schedule, *, fused: bool
) -> torch.optim.Optimizer:
    """Make one for all; a group each for the body, the head and the extras of every learner.

    Weight decay is an L2 penalty on all of them, with Adam as in the original (Kingma & Ba, ICLR
    2015).

    Args:
        learners: name -> student.
        schedule: the rates.
        fused: one kernel for all tensors of a group.
    """
    rates = {
        "body": schedule.learning_rate,
        "head": schedule.learning_rate * schedule.head_rate,
        "extras": schedule.learning_rate * schedule.extras_rate,
    }
    groups: list[dict[str, Any]] = [
        {"params": parameters, "lr": rates[part], "part": part, "learner": name}
        for name, learner in learners.items()
        for part, parameters in _parts(learner).items()
        if parameters
    ]
    decay = schedule.weight_decay
    if schedule.optimiser == "sgd":
        return torch.optim.SGD(
            groups, momentum=_MOMENTUM, nesterov=True, weight_decay=decay, fused=fused
        )
    return torch.optim.Adam(groups, weight_decay=decay, fused=fused)


def rate_factor(decay: str, step: int, steps: int) -> float:
    """Give what the rates of step ``step`` (from 0) of ``steps`` are multiplied by."""
    if decay == "step":
        return 1.0 if 2 * step < steps else 0.1
    if decay == "steps":
        return float(10.0 ** -sum(8 * step >= eighths * steps for eighths in (5, 6, 7)))
    return 0.5 * (1.0 + math.cos(math.pi * step / steps)) if decay == "cosine" else 1.0


def head_of(module: nn.Module) -> set[nn.Parameter]:
    """Find the parameters of a network's head: those outside its body."""
    prefix = getattr(module, "base_model_prefix", "")
    body = getattr(module, prefix, None) if prefix else None
    if not isinstance(body, nn.Module):
        return set()
    # timm's networks keep the head inside.
    inner = getattr(body, "get_classifier", None)
    head = inner() if callable(inner) else None
    inside = set(head.parameters()) if isinstance(head, nn.Module) else set()
    return set(module.parameters()) - set(body.parameters()) | inside


def _parts(learner: Learner) -> dict[str, list[nn.Parameter]]:
    module, extras = learner.network.module, learner.extras
    head = head_of(module) if learner.network.head is not None else set()
    return {
        "body": _trained(each for each in module.parameters() if each not in head),
        "head": _trained(each for each in module.parameters() if each in head),
        "extras": _trained(() if extras is None else extras.parameters()),
    }


def _trained(parameters: Iterable[nn.Parameter]) -> list[nn.Parameter]:
    return [each for each in parameters if each.requires_grad]
