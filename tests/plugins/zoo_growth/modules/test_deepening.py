from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

import zoo
from zoo.testing.growth import randomise
from zoo_growth.modules.operators import SigmoidGated, identity_linear

few = settings(max_examples=5, deadline=None)
IDEMPOTENT = (nn.ReLU, nn.ReLU6, nn.Hardtanh)
ODD = (nn.GELU, lambda: nn.GELU(approximate="tanh"), nn.SiLU, nn.Hardswish, SigmoidGated)
LEAKY = (nn.LeakyReLU, lambda: nn.LeakyReLU(0.3))


def vectors():
    return torch.randn(5, 7, generator=torch.Generator().manual_seed(2))


def images():
    return torch.randn(5, 3, 8, 8, generator=torch.Generator().manual_seed(2))


def deepened(module, example, depth="+1", *, seed=0, place="end", **more):
    randomise(module, seed, 0.4)
    step = zoo.Deepen(depth=depth, place=place)
    return zoo.grow_module(module, example, [step], seed=seed, **more)


def layers_of(module):
    return sum(isinstance(each, nn.Linear | nn.Conv2d) for each in module.modules())


@given(
    activation=st.sampled_from((*IDEMPOTENT, *ODD, *LEAKY)),
    size=st.integers(1, 9),
    more=st.integers(1, 2),
    norm=st.booleans(),
    place=st.sampled_from(["end", "between"]),
    seed=st.integers(0, 9),
)
@settings(max_examples=6, deadline=None)
def test_any_mlp_becomes_deeper_and_computes_the_same(activation, size, more, norm, place, seed):
    norms = [nn.BatchNorm1d(size)] if norm else []
    module = nn.Sequential(
        nn.Linear(7, size), *norms, activation(), nn.Linear(size, 6), activation(), nn.Linear(6, 2)
    )
    larger, proof = deepened(module, vectors(), f"+{more}", seed=seed, place=place)
    assert proof.passed
    per = 1 if activation in IDEMPOTENT else 2
    assert layers_of(larger) == 3 + per * more


@given(
    activation=st.sampled_from((*IDEMPOTENT, nn.GELU)),
    kernel=st.sampled_from([1, 2, 3, (3, 5)]),
    norm=st.booleans(),
    seed=st.integers(0, 9),
)
@few
def test_any_cnn_becomes_deeper_in_every_stage_and_computes_the_same(
    activation, kernel, norm, seed
):
    norms = [nn.BatchNorm2d(4)] if norm else []
    module = nn.Sequential(
        nn.Conv2d(3, 4, kernel, bias=not norm), *norms, activation(), nn.AvgPool2d(2),
        nn.Conv2d(4, 6, 1), activation(), nn.Flatten(), nn.LazyLinear(4),
    )  # fmt: skip
    module(images())
    larger, proof = deepened(module, images(), seed=seed)
    assert proof.passed
    assert len([each for each in proof.notes if "1 new layer at" in each]) == 2
    assert layers_of(larger) == 3 + (2 if activation in IDEMPOTENT else 4)
    assert norm is any("train mode" in each for each in proof.notes) or activation is nn.GELU


def test_a_new_batch_norm_is_exact_in_eval_mode_and_close_in_train_mode():
    parts = [nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.Flatten(), nn.Linear(216, 3)]
    module = nn.Sequential(*parts).double()
    randomise(module, 3, 0.1)
    module.train()(images().double())  # statistics that belong to the data
    larger, proof = zoo.grow_module(module, images(), [zoo.Deepen()])
    assert proof.differences[0].largest < 1e-12
    with torch.no_grad():
        found, expected = larger.train()(images().double()), module.train()(images().double())
    assert 1e-6 < float((found - expected).abs().max()) < 1.0


def test_an_identity_layer_behind_gelu_would_change_the_function():
    module = nn.Sequential(nn.Linear(7, 6), nn.GELU(), nn.Linear(6, 3))
    randomise(module, 0, 0.4)
    wrong = nn.Sequential(*module[:2], identity_linear(6), nn.GELU(), module[2])
    with torch.no_grad():
        assert float((wrong(vectors()) - module(vectors())).abs().max()) > 1e-2
    assert deepened(module, vectors())[1].passed


class Functions(nn.Module):
    """Activations that are functions, one that is called twice, and a residual add."""

    def __init__(self, phi):
        super().__init__()
        self.first, self.second, self.third = nn.Linear(7, 6), nn.Linear(6, 6), nn.Linear(6, 4)
        self.last, self.phi, self.act = nn.Linear(4, 2), phi, nn.ReLU(inplace=True)

    def forward(self, x):
        x = self.phi(self.first(x))
        x = self.act(self.second(x) + x)
        return self.last(self.act(self.third(x)))


@pytest.mark.parametrize(
    "phi",
    [torch.relu, F.relu6, torch.abs, F.gelu, F.silu, lambda x: x * torch.sigmoid(1.702 * x)],
    ids=["relu", "relu6", "abs", "gelu", "silu", "quick gelu"],
)
def test_functions_and_shared_activations_get_layers_before_or_behind_them(phi):
    module = Functions(phi)
    larger, proof = deepened(module, vectors(), "5")
    assert proof.passed
    assert layers_of(larger) > layers_of(module)
    assert isinstance(larger.last, nn.Linear)
    assert larger.training


def test_what_is_wide_can_become_deep_and_wider_again():
    module = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(144, 3)
    )
    randomise(module, 1, 0.2)
    steps = [zoo.Widen(width="1.5x"), zoo.Deepen(depth="+2"), zoo.Widen(width="2x")]
    larger, proof = zoo.grow_module(module, images(), steps)
    assert proof.passed
    assert layers_of(larger) == 4
    assert larger[0].out_channels == 12


@pytest.mark.parametrize(
    ("activation", "name"),
    [
        (nn.Tanh, "tanh"),
        (nn.Sigmoid, "sigmoid"),
        (nn.ELU, "ELU"),
        (nn.Mish, "mish"),
        (nn.PReLU, "PReLU"),
    ],
)
def test_an_activation_that_allows_no_identity_is_named(activation, name):
    module = nn.Sequential(nn.Linear(7, 6), activation(), nn.Linear(6, 3))
    with pytest.raises(zoo.InputError, match=rf"^{name} \({activation.__name__} '1'\)") as caught:
        deepened(module, vectors())
    assert "ReLU" in caught.value.hint


def test_a_depth_that_cannot_be_is_refused():
    module = nn.Sequential(nn.Linear(7, 6), nn.ReLU(), nn.Linear(6, 3))
    for depth, said in (("0", "would shrink"), ("2,3", "names 2 stages"), ("x", "is no size")):
        with pytest.raises(zoo.InputError, match=said):
            deepened(module, vectors(), depth)
    with pytest.raises(zoo.InputError, match="there is no activation"):
        deepened(nn.Sequential(nn.Linear(7, 6), nn.Linear(6, 3)), vectors())


def test_a_forward_that_asks_its_parts_for_sizes_is_refused_where_they_become_chains():
    class Asking(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(7, 6), nn.Linear(6, 3)

        def forward(self, x):
            return self.b(torch.relu(self.a(x))) * self.a.out_features

    with pytest.raises(zoo.InputError, match="asks its parts"):
        deepened(Asking(), vectors())
