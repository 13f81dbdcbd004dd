"""Configurations of tiny networks: architecture, and its settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

Recipe = tuple[str, dict[str, Any]]

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
BYTES = {"vocab_size": 257, "pad_token_id": None, "bos_token_id": 0, "eos_token_id": 0}
_LEVIT_STEP = ["Subsample", 8, 4, 4, 2, 2]

IMAGE: Mapping[str, Recipe] = {
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
TEXT: Mapping[str, Recipe] = {
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
    "gpt2": ("GPT2", {"n_embd": 32, "n_layer": 3, "n_head": 4, **BYTES}),
    "llama": ("Llama", {**_TRANSFORMER, "num_key_value_heads": 2, **BYTES}),
    "qwen2": ("Qwen2", {**_TRANSFORMER, "num_key_value_heads": 2, **BYTES}),
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
OTHER: Mapping[str, Recipe] = {
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
}
AUDIO: Mapping[str, Recipe] = {
    "wav2vec2": ("Wav2Vec2", _SPEECH),
    "hubert": ("Hubert", _SPEECH),
    "ast": (
        "AST",
        {**_TRANSFORMER, "max_length": 128, "num_mel_bins": 64, "patch_size": 16},
    ),
    "whisper": (
        "Whisper",
        {
            "d_model": 32,
            "encoder_layers": 2,
            "decoder_layers": 2,
            "encoder_attention_heads": 4,
            "decoder_attention_heads": 4,
            "encoder_ffn_dim": 48,
            "decoder_ffn_dim": 48,
            "vocab_size": 128,
            "num_mel_bins": 40,
            "max_source_positions": 100,
            "decoder_start_token_id": 2,
            **_IDS,
        },
    ),
}
