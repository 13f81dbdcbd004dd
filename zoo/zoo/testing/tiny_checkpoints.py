"""Tiny checkpoints in Hub format, one an architecture, with random weights: nothing to download.

``build_tiny_checkpoint("vit", folder)`` writes config, safetensors and the processor or tokenizer
that a real checkpoint of that family has; most are under 100 kB and built in a tenth of a second.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.errors import unknown_name

if TYPE_CHECKING:
    from collections.abc import Mapping

CLASSES = 5
"""Width of every source head."""

_Recipe = tuple[str, dict[str, Any]]

_STAGES = {"hidden_sizes": [16, 24, 32, 40], "depths": [1, 1, 1, 1]}
_TRANSFORMER = {
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 48,
}
_PATCHES = {**_TRANSFORMER, "image_size": 64, "patch_size": 16}
_WORDS = {**_TRANSFORMER, "vocab_size": 128}
# The ids of the special tokens, where the family's own defaults lie outside the vocabulary.
_IDS = {"pad_token_id": 0, "bos_token_id": 2, "eos_token_id": 3}
# Decoders read bytes, and most have no padding token.
_BYTES = {"vocab_size": 257, "pad_token_id": None, "bos_token_id": 0, "eos_token_id": 0}
_LEVIT_STEP = ["Subsample", 8, 4, 4, 2, 2]

_IMAGE: Mapping[str, _Recipe] = {
    "resnet": ("ResNet", {**_STAGES, "embedding_size": 16, "layer_type": "basic"}),
    "convnext": ("ConvNext", _STAGES),
    "convnextv2": ("ConvNextV2", _STAGES),
    "mobilenet_v1": ("MobileNetV1", {"image_size": 64, "depth_multiplier": 0.25}),
    "mobilenet_v2": ("MobileNetV2", {"image_size": 64, "depth_multiplier": 0.35}),
    "vit": ("ViT", _PATCHES),
    "deit": ("DeiT", _PATCHES),
    "beit": ("Beit", _PATCHES),
    "swin": (
        "Swin",
        {
            "image_size": 64,
            "patch_size": 4,
            "embed_dim": 16,
            "depths": [1, 1, 1],
            "num_heads": [2, 2, 2],
            "window_size": 4,
        },
    ),
    "efficientnet": (
        "EfficientNet",
        {
            "image_size": 64,
            "width_coefficient": 0.25,
            "depth_coefficient": 0.3,
            "hidden_dim": 320,
        },
    ),
    "regnet": ("RegNet", {**_STAGES, "embedding_size": 16, "groups_width": 8}),
    "pvt": ("Pvt", {**_STAGES, "hidden_sizes": [16, 32, 40, 48], "image_size": 64}),
    "pvt_v2": ("PvtV2", {**_STAGES, "hidden_sizes": [16, 32, 40, 64], "image_size": 64}),
    "levit": (
        "Levit",
        {
            "image_size": 64,
            "hidden_sizes": [32, 48, 64],
            "num_attention_heads": [2, 3, 4],
            "depths": [1, 1, 1],
            "key_dim": [8, 8, 8],
            "down_ops": [_LEVIT_STEP, ["Subsample", 8, 6, 4, 2, 2]],
        },
    ),
    "segformer": ("Segformer", {**_STAGES, "hidden_sizes": [16, 32, 40, 48]}),
    "poolformer": ("PoolFormer", _STAGES),
    "mobilevit": (
        "MobileViT",
        {
            "image_size": 64,
            "hidden_sizes": [24, 32, 40],
            "neck_hidden_sizes": [8, 16, 24, 32, 40, 48, 64],
        },
    ),
    "dinov2": ("Dinov2", {**_PATCHES, "image_size": 56, "patch_size": 14}),
    "focalnet": ("FocalNet", {"image_size": 64, "embed_dim": 16, "depths": [1, 1, 1, 1]}),
    "swiftformer": (
        "SwiftFormer",
        {"image_size": 64, "embed_dims": [16, 24, 32, 48], "depths": [1, 1, 1, 1]},
    ),
    "bit": (
        "Bit",
        {**_STAGES, "embedding_size": 16, "hidden_sizes": [32, 32, 64, 64], "num_groups": 4},
    ),
}
_TEXT: Mapping[str, _Recipe] = {
    "bert": ("Bert", _WORDS),
    "roberta": ("Roberta", {**_WORDS, **_IDS}),
    "distilbert": (
        "DistilBert",
        {"vocab_size": 128, "dim": 32, "n_layers": 3, "n_heads": 4, "hidden_dim": 48},
    ),
    "mpnet": ("MPNet", {**_WORDS, **_IDS}),
    "electra": ("Electra", {**_WORDS, "embedding_size": 16}),
    "albert": ("Albert", {**_WORDS, "embedding_size": 16}),
    "deberta-v2": (
        "DebertaV2",
        {**_WORDS, "relative_attention": True, "pos_att_type": ["p2c", "c2p"]},
    ),
    "modernbert": ("ModernBert", {**_WORDS, **_IDS, "cls_token_id": 2, "sep_token_id": 3}),
    "gpt2": ("GPT2", {"n_embd": 32, "n_layer": 3, "n_head": 4, **_BYTES}),
    "llama": ("Llama", {**_TRANSFORMER, "num_key_value_heads": 2, **_BYTES}),
    "qwen2": ("Qwen2", {**_TRANSFORMER, "num_key_value_heads": 2, **_BYTES}),
}
_SPEECH = {
    **_TRANSFORMER,
    "conv_dim": [16, 16, 16],
    "conv_stride": [5, 4, 4],
    "conv_kernel": [10, 8, 4],
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 4,
    "vocab_size": 32,
}
_TOWERS = {"text_config": {**_WORDS, **_IDS}, "vision_config": _PATCHES}
_OTHER: Mapping[str, _Recipe] = {
    "clip": ("CLIPModel", {**_TOWERS, "projection_dim": 24}),
    "siglip": ("SiglipModel", _TOWERS),
    "t5": (
        "T5EncoderModel",
        {
            "vocab_size": 128,
            "d_model": 32,
            "d_kv": 8,
            "d_ff": 48,
            "num_layers": 2,
            "num_heads": 4,
            "pad_token_id": 0,
            "eos_token_id": 3,
            "decoder_start_token_id": 0,
        },
    ),
    "wav2vec2": ("Wav2Vec2ForSequenceClassification", _SPEECH),
    "hubert": ("HubertForSequenceClassification", _SPEECH),
    "ast": (
        "ASTForAudioClassification",
        {**_TRANSFORMER, "max_length": 128, "num_mel_bins": 64},
    ),
    "whisper": (
        "WhisperForAudioClassification",
        {
            "d_model": 32,
            "encoder_layers": 2,
            "decoder_layers": 2,
            "encoder_attention_heads": 4,
            "decoder_attention_heads": 4,
            "encoder_ffn_dim": 48,
            "decoder_ffn_dim": 48,
            "vocab_size": 128,
            "decoder_start_token_id": 2,
            **_IDS,
        },
    ),
}

TINY_IMAGE: tuple[str, ...] = tuple(_IMAGE)
"""Image classifiers with a head of :data:`CLASSES` classes."""
TINY_TEXT: tuple[str, ...] = tuple(_TEXT)
"""Text classifiers with a head of :data:`CLASSES` classes; the decoders have no padding token."""
TINY_OTHER: tuple[str, ...] = tuple(_OTHER)
"""Models of two towers, a text encoder without a head, and audio classifiers."""

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
        name: one of :data:`TINY_IMAGE`, :data:`TINY_TEXT` or :data:`TINY_OTHER`.
        folder: where to; created if need be.
        head: False leaves the classification head away, as backbones on the Hub do.

    Raises:
        UnknownNameError: there is no such recipe.
    """
    recipes = {**_IMAGE, **_TEXT, **_OTHER}
    if name not in recipes:
        raise unknown_name("tiny checkpoint", name, recipes)
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    _write_model(_architecture(name, recipes[name][0], head), dict(recipes[name][1]), target)
    if name in _IMAGE or name in {"clip", "siglip"}:
        _write_processor(name, target)
    if name in _TEXT or name in {"clip", "siglip", "t5"}:
        reads_bytes = recipes[name][1].get("vocab_size") == _BYTES["vocab_size"]
        if reads_bytes:
            _write_byte_tokenizer(target)
        else:
            _write_word_tokenizer(target, segments=name in _SEGMENTED)
    return target


def _architecture(name: str, prefix: str, head: bool) -> str:
    if name in _OTHER:
        return prefix
    if not head:
        return f"{prefix}Model"
    return f"{prefix}For{'Image' if name in _IMAGE else 'Sequence'}Classification"


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
            kind(kind.config_class(**settings, num_labels=CLASSES)).save_pretrained(folder)
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()


def _write_processor(name: str, folder: Path) -> None:
    family = _PROCESSORS.get(name) or _IMAGE[name][0]
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
