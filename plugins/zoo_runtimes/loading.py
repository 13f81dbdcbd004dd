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
    from collections.abc import Callable

    from zoo.types.model import Checkpoint

    Load = Callable[[Any], tuple[Any, list[str]]]

_TOWERS = {
    "image": ("vision_model", "visual_projection"),
    "text": ("text_model", "text_projection"),
}
_HEADS = {
    "image": ("ForImageClassification",),
    "text": ("ForSequenceClassification",),
    "audio": ("ForSequenceClassification", "ForAudioClassification"),
}


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
    require_weights(checkpoint)
    check_architecture(checkpoint, raw)
    require_memory(checkpoint.model, _float32_bytes(checkpoint), device)
    config = load_config(checkpoint, raw)
    with memory_guard(f"{checkpoint.model} does not fit into memory.", "Leave it out."):
        network = choose(
            checkpoint, config, modality, lambda auto: load_weights(checkpoint, config, auto)
        )
        network.module.eval().requires_grad_(requires_grad=False).to(device)
        if network.projection is not None:
            network.projection.to(device)
    return network


def require_weights(checkpoint: Checkpoint) -> None:
    """Refuse a checkpoint without safetensors.

    Raises:
        CheckpointError: saying why nothing else is loaded.
    """
    if not any(Path(checkpoint.folder).glob("*.safetensors")):
        raise CheckpointError(
            f"{checkpoint.model} has no safetensors weights; pickled weights can run code and are "
            "never loaded.",
            "Use a revision with safetensors, or convert the weights where you trust them.",
        )


def check_architecture(checkpoint: Checkpoint, raw: dict[str, Any]) -> None:
    """Refuse what the installed libraries do not know, or would run code for.

    Raises:
        CheckpointError: with the reason.
    """
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    kind = raw.get("model_type")
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
    """Size of all weights in float32."""
    return sum(4 * torch.Size(shape).numel() for shape in weight_shapes(checkpoint).values())


def weight_shapes(checkpoint: Checkpoint) -> dict[str, list[int]]:
    """Names and shapes of all weights, from the safetensors headers.

    Raises:
        CheckpointError: a file is missing or damaged.
    """
    found: dict[str, list[int]] = {}
    for path in _weight_files(checkpoint):
        with explained(checkpoint, f"{path.name} is damaged"), path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if not 0 < length <= path.stat().st_size - 8:
                raise ValueError("its header does not end")
            header = json.loads(file.read(length))
            found |= {k: v["shape"] for k, v in header.items() if k != "__metadata__"}
    return found


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


def load_config(checkpoint: Checkpoint, raw: dict[str, Any]) -> Any:
    """The configuration as the installed transformers understands it."""
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


def choose(checkpoint: Checkpoint, config: Any, modality: str, load: Load) -> Network:
    """Take the architecture that the config names, or its body where the head is not trained.

    Args:
        checkpoint: for messages.
        config: as :func:`load_config` gives it.
        modality: what it reads.
        load: makes a network of one Auto class, and names the weights that its files lack.
    """
    named = (config.architectures or [""])[0]
    if config.model_type == "timm_wrapper" and config.num_labels:
        named = "TimmWrapperForImageClassification"
    # Whisper classifies with its encoder alone.
    decodes = getattr(config, "is_encoder_decoder", False) and modality != "audio"
    if any(head in named for head in _HEADS[modality]) and not decodes:
        network = _with_head(checkpoint, modality, load)
        if network is not None:
            return network
    encoder = named.endswith("EncoderModel")
    return _without_head(checkpoint, config, modality, load, encoder=encoder)


def _with_head(checkpoint: Checkpoint, modality: str, load: Load) -> Network | None:
    """The architecture named in the config; None where the weights of its head are missing."""
    import transformers

    auto = {
        "image": transformers.AutoModelForImageClassification,
        "text": transformers.AutoModelForSequenceClassification,
        "audio": transformers.AutoModelForAudioClassification,
    }[modality]
    module, missing = load(auto)
    base = f"{module.base_model_prefix}."
    if any(not key.startswith(base) for key in missing):
        return None
    _refuse_missing(checkpoint, missing)
    return Network(module, module.config, head=True, pooler=not missing)


def _without_head(
    checkpoint: Checkpoint, config: Any, modality: str, load: Load, *, encoder: bool
) -> Network:
    from transformers import AutoModel, AutoModelForTextEncoding

    module, missing = load(AutoModelForTextEncoding if encoder else AutoModel)
    unused = ("decoder.",) if getattr(config, "is_encoder_decoder", False) else ()
    needed = [key for key in missing if not key.startswith(unused)]
    _refuse_missing(checkpoint, [key for key in needed if "pooler" not in key.split(".")])
    tower, projection = _TOWERS.get(modality, ("", ""))
    towers = [name for name, _ in _TOWERS.values()]
    if tower and all(hasattr(module, name) for name in towers):
        part = getattr(module, tower)
        pooler = not any(key.startswith(f"{tower}.") for key in missing)
        after = getattr(module, projection, None)
        return Network(part, part.config, head=False, pooler=pooler, tower=True, projection=after)
    return _encoder(module, config, pooler=not missing)


def _encoder(module: Any, config: Any, *, pooler: bool) -> Network:
    if getattr(config, "is_encoder_decoder", False):
        part = module.get_encoder()
        return Network(part, part.config, head=False, pooler=False)
    return Network(module, module.config, head=False, pooler=pooler)


def load_weights(
    checkpoint: Checkpoint, config: Any, auto: Any, *, other_sizes: bool = False
) -> tuple[Any, list[str]]:
    """Load one Auto class in float32, and name the weights that the files lack.

    Args:
        checkpoint: the folder.
        config: as :func:`load_config` gives it.
        auto: the Auto class.
        other_sizes: weights of another size than the configuration's are lacking, too, and no
            reason to refuse the checkpoint.
    """
    with explained(checkpoint, "its weights cannot be loaded"), quiet():
        module, report = auto.from_pretrained(
            checkpoint.folder,
            config=config,
            dtype=torch.float32,
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=checkpoint.trust_remote_code,
            output_loading_info=True,
            ignore_mismatched_sizes=other_sizes,
        )
    unfit = [key[0] for key in report["mismatched_keys"]] if other_sizes else []
    return module, sorted({*report["missing_keys"], *unfit})


def _refuse_missing(checkpoint: Checkpoint, missing: list[str]) -> None:
    if missing:
        others = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise CheckpointError(
            f"{checkpoint.model}: its weight files lack {missing[0]}{others}; the rest would be "
            "random numbers.",
            f"Fetch it again: zoo models pull {checkpoint.model}",
        )
