"""A checkpoint of its own class, whatever its head, and larger ones of that class."""

from __future__ import annotations

import copy
import json
import shutil
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError

from zoo.errors import CheckpointError
from zoo_runtimes import devices
from zoo_runtimes.explaining import explained, quiet
from zoo_runtimes.learning.inputs import PREPROCESSING, ImageReader
from zoo_runtimes.learning.network import configure
from zoo_runtimes.loading import check_architecture, load_config, require_weights
from zoo_runtimes.processors import read_config
from zoo_runtimes.texts import kind_of_part, sentence_parts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import nn

    from zoo.types.model import Checkpoint
    from zoo.types.runtimes import RuntimeOptions

#: Lengths of generated inputs where the configuration names none.
_SIDE, _TOKENS, _FRAMES = 64, 16, 100
_TOKENIZER = ("tokenizer*", "vocab*", "merges.txt", "special_tokens_map.json", "added_tokens.json")
_TOKENIZER_MODELS = ("spiece.model", "*.sentencepiece", "sentencepiece.bpe.model", "*.spm")
_POOLING = "*_Pooling/config.json"
_BESIDE = (*PREPROCESSING, *_TOKENIZER, *_TOKENIZER_MODELS, "chat_template*", _POOLING)
_SENTENCES = ("modules.json", "sentence_bert_config.json", "config_sentence_transformers.json")
#: Parts of a sentence-transformers folder whose weights, if any, are those of the network.
_WEIGHTLESS = {"Transformer", "Pooling", "Normalize"}


