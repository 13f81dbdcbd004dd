"""Subnetwork Laplace: gradients of single samples, the posterior, and what it chooses."""

from __future__ import annotations

from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from zoo.errors import InputError
from zoo.testing.tiny_checkpoints import build_tiny_checkpoint
from zoo.types import Studied
from zoo.types.model import Checkpoint, ModelEntry
from zoo.types.runtimes import Head, RuntimeOptions
from zoo_distillation.laplace import SubnetworkLaplace, _jacobians
from zoo_distillation.laplace_curvature import (
    GRID,
    curvature,
    likelihood_root,
    log_evidence,
    logit_variances,
    posterior_precision,
    prior_by_evidence,
    probit,
)
from zoo_distillation.sample_gradients import recording, trusted
from zoo_runtimes.torch_runtime import TorchRuntime

TEXTS = [
    "a good film",
    "the plot is awful and the acting was very bad in this one and that one",
    "red",
    "a cat and a dog and a bird and a fish",
    "which model reads best in the zoo",
]


def opened(name, folder, modality):
    place = build_tiny_checkpoint(name, folder / name)
    checkpoint = Checkpoint(entry=ModelEntry(ref=str(place)), folder=str(place), digest=name)
    return TorchRuntime().open_teacher(checkpoint, RuntimeOptions(), modality)


@pytest.fixture(scope="module")
def networks(tmp_path_factory):
    """``networks(name)``: an open tiny checkpoint, and a batch for it."""
    folder, known = tmp_path_factory.mktemp("networks"), {}

    def give(name):
        if name not in known:
            text = name in {"bert", "albert", "roberta"}
            network = opened(name, folder, "text" if text else "image")
            draw = np.random.default_rng(0)
            images = [
                Image.fromarray(draw.integers(0, 255, (40, 50, 3), dtype=np.uint8))
                for _ in range(5)
            ]
            samples = TEXTS if text else images
            reader = network.reader
            known[name] = network, reader.collate([reader.prepare(each) for each in samples])
        return known[name]

    return give


def small(widths=(3, 4, 3), seed=0, kind=torch.float64):
    """A network of linear layers, as a calibrator sees one."""
    torch.manual_seed(seed)
    layers = []
    for inside, outside in pairwise(widths):
        layers += [torch.nn.Linear(inside, outside, dtype=kind), torch.nn.Tanh()]
    module = torch.nn.Sequential(*layers[:-1]).requires_grad_(False).eval()
    return SimpleNamespace(
        module=module,
        head=Head(labels=tuple("abcdefgh"[: widths[-1]])),
        observe=lambda inputs, taps: SimpleNamespace(logits=module(inputs["x"])),
    )


def data(count=30, width=3, seed=1, labels=None):
    x = torch.randn(count, width, generator=torch.Generator().manual_seed(seed)).double()
    return lambda: iter(
        Studied(
            inputs={"x": x[at : at + 8]}, labels=None if labels is None else labels[at : at + 8]
        )
        for at in range(0, count, 8)
    )


def shifted(outputs, scale):
    """Pretend that a network is surer by a factor."""
    inner = outputs.observe
    outputs.observe = lambda inputs, taps: SimpleNamespace(
        logits=scale * inner(inputs, taps).logits
    )
    return outputs


@pytest.mark.parametrize(
    "name", ["resnet", "mobilenet_v2", "regnet", "efficientnet", "swin", "vit", "bert", "albert"]
)
def test_gradients_of_single_samples_are_those_of_autograd(networks, name):
    network, inputs = networks(name)
    if "input_ids" in inputs:  # of one length: a runtime reads others in groups
        inputs = {key: values[[0, 0, 2, 2]] for key, values in inputs.items()}
    names = trusted(network, inputs)
    parameters = {key: each for key, each in network.module.named_parameters() if key in names}
    assert "classifier" in names[-1]
    count = len(next(iter(inputs.values())))
    for each in parameters.values():
        each.requires_grad_()
    with recording(network, {key.rpartition(".")[0] for key in names}) as record:
        seen = record(inputs)
        found = dict(seen.gradients(torch.ones_like(seen.logits), dict.fromkeys(names)))
    for row in (0, count - 1):
        alone = {key: values[row : row + 1] for key, values in inputs.items()}
        logits = network.observe(alone, ()).logits
        true = torch.autograd.grad(logits.sum(), list(parameters.values()))
        for key, exact in zip(parameters, true, strict=True):
            own = found[key][row].reshape(exact.shape)
            assert float((own - exact).norm()) <= 2e-2 * float(exact.norm()) + 1e-4, key
    for each in parameters.values():
        each.requires_grad_(False)
    assert not any(each.requires_grad for each in network.module.parameters())


