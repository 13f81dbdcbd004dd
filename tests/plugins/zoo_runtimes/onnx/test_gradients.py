"""Gradients by a graph against the torch path; occlusion, labelled, where there is no graph."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from zoo.errors import NotApplicable
from zoo.types import Features
from zoo.types.model import Checkpoint, ModelEntry
from zoo.types.runtimes import RuntimeOptions
from zoo_runtimes.methods import Method
from zoo_runtimes.onnx import gradients
from zoo_runtimes.onnx.feeds import ImageFeed, TextFeed

pytest.importorskip("onnx")

DATA = Path(os.environ.get("ZOO_SHARED_DATA", "../shared/data")).resolve()
TAPS = ["head_input", "logits"]
TEXTS = ["the cat", "a very good film and a dog", "it was not bad"]


def feed_of(backbone, checkpoint):
    """What the ONNX runtime would feed its graph with."""
    _, _, feed = backbone.parts
    if not hasattr(feed, "tokens"):
        from zoo_runtimes.images import load_preparation

        preparation = load_preparation(checkpoint)
        return ImageFeed("pixel_values", preparation.scale, preparation.offset), None
    names = list(next(iter(feed.batches(feed.encode(TEXTS))))[1])
    return TextFeed(names, feed.tokens), feed.tokens


def opened(runtime, checkpoint, images):
    backbone = runtime.open(checkpoint, RuntimeOptions())
    text = hasattr(backbone.parts[2], "tokens")
    inputs = TEXTS if text else runtime.prepare(checkpoint, images[:3])
    return backbone, backbone.encode(inputs), "text" if text else "image"


def request_for(checkpoint, modality, taps, method, cache):
    return gradients.Request(
        checkpoint=checkpoint,
        modality=modality,
        taps=tuple(taps),
        method=Method.parse(method),
        cache=cache,
    )


def slow(*case):
    return pytest.param(*case, marks=pytest.mark.exhaustive)


@pytest.mark.parametrize(
    ("name", "method"),
    [
        ("resnet", "gradient_x_input"),
        ("mobilenet_v1", "gradient_x_input"),
        ("resnet", "lrp"),
        slow("bert", "gradient_x_input"),
        slow("resnet", "saliency:absmean"),
        slow("convnext", "gradient_x_input"),
        slow("bert", "saliency"),
        slow("gpt2", "gradient_x_input"),
        slow("swin", "gradient_x_input"),
        slow("deberta-v2", "gradient_x_input"),
    ],
)
def test_a_graph_gives_the_cells_of_torch(name, method, runtime, tiny_checkpoint, images, graphs):
    checkpoint = tiny_checkpoint(name)
    backbone, batch, modality = opened(runtime, checkpoint, images)
    feed, tokens = feed_of(backbone, checkpoint)
    request = request_for(checkpoint, modality, TAPS, method, graphs)
    found = gradients.attribute(request, feed, batch, tokens)
    expected = backbone.attribute(batch, TAPS, method)
    largest = max(float(np.abs(cells).max()) for cells in expected.values())
    for tap in TAPS:
        assert found[tap].dtype == np.float32
        scale = max(float(np.abs(expected[tap]).max()), gradients.FLOOR * largest)
        np.testing.assert_allclose(
            found[tap], expected[tap], rtol=0, atol=gradients.TOLERANCE * scale, err_msg=tap
        )
    single = gradients.attribute(request, feed, batch[:1], tokens)
    np.testing.assert_allclose(single["logits"], found["logits"][:1], rtol=0, atol=1e-3 * largest)


def test_every_layer_of_a_network_comes_from_one_graph(runtime, tiny_checkpoint, images, graphs):
    checkpoint = tiny_checkpoint("resnet")
    backbone, batch, modality = opened(runtime, checkpoint, images)
    taps = [tap.name for tap in backbone.taps]
    feed, tokens = feed_of(backbone, checkpoint)
    request = request_for(checkpoint, modality, taps, "gradient_x_input", graphs)
    found = gradients.attribute(request, feed, batch, tokens)
    expected = backbone.attribute(batch, taps, "gradient_x_input")
    for tap in taps:
        scale = float(np.abs(expected[tap]).max())
        np.testing.assert_allclose(found[tap], expected[tap], rtol=0, atol=1e-2 * scale)


def test_a_graph_that_is_kept_needs_no_torch(runtime, tiny_checkpoint, images, graphs):
    checkpoint = tiny_checkpoint("resnet")
    backbone, batch, modality = opened(runtime, checkpoint, images)
    feed, tokens = feed_of(backbone, checkpoint)
    request = request_for(checkpoint, modality, TAPS, "gradient_x_input", graphs)
    gradients.attribute(request, feed, batch, tokens)
    code = """
