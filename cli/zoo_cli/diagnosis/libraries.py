"""Libraries, imported for real: their metadata proves nothing."""

from __future__ import annotations

import importlib
import shutil
import sys
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.render.quantities import size_text, some
from zoo_cli.diagnosis.finding import Diagnosis

if TYPE_CHECKING:
    from collections.abc import Callable

    from zoo.settings import Settings


def version_of(distribution: str) -> str:
    """Version of an installed distribution; empty when there is none."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return ""


def import_error(module: str) -> str:
    """Import for real; the reason when that does not work."""
    try:
        importlib.import_module(module)
    except (Exception, SystemExit) as error:  # noqa: BLE001 -- broken builds raise anything
        first = str(error).strip().splitlines()[:1] or [""]
        return f"import {module} fails: {type(error).__name__}: {first[0]}"
    return ""


def has_nvidia() -> bool:
    """Whether the system shows an NVIDIA device, whatever the libraries can do with it."""
    if any(Path("/dev").glob("nvidia[0-9]*")):
        return True
    elsewhere = sys.platform == "win32" or Path("/dev/dxg").exists()
    return elsewhere and shutil.which("nvidia-smi") is not None


def _torch(name: str, settings: Settings) -> Diagnosis:
    del settings
    broken = import_error("torch")
    if broken:
        return Diagnosis(name, "fail", broken, "pip install --force-reinstall torch")
    torch: Any = importlib.import_module("torch")
    build = f"CUDA {torch.version.cuda}" if torch.version.cuda else "CPU build"
    instructions = torch.backends.cpu.get_cpu_capability()
    threads = torch.get_num_threads()
    version = str(torch.__version__)
    detail = f"{version} ({build}), {instructions}, {some(threads, 'thread')}"
    facts = {"version": version, "cuda": torch.version.cuda, "threads": threads}
    return Diagnosis(name, "ok", detail, facts={**facts, "instructions": instructions})


def _cuda(name: str, settings: Settings) -> Diagnosis:
    broken = import_error("torch")
    if broken:
        return Diagnosis(name, "warn", "unknown while torch cannot be imported", "see torch")
    torch: Any = importlib.import_module("torch")
    if torch.cuda.is_available():
        return _devices(name, torch)
    asked = settings.device.startswith("cuda")
    if has_nvidia():
        detail = "a GPU that torch cannot use"
        hint = "install the CUDA build of torch and a driver that fits it"
        if torch.version.cuda is None:
            detail += ", because its CPU build is installed"
            hint = "pip install --force-reinstall torch, from an index with CUDA builds"
        return Diagnosis(name, "fail" if asked else "warn", detail, hint)
    if asked:
        detail = f"device {settings.device} is set, and there is no CUDA device"
        return Diagnosis(name, "fail", detail, "zoo config show")
    return Diagnosis(name, "ok", "no CUDA device; everything runs on the CPU", facts={"devices": 0})


def _devices(name: str, torch: Any) -> Diagnosis:
    found = []
    for index in range(torch.cuda.device_count()):
        torch.ones(1, device=f"cuda:{index}").sum().item()
        free, total = torch.cuda.mem_get_info(index)
        device = torch.cuda.get_device_name(index)
        found.append(f"cuda:{index} {device}, {size_text(free)} of {size_text(total)} free")
    return Diagnosis(name, "ok", "; ".join(found), facts={"devices": len(found)})


def _transformers(name: str, settings: Settings) -> Diagnosis:
    del settings
    return _required(name, "transformers", "transformers")


def _tokenizers(name: str, settings: Settings) -> Diagnosis:
    del settings
    return _required(name, "tokenizers", "tokenizers")


def _pillow(name: str, settings: Settings) -> Diagnosis:
    del settings
    found = _required(name, "pillow", "PIL.Image")
    if found.status != "ok":
        return found
    features: Any = importlib.import_module("PIL.features")
    kinds = {"jpg": "JPEG", "zlib": "PNG", "webp": "WebP"}
    absent = [kind for code, kind in kinds.items() if not features.check(code)]
    if absent:
        detail = f"{found.detail} reads no {', '.join(absent)}"
        return Diagnosis(name, "warn", detail, "pip install --force-reinstall pillow")
    return found


def _required(name: str, distribution: str, module: str) -> Diagnosis:
    broken = import_error(module)
    if broken:
        hint = f"pip install --force-reinstall {distribution}"
        return Diagnosis(name, "fail", broken, hint)
    version = version_of(distribution)
    return Diagnosis(name, "ok", version, facts={"version": version})


def _torchvision(name: str, settings: Settings) -> Diagnosis:
    del settings
    version = version_of("torchvision")
    if not version:
        return Diagnosis(name, "ok", "not installed; only timm checkpoints need it")
    broken = import_error("torchvision")
    if broken:
        # transformers looks only at the metadata and then fails on every image processor.
        detail = f"{version} is installed but cannot be imported: {broken}"
        hint = "pip uninstall torchvision, or install the build that matches torch"
        return Diagnosis(name, "fail", detail, hint)
    return Diagnosis(name, "ok", version, facts={"version": version})


def _timm(name: str, settings: Settings) -> Diagnosis:
    del settings
    version = version_of("timm")
    if not version:
        return Diagnosis(name, "ok", "not installed; pip install 'zoo-reuse[vision]' adds it")
    broken = import_error("timm")
    if broken:
        return Diagnosis(name, "warn", f"{version} cannot be imported: {broken}", "see torchvision")
    return Diagnosis(name, "ok", version, facts={"version": version})


def _exporters(name: str, settings: Settings) -> Diagnosis:
    """What makes ONNX graphs; running them needs none of it."""
    del settings
    versions = {each: version_of(each) for each in ("onnx", "onnxscript")}
    absent = [each for each, version in versions.items() if not version]
    if absent:
        detail = f"{' and '.join(absent)} not installed; pip install 'zoo-reuse[onnx]' adds them"
        return Diagnosis(name, "ok", detail, facts=versions)
    for module in ("onnx", "onnxscript", "transformers.exporters"):
        broken = import_error(module)
        if broken:
            hint = "pip install --force-reinstall 'zoo-reuse[onnx]'"
            return Diagnosis(name, "warn", f"nothing can be exported: {broken}", hint, versions)
    versions["transformers"] = version_of("transformers")
    detail = ", ".join(f"{each} {version}" for each, version in versions.items())
    return Diagnosis(name, "ok", detail, facts=versions)


EXAMINATIONS: dict[str, Callable[[str, Settings], Diagnosis]] = {
    "torch": _torch,
    "cuda": _cuda,
    "transformers": _transformers,
    "torchvision": _torchvision,
    "timm": _timm,
    "tokenizers": _tokenizers,
    "pillow": _pillow,
    "onnx export": _exporters,
}
