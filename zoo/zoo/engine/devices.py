"""Which devices the forward passes run on."""

from __future__ import annotations

import re

from zoo.errors import InputError

_DEVICE = re.compile(r"auto|cpu|cuda(:\d+)?")


def check_device(text: str) -> str:
    """Accept what a person may write.

    Raises:
        InputError: it names no device.
    """
    if not _DEVICE.fullmatch(text):
        raise InputError(f"{text!r} is not a device.", "Write auto, cpu, cuda or cuda:0.")
    return text


def choose_devices(text: str, gpus: int) -> tuple[str, ...]:
    """Give the devices that ``auto``, ``cpu``, ``cuda`` or ``cuda:n`` means here.

    Raises:
        InputError: a GPU was asked for that is not here.
    """
    name, _, index = text.partition(":")
    if name == "cpu" or (name == "auto" and not gpus):
        return ("cpu",)
    if int(index or 0) >= gpus:
        found = f"{gpus} CUDA devices found" if gpus else "PyTorch finds no CUDA device"
        raise InputError(
            f"there is no device {text!r} on this machine ({found}).", "Use --device cpu."
        )
    return (text,) if index else tuple(f"cuda:{number}" for number in range(gpus))