import sys
from zoo.types.model import Checkpoint, ModelEntry
sys.modules["torch"] = None
import numpy as np
from zoo.types.runtimes import EncodedInput
from zoo_runtimes.methods import Method
from zoo_runtimes.onnx import gradients
from zoo_runtimes.onnx.feeds import ImageFeed
folder, digest, cache, shape = sys.argv[1:5]
checkpoint = Checkpoint(entry=ModelEntry(ref="it"), folder=folder, digest=digest)
request = gradients.Request(checkpoint=checkpoint, modality="image", taps=("head_input", "logits"),
    method=Method.parse("gradient_x_input"), cache=cache)
shape = [int(side) for side in shape.split("x")]
image = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
feed = ImageFeed("pixel_values", np.full(3, 0.01, np.float32), np.zeros(3, np.float32))
found = gradients.attribute(request, feed, [EncodedInput(cost=1, data=image)])
print(found["logits"].shape)
"""
    shape = "x".join(map(str, batch[0].data.shape))
    arguments = [checkpoint.folder, checkpoint.digest, graphs, shape]
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "(1, 1024)", done.stderr


def test_an_operator_without_translation_is_named_and_remembered(
    runtime, tiny_checkpoint, images, tmp_path, monkeypatch
):
    from zoo_runtimes.onnx import operators

    checkpoint = tiny_checkpoint("resnet")
    backbone, batch, modality = opened(runtime, checkpoint, images)
    feed, tokens = feed_of(backbone, checkpoint)
    request = request_for(checkpoint, modality, ["logits"], "saliency", str(tmp_path))
    known = {
        key: value for key, value in operators.TRANSLATIONS.items() if "convol" not in str(key)
    }
    monkeypatch.setattr(operators, "TRANSLATIONS", known)
    with pytest.raises(NotApplicable, match=r"operator convolution.default .* no translation"):
        gradients.attribute(request, feed, batch, tokens)
    monkeypatch.setattr(gradients, "_export", None)  # it is not tried again
    with pytest.raises(NotApplicable, match="no translation"):
        gradients.attribute(request, feed, batch, tokens)


def test_a_graph_that_computes_something_else_is_refused(
    runtime, tiny_checkpoint, images, tmp_path, monkeypatch
):
    from zoo_runtimes.onnx import operators
    from zoo_runtimes.onnx.nodes import aten

    checkpoint = tiny_checkpoint("resnet")
    backbone, batch, modality = opened(runtime, checkpoint, images)
    feed, tokens = feed_of(backbone, checkpoint)
    request = request_for(checkpoint, modality, ["logits"], "saliency", str(tmp_path))
    wrong = dict.fromkeys([aten.relu], operators.TRANSLATIONS[aten.abs])
    monkeypatch.setattr(operators, "TRANSLATIONS", {**operators.TRANSLATIONS, **wrong})
    with pytest.raises(NotApplicable, match=r"logits \d.*% off"):
        gradients.attribute(request, feed, batch, tokens)


def test_the_name_of_a_graph_says_what_it_is_made_of(tiny_checkpoint):
    one = request_for(tiny_checkpoint("resnet"), "image", ["logits"], "saliency", "here")
    others = [
        replace(one, taps=("head_input",)),
        replace(one, method=Method.parse("saliency:absmean")),
        replace(one, checkpoint=tiny_checkpoint("vit")),
    ]
    names = {gradients.place_of(each, (3, 8, 8)) for each in (one, *others)}
    assert len(names | {gradients.place_of(one, (3, 8, 9))}) == 5


def test_occlusion_takes_the_place_of_gradients_and_says_so(
    tiny_checkpoint, runtime, images, graphs, monkeypatch
):
    from zoo_runtimes.onnx.runtime import OnnxRuntime

    def refuse(*_):
        raise NotApplicable("operator x of its backward pass has no translation")

    monkeypatch.setattr(gradients, "attribute", refuse)
    checkpoint = tiny_checkpoint("resnet")
    backbone = OnnxRuntime().open(checkpoint, RuntimeOptions(cache=graphs))
    batch = backbone.encode(runtime.prepare(checkpoint, images[:2]))
    found = backbone.attribute(batch, ["logits"], "gradient_x_input")["logits"]
    assert backbone.attribution_note == (
        "occlusion in place of gradient_x_input: operator x of its backward pass has no translation"
    )
    np.testing.assert_array_equal(
        found, backbone.attribute(batch, ["logits"], "occlusion")["logits"]
    )
    assert not backbone.attribution_note


def test_layers_where_nothing_but_rounding_is_left_are_not_told_apart(
    runtime, tiny_checkpoint, images, graphs
):
    """The sum behind a layer norm of equal weights never moves: both paths give noise."""
    checkpoint = tiny_checkpoint("vit")
    backbone, batch, modality = opened(runtime, checkpoint, images)
    feed, tokens = feed_of(backbone, checkpoint)
    request = request_for(checkpoint, modality, ["head_input"], "gradient_x_input", graphs)
    found = gradients.attribute(request, feed, batch, tokens)["head_input"]
    assert float(np.abs(found).max()) < 1e-6


def test_a_closed_backbone_holds_no_session(runtime, tiny_checkpoint, images, graphs):
    from zoo_runtimes.onnx.runtime import OnnxRuntime

    checkpoint = tiny_checkpoint("resnet")
    backbone = OnnxRuntime().open(checkpoint, RuntimeOptions(cache=graphs))
    batch = backbone.encode(runtime.prepare(checkpoint, images[:2]))
    backbone.attribute(batch, TAPS, "gradient_x_input")
    assert not backbone.attribution_note
    assert len(backbone._gradients) == 1
    backbone.close()
    assert not backbone._gradients


def test_both_runtimes_rank_checkpoints_alike_by_their_attributions(
    runtime, tiny_checkpoint, images, graphs
):
    """Ranked by the estimator that compares attribution maps with a reference's."""
    from zoo.catalogue import Catalogue
    from zoo.host import PluginHost

    depara = Catalogue(PluginHost().discover()).create("estimator", "depara")
    maps = {}
    for name in ("resnet", "mobilenet_v1", "convnext"):
        checkpoint = tiny_checkpoint(name)
        backbone, batch, modality = opened(runtime, checkpoint, images)
        values = backbone.extract(batch, ["head_input"])["head_input"]
        feed, tokens = feed_of(backbone, checkpoint)
        request = request_for(checkpoint, modality, TAPS, "gradient_x_input", graphs)
        pair = (
            backbone.attribute(batch, TAPS, "gradient_x_input"),
            gradients.attribute(request, feed, batch, tokens),
        )
        maps[name] = [features_of(values, each["logits"]) for each in pair]
    scores = [
        {
            (one, other): depara.score(replace(maps[one][path], reference=maps[other][path])).value
            for one in maps
            for other in maps
            if one != other
        }
        for path in (0, 1)
    ]
    assert scores[0] == pytest.approx(scores[1], abs=1e-4)
    assert sorted(scores[0], key=scores[0].get) == sorted(scores[1], key=scores[1].get)


