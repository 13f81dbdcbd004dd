"""The examinations of ``zoo doctor``, one function each."""

from __future__ import annotations

import importlib
import os
import platform
import shutil
import sys
import warnings
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from zoo.errors import ZooError
from zoo.render.quantities import size_text, some

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from zoo_cli.context import Context

Status = Literal["ok", "warn", "fail"]

_TIMEOUT = 3.0
_LOW_SPACE = 2e9


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What one examination found."""

    check: str
    status: Status
    detail: str
    hint: str = ""


def examine(context: Context) -> Iterator[Diagnosis]:
    """Look at everything; an examination that breaks is a finding as well."""
    for name, examination in _EXAMINATIONS.items():
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                yield examination(name, context)
        except ZooError as error:
            yield Diagnosis(name, "fail", error.message, error.hint)
        except Exception as error:  # noqa: BLE001 -- the doctor reports, whatever it is
            yield Diagnosis(name, "fail", f"{type(error).__name__}: {error}")


def _zoo(name: str, context: Context) -> Diagnosis:
    del context
    where = Path(importlib.import_module("zoo").__file__ or "").parent
    return Diagnosis(name, "ok", f"{metadata.version('zoo-reuse')} in {where}")


def _python(name: str, context: Context) -> Diagnosis:
    del context
    detail = f"{platform.python_version()} on {platform.platform()}, {sys.executable}"
    return Diagnosis(name, "ok", detail)


def _machine(name: str, context: Context) -> Diagnosis:
    del context
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    memory = _memory()
    return Diagnosis(name, "ok", f"{some(cores or 1, 'core')}, {size_text(memory)} of memory")


def _memory() -> float | None:
    """Memory that this process may use: the container's limit where there is one."""
    try:
        physical = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None
    try:
        limit = int(Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii"))
    except (OSError, ValueError):
        return float(physical)
    return float(min(physical, limit))


def _torch(name: str, context: Context) -> Diagnosis:
    del context
    broken = _import_error("torch")
    if broken:
        return Diagnosis(name, "fail", broken, "pip install --force-reinstall torch")
    torch: Any = importlib.import_module("torch")
    build = f"CUDA {torch.version.cuda}" if torch.version.cuda else "CPU build"
    return Diagnosis(name, "ok", f"{torch.__version__} ({build})")


def _transformers(name: str, context: Context) -> Diagnosis:
    del context
    broken = _import_error("transformers")
    if broken:
        return Diagnosis(name, "fail", broken, "pip install --force-reinstall transformers")
    return Diagnosis(name, "ok", metadata.version("transformers"))


def _torchvision(name: str, context: Context) -> Diagnosis:
    del context
    version = _version("torchvision")
    if not version:
        return Diagnosis(name, "ok", "not installed; only timm checkpoints need it")
    broken = _import_error("torchvision")
    if broken:
        # transformers looks only at the metadata and then fails on every image processor.
        detail = f"{version} is installed but cannot be imported: {broken}"
        hint = "pip uninstall torchvision, or install the build that matches torch"
        return Diagnosis(name, "fail", detail, hint)
    return Diagnosis(name, "ok", version)


def _timm(name: str, context: Context) -> Diagnosis:
    del context
    version = _version("timm")
    if not version:
        return Diagnosis(name, "ok", "not installed; pip install 'zoo-reuse[vision]' adds it")
    broken = _import_error("timm")
    if broken:
        return Diagnosis(name, "warn", f"{version} cannot be imported: {broken}", "see torchvision")
    return Diagnosis(name, "ok", version)


def _onnxruntime(name: str, context: Context) -> Diagnosis:
    del context
    both = [each for each in ("onnxruntime", "onnxruntime-gpu") if _version(each)]
    if len(both) > 1:
        detail = "onnxruntime and onnxruntime-gpu are both installed and overwrite each other"
        hint = "pip uninstall -y onnxruntime onnxruntime-gpu && pip install onnxruntime-gpu"
        return Diagnosis(name, "fail", detail, hint)
    broken = _import_error("onnxruntime")
    if broken:
        return Diagnosis(name, "fail", broken, "pip install --force-reinstall onnxruntime-gpu")
    runtime: Any = importlib.import_module("onnxruntime")
    # get_available_providers() lists what was compiled in, not what this machine has.
    devices = sorted({each.ep_name for each in runtime.get_ep_devices()})
    detail = f"{both[0] if both else 'onnxruntime'} {runtime.__version__}: {', '.join(devices)}"
    return Diagnosis(name, "ok", detail)


def _cuda(name: str, context: Context) -> Diagnosis:
    torch: Any = importlib.import_module("torch")
    if torch.cuda.is_available():
        found = [
            f"cuda:{index} {torch.cuda.get_device_name(index)}, "
            f"{size_text(torch.cuda.get_device_properties(index).total_memory)}"
            for index in range(torch.cuda.device_count())
        ]
        torch.ones(1, device="cuda").sum().item()
        return Diagnosis(name, "ok", "; ".join(found))
    asked = context.settings.device.startswith("cuda")
    if Path("/dev/nvidia0").exists():
        hint = "install the CUDA build of torch and a driver that fits it"
        return Diagnosis(name, "fail" if asked else "warn", "a GPU that torch cannot use", hint)
    if asked:
        detail = f"device {context.settings.device} is set, and there is no CUDA device"
        return Diagnosis(name, "fail", detail, "zoo config show")
    return Diagnosis(name, "ok", "no CUDA device; everything runs on the CPU")


def _hub(name: str, context: Context) -> Diagnosis:
    import huggingface_hub

    endpoint = huggingface_hub.constants.ENDPOINT
    token = "with a token" if huggingface_hub.get_token() else "no token"
    if context.settings.offline:
        return Diagnosis(name, "ok", f"offline: {endpoint} is not asked, {token}")
    try:
        answer = huggingface_hub.get_session().head(endpoint, timeout=_TIMEOUT)
    except Exception as error:  # noqa: BLE001 -- the client's HTTP library has its own hierarchy
        reason = type(error).__name__
        hint = "cached and local checkpoints still work; --offline spares the waiting"
        return Diagnosis(name, "warn", f"{endpoint} cannot be reached ({reason}), {token}", hint)
    return Diagnosis(name, "ok", f"{endpoint} answers {answer.status_code}, {token}")


def _hub_cache(name: str, context: Context) -> Diagnosis:
    del context
    import huggingface_hub

    return _space(name, Path(huggingface_hub.constants.HF_HUB_CACHE), "HF_HOME=/other/folder")


def _store(name: str, context: Context) -> Diagnosis:
    return _space(name, context.settings.folder, "ZOO_HOME=/other/folder")


def _space(name: str, folder: Path, hint: str) -> Diagnosis:
    existing = next(each for each in (folder, *folder.parents) if each.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        return Diagnosis(name, "fail", f"{folder}: {existing} cannot be written to", hint)
    free = shutil.disk_usage(existing).free
    detail = f"{folder}, {size_text(free)} free"
    return Diagnosis(name, "warn" if free < _LOW_SPACE else "ok", detail, _low(free, hint))


def _low(free: float, hint: str) -> str:
    return f"zoo cache prune, or {hint}" if free < _LOW_SPACE else ""


def _registry(name: str, context: Context) -> Diagnosis:
    from zoo.registry import find_registry, load_registry

    path = find_registry(context.settings.registry)
    entries = load_registry(path).entries
    return Diagnosis(name, "ok", f"{path}, {some(len(entries), 'model')}")


def _plugins(name: str, context: Context) -> Diagnosis:
    installed = context.host.installed
    failures = context.host.failures
    if failures:
        detail = "; ".join(f"{each.plugin}: {each.error}" for each in failures)
        return Diagnosis(name, "warn", detail, failures[0].hint)
    loaded = [each.name for each in installed if each.status == "ok"]
    return Diagnosis(name, "ok", ", ".join(loaded))


def _version(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return ""


def _import_error(module: str) -> str:
    """Import for real; the reason when that does not work."""
    try:
        importlib.import_module(module)
    except (Exception, SystemExit) as error:  # noqa: BLE001 -- broken builds raise anything
        first = str(error).strip().splitlines()[:1] or [""]
        return f"import {module} fails: {type(error).__name__}: {first[0]}"
    return ""


_EXAMINATIONS: dict[str, Callable[[str, Context], Diagnosis]] = {
    "zoo": _zoo,
    "python": _python,
    "machine": _machine,
    "torch": _torch,
    "transformers": _transformers,
    "torchvision": _torchvision,
    "timm": _timm,
    "onnxruntime": _onnxruntime,
    "cuda": _cuda,
    "hub": _hub,
    "hub cache": _hub_cache,
    "store": _store,
    "registry": _registry,
    "plugins": _plugins,
}
