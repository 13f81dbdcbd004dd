"""From a folder to a network in memory: safetensors only, nothing random, nothing remote."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from zoo.errors import CheckpointError
from zoo_runtimes.devices import memory_guard, require_memory
from zoo_runtimes.explaining import explained, quiet
from zoo_runtimes.processors import read_config, read_json, require_colour

if TYPE_CHECKING:
    from zoo.types.model import Checkpoint

_TOWERS = {
    "image": ("vision_model", "visual_projection"),
    "text": ("text_model", "text_projection"),
}
_HEADS = {"image": "ForImageClassification", "text": "ForSequenceClassification"}


@dataclass(frozen=True)
class Network:
    """What runs.

    Attributes:
        module: called with pixels or tokens.
        config: the configuration of this very module, a tower's own in a two-tower model.
        head: whether it ends in trained logits.
        pooler: whether its ``pooler_output`` is computed by trained weights, or by none.
        tower: whether it is one tower of a model that reads images and texts.
        projection: what follows the pooled output of a tower, if anything.
    """

    module: torch.nn.Module
    config: Any
    head: bool
    pooler: bool
    tower: bool = False
    projection: torch.nn.Module | None = None


def load_network(checkpoint: Checkpoint, modality: str, device: torch.device) -> Network:
    """Read config and weights into eval mode, float32, on the device.

    Raises:
        CheckpointError: unusable, with the reason.
        OutOfMemoryError: the weights do not fit.
    """
    raw = read_config(checkpoint)
    if modality == "image":
        require_colour(checkpoint)
    _check_files(checkpoint, raw)
    require_memory(checkpoint.model, _float32_bytes(checkpoint), device)
    config = _load_config(checkpoint, raw)
    with memory_guard(f"{checkpoint.model} does not fit into memory.", "Leave it out."):
        network = _choose(checkpoint, config, modality)
        network.module.eval().requires_grad_(requires_grad=False).to(device)
        if network.projection is not None:
            network.projection.to(device)
    return network


def _check_files(checkpoint: Checkpoint, raw: dict[str, Any]) -> None:
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    folder, kind = Path(checkpoint.folder), raw.get("model_type")
    if not any(folder.glob("*.safetensors")):
        raise CheckpointError(
            f"{checkpoint.model} has no safetensors weights; pickled weights can run code and are "
            "never loaded.",
            "Use a revision with safetensors, or convert the weights where you trust them.",
        )
    if "pretrained_cfg" in raw or kind == "timm_wrapper":
        _require_timm(checkpoint)
        return
    if kind in CONFIG_MAPPING or checkpoint.trust_remote_code:
        return
    if "auto_map" in raw:
        raise CheckpointError(
            f"{checkpoint.model} wants to run its own code, which was not allowed.",
            f"Read that code; if you trust it, add --trust-remote-code {checkpoint.model}",
        )
    named = ", ".join(raw.get("architectures") or []) or f"of model type {kind!r}"
    raise CheckpointError(
        f"{checkpoint.model}: the installed transformers does not know its architecture ({named}).",
        "Try a newer transformers: pip install -U transformers",
    )


def _require_timm(checkpoint: Checkpoint) -> None:
    # Its metadata proves nothing: beside a torchvision of another build the import fails.
    try:
        import_module("timm")
    except (ImportError, RuntimeError, OSError):
        raise CheckpointError(
            f"{checkpoint.model} is a timm checkpoint, and timm cannot be imported here.",
            "pip install 'zoo-reuse[vision]'",
        ) from None


def _float32_bytes(checkpoint: Checkpoint) -> int:
    """Size of all weights in float32, from the safetensors headers."""
    total = 0
    for path in _weight_files(checkpoint):
        with explained(checkpoint, f"{path.name} is damaged"), path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if not 0 < length <= path.stat().st_size - 8:
                raise ValueError("its header does not end")
            header = json.loads(file.read(length))
            for name, tensor in header.items():
                if name != "__metadata__":
                    total += 4 * int(torch.Size(tensor["shape"]).numel())
    return total


def _weight_files(checkpoint: Checkpoint) -> list[Path]:
    folder = Path(checkpoint.folder)
    if (folder / "model.safetensors").exists():
        return [folder / "model.safetensors"]
    index = read_json(checkpoint, "model.safetensors.index.json") or {}
    shards = [folder / name for name in sorted(set(index.get("weight_map", {}).values()))]
    absent = [shard.name for shard in shards if not shard.exists()]
    if absent:
        raise CheckpointError(
            f"{checkpoint.model}: the weight file {absent[0]} is missing.",
            f"Fetch it again: zoo models pull {checkpoint.model}",
        )
    return shards or sorted(folder.glob("*.safetensors"))


def _load_config(checkpoint: Checkpoint, raw: dict[str, Any]) -> Any:
    from transformers import AutoConfig

    with explained(checkpoint, "its config.json is refused"), quiet():
        config = AutoConfig.from_pretrained(
            checkpoint.folder,
            local_files_only=True,
            trust_remote_code=checkpoint.trust_remote_code,
        )
    if "use_cache" in raw or hasattr(config, "use_cache"):
        config.use_cache = False
    return config


def _choose(checkpoint: Checkpoint, config: Any, modality: str) -> Network:
    named = (config.architectures or [""])[0]
    if config.model_type == "timm_wrapper" and config.num_labels:
        named = "TimmWrapperForImageClassification"
    if _HEADS[modality] in named and not getattr(config, "is_encoder_decoder", False):
        network = _with_head(checkpoint, config, modality)
        if network is not None:
            return network
    return _without_head(checkpoint, config, modality, encoder=named.endswith("EncoderModel"))


def _with_head(checkpoint: Checkpoint, config: Any, modality: str) -> Network | None:
    """The architecture named in the config; None where the weights of its head are missing."""
    from transformers import AutoModelForImageClassification, AutoModelForSequenceClassification

    auto = {
        "image": AutoModelForImageClassification,
        "text": AutoModelForSequenceClassification,
    }[modality]
    module, missing = _load_weights(checkpoint, config, auto)
    base = f"{module.base_model_prefix}."
    if any(not key.startswith(base) for key in missing):
        return None
    _refuse_missing(checkpoint, missing)
    return Network(module, module.config, head=True, pooler=not missing)


def _without_head(checkpoint: Checkpoint, config: Any, modality: str, *, encoder: bool) -> Network:
    from transformers import AutoModel, AutoModelForTextEncoding

    auto = AutoModelForTextEncoding if encoder else AutoModel
    module, missing = _load_weights(checkpoint, config, auto)
    unused = ("decoder.",) if getattr(config, "is_encoder_decoder", False) else ()
    needed = [key for key in missing if not key.startswith(unused)]
    _refuse_missing(checkpoint, [key for key in needed if "pooler" not in key.split(".")])
    tower, projection = _TOWERS[modality]
    other = _TOWERS["text" if modality == "image" else "image"][0]
    if hasattr(module, tower) and hasattr(module, other):
        part = getattr(module, tower)
        pooler = not any(key.startswith(f"{tower}.") for key in missing)
        after = getattr(module, projection, None)
        return Network(part, part.config, head=False, pooler=pooler, tower=True, projection=after)
    if getattr(config, "is_encoder_decoder", False):
        part = module.get_encoder()  # type: ignore[operator]
        return Network(part, part.config, head=False, pooler=False)
    return Network(module, module.config, head=False, pooler=not missing)


def _load_weights(
    checkpoint: Checkpoint, config: Any, auto: Any
) -> tuple[torch.nn.Module | Any, list[str]]:
    with explained(checkpoint, "its weights cannot be loaded"), quiet():
        module, report = auto.from_pretrained(
            checkpoint.folder,
            config=config,
            dtype=torch.float32,
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=checkpoint.trust_remote_code,
            output_loading_info=True,
        )
    return module, sorted(report["missing_keys"])


def _refuse_missing(checkpoint: Checkpoint, missing: list[str]) -> None:
    if missing:
        others = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise CheckpointError(
            f"{checkpoint.model}: its weight files lack {missing[0]}{others}; the rest would be "
            "random numbers.",
            f"Fetch it again: zoo models pull {checkpoint.model}",
        )
