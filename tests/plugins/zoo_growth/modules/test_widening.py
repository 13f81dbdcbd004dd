from __future__ import annotations

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

import zoo
from zoo.testing.growth import randomise

few = settings(max_examples=5, deadline=None)
ACTIVATIONS = (nn.ReLU, nn.GELU, nn.Tanh, nn.SiLU, nn.PReLU, nn.Mish)


class Own(nn.Module):
    """A module whose parts and forward a test writes down."""

    def __init__(self, forward, **parts):
        super().__init__()
        for name, part in parts.items():
            setattr(self, name, part)
        self._forward = forward

    def forward(self, *args):
        return self._forward(self, *args)


def images(channels=3, size=8):
    return torch.randn(4, channels, size, size, generator=torch.Generator().manual_seed(1))


def vectors(features=7):
    return torch.randn(4, features, generator=torch.Generator().manual_seed(1))


def widened(module, example, width="1.5x", seed=0, **more):
    randomise(module, seed, 0.4)
    return zoo.grow_module(module, example, [zoo.Widen(width=width)], seed=seed, **more)


@given(
    sizes=st.lists(st.integers(1, 9), min_size=1, max_size=3),
    activation=st.sampled_from(ACTIVATIONS),
    norm=st.booleans(),
    width=st.sampled_from(["1.5x", "+3", "2.2x"]),
    seed=st.integers(0, 9),
)
@few
def test_any_mlp_becomes_wider_and_computes_the_same(sizes, activation, norm, width, seed):
    parts, before = [], 7
    for size in sizes:
        parts += [nn.Linear(before, size), *([nn.BatchNorm1d(size)] if norm else []), activation()]
        before = size
    larger, proof = widened(nn.Sequential(*parts, nn.Linear(before, 3)), vectors(), width, seed)
    assert proof.passed
    assert len(proof.differences) == 2
    assert proof.after > proof.before
    assert larger[0].out_features > sizes[0]


