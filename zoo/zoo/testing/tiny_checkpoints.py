"""Tiny checkpoints in Hub format, one an architecture, with random weights: nothing to download.

``build_tiny_checkpoint("vit", folder)`` writes config, safetensors and the processor or tokenizer
that a real checkpoint of that family has; most are under 100 kB and built in a tenth of a second.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.errors import unknown_name
from zoo.testing.tiny_recipes import AUDIO, BYTES, IMAGE, OTHER, TEXT

if TYPE_CHECKING:
    import torch

    from zoo.types.model import Checkpoint, Modality

CLASSES = 5
"""Width of every source head."""
TINY_IMAGE: tuple[str, ...] = tuple(IMAGE)
"""Image classifiers with a head of :data:`CLASSES` classes."""
TINY_TEXT: tuple[str, ...] = tuple(TEXT)
"""Text classifiers with a head of :data:`CLASSES` classes; the decoders have no padding token."""
TINY_AUDIO: tuple[str, ...] = tuple(AUDIO)
"""Audio classifiers with a head of :data:`CLASSES` classes, at 16 kHz."""
TINY_OTHER: tuple[str, ...] = tuple(OTHER)
"""Models of two towers, and a text encoder without a head."""

_PROCESSORS = {
    "resnet": "ConvNext",
    "convnextv2": "ConvNext",
    "regnet": "ConvNext",
    "convnext": "ConvNext",
    "swin": "ViT",
    "swiftformer": "ViT",
    "pvt_v2": "Pvt",
    "dinov2": "Bit",
    "focalnet": "Bit",
    "clip": "CLIP",
    "siglip": "Siglip",
}
_CROPPED = {"Bit", "CLIP", "Levit", "MobileNetV1", "MobileNetV2", "MobileViT", "PoolFormer"}
_HEADS = {"ast": "ForAudioClassification", "whisper": "ForAudioClassification"}
_SEGMENTED = {"bert", "electra", "albert"}
_VOCABULARY = (
    *("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "a", "an", "and", "or", "not", "of"),
    *("in", "on", "to", "is", "was", "it", "this", "that", "very", "cat", "dog", "bird", "fish"),
    *("zoo", "model", "picture", "word", "good", "bad", "great", "awful", "film", "plot"),
    *("acting", "red", "green", "blue", "one", "two", "three", "which", "reads", "best"),
)


def build_tiny_checkpoint(name: str, folder: str | Path, *, head: bool = True) -> Path:
    """Write one checkpoint and return its folder.

    Args:
        name: one of :data:`TINY_IMAGE`, :data:`TINY_TEXT`, :data:`TINY_AUDIO` or
            :data:`TINY_OTHER`.
        folder: where to; created if need be.
        head: False leaves the classification head away, as backbones on the Hub do.

    Raises:
        UnknownNameError: there is no such recipe.
    """
    recipes = {**IMAGE, **TEXT, **AUDIO, **OTHER}
    if name not in recipes:
        raise unknown_name("tiny checkpoint", name, recipes)
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    _write_model(_architecture(name, recipes[name][0], head), dict(recipes[name][1]), target)
    if name in IMAGE or name in {"clip", "siglip"}:
        _write_processor(name, target)
    if name in TEXT or name in {"clip", "siglip", "t5"}:
        reads_bytes = recipes[name][1].get("vocab_size") == BYTES["vocab_size"]
        if reads_bytes:
            _write_byte_tokenizer(target)
        else:
            _write_word_tokenizer(target, segments=name in _SEGMENTED)
    if name in AUDIO:
        _write_extractor(name, target)
    return target


def tiny_checkpoint_in(folder: str | Path, name: str, *, head: bool = True) -> Checkpoint:
    """Write one checkpoint into a new sub-folder, and give it as a source would.

    Args:
        folder: where the sub-folder ``name`` goes.
        name: as for :func:`build_tiny_checkpoint`.
        head: as there.

    Raises:
        UnknownNameError: there is no such recipe.
    """
    from zoo.types.model import Checkpoint, ModelEntry

    built = build_tiny_checkpoint(name, Path(folder) / name, head=head)
    content = b"".join(path.read_bytes() for path in sorted(built.iterdir()))
    entry = ModelEntry(ref=str(built), modality=_modality(name), library="transformers")
    digest = hashlib.sha256(content).hexdigest()
    return Checkpoint(entry=entry, folder=str(built), digest=digest)


def _modality(name: str) -> Modality | None:
    """Say what goes in; None for a model of two towers."""
    if name in IMAGE:
        return "image"
    if name in TEXT or name == "t5":
        return "text"
    return "audio" if name in AUDIO else None


def _architecture(name: str, prefix: str, head: bool) -> str:
    if name in OTHER:
        return prefix
    if not head:
        return f"{prefix}Model"
    return prefix + _HEADS.get(name, f"For{'Image' if name in IMAGE else 'Sequence'}Classification")


def _write_model(architecture: str, settings: dict[str, Any], folder: Path) -> None:
    import torch
    import transformers
    from transformers.utils import logging

    kind = getattr(transformers, architecture)
    bars, verbosity = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            module = kind(kind.config_class(**settings, num_labels=CLASSES))
            _calibrate(module, settings.get("image_size", 64))
            module.save_pretrained(folder)
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()


def _calibrate(module: torch.nn.Module, side: int) -> None:
    """Give batch norms the statistics of noise; without any, deep networks overflow."""
    import torch

    norms = [part for part in module.modules() if isinstance(part, torch.nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = None
    if norms:
        with torch.no_grad():
            module.train()(pixel_values=torch.randn(8, 3, side, side))


def _write_processor(name: str, folder: Path) -> None:
    family = _PROCESSORS.get(name) or IMAGE[name][0]
    side = 56 if name == "dinov2" else 64
    square = {"height": side, "width": side}
    settings: dict[str, Any] = {
        "image_processor_type": f"{family}ImageProcessor",
        "do_resize": True,
        "size": square,
        "resample": 3,
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": [0.485, 0.456, 0.406],
        "image_std": [0.229, 0.224, 0.225],
    }
    if family == "ConvNext":
        settings |= {"size": {"shortest_edge": side}, "crop_pct": 0.875}
    elif family in _CROPPED:
        settings |= {"size": {"shortest_edge": side + 8}, "do_center_crop": True}
        settings["crop_size"] = square
    elif family == "DeiT":
        settings |= {"do_center_crop": True, "crop_size": square}
    _write_json(folder / "preprocessor_config.json", settings)


def _write_extractor(name: str, folder: Path) -> None:
    kinds: dict[str, dict[str, Any]] = {
        "ast": {
            "feature_extractor_type": "ASTFeatureExtractor",
            "max_length": 128,
            "num_mel_bins": 64,
        },
        "whisper": {
            "feature_extractor_type": "WhisperFeatureExtractor",
            "feature_size": 40,
            "chunk_length": 2,
        },
    }
    plain = {"feature_extractor_type": "Wav2Vec2FeatureExtractor", "do_normalize": True}
    settings = {"sampling_rate": 16000, "padding_value": 0.0, "return_attention_mask": False}
    _write_json(folder / "preprocessor_config.json", {**settings, **kinds.get(name, plain)})


def _write_word_tokenizer(folder: Path, *, segments: bool) -> None:
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    numbered = {word: number for number, word in enumerate(_VOCABULARY)}
    tokenizer = Tokenizer(models.WordLevel(numbered, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    names = {"pad": "[PAD]", "unk": "[UNK]", "cls": "[CLS]", "sep": "[SEP]", "mask": "[MASK]"}
    special = {f"{kind}_token": token for kind, token in names.items()}
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_max_length=64,
        model_input_names=["input_ids", *["token_type_ids"] * segments, "attention_mask"],
        **special,
    )
    fast.save_pretrained(folder)


def _write_byte_tokenizer(folder: Path) -> None:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    end = "<|endoftext|>"
    alphabet = [end, *sorted(pre_tokenizers.ByteLevel.alphabet())]
    numbered = {symbol: number for number, symbol in enumerate(alphabet)}
    tokenizer = Tokenizer(models.BPE(numbered, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, model_max_length=64, bos_token=end, eos_token=end
    )
    fast.save_pretrained(folder)


def _write_json(path: Path, value: dict[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")