def test_a_layer_that_mixes_samples_or_is_used_twice_is_not_trusted():
    network = small((3, 4, 4, 3))
    first, second = network.module[0], network.module[2]

    def observe(inputs, taps):
        hidden = first(inputs["x"].flip(0)).flip(0).tanh()
        hidden = torch.nn.functional.linear(second(hidden), second.weight)
        return SimpleNamespace(logits=network.module[4](hidden))

    network.observe = observe
    found = trusted(network, {"x": torch.randn(5, 3).double()})
    assert found == ["2.bias", "4.weight", "4.bias"]


def test_some_places_are_the_same_as_all_of_them(networks):
    network, inputs = networks("mobilenet_v2")
    names = trusted(network, inputs)
    sizes = dict(network.module.named_parameters())
    places = {name: torch.arange(0, sizes[name].numel(), 3) for name in names}
    with recording(network, {name.rpartition(".")[0] for name in names}) as record:
        seen = record(inputs)
        cotangent = torch.randn_like(seen.logits)
        every = dict(seen.gradients(cotangent, dict.fromkeys(names)))
        some = dict(seen.gradients(cotangent, places))
    for name, where in places.items():
        torch.testing.assert_close(some[name], every[name][:, where], rtol=1e-4, atol=1e-5)


@given(st.integers(2, 6), st.integers(0, 10_000))
@settings(deadline=None, max_examples=25)
def test_the_root_of_the_likelihood_squares_to_its_curvature(classes, seed):
    logits = 5 * torch.randn(3, classes, generator=torch.Generator().manual_seed(seed)).double()
    shares = logits.softmax(-1)
    root = likelihood_root(logits)
    expected = torch.diag_embed(shares) - shares[:, :, None] * shares[:, None, :]
    torch.testing.assert_close(root @ root.mT, expected)


@given(st.integers(0, 10_000), st.floats(0, 50))
@settings(deadline=None, max_examples=25)
def test_variance_makes_less_sure_and_never_changes_the_order_where_it_is_equal(seed, size):
    logits = 4 * torch.randn(5, 4, generator=torch.Generator().manual_seed(seed)).double()
    found = probit(logits, torch.full_like(logits, size))
    assert bool((found.max(1).values <= logits.softmax(1).max(1).values + 1e-12).all())
    assert bool((found.argsort(1) == logits.argsort(1)).all())
    torch.testing.assert_close(found.sum(1), torch.ones(5).double())


def test_all_weights_give_the_full_posterior_whatever_chose_them():
    network = small()
    count = sum(each.numel() for each in network.module.parameters())
    x = torch.randn(4, 3).double()
    seen = []
    for subnet in ("variance", "magnitude"):
        method = SubnetworkLaplace(subnet=subnet, size=count, prior_precision=0.7)
        seen.append(method.probabilities(network, method.fit(network, data()), {"x": x}))
    names = [name for name, _ in network.module.named_parameters()]

    def outputs(*values):
        weights = dict(zip(names, values, strict=True))
        return lambda each: torch.func.functional_call(network.module, weights, each)

    def jacobians(inputs):
        values = [each.detach() for each in network.module.parameters()]
        found = torch.func.jacrev(lambda *v: outputs(*v)(inputs), tuple(range(len(values))))(
            *values
        )
        return torch.cat([each.flatten(2) for each in found], dim=2)

    train = torch.cat([each.inputs["x"] for each in data()()])
    logits = network.module(train)
    matrix = curvature(jacobians(train), logits)
    covariance = torch.linalg.inv(posterior_precision(matrix, 0.7))
    j = jacobians(x)
    variances = torch.einsum("bcs,st,bct->bc", j, covariance, j)
    for found in seen:
        torch.testing.assert_close(found, probit(network.module(x), variances))


def test_variance_grows_away_from_the_data():
    network = small()
    method = SubnetworkLaplace(subnet="variance", size=31, prior_precision=1.0)
    fitted = method.fit(network, data(200))
    places = {key[7:]: each for key, each in fitted.items() if key.startswith("places/")}
    direction = torch.ones(1, 3).double()
    with recording(network, ["0", "2"]) as record:
        spreads = [
            float(
                logit_variances(
                    _jacobians(record({"x": direction * far}), places), fitted["cholesky"]
                ).sum()
            )
            for far in (0.3, 1.0, 3.0)
        ]
    assert spreads == sorted(spreads)


def test_labels_choose_a_prior_under_which_they_are_more_probable():
    network = shifted(small((3, 8, 3)), 12.0)
    x = torch.cat([each.inputs["x"] for each in data(240)()])
    generator = torch.Generator().manual_seed(3)
    shares = (network.observe({"x": x}, ()).logits / 12).softmax(1)
    labels = torch.multinomial(shares, 1, generator=generator)[:, 0]
    labels[::7] = -1

    def both():
        yield from data(100, seed=5)()
        yield from data(240, labels=labels)()

    method = SubnetworkLaplace()
    fitted = method.fit(network, both)
    known = labels >= 0
    after = method.probabilities(network, fitted, {"x": x})[known]
    before = network.observe({"x": x}, ()).logits.softmax(1)[known]

    def loss(shares):
        return float(torch.nn.functional.nll_loss(shares.log(), labels[known]))

    assert loss(after) < 0.8 * loss(before)
    assert float(fitted["prior_precision"]) < float(GRID[-1])


