"""Memory, threads, precision and batch size of the device that a backbone runs on."""

from __future__ import annotations

import contextlib
import functools
import math
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from zoo.errors import InputError, OutOfMemoryError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zoo.types.runtimes import Precision, RuntimeOptions

#: Batches of a CPU. More spills its cache: 112 instead of 150 short texts a second were seen.
_PIXELS = 16 * 224 * 224
_TOKENS = 1024
_MATMUL_ERROR = 1e-5
_FUSED_FROM = 200
_WORTH_A_SWITCH = 0.8
_SHORT: dict[Precision, torch.dtype] = {"bf16": torch.bfloat16, "fp16": torch.float16}
_CPU_ALLOCATOR = ("can't allocate memory", "not enough memory", "alloc_cpu")


def resolve_device(name: str) -> torch.device:
    """The device that a person named.

    Raises:
        InputError: this machine has no such device.
    """
    try:
        device = torch.device(name)
    except RuntimeError:
        raise InputError(f"{name!r} is not a device.", "Write cpu, cuda or cuda:0.") from None
    if device.type == "cuda" and (
        not torch.cuda.is_available() or (device.index or 0) >= torch.cuda.device_count()
    ):
        found = torch.cuda.device_count() if torch.cuda.is_available() else 0
        raise InputError(
            f"there is no device {name!r} on this machine ({found} CUDA devices found).",
            "Use --device cpu.",
        )
    return device


def configure(options: RuntimeOptions, device: torch.device) -> None:
    """Set the process's threads and its float32 matrix products."""
    torch.set_num_threads(max(1, options.threads))
    if device.type == "cpu":
        torch.set_float32_matmul_precision(_cpu_precision())
    else:
        torch.cuda.set_device(device)  # else pinned memory opens a context on the first GPU too
        torch.set_float32_matmul_precision("highest")
        torch.backends.cudnn.allow_tf32 = False


def check_precision(precision: Precision, device: torch.device) -> None:
    """Refuse numbers that a device does not compute in.

    Raises:
        InputError: saying which it does.
    """
    if precision == "fp32":
        return
    if precision not in _SHORT:
        raise InputError(
            f"PyTorch computes in fp32, bf16 or fp16 here, not in {precision!r}.",
            "int8 is for exported graphs: add --runtime onnx, or write --precision bf16.",
        )
    reason = _refusal(_SHORT[precision], device)
    if reason:
        raise InputError(
            f"{device} does not compute in {precision}: {reason}.", "Use --precision fp32."
        )


@functools.cache
def _refusal(kind: torch.dtype, device: torch.device) -> str:
    """Why a device does not compute in a kind of number; empty where it does."""
    if device.type == "cuda" and kind == torch.bfloat16:
        native = torch.cuda.get_device_capability(device) >= (8, 0)
        return "" if native else "that needs an Ampere GPU or a later one"
    images = torch.ones(1, 8, 4, 4, device=device)
    tokens = torch.ones(1, 2, 4, 8, device=device)
    try:
        with torch.inference_mode(), torch.autocast(device.type, dtype=kind):
            torch.nn.functional.conv2d(images, torch.ones(8, 1, 3, 3, device=device), groups=8)
            torch.nn.functional.scaled_dot_product_attention(tokens, tokens, tokens)
            torch.nn.functional.linear(tokens, torch.ones(8, 8, device=device))
    except RuntimeError as error:
        return str(error).splitlines()[0].rstrip(".")
    return ""


def computing(
    precision: Precision, device: torch.device
) -> contextlib.AbstractContextManager[object]:
    """Products in a short number, what needs digits in float32: torch's own lists say which.

    The weights stay float32 and are cast as they are used: attributions are computed in float32.
    """
    if precision == "fp32":
        return contextlib.nullcontext()
    return torch.autocast(device.type, dtype=_SHORT[precision])


def tune(device: torch.device, *, fixed: bool) -> None:
    """Let cuDNN time its kernels for every new shape, where there are few: ``fixed`` sizes."""
    if device.type == "cuda":
        torch.backends.cudnn.benchmark = fixed


@functools.cache
def _cpu_precision() -> str:
    """Choose between the two float32 kernels of a CPU by measuring a piece of a transformer.

    On some processors ``medium`` is twice as fast, on others slower, and on some it is bfloat16.
    """
    seconds, results = {}, {}
    before = torch.get_float32_matmul_precision()
    for precision in ("highest", "medium"):
        torch.set_float32_matmul_precision(precision)
        seconds[precision], results[precision] = _time_block()
    torch.set_float32_matmul_precision(before)
    exact = results["highest"]
    error = float((results["medium"] - exact).abs().max() / exact.abs().max())
    faster = seconds["medium"] < _WORTH_A_SWITCH * seconds["highest"]
    return "medium" if faster and error < _MATMUL_ERROR else "highest"


