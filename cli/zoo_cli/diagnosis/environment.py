"""Variables of the environment that change results or speed; a secret is never printed."""

from __future__ import annotations

import difflib
import os
import re
from typing import TYPE_CHECKING

from zoo.settings import Settings
from zoo_cli.diagnosis.finding import Diagnosis

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from zoo_cli.context import Context

_PREFIXES = ("HF_", "TRANSFORMERS_", "OMP_", "KMP_", "GOMP_", "MKL_", "OPENBLAS_", "ORT_", "ZOO_")
_NAMES = frozenset({"CUDA_VISIBLE_DEVICES", "HTTPS_PROXY", "https_proxy", "TOKENIZERS_PARALLELISM"})
_SECRET = re.compile(r"TOKEN|KEY|SECRET|PASS(WORD)?$|CREDENTIAL")
_CREDENTIALS = re.compile(r"//[^/@\s]+@")
_OFF = frozenset({"", "0", "false", "no", "off"})
_LIKE = 0.85
#: Set by Zoo itself before this looks.
_OURS = frozenset({"HF_HUB_DISABLE_PROGRESS_BARS"})
_OFFLINE = frozenset({"HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_DATASETS_OFFLINE"})

#: variable -> what it does to a run when it is switched on
_HARMFUL = {
    "CUDA_LAUNCH_BLOCKING": "makes the processor wait for every step of the GPU",
    "PYTORCH_NO_CUDA_MEMORY_CACHING": "asks the driver for every piece of memory",
    "NVIDIA_TF32_OVERRIDE": "rounds float32 products to 10 bits",
    "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE": "rounds float32 products to 10 bits",
    "ONEDNN_DEFAULT_FPMATH_MODE": "may round float32 products",
    "ATEN_CPU_CAPABILITY": "hides instructions of the processor from PyTorch",
    "ONEDNN_MAX_CPU_ISA": "hides instructions of the processor from PyTorch",
    "MKL_CBWR": "hides instructions of the processor from PyTorch",
    "PYTHONDEVMODE": "checks every allocation of Python",
}


def examine_environment(name: str, context: Context) -> Diagnosis:
    """List what is set, and warn of what makes a run slower or its numbers others."""
    ours = _OURS | (_OFFLINE if context.resolved.origins["offline"] == "flag" else frozenset())
    shown = {
        variable: shown_value(variable, value)
        for variable, value in sorted(os.environ.items())
        if variable not in ours and _matters(variable)
    }
    listed = " ".join(f"{variable}={value}" for variable, value in shown.items())
    wrong = dict(_complaints(os.environ, offline=context.settings.offline))
    if not wrong:
        detail = listed or "nothing that matters is set"
        return Diagnosis(name, "ok", detail, facts=dict(shown))
    detail = "; ".join([*wrong.values(), *([listed] if listed else [])])
    return Diagnosis(name, "warn", detail, f"unset {' '.join(wrong)}", dict(shown))


def shown_value(variable: str, value: str) -> str:
    """Give a value as it may be printed."""
    if _SECRET.search(variable.upper()) and not variable.endswith("_PATH"):
        return "(hidden)" if value else ""
    return without_credentials(value)


def without_credentials(address: str) -> str:
    """Leave the user and password out of a URL."""
    return _CREDENTIALS.sub("//", address)


def _matters(variable: str) -> bool:
    return variable.startswith(_PREFIXES) or variable in _NAMES or variable in _HARMFUL


def _complaints(variables: Mapping[str, str], *, offline: bool) -> Iterator[tuple[str, str]]:
    for variable, effect in _HARMFUL.items():
        value = variables.get(variable, "")
        if value.lower() not in _OFF:
            yield variable, f"{variable}={value} {effect}"
    if variables.get("OMP_WAIT_POLICY", "").lower() == "active":
        yield "OMP_WAIT_POLICY", "OMP_WAIT_POLICY=ACTIVE makes idle threads take cores from others"
    quiet = variables.get("TRANSFORMERS_OFFLINE", "").lower() not in _OFF
    if quiet and not offline and not variables.get("HF_HUB_OFFLINE"):
        reason = "TRANSFORMERS_OFFLINE keeps the Hub's client offline; HF_HUB_OFFLINE tells Zoo too"
        yield "TRANSFORMERS_OFFLINE", reason
    known = {f"ZOO_{field.upper()}" for field in Settings.__struct_fields__}
    for variable in variables:
        if variable.startswith("ZOO_") and variable not in known:
            near = difflib.get_close_matches(variable, known, n=1, cutoff=_LIKE)
            if near:
                yield variable, f"{variable} is no setting; {near[0]} is"
