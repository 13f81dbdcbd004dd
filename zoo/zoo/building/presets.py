"""Presets: what a recipe says where the person does not.

``paper`` is the recipe of the official code of common-feature learning (Luo et al., IJCAI 2019);
``balanced`` is what measured better; ``quick`` is that in minutes on two cores.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zoo.errors import InputError, unknown_name

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT = "balanced"
#: The loss that the core adds for every method that learns soft targets.
SOFT = "soft"
#: The loss of the data's own labels, where they are learned.
LABELS = "labels"

_BALANCED: dict[str, Any] = {
    "targets": {"kind": "standardised"},
    "loss_factor": 1.0,
    "standardise_features": True,
    "schedule": {
        "epochs": 30,
        "batch": 64,
        "weight_decay": 1e-4,
        "decay": "cosine",
        "warmup": 0.1,
    },
    "views": {"kind": "random"},
}
PRESETS: Mapping[str, Mapping[str, Any]] = {
    "paper": {
        "targets": {"kind": "concat", "temperature": 1.0},
        "loss_factor": 10.0,
        "standardise_features": False,
        "schedule": {
            "epochs": 30,
            "batch": 64,
            "learning_rate": 1e-4,
            "head_rate": 10.0,
            "extras_rate": 5.0,
            "weight_decay": 1e-4,
            "decay": "step",
            "warmup": 0.0,
        },
        "views": {"kind": "random", "scale": 0.75, "flip": True},
    },
    "balanced": _BALANCED,
    "quick": {
        **_BALANCED,
        "schedule": {**_BALANCED["schedule"], "epochs": 6},
        "views": {"kind": "fixed", "count": 2},
        "samples": 2000,
    },
}
_DISTILLED: dict[str, Any] = {
    "targets": {"kind": "union", "temperature": 4.0},
    "loss_factor": 1.0,
    "standardise_features": False,
}
#: ``paper`` is the recipe of the official code of contrastive distillation (Tian et al., ICLR
#: 2020), which most others are compared by.
DISTILLING: Mapping[str, Mapping[str, Any]] = {
    "paper": {
        **_DISTILLED,
        "schedule": {
            "epochs": 240,
            "batch": 64,
            "optimiser": "sgd",
            "learning_rate": 0.05,
            "head_rate": 1.0,
            "extras_rate": 1.0,
            "weight_decay": 5e-4,
            "decay": "steps",
            "warmup": 0.0,
        },
        "views": {"kind": "random", "scale": 0.75, "flip": True},
    },
    "balanced": {**_BALANCED, **_DISTILLED},
    "quick": {**PRESETS["quick"], **_DISTILLED},
}
#: Crops keep most of an image: its label is about all of it, and no teacher sees the same crop.
_TUNED: dict[str, Any] = {
    "labelled": True,
    "compare": False,
    "views": {"kind": "random", "scale": 0.75},
}
#: ``paper`` has the rate, the momentum and the weight decay that published fine-tunings of residual
#: networks share (Li et al., Rethinking the Hyperparameters for Fine-tuning, ICLR 2020, section 1).
FINETUNING: Mapping[str, Mapping[str, Any]] = {
    "paper": {
        **_TUNED,
        "schedule": {
            "epochs": 30,
            "batch": 64,
            "optimiser": "sgd",
            "learning_rate": 0.01,
            "head_rate": 1.0,
            "extras_rate": 1.0,
            "weight_decay": 1e-4,
            "decay": "step",
            "warmup": 0.0,
        },
    },
    "balanced": {**_TUNED, "schedule": _BALANCED["schedule"]},
    "quick": {**_TUNED, "schedule": PRESETS["quick"]["schedule"], "samples": 2000},
}
_OF_COMMAND = {"amalgamate": PRESETS, "distill": DISTILLING, "finetune": FINETUNING}
#: Of a student that starts from nothing, and of every part that does: a head, a method's extras.
FRESH_RATE = 1e-3
#: Of the trained body of a network that is not small, and the size from which one is small.
_TRAINED_RATE, _SMALL = 1e-4, 600_000


def rates_for(parameters: int | None, *, trained: bool, head: bool = False) -> dict[str, float]:
    """Give the learning rates of a student.

    A trained body learns at 1e-4, a small one faster in inverse proportion to its size, and nothing
    faster than what starts from nothing. ``docs/reference/amalgamation.md`` has the measurement.

    Args:
        parameters: of the student; None counts as large.
        trained: whether its body has trained weights.
        head: whether its head has, too.
    """
    rate = FRESH_RATE
    if trained:
        smaller = max(1.0, _SMALL / parameters) if parameters else 1.0
        rate = min(FRESH_RATE, _TRAINED_RATE * smaller)
    rate = float(f"{rate:.1e}")
    return {
        "learning_rate": rate,
        "head_rate": 1.0 if head else FRESH_RATE / rate,
        "extras_rate": FRESH_RATE / rate,
    }


def preset_values(name: str, command: str = "amalgamate") -> dict[str, Any]:
    """Give the values of a preset for one command, nested as the recipe is.

    Raises:
        UnknownNameError: there is no such preset.
    """
    if name not in PRESETS:
        raise unknown_name("preset", name, PRESETS, "--preset balanced")
    return {"preset": name, **_OF_COMMAND.get(command, PRESETS)[name]}


def baseline_weights(weights: Mapping[str, float]) -> dict[str, float]:
    """Give those of a student of the soft targets alone, beside one with these weights."""
    return {SOFT: 1.0} | {name: weights[name] for name in (SOFT, LABELS) if weights.get(name)}


def loss_weights(
    own: Mapping[str, float], named: Mapping[str, float], factor: float, *, soft: bool
) -> dict[str, float]:
    """Settle the weight of every loss.

    Args:
        own: what the method gives its losses, and another weight of the core's where it has one.
        named: what the person says.
        factor: multiplies those that the person does not name.
        soft: whether soft targets are learned beside them, with weight one.

    Raises:
        InputError: a loss that this method does not have.
    """
    base = {SOFT: 1.0} if soft else {}
    found = base | {
        name: weight if name in {SOFT, LABELS} else weight * factor for name, weight in own.items()
    }
    for name in named:
        if name not in found:
            unknown = unknown_name("loss", name, found)
            raise InputError(unknown.message, "--weight LOSS=NUMBER")
    return found | dict(named)
