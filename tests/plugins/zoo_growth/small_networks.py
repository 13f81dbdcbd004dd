"""A tiny ViT and a tiny BERT, ways to grow them, and a training that tells copies apart."""

from __future__ import annotations

import dataclasses

import torch
import transformers

from zoo.growing.work import carry_out, draw
from zoo.testing.growth import HeldNetwork, randomise, try_growth
from zoo_growth.families.bert import Bert
from zoo_growth.families.vit import Vit

PIXELS = {"pixel_values": torch.randn(6, 3, 8, 8, generator=torch.Generator().manual_seed(0))}
TOKENS = {"input_ids": torch.arange(36).reshape(6, 6) % 20}


def vit(*, hidden=12, heads=3, layers=2, mlp=10, kind=transformers.ViTForImageClassification):
    config = transformers.ViTConfig(
        hidden_size=hidden,
        num_attention_heads=heads,
        num_hidden_layers=layers,
        intermediate_size=mlp,
        image_size=8,
        patch_size=4,
        num_labels=4,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    return kind(config)


def bert(*, hidden=12, heads=3, layers=2, mlp=10):
    config = transformers.BertConfig(
        vocab_size=20,
        hidden_size=hidden,
        num_attention_heads=heads,
        num_hidden_layers=layers,
        intermediate_size=mlp,
        max_position_embeddings=8,
        num_labels=4,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    return transformers.BertForSequenceClassification(config)


def grow_vit(grower, *steps, seed=0, **sizes):
    return try_growth(vit(**sizes), PIXELS, Vit(), grower, steps, seed=seed)


def grow_bert(grower, *steps, seed=0, **sizes):
    return try_growth(bert(**sizes), TOKENS, Bert(), grower, steps, seed=seed)


def state_of(trial):
    return trial.grown.network.module.state_dict()


def old_state_of(trial):
    return trial.old.module.state_dict()


def held(module, inputs=PIXELS, seed=0):
    """Give a network whose weights were drawn anew."""
    randomise(module, seed)
    return HeldNetwork(module, inputs)


def grown_from(old, grower, *steps, family=None, seed=0, learn=None):
    family = family or Vit()
    drawing = draw(old, family, grower, family.grown(old.config, steps), seed=seed)
    return carry_out(old, drawing, grower, seed=seed, learn=learn)


class Reversed(Vit):
    """The family, which names everything in the other order."""

    def blueprint(self, network, config, *, place="end"):
        found = super().blueprint(network, config, place=place)
        return dataclasses.replace(
            found,
            axes=dict(reversed(found.axes.items())),
            rules=dict(reversed(found.rules.items())),
        )


def train(module, inputs=PIXELS, steps=50):
    """Train on labels that mean nothing, in float64, without anything that is drawn."""
    module.train()
    labels = torch.arange(len(next(iter(inputs.values())))) % 4
    inputs = {k: v.double() if v.is_floating_point() else v for k, v in inputs.items()}
    optimiser = torch.optim.SGD(module.parameters(), lr=0.05)
    for _ in range(steps):
        optimiser.zero_grad()
        loss = torch.nn.functional.cross_entropy(module(**inputs).logits, labels)
        loss.backward()
        optimiser.step()
    module.eval()


def rank(weight):
    """Numerical rank: directions that are more than rounding."""
    return int(torch.linalg.matrix_rank(weight.detach(), rtol=1e-6))


def copies_apart(weight, index):
    """Smallest distance of two rows that copy one channel."""
    gaps = [
        float((weight[one] - weight[two]).abs().max())
        for one in range(len(index))
        for two in range(one)
        if index[one] == index[two]
    ]
    return min(gaps)