def features_of(values, maps):
    return Features(
        values=values.astype(np.float64),
        labels=np.arange(len(values)) % 2,
        extras={"attributions": maps.astype(np.float64)},
    )


@pytest.mark.parametrize(
    ("name", "modality", "tap"),
    [
        ("mobilenet_v1_0.25_128", "image", "head_input"),
        slow("all-MiniLM-L6-v2", "text", "head_input"),
    ],
)
def test_real_checkpoints_are_attributed_as_in_torch(name, modality, tap, runtime, images, graphs):
    from zoo_runtimes.onnx.runtime import OnnxRuntime

    folder = DATA / "zoo" / name
    if not folder.is_dir():
        pytest.skip(f"no {folder}; set ZOO_SHARED_DATA to run this test")
    checkpoint = Checkpoint(
        entry=ModelEntry(ref=f"./{name}", modality=modality), folder=str(folder), digest=name
    )
    inputs = TEXTS if modality == "text" else runtime.prepare(checkpoint, images[:4])
    options = RuntimeOptions(cache=graphs)
    original, graph = runtime.open(checkpoint, options), OnnxRuntime().open(checkpoint, options)
    expected, found = (
        each.attribute(each.encode(inputs), [tap], "gradient_x_input")[tap]
        for each in (original, graph)
    )
    assert graph.attribution_note == ""
    # A unit at the kink of its ReLU may be on for one and off for the other.
    assert np.linalg.norm(found - expected) <= 1e-2 * np.linalg.norm(expected)
