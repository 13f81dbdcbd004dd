"""How exactly every family grows: largest difference of any answer, with every weight drawn anew.

    python benchmarks/growth_exact.py [--data ../shared/data] [-o docs/reference/growth.json]

Each network has random gains, biases and statistics (fresh ones hide mistakes), is grown in
float64 by the default method, and compared in float64 and float32 on 32 inputs of noise; the rows
of real checkpoints keep their weights. ``--data`` names a folder with checkpoints in ``zoo/``.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import transformers

from zoo.api import open_catalogue
from zoo.errors import ZooError
from zoo.growing.prepared import family_of
from zoo.growing.proof import compare
from zoo.growing.work import carry_out, draw
from zoo.settings import resolve
from zoo.testing.growth import try_growth
from zoo.types import Checkpoint, Deepen, ModelEntry, RuntimeOptions, Widen

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Steps = list[Widen | Deepen]


@dataclass(frozen=True)
class Row:
    """One growth, as the table shows it."""

    network: str
    growth: str
    real: bool
    fp64: float | None
    fp32: float | None
    scale: float | None
    exact: bool
    why: str = ""


@dataclass(frozen=True)
class Case:
    """A tiny network and how it grows."""

    network: str
    kind: str
    settings: Mapping[str, Any]
    growths: Mapping[str, Steps]


def _layers(**more: Any) -> dict[str, Any]:
    return {
        "hidden_size": 24,
        "num_hidden_layers": 2,
        "num_attention_heads": 3,
        "intermediate_size": 48,
        "num_labels": 7,
        **more,
    }


_PICTURES = {"image_size": 16, "patch_size": 8}
_WORDS = {"vocab_size": 99, "max_position_embeddings": 40, "pad_token_id": 0}
_DECODER = _layers(**_WORDS, num_attention_heads=6, num_key_value_heads=2, head_dim=6)
_DEEPER = {"depth +2": [Deepen(depth="+2")]}
_MLP = {"mlp 48 -> 77": [Widen(mlp=77)]}
_PRE_NORM: dict[str, Steps] = {
    **_MLP,
    "hidden 24 -> 48, heads 3 -> 6": [Widen(width="2x")],
    "hidden 24 -> 32, heads 3 -> 4": [Widen(hidden=32)],
    "hidden 24 -> 48, heads stay 3": [Widen(hidden=48, heads=3)],
    **_DEEPER,
    "hidden 40, mlp 77, depth +2": [Widen(hidden=40, mlp=77), Deepen(depth="+2")],
}
_POST_NORM: dict[str, Steps] = {
    **_MLP,
    "hidden 24 -> 48, heads 3 -> 6": [Widen(width="2x")],
    "hidden 24 -> 32, heads 3 -> 4": [Widen(hidden=32)],
    **_DEEPER,
}
_GROUPED: dict[str, Steps] = {
    "mlp 48 -> 61": [Widen(mlp=61)],
    "heads 6/2 -> 12/4": [Widen(heads=12, kv_heads=4)],
    "hidden 24 -> 48": [Widen(hidden=48)],
    "hidden 24 -> 30": [Widen(hidden=30)],
    **_DEEPER,
}
_STAGES = {"embedding_size": 16, "hidden_sizes": [16, 32], "depths": [2, 2], "num_labels": 7}
_CONVOLVED: dict[str, Steps] = {
    "width 1.5x": [Widen(width="1.5x")],
    "width 2x": [Widen(width="2x")],
    "depth +1 a stage": [Deepen(depth="+1")],
    "width 1.5x, depth +1": [Widen(width="1.5x"), Deepen(depth="+1")],
}
_WIDER: dict[str, Steps] = {"width 1.5x": [Widen(width="1.5x")], "width 2x": [Widen(width="2x")]}
_DISTIL = {"dim": 24, "n_layers": 2, "n_heads": 3, "hidden_dim": 48, "num_labels": 7}
CASES = (
    Case(
        "ResNet, basic",
        "ResNetForImageClassification",
        {**_STAGES, "layer_type": "basic"},
        _CONVOLVED,
    ),
    Case(
        "ResNet, bottleneck",
        "ResNetForImageClassification",
        {**_STAGES, "layer_type": "bottleneck"},
        _CONVOLVED,
    ),
    Case(
        "RegNet",
        "RegNetForImageClassification",
        {**_STAGES, "hidden_sizes": [16, 32], "groups_width": 8},
        _CONVOLVED,
    ),
    Case(
        "MobileNetV1",
        "MobileNetV1ForImageClassification",
        {"depth_multiplier": 0.25, "image_size": 64, "num_labels": 7},
        _WIDER,
    ),
    Case(
        "MobileNetV2",
        "MobileNetV2ForImageClassification",
        {"depth_multiplier": 0.35, "image_size": 64, "num_labels": 7},
        _WIDER,
    ),
    Case(
        "EfficientNet",
        "EfficientNetForImageClassification",
        {
            "image_size": 64,
            "width_coefficient": 0.25,
            "depth_coefficient": 0.3,
            "hidden_dim": 320,
            "num_labels": 7,
        },
        {**_WIDER, "depth +1 a stage": [Deepen(depth="+1")]},
    ),
    Case(
        "ConvNeXt",
        "ConvNextForImageClassification",
        {"hidden_sizes": [8, 16], "depths": [1, 1], "num_stages": 2, "num_labels": 7},
        _CONVOLVED,
    ),
    Case(
        "ConvNeXtV2",
        "ConvNextV2ForImageClassification",
        {"hidden_sizes": [8, 16], "depths": [1, 1], "num_stages": 2, "num_labels": 7},
        _CONVOLVED,
    ),
    Case("ViT", "ViTForImageClassification", _layers(**_PICTURES), _PRE_NORM),
    Case("DeiT", "DeiTForImageClassification", _layers(**_PICTURES), _PRE_NORM),
    Case(
        "DINOv2",
        "Dinov2ForImageClassification",
        {**_layers(**_PICTURES), "mlp_ratio": 2},
        {k: v for k, v in _PRE_NORM.items() if "mlp" not in k},
    ),
    Case(
        "Swin",
        "SwinForImageClassification",
        {
            "image_size": 32,
            "patch_size": 4,
            "embed_dim": 16,
            "depths": [2, 2],
            "num_heads": [2, 4],
            "window_size": 4,
            "num_labels": 7,
        },
        _CONVOLVED,
    ),
    Case("BERT", "BertForSequenceClassification", _layers(**_WORDS), _POST_NORM),
    Case("BERT, masked words (tied)", "BertForMaskedLM", _layers(**_WORDS), _POST_NORM),
    Case("RoBERTa", "RobertaForSequenceClassification", _layers(**_WORDS), _POST_NORM),
    Case(
        "DistilBERT",
        "DistilBertForSequenceClassification",
        {**_DISTIL, "vocab_size": 99},
        _POST_NORM,
    ),
    Case(
        "GPT-2 (tied)",
        "GPT2LMHeadModel",
        {
            "n_embd": 24,
            "n_layer": 2,
            "n_head": 3,
            "n_inner": 48,
            "vocab_size": 99,
            "n_positions": 40,
        },
        _PRE_NORM,
    ),
    Case("Llama", "LlamaForCausalLM", _DECODER, {**_GROUPED, "width of a head 6 -> 12": []}),
    Case("Llama (tied)", "LlamaForCausalLM", {**_DECODER, "tie_word_embeddings": True}, _GROUPED),
    Case(
        "Qwen2",
        "Qwen2ForCausalLM",
        {k: v for k, v in _DECODER.items() if k != "head_dim"} | {"num_attention_heads": 4},
        {k: v for k, v in _GROUPED.items() if "heads" not in k},
    ),
    Case("Qwen3", "Qwen3ForCausalLM", _DECODER, _GROUPED),
    Case("Gemma (tied)", "GemmaForCausalLM", _DECODER, _GROUPED),
)


def drawn() -> Iterator[Row]:
    """Grow every tiny network in every way."""
    catalogue = open_catalogue(resolve().settings)
    grower = catalogue.create("grower", catalogue.preferred("grower").name)
    for case in CASES:
        kind = getattr(transformers, case.kind)
        for growth, steps in case.growths.items():
            torch.manual_seed(0)
            module = kind(kind.config_class(**case.settings))
            _, family = family_of(module.config, catalogue, case.network)
            config = None
            if not steps:  # what no size asks for, and a configuration can
                config = type(module.config)(**{**case.settings, "head_dim": 12})
            try:
                trial = try_growth(module, _inputs(module), family, grower, steps, config=config)
            except ZooError as error:
                yield Row(case.network, growth, False, None, None, None, False, error.message)
                continue
            reasons = trial.grown.drawing.reasons
            why = reasons[0].partition(": ")[2] if reasons else ""
            exact = trial.passed and not reasons
            large = trial.fp64.scale
            yield Row(
                case.network,
                growth,
                False,
                trial.fp64.largest,
                trial.fp32.largest,
                large,
                exact,
                why,
            )


def real(folder: Path) -> Iterator[Row]:
    """Grow every checkpoint of a folder that a family knows."""
    catalogue = open_catalogue(resolve().settings)
    grower = catalogue.create("grower", catalogue.preferred("grower").name)
    runtime = catalogue.create("runtime", "torch")
    growths: dict[str, Steps] = {"width 2x": [Widen(width="2x")], "depth +1": [Deepen(depth="+1")]}
    for place in sorted(folder.iterdir()):
        if not (place / "config.json").exists():
            continue
        held = Checkpoint(entry=ModelEntry(ref=str(place)), folder=str(place), digest="")
        for growth, steps in growths.items():
            try:
                old = runtime.open_whole(held, RuntimeOptions())
                old.module.double()
                _, family = family_of(old.config, catalogue, place.name)
                drawing = draw(old, family, grower, family.grown(old.config, steps))
                grown = carry_out(old, drawing, grower)
                inputs = old.inputs(8, 0)
                fp64 = compare(old, grown.network, drawing, inputs, "fp64")
                old.module.float()
                grown.network.module.float()
                fp32 = compare(old, grown.network, drawing, inputs, "fp32")
            except ZooError as error:
                said = error.message.partition(": ")[2] or error.message
                yield Row(place.name, growth, True, None, None, None, False, said)
                continue
            exact = fp64.passed and fp32.passed and not drawing.reasons
            yield Row(place.name, growth, True, fp64.largest, fp32.largest, fp64.scale, exact)


def _inputs(module: Any) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    config = module.config
    if hasattr(config, "vocab_size"):
        ids = torch.randint(1, config.vocab_size, (32, 9), generator=generator)
        return {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    side = getattr(config, "image_size", None) or 64
    return {"pixel_values": torch.randn(32, 3, side, side, generator=generator)}


def main() -> None:
    """Run, and write the numbers."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder whose zoo/ holds real checkpoints")
    parser.add_argument("-o", "--output", type=Path, help="JSON to write")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    for row in (*drawn(), *(real(asked.data / "zoo") if asked.data else ())):
        numbers = "refused" if row.fp64 is None else f"{row.fp64:.1e} {row.fp32:.1e}"
        print(f"{row.network:28} {row.growth:32} {numbers:18} {row.exact} {row.why}", flush=True)
        rows.append(asdict(row))
    if asked.output:
        asked.output.write_text(json.dumps({"rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
