"""Whether a runtime that opens networks with gradients can be called as the core calls it."""

from __future__ import annotations

from zoo.testing.promises import lacking, methods_of, mismatch
from zoo.types.training import Forecasts, Trains


def check_trains(runtime: object, name: str = "") -> list[str]:
    """Compare the optional methods for training with those of the contract; nothing is opened.

    Args:
        runtime: the object of a runtime.
        name: of the runtime.

    Returns:
        One sentence a broken promise; empty for a runtime that does not train.
    """
    found = []
    for protocol in (Trains, Forecasts):
        names = methods_of(protocol)
        if not hasattr(runtime, names[0]):
            continue
        if missing := lacking(runtime, protocol):
            found.append(f"has {names[0]}, and {missing}")
        found += [
            f"{each} {wrong}"
            for each in names
            if hasattr(runtime, each)
            and (wrong := mismatch(getattr(runtime, each), getattr(protocol, each)))
        ]
    return [f"{name or type(runtime).__name__}: {each}." for each in found]
