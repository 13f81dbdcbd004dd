"""Architecture by architecture: taps, outline, export, the same numbers, the same ranking."""

from __future__ import annotations

import importlib
import os
from pathlib import Path

import pytest

from zoo.testing.tiny_checkpoints import TINY_AUDIO, TINY_IMAGE, TINY_TEXT
from zoo.types.model import Checkpoint, ModelEntry
from zoo.types.runtimes import RuntimeOptions
from zoo_runtimes.onnx.runtime import OnnxRuntime
from zoo_runtimes.torch_runtime import TorchRuntime

pytest.importorskip("onnxscript", reason="exporting needs: pip install 'zoo-reuse[onnx]'")

SCRIPTS = Path(__file__).parents[3] / "benchmarks"
DATA = Path(os.environ.get("ZOO_SHARED_DATA", "../shared/data")).resolve()
TOLERANCE = 1e-4
CASES = [
    *((name, "image") for name in TINY_IMAGE),
    *((name, "text") for name in TINY_TEXT),
    *((name, "audio") for name in TINY_AUDIO),
    *((name, modality) for name in ("clip", "siglip") for modality in ("image", "text")),
    ("t5", "text"),
]
# The rest is rarer, and every export takes seconds.
COMMON = {"resnet", "mobilenet_v2", "vit", "bert"}
READ = ("tokenizer.json", "preprocessor_config.json")
REAL = {
    path.parent.name: "text" if (path.parent / "tokenizer.json").is_file() else "image"
    for path in sorted(DATA.glob("zoo/*/config.json"))
    if any(
        (path.parent / name).is_file() for name in ("tokenizer.json", "preprocessor_config.json")
    )
}
COMMON_REAL = {"mobilenet_v1_0.25_128", "mobilenet_v2_0.35_224_backbone"}
"""One with a head, which other tests export as well, and one without."""


def case(name, modality, *, slow):
    marks = [pytest.mark.exhaustive] * slow
    return pytest.param(name, modality, id=f"{name}-{modality}", marks=marks)


MATRIX = [case(name, modality, slow=name not in COMMON) for name, modality in CASES]
REAL_MATRIX = [
    case(name, modality, slow=name not in COMMON_REAL) for name, modality in REAL.items()
]


@pytest.fixture
def script(monkeypatch, request):
    """What measures the table of the documentation measures here as well."""
    monkeypatch.syspath_prepend(str(SCRIPTS))
    found = importlib.import_module("architectures")
    if request.node.get_closest_marker("exhaustive") is None:
        # The graph of the gradients takes as long again, and has onnx/test_gradients.py.
        monkeypatch.setattr(found, "METHODS", {})
    return found


def check(row):
    assert row.reason == ""
    assert row.outlined
    assert row.taps[-1] in {"logits", "head_input", "projection"}
    assert row.relative <= TOLERANCE, f"{row.worst} differs"
    assert row.agreement in {None, 1.0}
    assert row.ranked


@pytest.mark.parametrize(("name", "modality"), MATRIX)
def test_both_runtimes_give_the_same_features_and_ranking(
    name, modality, script, graphs, tiny_checkpoint
):
    row = script.measure(tiny_checkpoint(name), modality, graphs, random=True)
    check(row)
    assert len(row.taps) >= 4


@pytest.mark.exhaustive
@pytest.mark.parametrize(("name", "modality"), REAL_MATRIX or [(None, None)])
def test_both_runtimes_agree_on_real_checkpoints(name, modality, script, graphs):
    if name is None:
        pytest.skip(f"no checkpoints in {DATA}; set ZOO_SHARED_DATA to run this test")
    entry = ModelEntry(ref=f"./{name}", modality=modality)
    checkpoint = Checkpoint(entry=entry, folder=str(DATA / "zoo" / name), digest=name)
    check(script.measure(checkpoint, modality, graphs, random=False))


@pytest.mark.parametrize(
    "names",
    [
        ("resnet", "vit", "mobilenet_v2"),
        pytest.param(("bert", "gpt2", "distilbert"), marks=pytest.mark.exhaustive),
    ],
    ids="-".join,
)
def test_both_runtimes_rank_architectures_alike(names, script, graphs, tiny_checkpoint):
    found = {runtime: {} for runtime in (TorchRuntime, OnnxRuntime)}
    for name in names:
        checkpoint = tiny_checkpoint(name)
        modality = checkpoint.entry.modality
        inputs, labels = script.drawn(modality)
        if modality == "image":
            inputs = TorchRuntime().prepare(checkpoint, inputs)
        for runtime, scores in found.items():
            backbone = runtime().open(checkpoint, RuntimeOptions(cache=graphs))
            values = script.features(backbone, inputs)
            head_input = {"head_input": values[backbone.default_tap]}
            for estimator, tap in script.scores(head_input, labels).items():
                scores.setdefault(estimator, {})[name] = tap["head_input"]
    for estimator, ours in found[TorchRuntime].items():
        assert script.same_order(ours, found[OnnxRuntime][estimator])
