"""Every role of a dimension, against matrices, and networks filled by rules."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.errors import CheckpointError
from zoo.growing.axes import drawn, generator_of, laid_out, tiled, unchanged
from zoo.growing.depth import stacked
from zoo.growing.filling import enlarged, fill, unshared
from zoo.growing.tables import KEEPS, batch_norm, linear, norm, reads, resolve, writes
from zoo.types.growing import Axis, Blueprint, Dim, Rule

SMALL = settings(max_examples=25, deadline=None)


def grow(value, rule, maps, *, noise=0.0, gate=None, name="a.weight"):
    return enlarged(name, value, rule, maps, seed=0, noise=noise, gate=gate)


def random(*shape, seed=0):
    return torch.randn(shape, generator=generator_of(seed, str(shape))).double()


def normed(values, gain, shift=0.0, *, epsilon, centred):
    if centred:
        values = values - values.mean(-1, keepdim=True)
    return values / (values.square().mean(-1, keepdim=True) + epsilon).sqrt() * gain + shift


@SMALL
@given(
    old=st.integers(2, 5),
    more=st.integers(0, 9),
    layer_norm=st.booleans(),
    loud=st.booleans(),
    tied=st.booleans(),
    centre=st.sampled_from([0.0, 1.0]),
)
def test_a_norm_and_its_reader_see_what_they_saw(old, more, layer_norm, loud, tied, centre):
    """E writes, the norm divides, R reads: with an epsilon that follows, or a stream that does."""
    found = tiled(old, old + more, "mean" if layer_norm else "zero")
    if loud:
        found = replace(found, volume=1 / found.scale)
    maps, epsilon = {"hidden": found}, 0.1
    weight, gain, shift, head = random(old, 3), random(old), random(old, seed=1), random(4, old)
    rules = norm("hidden", tied=tied, centre=centre)
    new_weight = grow(weight, linear("hidden")["weight"], maps)
    new_gain, new_shift = grow(gain, rules["weight"], maps), grow(shift, rules["bias"], maps)
    if tied:  # the head is a table that writes, as the embeddings do
        new_head = grow(head, Rule(dims=(KEEPS, writes("hidden"))), maps)
    else:
        new_head = grow(head, linear("", "hidden")["weight"], maps, noise=1.0)
    inputs = random(6, 3)
    before = normed(inputs @ weight.T, gain + centre, shift, epsilon=epsilon, centred=layer_norm)
    after = normed(
        inputs @ new_weight.T,
        new_gain + centre,
        new_shift,
        epsilon=epsilon if loud else epsilon * found.scale**2,
        centred=layer_norm,
    )
    assert torch.allclose(after @ new_head.T, before @ head.T, atol=1e-10)


@SMALL
@given(
    old=st.integers(1, 5),
    more=st.integers(0, 9),
    kind=st.sampled_from(["drawn", "mean", "zero", "loud"]),
)
def test_who_reads_before_any_norm_sees_what_it_saw(old, more, kind):
    generator = generator_of(old, kind)
    found = (
        drawn(old, old + more, generator)
        if kind == "drawn"
        else tiled(old, old + more, "mean" if kind == "mean" else "zero")
    )
    if kind == "loud":
        found = replace(found, volume=3.0)
    maps = {"hidden": found}
    first, second = random(old, 3), random(2, old)
    written = grow(first, linear("hidden")["weight"], maps)
    read = grow(second, linear("", "hidden", raw=True)["weight"], maps, noise=1.0)
    assert torch.allclose(read @ written, second @ first, atol=1e-10)


@SMALL
@given(
    heads=st.integers(1, 3),
    head=st.integers(1, 3),
    more_heads=st.integers(0, 3),
    wider=st.integers(0, 3),
    seed=st.integers(0, 99),
)
def test_a_fused_map_keeps_scores_and_values(heads, head, more_heads, wider, seed):
    """Of queries, keys and values that one map writes, the keys alone share and are scaled."""
    maps = {
        "heads": drawn(heads, heads + more_heads, generator_of(seed, "heads")),
        "head": drawn(head, head + wider, generator_of(seed, "head")),
    }
    new, size = heads + more_heads, head + wider
    rule = linear(
        "heads*head+heads*head+heads*head",
        shared="head",
        factor=(size / head) ** 0.5,
        part=1,
        transposed=True,
    )["weight"]
    weight = random(5, 3 * heads * head, seed=seed)
    grown = grow(weight, rule, maps)
    asked, keys, values = (each.reshape(5, heads, head) for each in weight.chunk(3, 1))
    new_asked, new_keys, new_values = (each.reshape(5, new, size) for each in grown.chunk(3, 1))
    before = torch.einsum("ihd,jhd->hij", asked, keys) / head**0.5
    after = torch.einsum("ihd,jhd->hij", new_asked, new_keys) / size**0.5
    sources = maps["heads"].index
    assert torch.allclose(after, before[sources], atol=1e-10)
    assert torch.equal(new_values, values[:, sources][:, :, maps["head"].index])


def test_a_share_of_all_parts_divides_them_all():
    maps = {"a": drawn(2, 5, generator_of(0)), "b": drawn(3, 4, generator_of(1))}
    value = random(2 * 3 + 3)
    rule = Rule(dims=(writes("a*b+b"),), shared="b")
    expected = grow(value, Rule(dims=(writes("a*b+b"),)), maps)
    shares = torch.cat([maps["b"].share.repeat(5), maps["b"].share])
    assert torch.allclose(grow(value, rule, maps), expected * shares)


def test_a_factor_multiplies_a_whole_parameter_or_the_sum_of_a_gain():
    maps = {"hidden": unchanged(3)}
    value = random(3)
    assert torch.equal(grow(value, Rule(dims=(writes("hidden"),), factor=2.0), maps), 2 * value)
    assert torch.equal(grow(value, Rule(factor=2.0, dims=(KEEPS,)), maps), 2 * value)
    gains = norm("hidden", centre=1.0, factor=2.0)["weight"]
    assert torch.allclose(grow(value, gains, maps), 2 * (value + 1) - 1)


def test_what_a_gate_multiplies_is_averaged_behind_it():
    found = tiled(2, 5, "mean")
    maps = {"hidden": found}
    weight, gate = random(2, 3), random(2, seed=1)
    written = grow(weight, linear("hidden", gate="a.gamma")["weight"], maps, gate=gate)
    gates = grow(gate, Rule(dims=(Dim(role="gates", layout="hidden"),)), maps)
    before = gate[:, None] * weight
    after = gates[:, None] * written
    assert torch.allclose(after[:4], before.repeat(2, 1))
    assert torch.allclose(after[4], before.mean(0))


def test_noise_is_that_of_the_name_and_as_large_as_the_weight():
    maps = {"hidden": drawn(50, 100, generator_of(0))}
    rule = linear("", "hidden")["weight"]
    value = random(40, 50) * 3
    plain = grow(value, rule, maps)
    first, again = (grow(value, rule, maps, noise=1.0) for _ in range(2))
    other = grow(value, rule, maps, noise=1.0, name="b.weight")
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    added = (first - plain)[:, maps["hidden"].share < 1]
    assert 0.5 * float(value.std()) < float(added.std()) < 1.5 * float(value.std())


def test_what_has_no_rule_is_the_same_tensor():
    value = random(3)
    assert grow(value, Rule(), {}) is value


class Tied(torch.nn.Module):
    def __init__(self, size, mlp=4):
        super().__init__()
        self.embed = torch.nn.Embedding(5, size)
        self.layers = torch.nn.ModuleList([torch.nn.Linear(size, mlp)])
        self.norm = torch.nn.BatchNorm1d(mlp)
        self.head = torch.nn.Linear(size, 5, bias=False)
        self.head.weight = self.embed.weight


def blueprint(old, new, table):
    axes = {
        "hidden": Axis(name="hidden", old=old.embed.embedding_dim, new=new.embed.embedding_dim),
        "mlp": Axis(name="mlp", old=4, new=new.norm.num_features),
    }
    return Blueprint(axes=axes, rules=resolve(table, new.state_dict(), axes))


TABLE = {
    "embed": {"weight": Rule(dims=(KEEPS, writes("hidden")))},
    "layers.{}": linear("mlp", "hidden"),
    "norm": batch_norm("mlp"),
}


def test_every_parameter_and_statistic_is_set_once():
    old, new = Tied(3), Tied(5, mlp=6)
    old.norm.num_batches_tracked += 7
    old.norm.running_var.copy_(random(4).abs())
    found = blueprint(old, new, TABLE)
    maps = {"hidden": tiled(3, 5), "mlp": drawn(4, 6, generator_of(0))}
    assert [name for name, _ in unshared(new, found)].count("head.weight") == 0
    fill(new, old.state_dict(), found, maps)
    assert new.head.weight is new.embed.weight
    assert torch.equal(new.embed.weight[:, :3], old.embed.weight)
    assert torch.equal(new.norm.running_var, old.norm.running_var[maps["mlp"].index])
    assert new.norm.num_batches_tracked == 7


def test_a_tensor_with_two_names_goes_by_the_one_that_has_a_rule():
    new = Tied(5)
    found = blueprint(Tied(3), new, {"head": linear("", "hidden")})
    names = [name for name, _ in unshared(new, found)]
    assert "head.weight" in names
    assert "embed.weight" not in names


def test_a_rule_that_is_missing_is_said_by_the_name_of_its_parameter():
    old, new = Tied(3), Tied(5)
    found = blueprint(old, new, {name: TABLE[name] for name in ("layers.{}", "norm")})
    maps = {"hidden": tiled(3, 5), "mlp": unchanged(4)}
    with pytest.raises(CheckpointError, match=r"embed\.weight would be \(5, 3\)") as caught:
        fill(new, old.state_dict(), found, maps)
    assert "zoo plugins list" in (caught.value.hint or "")


def test_a_source_stands_in_for_the_smaller_network():
    old, new = Tied(3), Tied(3)
    zeros = {name: torch.zeros_like(value) for name, value in old.state_dict().items()}
    maps = {"hidden": unchanged(3), "mlp": unchanged(4)}
    fill(new, old.state_dict(), blueprint(old, new, TABLE), maps, source=zeros.__getitem__)
    assert all((value == 0).all() for value in new.state_dict().values())


def test_new_layers_come_from_the_ones_they_copy():
    old = torch.nn.Sequential(torch.nn.Linear(3, 3))
    new = torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.Linear(3, 3))
    old_state = {f"body.{name}": value for name, value in old.state_dict().items()}
    module = torch.nn.ModuleDict({"body": new})
    stack = stacked("body", 1, 2, silent=("bias",))
    fill(module, old_state, Blueprint(axes={}, rules={}, stacks=(stack,)), {})
    assert torch.equal(new[1].weight, old[0].weight)
    assert (new[1].bias == 0).all()
    assert torch.equal(new[0].bias, old[0].bias)


def test_a_network_grown_in_float32_is_the_copy_of_one_grown_in_float64():
    old, maps = Tied(3), {"hidden": tiled(3, 5), "mlp": drawn(4, 9, generator_of(0))}
    single, double = Tied(5, mlp=9), Tied(5, mlp=9).double()
    found = blueprint(old, single, TABLE)
    fill(single, old.state_dict(), found, maps)
    fill(double, old.double().state_dict(), found, maps)
    for name, value in double.state_dict().items():
        assert torch.equal(value.to(single.state_dict()[name].dtype), single.state_dict()[name])


def test_kernels_keep_their_places():
    maps = {"a": drawn(2, 3, generator_of(0)), "b": drawn(4, 6, generator_of(1))}
    weight = random(4, 2, 3, 3)
    grown = grow(weight, linear("b", "a")["weight"], maps)
    kernel = grow(weight[:, :, 1, 2], linear("b", "a")["weight"], maps)
    assert torch.equal(grown[:, :, 1, 2], kernel)


def test_flattened_channels_are_read_in_blocks():
    maps = {"a": drawn(2, 5, generator_of(0))}
    head, features = random(3, 2 * 4), random(2, 4)
    grown = grow(head, Rule(dims=(KEEPS, reads("a*4"))), maps, noise=1.0)
    after = grown @ features[maps["a"].index].flatten()
    assert torch.allclose(after, head @ features.flatten())
    assert len(laid_out("a*4", maps).index) == 20
