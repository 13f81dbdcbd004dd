"""ONNX Runtime: the execution providers that compute here, not those that were compiled in."""

from __future__ import annotations

import ctypes
import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo_cli.diagnosis.finding import Diagnosis
from zoo_cli.diagnosis.libraries import has_nvidia, import_error, version_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from zoo.settings import Settings

_CPU, _CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"
_PACKAGES = ("onnxruntime", "onnxruntime-gpu")
_LIBRARIES = "pip install 'onnxruntime-gpu[cuda,cudnn]'"
_ONE = "pip uninstall -y onnxruntime onnxruntime-gpu && pip install onnxruntime-gpu"
#: y = relu(x), two floats, opset 14. Written out because the onnx package may be absent.
_GRAPH = bytes.fromhex(
    "080812003a330a0c0a0178120179220452656c751201675a0f0a0178120a0a08080112040a020802"
    "620f0a0179120a0a08080112040a02080242040a00100e"
)


def _onnxruntime(name: str, settings: Settings) -> Diagnosis:
    del settings
    installed = [each for each in _PACKAGES if version_of(each)]
    if len(installed) > 1:
        detail = "onnxruntime and onnxruntime-gpu are both installed and overwrite each other"
        return Diagnosis(name, "fail", detail, _ONE)
    package = installed[0] if installed else "onnxruntime"
    broken = import_error("onnxruntime")
    if broken:
        return Diagnosis(name, "fail", broken, f"pip install --force-reinstall {package}")
    runtime: Any = importlib.import_module("onnxruntime")
    runtime.set_default_logger_severity(4)
    reasons = {each: why_unusable(runtime, each) for each in _present(runtime)}
    usable = [each for each, reason in reasons.items() if not reason]
    unusable = {each: reason for each, reason in reasons.items() if reason}
    facts = {"package": package, "version": runtime.__version__}
    facts |= {"usable": usable, "unusable": unusable}
    detail = f"{package} {runtime.__version__}: {', '.join(usable) or 'no provider'}"
    if not unusable:
        return Diagnosis(name, "ok", detail, facts=facts)
    detail += "".join(f"; {each} is here and unusable: {why}" for each, why in unusable.items())
    hint = _LIBRARIES if _CUDA in unusable else f"pip install --force-reinstall {package}"
    return Diagnosis(name, "warn" if _CPU in usable else "fail", detail, hint, facts)


def _present(runtime: Any) -> list[str]:
    """Providers that have a device: get_available_providers() lists what was compiled in."""
    found = {each.ep_name for each in runtime.get_ep_devices()}
    if has_nvidia() and _CUDA in runtime.get_available_providers():
        runtime.preload_dlls()
        found.add(_CUDA)
    return sorted(found, key=lambda each: (each == _CPU, each))


def why_unusable(runtime: Any, provider: str) -> str:
    """Compute one node by one provider; the reason when that does not work, else empty."""
    options = runtime.SessionOptions()
    options.log_severity_level = 4
    if provider != _CPU:  # without this, a provider that does not load is silently the CPU
        options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
    try:
        session = runtime.InferenceSession(_GRAPH, options, providers=[provider])
        opened = session.get_providers()
        if provider not in opened:
            return f"the session opened with {', '.join(opened)}"
        (answer,) = session.run(None, {"x": _input()})
    except Exception as error:  # noqa: BLE001 -- its exceptions share no base class
        return next(iter(str(error).strip().splitlines()), type(error).__name__)
    return "" if answer.tolist() == [0.0, 2.0] else f"relu(-1, 2) gave {answer.tolist()}"


def _input() -> Any:
    import numpy as np

    return np.array([-1.0, 2.0], dtype=np.float32)


def _cuda_libraries(name: str, settings: Settings) -> Diagnosis:
    del settings
    if not has_nvidia():
        return Diagnosis(name, "ok", "no NVIDIA device; not needed")
    broken = import_error("onnxruntime")
    if broken:
        return Diagnosis(name, "warn", "unknown while onnxruntime cannot be imported")
    runtime: Any = importlib.import_module("onnxruntime")
    if _CUDA not in runtime.get_available_providers():
        detail = "an NVIDIA device is here, and ONNX Runtime was installed without CUDA"
        return Diagnosis(name, "warn", detail, _ONE)
    runtime.preload_dlls()
    missing = missing_library(Path(runtime.__file__).parent / "capi")
    if missing:
        return Diagnosis(name, "warn", f"the CUDA provider cannot be loaded: {missing}", _LIBRARIES)
    version = getattr(runtime, "cuda_version", "")
    return Diagnosis(name, "ok", f"CUDA {version} and cuDNN are found", facts={"cuda": version})


def missing_library(folder: Path) -> str:
    """Load the CUDA provider by itself; the loader's words when something is missing."""
    for part in ("shared", "cuda"):
        for path in sorted(folder.glob(f"*onnxruntime_providers_{part}.*")):
            try:
                ctypes.CDLL(str(path), mode=ctypes.RTLD_GLOBAL)
            except OSError as error:
                return str(error)
    return ""


EXAMINATIONS: dict[str, Callable[[str, Settings], Diagnosis]] = {
    "onnxruntime": _onnxruntime,
    "cuda libraries": _cuda_libraries,
}
