"""What a calibration leaves in a model's folder: tensors, and a record of where they come from."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import msgspec

from zoo.calibrating.quality import Change, Honesty
from zoo.errors import InputError
from zoo.files import replacing
from zoo.prediction import CALIBRATION

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch import Tensor

__all__ = ["RECORD", "TENSORS", "Calibration", "load", "read", "write"]

TENSORS = "calibration.safetensors"
RECORD = CALIBRATION


class Calibration(msgspec.Struct, frozen=True, kw_only=True):
    """What ``calibration.json`` says.

    Attributes:
        method: name of the calibrator.
        options: that were given to it.
        found: numbers that it chose.
        model: digest of the checkpoint that it was fitted to.
        tensors: sha256 of ``calibration.safetensors``.
        data: what it was fitted on, as it was typed.
        fingerprint: of that data.
        samples: how many of them.
        evaluation: labelled data; empty without.
        chosen_by: labelled samples that chose something.
        judged_on: labelled samples that chose nothing.
        seed: that divided the labelled samples, and of what was drawn.
        before: of the network's own probabilities, on those judged on.
        after: of the calibrated ones.
        change: of the negative log-likelihood.
    """

    method: str
    options: dict[str, Any]
    found: dict[str, float]
    model: str
    tensors: str = ""
    data: str
    fingerprint: str
    samples: int
    evaluation: str = ""
    chosen_by: int = 0
    judged_on: int = 0
    seed: int = 0
    before: Honesty | None = None
    after: Honesty | None = None
    change: Change | None = None
    schema_version: int = 1


def write(folder: Path, record: Calibration, tensors: Mapping[str, Tensor]) -> Calibration:
    """Put both files into a folder, or neither; earlier ones are replaced.

    Returns:
        The record, with the digest of the tensors.

    Raises:
        InputError: the folder cannot be written to.
    """
    from safetensors.torch import save

    content = save({name: each.detach().cpu().contiguous() for name, each in tensors.items()})
    record = msgspec.structs.replace(record, tensors=hashlib.sha256(content).hexdigest())
    text = msgspec.json.format(msgspec.json.encode(record), indent=1) + b"\n"
    try:
        # Both are complete before either is in its place.
        with replacing(folder / RECORD) as new_record, replacing(folder / TENSORS) as new_tensors:
            new_record.write_bytes(text)
            new_tensors.write_bytes(content)
    except OSError as error:
        raise InputError(f"{folder} cannot be written to: {error.strerror or error}.") from error
    return record


def read(folder: Path) -> Calibration | None:
    """Read the record of a folder; None where there is none.

    Raises:
        InputError: it cannot be read.
    """
    try:
        return msgspec.json.decode((folder / RECORD).read_bytes(), type=Calibration)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError) as error:
        raise InputError(f"{RECORD} cannot be read ({error}).") from error


def load(folder: Path, record: Calibration) -> dict[str, Tensor]:
    """Read the tensors that a record describes.

    Raises:
        InputError: they are missing, or others.
    """
    from safetensors.torch import load as parse

    try:
        content = (folder / TENSORS).read_bytes()
    except OSError as error:
        raise InputError(f"{TENSORS} cannot be read: {error.strerror}.") from error
    if hashlib.sha256(content).hexdigest() != record.tensors:
        raise InputError(f"{TENSORS} is not the file that {RECORD} describes.")
    return dict(parse(content))
