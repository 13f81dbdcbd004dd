"""LiGO: the growth is learned; and what a growth learns from."""

from __future__ import annotations

import os
import signal

import numpy as np
import pytest
import torch
import transformers
from PIL import Image
from small_networks import bert, held, vit

from zoo import grow
from zoo.errors import InputError
from zoo.growing.learning import Material, learning
from zoo.growing.work import carry_out, draw
from zoo.testing.growth import HeldNetwork, randomise
from zoo.types import ImageInput
from zoo.types.growers import Growth
from zoo.types.growing import Deepen, Widen
from zoo_growth.families.bert import Bert
from zoo_growth.families.resnet import ResNet
from zoo_growth.families.vit import Vit
from zoo_growth.ligo import LearnedGrowth, Ligo

WIDER = Widen(hidden=16, heads=4, mlp=14)
SIZES = {"hidden": 8, "heads": 2, "mlp": 8}
WORDS = ["a fine film", "dull", "not bad", "it is long", "loud and long", "fine", "a film", "bad"]


class Reading(HeldNetwork):
    """Reads images and words."""

    def inputs(self, count, seed, samples=()):
        if not samples:
            return super().inputs(count, seed)
        if isinstance(samples[0], str):
            ids = torch.tensor([[len(each) % 20, *map(ord, each[:5].ljust(5))] for each in samples])
            mask = torch.ones_like(ids)
            mask[:, 4:] = 0
            return {"input_ids": ids % 20, "attention_mask": mask}
        pixels = np.stack([np.asarray(each.convert("RGB").resize((8, 8))) for each in samples])
        return {"pixel_values": torch.from_numpy(pixels).permute(0, 3, 1, 2).float().div(128) - 1}


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Twenty-four pictures of two classes, in folders."""
    folder, found = tmp_path_factory.mktemp("pictures"), []
    for number in range(24):
        draw_ = np.random.default_rng(number)
        pixels = draw_.integers(0, 128, (12, 12, 3)) + 127 * (number % 2)
        path = folder / ("dark", "light")[number % 2] / f"{number:02}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(pixels.astype(np.uint8)).save(path)
        found.append(ImageInput(name=path.name, path=str(path)))
    return folder, found


def of(pictures, **more):
    found = pictures[1]
    return Material(samples=found, rows=range(len(found)), modality="image", **more)


def reading(module):
    randomise(module, 0)
    return Reading(module, {})


def learn(old, material, *steps, family=None, seed=0, on_event=lambda event: None, **options):
    family, grower = family or Vit(), Ligo(**options)
    drawing = draw(old, family, grower, family.grown(old.config, steps), seed=seed)
    teach = learning(old, drawing, material, seed=seed, on_event=on_event)
    kept = []

    def remember(module, **settings):
        kept[:] = [teach(module, **settings), module]
        return kept[0]

    grown = carry_out(old, drawing, grower, seed=seed, learn=remember)
    return grown, *kept


def test_a_hundred_steps_lower_the_loss_of_a_vit_that_begins_as_stacked(pictures):
    events = []
    grown, found, module = learn(
        reading(vit(**SIZES, layers=1)),
        of(pictures),
        WIDER,
        Deepen(),
        on_event=events.append,
        batch=8,
    )
    assert found.steps == 100
    assert found.task == "answers"
    assert found.after < 0.9 * found.before
    assert f"{found.before:.4g} to {found.after:.4g}" in grown.notes[0]
    assert any("smaller network" in each.message for each in events)
    inputs = {"pixel_values": torch.randn(3, 3, 8, 8)}
    assert torch.allclose(grown.network.module(**inputs).logits, module(**inputs).logits, atol=1e-5)


def test_the_loss_of_a_bert_becomes_lower():
    texts = Material(samples=WORDS, rows=range(len(WORDS)), modality="text")
    old = reading(bert(**SIZES, layers=1))
    _, found, _ = learn(old, texts, WIDER, Deepen(), family=Bert(), steps=10, rate=5e-3, batch=8)
    assert found.after < 0.9 * found.before


def test_labels_are_learned_where_there_are_some(pictures):
    labels = torch.arange(24) % 2
    old = reading(vit(**SIZES, layers=1))
    _, found, _ = learn(old, of(pictures, labels=labels), WIDER, steps=10, rate=1e-2)
    assert found.task == "labels"
    assert found.after < found.before


def test_features_are_compared_where_there_is_no_head(pictures):
    old = reading(vit(**SIZES, layers=1, kind=transformers.ViTModel).double())
    grown, found, _ = learn(old, of(pictures), WIDER, steps=10, rate=1e-2)
    assert found.after < found.before
    assert grown.network.module.dtype == torch.float64


def test_a_seed_decides_what_is_learned(pictures):
    states = [
        learn(reading(vit(**SIZES)), of(pictures), WIDER, steps=2, batch=4, seed=seed)[0]
        .network.module.state_dict()
        .values()
        for seed in (1, 1, 2)
    ]
    same, other = (
        all(torch.equal(a, b) for a, b in zip(states[0], each, strict=True)) for each in states[1:]
    )
    assert same
    assert not other


def module_of(old, *steps, family=None, noise=0.0):
    family, grower = family or Vit(), Ligo()
    drawing = draw(old, family, grower, family.grown(old.config, steps))
    growth = Growth(
        old=old,
        new=old.enlarged(drawing.config),
        blueprint=drawing.blueprint,
        maps=drawing.maps,
    )
    return LearnedGrowth(growth, noise), drawing


def test_old_channels_stay_as_they_are_and_the_others_combine_them():
    old = held(vit(**SIZES))
    module, drawing = module_of(old, WIDER, Deepen())
    before, after = old.module.state_dict(), module.weights()
    name = "vit.layers.{}.mlp.fc1.weight"
    assert torch.allclose(after[name.format(0)][:8, :8], before[name.format(0)])
    assert torch.allclose(after[name.format(2)][:8, :8], before[name.format(0)])
    extra = after["vit.layers.0.mlp.fc1.bias"][8:]
    bias = before["vit.layers.0.mlp.fc1.bias"]
    assert bool((extra <= bias.max()).all())
    assert bool((extra >= bias.min()).all())
    assert drawing.reasons


def test_nothing_but_factors_is_trained():
    old = held(vit(**SIZES))
    module, _ = module_of(old, Widen(mlp=14), Deepen())
    shapes = {tuple(each.shape) for each in module.parameters()}
    assert shapes == {(6, 8), (3, 2)}
    answers = module(pixel_values=torch.randn(2, 3, 8, 8))
    answers["logits"].sum().backward()
    assert all(each.grad is not None for each in module.parameters())
    assert all(each.grad is None for each in old.module.parameters())


def test_blocks_of_another_form_and_their_statistics_are_combined():
    config = transformers.ResNetConfig(
        embedding_size=4, hidden_sizes=[8, 12], depths=[2, 3], layer_type="basic", num_labels=4
    )
    old = held(transformers.ResNetForImageClassification(config), {})
    module, _ = module_of(old, Widen(width="1.5x"), Deepen(), family=ResNet(), noise=0.03)
    weights = module.weights()
    assert all(bool((v > 0).all()) for name, v in weights.items() if name.endswith("running_var"))
    answers = module(pixel_values=torch.randn(2, 3, 32, 32))
    assert bool(torch.isfinite(answers["logits"]).all())


def test_an_interrupted_learning_ends_the_growth(pictures):
    def interrupt(event):
        if event.kind == "batch":
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        learn(reading(vit(**SIZES)), of(pictures), WIDER, steps=50, on_event=interrupt)


def test_without_data_nothing_is_learned():
    old = held(vit(**SIZES))
    drawing = draw(old, Vit(), Ligo(), Vit().grown(old.config, [WIDER]))
    with pytest.raises(InputError, match="learns from data"):
        carry_out(old, drawing, Ligo())
    with pytest.raises(InputError, match="nothing to learn from"):
        learning(old, drawing, Material(samples=[None], rows=[], modality="image"))


@pytest.mark.parametrize("options", [{"steps": 0}, {"rate": 0.0}, {"batch": 0}, {"noise": 1.0}])
def test_options_by_which_nothing_is_learned_are_refused(options):
    with pytest.raises(InputError, match="nothing is learned"):
        Ligo(**options)


@pytest.mark.parametrize(
    ("names", "task"), [(("dark", "light"), "labels"), (("cat", "dog"), "the smaller network")]
)
def test_a_checkpoint_learns_its_growth_from_labels_that_its_head_knows(
    pictures, tmp_path, names, task
):
    module = vit(**SIZES)
    module.config.id2label = dict(enumerate(names)) | {2: "other", 3: "more"}
    module.config.label2id = {name: n for n, name in module.config.id2label.items()}
    module.save_pretrained(tmp_path / "small")
    size = {"height": 8, "width": 8}
    transformers.ViTImageProcessor(size=size).save_pretrained(tmp_path / "small")
    report = grow(
        str(tmp_path / "small"),
        tmp_path / "large",
        [WIDER],
        method="ligo",
        options={"steps": 2},
        data=pictures[0],
        allow_inexact=True,
    )
    assert any(task in each for each in report.notes)
    assert (tmp_path / "large" / "model.safetensors").exists()