class TransformersWhole:
    """Implements :class:`zoo.types.growers.WholeNetwork`."""

    def __init__(self, module: Any, checkpoint: Checkpoint, modality: str) -> None:
        self._module, self._checkpoint, self._modality = module.eval(), checkpoint, modality
        _unrounded(module)

    @property
    def module(self) -> torch.nn.Module:
        """The network, in eval mode."""
        found: torch.nn.Module = self._module
        return found

    @property
    def config(self) -> Any:
        """A copy of its configuration."""
        return copy.deepcopy(self._module.config)

    def enlarged(self, config: Any) -> TransformersWhole:
        """Give a network of the same class, its weights not yet set."""
        from transformers.initialization import no_init_weights

        device, dtype = self._module.device, self._module.dtype
        with quiet(), no_init_weights(), torch.device(device):
            module = type(self._module)(copy.deepcopy(config))
            _to_numbers_of(module, self._module, dtype)
            module.tie_weights()
        return TransformersWhole(module, self._checkpoint, self._modality)

    def inputs(
        self, count: int, seed: int, samples: Sequence[Any] = ()
    ) -> Mapping[str, torch.Tensor]:
        """Give a batch, of samples or of noise.

        Args:
            count: how many to generate.
            seed: of the noise.
            samples: images (RGB) or texts instead.

        Raises:
            CheckpointError: the samples cannot be brought into its form.
        """
        if samples:
            return self._collated(samples)
        generator = torch.Generator().manual_seed(seed)
        config = self._module.config
        if self._modality == "text":
            ids = torch.randint(0, config.vocab_size, (count, _length(config)), generator=generator)
            return {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
        if self._modality == "audio" and not hasattr(config, "image_size"):
            raise CheckpointError(
                f"{self._checkpoint.model} reads sounds, and none can be generated for it.",
                "Grow a checkpoint of images or texts.",
            )
        shape = (count, getattr(config, "num_channels", 3), *_side(config))
        return {"pixel_values": torch.randn(shape, generator=generator)}

    def _collated(self, samples: Sequence[Any]) -> Mapping[str, torch.Tensor]:
        if self._modality == "image":
            reader = ImageReader(self._checkpoint)
            return reader.collate([reader.prepare(each) for each in samples])
        longest = min(self._tokenizer.model_max_length, _longest(self._module.config))
        batch = self._tokenizer(
            list(samples), padding=True, truncation=True, max_length=longest, return_tensors="pt"
        )
        return {name: batch[name] for name in ("input_ids", "attention_mask")}

    @cached_property
    def _tokenizer(self) -> Any:
        from transformers import AutoTokenizer

        with explained(self._checkpoint, "its tokenizer cannot be loaded"), quiet():
            found = AutoTokenizer.from_pretrained(self._checkpoint.folder, local_files_only=True)
            found.pad_token = found.pad_token or found.eos_token
        return found

    @torch.no_grad()
    def outputs(self, inputs: Mapping[str, torch.Tensor]) -> Mapping[str, torch.Tensor]:
        """Give every tensor that the network answers."""
        moved = {}
        for name, values in inputs.items():
            dtype = self._module.dtype if values.is_floating_point() else values.dtype
            moved[name] = values.to(self._module.device, dtype)
        if "attention_mask" in moved and self._module.device.type == "meta":
            # A mask of two dimensions would be looked at, and has no numbers here.
            count, length = moved["attention_mask"].shape
            moved["attention_mask"] = torch.ones(
                (count, 1, length, length), dtype=torch.bool, device="meta"
            )
        if self._refuses_batches():
            singles = [self._answers(each) for each in _one_by_one(moved)]
            return {name: torch.cat([each[name] for each in singles]) for name in singles[0]}
        return self._answers(moved)

    def _answers(self, inputs: Mapping[str, torch.Tensor]) -> Mapping[str, torch.Tensor]:
        options = {"use_cache": False} if hasattr(self._module.config, "use_cache") else {}
        with quiet():
            found = self._module(**inputs, **options)
        return {name: value for name, value in found.items() if isinstance(value, torch.Tensor)}

    def _refuses_batches(self) -> bool:
        """A decoder that judges the last word cannot tell it from padding that has no name."""
        nameless = getattr(self._module.config, "pad_token_id", None) is None
        judges = type(self._module).__name__.endswith("ForSequenceClassification")
        return self._modality == "text" and nameless and judges

    def save(self, folder: Path) -> None:
        """Write safetensors, configuration, and preprocessing word by word.

        Raises:
            OSError: the files cannot be written.
        """
        folder.mkdir(parents=True, exist_ok=True)
        try:
            with quiet():
                self._module.save_pretrained(folder)
        except SafetensorError as error:
            raise OSError(f"the weights cannot be written: {error}") from error
        origin = Path(self._checkpoint.folder)
        for pattern in (*_BESIDE, *_SENTENCES):
            for path in origin.glob(pattern):
                target = folder / path.relative_to(origin)
                if path.is_file() and not target.exists():
                    target.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(path, target)
        for pooling in folder.glob(_POOLING):
            said = json.loads(pooling.read_text("utf-8"))
            said["word_embedding_dimension"] = self._module.config.hidden_size
            pooling.write_text(json.dumps(said, indent=2) + "\n", "utf-8")


def open_whole(checkpoint: Checkpoint, options: RuntimeOptions, modality: str) -> TransformersWhole:
    """Load a checkpoint as the class that it was saved from, in the numbers of its files.

    Raises:
        CheckpointError: with the reason and a hint.
    """
    device = devices.resolve_device(options.device)
    configure(options, device)
    require_weights(checkpoint)
    kind, config = _class_of(checkpoint)
    with (
        devices.memory_guard(f"{checkpoint.model} does not fit into memory.", "Leave it out."),
        explained(checkpoint, "its weights cannot be loaded"),
        quiet(),
    ):
        module, report = kind.from_pretrained(
            checkpoint.folder,
            config=config,
            dtype="auto",
            local_files_only=True,
            use_safetensors=True,
            output_loading_info=True,
        )
        module.to(device)
    lacking = [name for name in report["missing_keys"] if "pooler" not in name.split(".")]
    if lacking:
        raise CheckpointError(
            f"{checkpoint.model}: its weight files lack {lacking[0]}.",
            f"Fetch it again: zoo models pull {checkpoint.model}",
        )
    return TransformersWhole(module, checkpoint, modality)


def imagine_whole(checkpoint: Checkpoint, modality: str) -> TransformersWhole:
    """Make the same network without weights.

    Raises:
        CheckpointError: with the reason and a hint.
    """
    _refuse_other_weights(checkpoint)
    kind, config = _class_of(checkpoint)
    with explained(checkpoint, "no network can be made of its config.json"), quiet():
        with torch.device("meta"):
            module = kind(config)
        if isinstance(config.dtype, torch.dtype):
            module.to(config.dtype)
        module.tie_weights()
    return TransformersWhole(module, checkpoint, modality)


def _class_of(checkpoint: Checkpoint) -> tuple[Any, Any]:
    """The class that a checkpoint names, or the body of its family, and its configuration."""
    import transformers

    raw = read_config(checkpoint)
    check_architecture(checkpoint, raw)
    config = load_config(checkpoint, raw)
    name = (config.architectures or [""])[0]
    kind = getattr(transformers, name, None)
    if kind is None or "auto_map" in raw or config.model_type == "timm_wrapper":
        if name or "auto_map" in raw:
            raise CheckpointError(
                f"{checkpoint.model}: transformers has no class {name or 'for it'}, so a larger "
                "network of that class cannot be made.",
                "Grow a checkpoint that plain transformers loads.",
            )
        kind = transformers.MODEL_MAPPING[type(config)]
    return kind, config


def _refuse_other_weights(checkpoint: Checkpoint) -> None:
    for part in sentence_parts(checkpoint):
        name = kind_of_part(part)
        if name not in _WEIGHTLESS:
            raise CheckpointError(
                f"{checkpoint.model} ends in a part of sentence-transformers ({name}) that has "
                "weights of its own, which do not grow with it.",
                "Grow a checkpoint without it.",
            )


def _one_by_one(batch: Mapping[str, torch.Tensor]) -> list[dict[str, torch.Tensor]]:
    count = len(next(iter(batch.values())))
    return [{name: each[i : i + 1] for name, each in batch.items()} for i in range(count)]


def _to_numbers_of(module: nn.Module, other: nn.Module, dtype: torch.dtype) -> None:
    """Convert weights; what is computed, as the angles of rotary positions, has its own numbers."""
    saved = module.state_dict().keys()
    computed = {name: each for name, each in module.named_buffers() if name not in saved}
    numbers = {name: each.dtype for name, each in other.named_buffers()}
    module.to(dtype)
    for name, value in computed.items():
        path, _, leaf = name.rpartition(".")
        setattr(module.get_submodule(path), leaf, value.to(numbers.get(name, dtype)))


def _unrounded(module: nn.Module) -> None:
    """Gemma multiplies by the root of its hidden size, which bfloat16 would round for good."""
    for part in module.modules():
        scale = getattr(part, "scalar_embed_scale", None)
        device = next(part.parameters()).device if scale is not None else None
        if device is not None and device.type != "meta":
            part.embed_scale = torch.tensor(scale, dtype=torch.float64, device=device)


def _side(config: Any) -> tuple[int, int]:
    side = getattr(config, "image_size", None) or _SIDE
    return (side, side) if isinstance(side, int) else (side[0], side[1])


def _length(config: Any) -> int:
    return min(_TOKENS, _longest(config))


def _longest(config: Any) -> int:
    longest = getattr(config, "max_position_embeddings", None) or getattr(config, "n_positions", 0)
    return int(longest or 512) - (2 if config.model_type in {"roberta", "xlm-roberta"} else 0)
