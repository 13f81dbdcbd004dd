"""Which execution providers really work here: asked of the machine, not of the package."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import io
import re
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zoo.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

CPU = "CPUExecutionProvider"
CUDA = "CUDAExecutionProvider"

_DEVICE = re.compile(r"(?P<kind>cpu|cuda)(:(?P<number>\d+))?")


@dataclass(frozen=True, slots=True)
class Choice:
    """Providers to open a session with.

    Attributes:
        providers: names, the preferred first.
        number: of the CUDA device.
    """

    providers: tuple[str, ...]
    number: int = 0

    @property
    def options(self) -> list[dict[str, Any]]:
        """One dictionary a provider."""
        return [{"device_id": self.number} if name == CUDA else {} for name in self.providers]


@functools.cache
def load_onnxruntime() -> Any:
    """Import ONNX Runtime and keep it from writing to the terminal.

    Raises:
        InputError: it is not installed, or its files are damaged.
    """
    try:
        import onnxruntime

        onnxruntime.set_default_logger_severity(4)
    except (ImportError, AttributeError, OSError):
        raise InputError(
            "ONNX Runtime cannot be imported here.",
            "pip uninstall onnxruntime onnxruntime-gpu; pip install onnxruntime-gpu",
        ) from None
    return onnxruntime


def usable_providers() -> tuple[str, ...]:
    """What a session can be opened with on this machine.

    ``onnxruntime.get_available_providers()`` lists what the package was built with instead.
    """
    runtime = load_onnxruntime()
    found = [device.ep_name for device in runtime.get_ep_devices()]
    if CUDA in runtime.get_available_providers() and cuda_memory():
        found.insert(0, CUDA)
    return tuple(dict.fromkeys(found))


@functools.cache
def cuda_memory() -> tuple[int, ...]:
    """Bytes of each CUDA device, as the driver counts them; empty without one."""
    try:
        driver = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
        count = ctypes.c_int()
        if driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count)):
            return ()
    except (OSError, AttributeError):
        return ()
    sizes = []
    for number in range(count.value):
        device, size = ctypes.c_int(), ctypes.c_size_t()
        driver.cuDeviceGet(ctypes.byref(device), number)
        driver.cuDeviceTotalMem_v2(ctypes.byref(size), device)
        sizes.append(size.value)
    return tuple(sizes)


def choose(device: str, names: Sequence[str] = ()) -> Choice:
    """Turn a device, or the names of providers, into what a session is opened with.

    Args:
        device: ``cpu``, ``cuda`` or ``cuda:1``.
        names: of providers, such as ``CPUExecutionProvider``; empty takes those of the device.

    Raises:
        InputError: no such device or provider works here.
    """
    parsed = _DEVICE.fullmatch(device)
    if parsed is None:
        raise InputError(f"{device!r} is not a device.", "Write cpu, cuda or cuda:0.")
    number = int(parsed["number"] or 0)
    if names:
        _require(names)
        return Choice(tuple(names), number)
    if parsed["kind"] == "cpu":
        return Choice((CPU,))
    if number >= len(cuda_memory()):
        raise InputError(
            f"there is no device {device!r} on this machine ({len(cuda_memory())} CUDA devices "
            "found).",
            "Use --device cpu.",
        )
    if CUDA not in usable_providers():
        raise InputError(
            "the installed ONNX Runtime was built without CUDA.",
            "pip uninstall onnxruntime; pip install onnxruntime-gpu; or use --device cpu.",
        )
    return Choice((CUDA,), number)


def _require(names: Sequence[str]) -> None:
    usable = usable_providers()
    for name in names:
        if name not in usable:
            raise InputError(
                f"ONNX Runtime has no provider {name!r} that works on this machine.",
                f"Use one of: {', '.join(usable)}.",
            )


@functools.cache
def preload_cuda() -> None:
    """Load the CUDA libraries that torch brought along, before a session looks for its own."""
    with contextlib.redirect_stdout(io.StringIO()):
        load_onnxruntime().preload_dlls()