@given(
    channels=st.lists(st.integers(1, 6), min_size=2, max_size=3),
    activation=st.sampled_from(ACTIVATIONS),
    seed=st.integers(0, 9),
    width=st.sampled_from(["1.3x", "2x"]),
    flat=st.booleans(),
)
@few
def test_any_plain_cnn_becomes_wider_and_computes_the_same_in_both_modes(
    channels, activation, seed, width, flat
):
    parts, before = [], 3
    for size in channels:
        parts += [nn.Conv2d(before, size, 3, padding=1, bias=False), nn.BatchNorm2d(size)]
        parts += [activation(), nn.MaxPool2d(2)]
        before = size
    pool = [] if flat else [nn.AdaptiveAvgPool2d(1)]
    inner = before * (1 if flat is False else (8 // 2 ** len(channels)) ** 2)
    module = nn.Sequential(*parts, *pool, nn.Flatten(), nn.Linear(inner, 5)).double()
    larger, proof = widened(module, images(), width, seed)
    assert proof.passed
    with torch.no_grad():  # copies have the same statistics in every batch
        expected, found = module.train()(images().double()), larger.train()(images().double())
    assert torch.allclose(expected, found, atol=1e-9, rtol=0)


def test_a_single_channel_that_is_flattened_becomes_wider():
    module = nn.Sequential(nn.Conv2d(3, 1, 3), nn.ReLU(), nn.Flatten(), nn.Linear(36, 5))
    larger, proof = widened(module, images(), "3x", 0)
    assert proof.passed
    assert larger[3].in_features == 108


def inception():
    def forward(self, x):
        y = F.relu(self.norm(self.stem(x)))
        y = self.depth(y)
        z = torch.cat([self.one(y), F.gelu(self.three(y)), F.avg_pool2d(y, 3, 1, 1)], 1)
        y = y + self.join(z) * self.scale
        gate = torch.sigmoid(self.wide(F.silu(self.narrow(y.mean((2, 3), keepdim=True)))))
        y = self.grouped(y * gate)
        return self.second(self.slope(self.first(F.adaptive_avg_pool2d(y, 2).flatten(1))))

    return Own(
        forward,
        stem=nn.Conv2d(3, 8, 3, padding=1, bias=False),
        norm=nn.BatchNorm2d(8),
        depth=nn.Conv2d(8, 8, 3, padding=1, groups=8),
        one=nn.Conv2d(8, 5, 1),
        three=nn.Conv2d(8, 7, 3, padding="same"),
        join=nn.Conv2d(20, 8, 1),
        scale=nn.Parameter(torch.ones(8, 1, 1)),
        narrow=nn.Conv2d(8, 2, 1),
        wide=nn.Conv2d(2, 8, 1),
        grouped=nn.Conv2d(8, 12, 3, groups=4),
        first=nn.Linear(48, 9),
        slope=nn.PReLU(9),
        second=nn.Linear(9, 6),
    )


def dense():
    def forward(self, x):
        x = self.stem(x)
        for layer in self.layers:
            x = torch.cat([x, F.relu(layer(x))], 1)
        return self.head(x.amax((2, 3)))

    layers = nn.ModuleList(nn.Conv2d(4 + 4 * k, 4, 3, padding=1) for k in range(3))
    stem = nn.Conv2d(3, 4, 3, padding=1)
    return Own(forward, stem=stem, layers=layers, head=nn.Linear(16, 3))


def u_shaped():
    def forward(self, x):
        a = F.relu(self.down(x))
        b = self.up(F.relu(self.deep(a)))
        return self.out(self.mixed(torch.cat([a, b], 1)))

    return Own(
        forward,
        down=nn.Conv2d(3, 6, 3, padding=1),
        deep=nn.Conv2d(6, 10, 3, stride=2, padding=1),
        up=nn.ConvTranspose2d(10, 6, 2, stride=2),
        mixed=nn.ConvTranspose2d(12, 12, 3, padding=1, groups=4),
        out=nn.Conv2d(12, 2, 1),
    )


def shared():
    def forward(self, x):
        x = F.relu(self.into(x))
        for _ in range(3):
            x = F.relu(self.again(x)) + x
        return self.out(x)

    return Own(forward, into=nn.Linear(7, 8), again=nn.Linear(8, 8), out=nn.Linear(8, 2))


def halves():
    def forward(self, x):
        value, gate = self.both(F.silu(self.into(x))).chunk(2, -1)
        return self.out(F.glu(self.more(value * torch.sigmoid(gate))))

    return Own(
        forward,
        into=nn.Linear(7, 6),
        both=nn.Linear(6, 10),
        more=nn.Linear(5, 8),
        out=nn.Linear(4, 3),
    )


def bare():
    def forward(self, x):
        return torch.addmm(self.b, x, self.w.t()).relu() @ self.v

    return Own(
        forward,
        w=nn.Parameter(torch.ones(9, 7)),
        b=nn.Parameter(torch.ones(9)),
        v=nn.Parameter(torch.ones(9, 2)),
    )


def normed():
    parts = [nn.Conv2d(3, 8, 3), nn.GroupNorm(4, 8), nn.ReLU(), nn.Conv2d(8, 4, 3)]
    parts += [nn.InstanceNorm2d(4), nn.Flatten(), nn.Linear(64, 12), nn.LayerNorm(12)]
    return nn.Sequential(*parts, nn.GELU(), nn.Linear(12, 3))


def embedded():
    table, head = nn.Embedding(11, 6), nn.Linear(9, 3)
    forward = lambda self, x: self.head(torch.relu(self.into(self.table(x).mean(1))))  # noqa: E731
    return Own(forward, table=table, into=nn.Linear(6, 9), head=head)


TOKENS = torch.arange(20).view(4, 5) % 11
CASES = [
    (inception, images(), "1.5x"),
    (dense, images(), "1.5x"),
    (u_shaped, images(), "1.5x"),
    (shared, vectors(), "1.5x"),
    (halves, vectors(), "2x"),
    (bare, vectors(), "1.3x"),
    (normed, images(), "3x"),
    (embedded, TOKENS, "1.5x"),
]


@pytest.mark.parametrize(("make", "example", "width"), CASES, ids=[c[0].__name__ for c in CASES])
def test_a_module_of_another_form_computes_the_same(make, example, width):
    module = make()
    before = copy.deepcopy(module.state_dict())
    larger, proof = widened(module, example, width)
    assert proof.passed
    assert proof.after > 1.2 * proof.before
    assert larger.training
    assert {n: v.shape for n, v in module.state_dict().items()} == {
        n: v.shape for n, v in before.items()
    }


@pytest.mark.parametrize("method", ["net2net", "lemon"])
def test_every_grower_that_keeps_the_function_keeps_it(method):
    _, proof = widened(inception(), images(), method=method)
    assert proof.passed


def test_parts_are_widened_by_name_and_what_hangs_on_them_with_them():
    larger, proof = widened(inception(), images(), "one=2x,first=12")
    assert proof.passed
    sizes = larger.one.out_channels, larger.join.in_channels, larger.first.out_features
    assert sizes == (10, 25, 12)
    assert larger.stem.out_channels == 8


def test_groups_are_copied_whole():
    larger, _ = widened(inception(), images(), "grouped=15")
    assert (larger.grouped.groups, larger.grouped.in_channels, larger.stem.out_channels) == (
        5,
        10,
        10,
    )
    with pytest.raises(zoo.InputError, match="grows by 3 channels at a time") as caught:
        widened(inception(), images(), "grouped=14")
    assert "12 or 15" in caught.value.hint


def test_numbers_and_gradients_of_the_larger_module_are_those_of_the_smaller_one():
    module = nn.Sequential(nn.Linear(7, 6), nn.ReLU(), nn.Linear(6, 3)).to(torch.bfloat16)
    module[0].weight.requires_grad_(requires_grad=False)
    larger, proof = widened(module.eval(), vectors().bfloat16(), "2x")
    assert proof.passed
    assert {each.dtype for each in larger.parameters()} == {torch.bfloat16}
    assert [each.requires_grad for each in larger.parameters()] == [False, True, True, True]
    assert not larger.training


def test_a_norm_over_channels_allows_whole_copies_alone():
    module = nn.Sequential(nn.Linear(7, 6), nn.LayerNorm(6), nn.ReLU(), nn.Linear(6, 3))
    with pytest.raises(zoo.InputError, match="a norm sees all of it"):
        widened(module, vectors(), "1.5x")
    _, proof = widened(module, vectors(), "1.5x", allow_inexact=True)
    assert not proof.passed
    assert proof.differences[0].largest > 1e-3
    assert any("a norm sees all of it" in each for each in proof.reasons)


def test_two_parts_under_one_norm_must_grow_alike():
    module = Own(
        lambda self, x: self.out(self.norm(torch.cat([self.a(x), self.b(x)], 1))),
        a=nn.Linear(7, 4),
        b=nn.Linear(7, 6),
        norm=nn.LayerNorm(10),
        out=nn.Linear(10, 2),
    )
    assert widened(module, vectors(), "2x")[1].passed
    with pytest.raises(zoo.InputError, match="do not grow alike"):
        widened(module, vectors(), "a=2x,b=3x")


def test_what_must_stay_says_why():
    def forward(self, x):
        picked = F.relu(self.second(F.relu(self.first(x))))[:, ::2]
        return self.out(picked.flatten(1))

    module = Own(
        forward,
        first=nn.Conv2d(3, 4, 3),
        second=nn.Conv2d(4, 6, 3),
        out=nn.Linear(48, 2),
    )
    larger, proof = widened(module, images(), "2x")
    assert proof.passed
    assert (larger.first.out_channels, larger.second.out_channels) == (8, 6)
    assert any("second keeps its width: channels are picked" in each for each in proof.notes)
    with pytest.raises(zoo.InputError, match="second stays at 6 channels: channels are picked"):
        widened(module, images(), "second=8")


def tied():
    table = nn.Embedding(11, 6)
    head = nn.Linear(6, 11, bias=False)
    head.weight = table.weight
    return Own(lambda self, x: self.head(torch.tanh(self.table(x))), table=table, head=head)


def recurrent():
    return Own(lambda self, x: self.out(self.cell(x)[0]), cell=nn.LSTM(7, 6), out=nn.Linear(6, 2))


def attentive():
    def forward(self, x):
        x = self.into(x)
        return self.out(self.inner(x, x, x)[0])

    inner = nn.MultiheadAttention(8, 2)
    return Own(forward, into=nn.Linear(7, 8), inner=inner, out=nn.Linear(8, 2))


def branching():
    forward = lambda self, x: self.a(x) if x.sum() > 0 else x  # noqa: E731
    return Own(forward, a=nn.Linear(7, 7))


def literal():
    parts = {"conv": nn.Conv2d(3, 8, 3, padding=1), "out": nn.Linear(512, 2)}
    return Own(lambda self, x: self.out(F.relu(self.conv(x)).view(-1, 512)), **parts)


def answering():
    return Own(lambda self, x: (self.a(x), self.b(self.a(x))), a=nn.Linear(7, 6), b=nn.Linear(6, 2))


REFUSED = [
    (tied, TOKENS, "tied weights cannot grow apart"),
    (recurrent, torch.ones(2, 5, 7), "through lstm in LSTM at 'cell'"),
    (attentive, torch.ones(2, 5, 7), "in MultiheadAttention at 'inner'"),
    (branching, vectors(), "cannot be traced"),
    (literal, images(), "holds a size of its own"),
    (answering, vectors(), "it is an answer of the network"),
    (bare, images(), "does not run on the example"),
]


@pytest.mark.parametrize(("make", "example", "said"), REFUSED, ids=[c[0].__name__ for c in REFUSED])
def test_what_cannot_grow_is_refused_in_one_sentence(make, example, said):
    with pytest.raises(zoo.InputError) as caught:
        widened(make(), example)
    assert said in f"{caught.value.message} {caught.value.hint}"
    assert caught.value.hint
    assert "\n" not in caught.value.message


@pytest.mark.parametrize(
    ("step", "said"),
    [
        (zoo.Widen(width="0.5x"), "would shrink"),
        (zoo.Widen(width="wide"), "is no size"),
        (zoo.Widen(width="first=2x"), "no part called 'first'"),
        (zoo.Widen(hidden=64), "has no hidden size"),
        (zoo.Widen(), "is no size"),
    ],
)
def test_a_size_that_cannot_be_is_refused(step, said):
    module = nn.Sequential(nn.Linear(7, 6), nn.ReLU(), nn.Linear(6, 3))
    with pytest.raises(zoo.InputError, match=said):
        zoo.grow_module(module, vectors(), [step])


def test_what_computes_something_else_when_it_is_wider_is_not_given():
    def forward(self, x):
        hidden = F.relu(self.a(x))
        return self.b(hidden / hidden.shape[1])  # traced as a number, and then another one

    module = Own(forward, a=nn.Linear(7, 4), b=nn.Linear(4, 2))
    with pytest.raises(zoo.errors.CheckpointError, match=r"differs by \d.* in fp64 \(allowed: 1"):
        widened(module, vectors(), "2x")
    _, proof = widened(module, vectors(), "2x", allow_inexact=True)
    assert not proof.passed


def test_a_module_that_insists_on_float32_is_compared_in_that():
    parts = {"a": nn.Linear(7, 4), "b": nn.Linear(4, 2)}
    module = Own(lambda self, x: self.b(F.relu(self.a(x.float()))), **parts)
    _, proof = widened(module, vectors(), "2x")
    assert proof.passed
    assert [each.numbers for each in proof.differences] == ["fp32"]
    assert any("float32 alone" in each for each in proof.notes)


def test_there_must_be_something_to_do_and_something_to_grow():
    with pytest.raises(zoo.InputError, match="nothing is to grow"):
        zoo.grow_module(nn.Linear(3, 3), vectors(3), [])
    with pytest.raises(zoo.InputError, match="no parameters"):
        zoo.grow_module(nn.ReLU(), vectors(), [zoo.Widen(width="2x")])
    with pytest.raises(zoo.InputError, match="learns from data"):
        zoo.grow_module(nn.Linear(7, 3), vectors(), [zoo.Widen(width="2x")], method="ligo")
    with pytest.raises(zoo.InputError, match="does not keep the function"):
        zoo.grow_module(nn.Linear(7, 3), vectors(), [zoo.Widen(width="2x")], method="fpi")


def test_inputs_go_in_as_a_tuple_or_by_name():
    module = Own(
        lambda self, x, y: {"sum": self.b(F.relu(self.a(x))) + y},
        a=nn.Linear(7, 4),
        b=nn.Linear(4, 2),
    )
    assert widened(module, (vectors(), torch.ones(2)), "2x")[1].passed
    linear = nn.Linear(7, 4)
    named = type("Named", (nn.Module,), {"forward": lambda self, x: self.b(F.relu(self.a(x)))})()
    named.a, named.b = linear, nn.Linear(4, 2)
    assert widened(named, {"x": vectors()}, "2x")[1].passed
