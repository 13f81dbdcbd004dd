"""What a command that builds a model gives back."""

from __future__ import annotations

from typing import Any

import msgspec


class BuiltModel(msgspec.Struct, frozen=True, kw_only=True):
    """A model that was built, or as far as it came.

    Attributes:
        folder: where it lies, as the person named it.
        command: ``amalgamate`` ...
        method: name of the method.
        teachers: alias -> reference.
        labels: of its head; empty for an extractor.
        metrics: what ``metrics.json`` holds.
        parameters: of the model.
        bytes: of all files in the folder.
        steps: optimiser steps in all.
        seconds: that this command took.
        peak_bytes: largest memory in use.
        skipped: inputs that could not be read.
        interrupted: it is not finished; ``zoo resume`` goes on.
        notes: what a person should know, one sentence each.
        failures: what was asked for beside the model and could not be made, one sentence each.
    """

    folder: str
    command: str
    method: str
    teachers: dict[str, str]
    labels: tuple[str, ...] = ()
    metrics: dict[str, Any] = {}
    parameters: int = 0
    bytes: int = 0
    steps: int = 0
    seconds: float = 0.0
    peak_bytes: int = 0
    skipped: int = 0
    interrupted: bool = False
    notes: tuple[str, ...] = ()
    failures: tuple[str, ...] = ()
    schema_version: int = 1