def _time_block() -> tuple[float, torch.Tensor]:
    """Best of four: processor seconds of two matrix products and one attention, and the result."""
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randn(1024, 384, generator=generator)
    weights = torch.randn(384, 1536, generator=generator)
    best = math.inf
    for _ in range(4):
        started = time.thread_time()
        with attention(64, tokens.device):
            heads = tokens.view(16, 64, 12, 32).transpose(1, 2)
            mixed = torch.nn.functional.scaled_dot_product_attention(heads, heads, heads)
        result = mixed.transpose(1, 2).reshape(1024, 384) @ weights @ weights.T
        best = min(best, time.thread_time() - started)
    return best, result


def prefers_channels_last(
    module: torch.nn.Module, device: torch.device, precision: Precision = "fp32"
) -> bool:
    """Whether the layout pays: on a CPU for batch-normed nets, on a GPU for short convolutions.

    A GPU's tensor cores want it; its float32 kernels, without TF32, do not run on those.
    """
    if device.type == "cuda":
        convolves = any(isinstance(part, torch.nn.Conv2d) for part in module.modules())
        return convolves and precision != "fp32"
    return any(isinstance(part, torch.nn.BatchNorm2d) for part in module.modules())


def budget(modality: str, device: torch.device, width: int) -> int:
    """Pixels or tokens of a comfortable batch; ``width`` is the network's widest tap."""
    if device.type != "cuda":
        return _PIXELS if modality == "image" else _TOKENS
    free, _ = torch.cuda.mem_get_info(device)
    if modality == "image":
        return max(_PIXELS, min(256 * 224 * 224, free // 2 // 4096))
    return max(4 * _TOKENS, min(64 * 1024, free // 2 // (max(width, 256) * 160)))


def attention(tokens: int | None, device: torch.device) -> contextlib.AbstractContextManager[None]:
    """The attention kernel for sequences of this length.

    The fused CPU kernel is the fastest at every length, but not with ``medium`` products: there,
    below some 200 tokens, plain matrix products were seen to be up to 11 times faster.
    """
    short = tokens is not None and tokens <= _FUSED_FROM
    if device.type == "cpu" and short and torch.get_float32_matmul_precision() == "medium":
        return sdpa_kernel(SDPBackend.MATH)
    return contextlib.nullcontext()


@contextlib.contextmanager
def memory_guard(sentence: str, hint: str) -> Iterator[None]:
    """Turn every way of running out of memory into one error."""
    try:
        yield
    except (MemoryError, torch.OutOfMemoryError):
        pass
    except RuntimeError as error:
        if not any(text in str(error) for text in _CPU_ALLOCATOR):
            raise
    else:
        return
    release_memory()
    raise OutOfMemoryError(sentence, hint)


def release_memory() -> None:
    """Give cached device memory back to others."""
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def require_memory(model: str, needed: int, device: torch.device) -> None:
    """Refuse weights that cannot fit before anything is read.

    Raises:
        OutOfMemoryError: saying how much is needed and free.
    """
    if device.type == "cuda":
        free: int | None = torch.cuda.mem_get_info(device)[0]
    else:
        free = available_memory()
    if free is not None and needed > free:
        raise OutOfMemoryError(
            f"{model} needs {needed / 1e9:.1f} GB of memory for its weights in float32; "
            f"{free / 1e9:.1f} GB are free on {device}.",
            "Leave it out, free memory, or run it on a larger device.",
        )


def available_memory() -> int | None:
    """Bytes that this process may still take; None where the system does not say."""
    limits = [_meminfo(), _cgroup()]
    known = [limit for limit in limits if limit is not None]
    return min(known) if known else None


def _meminfo() -> int | None:
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    with contextlib.suppress(OSError, ValueError, AttributeError):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return None


def _cgroup() -> int | None:
    folder = Path("/sys/fs/cgroup")
    with contextlib.suppress(OSError, ValueError):
        limit = int((folder / "memory.max").read_text(encoding="ascii"))
        used = int((folder / "memory.current").read_text(encoding="ascii"))
        cache = dict(
            line.split()
            for line in (folder / "memory.stat").read_text(encoding="ascii").splitlines()
        )
        return max(0, limit - used + int(cache.get("file", 0)))
    return None