def test_without_labels_the_evidence_chooses():
    network = small()
    method = SubnetworkLaplace(subnet="variance", size=31)
    prior = float(method.fit(network, data())["prior_precision"])
    x = torch.cat([each.inputs["x"] for each in data()()])
    weights = torch.cat([each.flatten() for each in network.module.parameters()])
    with recording(network, ["0", "2"]) as record:
        names = dict.fromkeys(name for name, _ in network.module.named_parameters())
        seen = record({"x": x})
        matrix = curvature(_jacobians(seen, names), seen.logits.detach())
    assert prior == prior_by_evidence(matrix, weights)
    eigenvalues = torch.linalg.eigvalsh(matrix)
    best = log_evidence(0.0, eigenvalues, weights, prior)
    for factor in (0.5, 2.0):
        assert float(log_evidence(0.0, eigenvalues, weights, prior * factor)) < float(best)


def test_batches_that_all_have_labels_give_the_curvature_too():
    network, labels = small(), torch.zeros(30, dtype=torch.int64)
    one = SubnetworkLaplace(prior_precision=1.0).fit(network, data())
    two = SubnetworkLaplace(prior_precision=1.0).fit(network, data(labels=labels))
    torch.testing.assert_close(one["cholesky"], two["cholesky"])


@pytest.mark.parametrize("subnet", ["last", "variance", "magnitude"])
@pytest.mark.parametrize("name", ["resnet", "vit", "bert"])
def test_real_architectures_are_fitted_and_predict(networks, name, subnet):
    network, inputs = networks(name)
    before = {key: each.clone() for key, each in network.module.state_dict().items()}
    method = SubnetworkLaplace(subnet=subnet, size=60)
    torch.manual_seed(0)
    fitted = method.fit(network, lambda: iter([Studied(inputs=inputs)]))
    assert fitted["cholesky"].shape == (60, 60)
    assert not any("_embeddings" in key for key in fitted)
    found = method.probabilities(network, fitted, inputs)
    torch.testing.assert_close(found.sum(1), torch.ones(5).double())
    alone = torch.cat(
        [
            method.probabilities(network, fitted, {k: v[row : row + 1] for k, v in inputs.items()})
            for row in range(5)
        ]
    )
    torch.testing.assert_close(found, alone, rtol=1e-4, atol=1e-5)
    for key, each in network.module.state_dict().items():
        assert torch.equal(each, before[key])


def test_many_classes_are_drawn_and_fitted_twice_alike():
    network = small((3, 5, 20))
    network.head = Head(labels=tuple(map(str, range(20))))
    found = []
    for _ in range(2):
        torch.manual_seed(0)
        found.append(SubnetworkLaplace(subnet="variance", size=40).fit(network, data()))
    assert found[0].keys() == found[1].keys()
    for key, each in found[0].items():
        assert torch.equal(each, found[1][key])


def test_weights_without_any_effect_are_not_taken():
    network = small((3, 6, 3))
    network.module[2].weight[:, 2] = 0  # nothing depends on the third unit's own weights
    fitted = SubnetworkLaplace(subnet="variance", size=30).fit(network, data())
    assert not {6, 7, 8} & set(fitted["places/0.weight"].tolist())


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"subnet": "first"}, "none of last, variance, magnitude"),
        ({"size": 0}, "1 to 5000"),
        ({"size": 5001}, "1 to 5000"),
        ({"prior_precision": 0.0}, "no positive number"),
        ({"prior_precision": float("nan")}, "no positive number"),
    ],
)
def test_options_that_cannot_be_are_refused(options, said):
    with pytest.raises(InputError, match=said):
        SubnetworkLaplace(**options)


def test_what_cannot_be_calibrated_is_refused():
    network = small()
    with pytest.raises(InputError, match="size = 99, but the network has only 31 weights"):
        SubnetworkLaplace(subnet="variance", size=99).fit(network, data())
    with pytest.raises(InputError, match="size = 99, but the head has only 15 weights"):
        SubnetworkLaplace(size=99).fit(network, data())
    with pytest.raises(InputError, match="no sample"):
        SubnetworkLaplace().fit(network, lambda: iter(()))
    network.head = Head(labels=("a", "b", "c"), kind="regression")
    with pytest.raises(InputError, match="has a regression head"):
        SubnetworkLaplace().fit(network, data())
    network.head = None
    with pytest.raises(InputError, match="has no head"):
        SubnetworkLaplace().fit(network, data())
