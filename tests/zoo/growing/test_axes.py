"""The maps of axes, against the matrices E and R that they stand for."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.growing.axes import (
    added,
    block,
    cycled,
    drawn,
    following,
    generator_of,
    joined,
    laid_out,
    least_copies,
    read,
    selection,
    tiled,
    unchanged,
    write,
)
from zoo.types.growing import Axis

SMALL = settings(max_examples=30, deadline=None)
SIZES = st.integers(1, 6)
KINDS = ("unchanged", "drawn", "zero", "mean", "cycled", "uneven", "loud")


def made(kind, old, more, seed=0):
    generator = generator_of(seed, kind)
    new = old + more
    if kind == "unchanged":
        return unchanged(old)
    if kind == "drawn":
        return drawn(old, new, generator)
    if kind == "cycled":
        return cycled(old, new, "why")
    if kind == "uneven":
        index = drawn(old, new, generator).index
        return selection(index, old, torch.rand(new, generator=generator) + 0.1)
    found = tiled(old, new, fill="mean" if kind == "mean" else "zero")
    return replace(found, volume=1 / found.scale) if kind == "loud" else found


def dense(found, old):
    """E (N x n) and R (n x N), in float64."""
    new = len(found.index)
    spread, collect = torch.zeros(new, old).double(), torch.zeros(old, new).double()
    for number, source in enumerate(found.index.tolist()):
        if source >= 0:
            spread[number, source] = 1
            collect[source, number] = found.share[number]
        elif found.fill == "mean":
            spread[number] = 1 / old
    return spread * found.volume, collect / found.volume


def along(matrix, weight, dim):
    return torch.tensordot(matrix, weight, dims=([1], [dim])).movedim(0, dim)


maps = st.builds(made, st.sampled_from(KINDS), SIZES, st.integers(0, 9), st.integers(0, 99))


@SMALL
@given(kind=st.sampled_from(KINDS), old=SIZES, more=st.integers(0, 9), seed=st.integers(0, 99))
def test_what_is_written_can_be_read_back(kind, old, more, seed):
    spread, collect = dense(made(kind, old, more, seed), old)
    assert torch.allclose(collect @ spread, torch.eye(old).double(), atol=1e-12)


@SMALL
@given(
    kind=st.sampled_from(KINDS),
    old=SIZES,
    more=st.integers(0, 9),
    dim=st.integers(0, 2),
    seed=st.integers(0, 99),
)
def test_writing_and_reading_are_the_products_with_e_and_r(kind, old, more, dim, seed):
    found = made(kind, old, more, seed)
    spread, collect = dense(found, old)
    generator = generator_of(seed, "weight")
    shape = [old if each == dim else size for each, size in enumerate((3, 2, 4))]
    weight = torch.randn(shape, generator=generator).double()
    assert torch.allclose(write(weight, dim, found), along(spread, weight, dim), atol=1e-12)
    assert torch.allclose(read(weight, dim, found), along(collect.T, weight, dim), atol=1e-12)


@SMALL
@given(kind=st.sampled_from(KINDS), old=SIZES, more=st.integers(1, 9), seed=st.integers(0, 99))
def test_the_noise_of_readers_lies_where_no_writer_reaches(kind, old, more, seed):
    found = made(kind, old, more, seed)
    spread, collect = dense(found, old)
    generator = generator_of(seed, "noise")
    weight = torch.randn(4, old, generator=generator).double()
    places = added(found)
    noise = torch.randn(4, len(places), generator=generator).double()
    grown = read(weight, 1, found, noise)
    kept = found.index.tolist()
    first = torch.zeros(old, len(kept)).double()  # a left inverse of E, as R is
    first[torch.arange(old), [kept.index(channel) for channel in range(old)]] = 1.0
    wide = torch.zeros(4, len(kept)).double().index_copy_(1, places, noise)
    null = torch.eye(len(kept)).double() - spread / found.volume @ first
    assert torch.allclose(grown, weight @ collect + wide @ null, atol=1e-12)
    assert torch.allclose(grown @ spread, weight, atol=1e-12)
    if len(found.index) > old:
        assert not torch.allclose(grown, read(weight, 1, found))


@SMALL
@given(outer=maps, inner=maps)
def test_channels_within_channels_are_the_kronecker_product(outer, inner):
    olds = [int(each.index.max()) + 1 for each in (outer, inner)]
    # Layouts say which channels belong together; means and volumes are those of whole axes.
    outer, inner = (replace(each, fill="zero", volume=1.0) for each in (outer, inner))
    expected = [
        torch.kron(a, b) for a, b in zip(dense(outer, olds[0]), dense(inner, olds[1]), strict=True)
    ]
    for found, wanted in zip(
        dense(block([outer, inner]), olds[0] * olds[1]), expected, strict=True
    ):
        assert torch.equal(found, wanted)


@SMALL
@given(parts=st.lists(maps, min_size=2, max_size=3))
def test_channels_after_channels_are_the_block_diagonal(parts):
    olds = [int(each.index.max()) + 1 for each in parts]
    parts = [replace(each, fill="zero", volume=1.0) for each in parts]
    pairs = [dense(each, old) for each, old in zip(parts, olds, strict=True)]
    found = dense(joined(parts), sum(olds))
    assert torch.equal(found[0], torch.block_diag(*[spread for spread, _ in pairs]))
    assert torch.equal(found[1], torch.block_diag(*[collect for _, collect in pairs]))


def test_a_layout_names_axes_and_numbers():
    axes = {"a": made("drawn", 2, 1), "b": made("drawn", 3, 2)}
    assert laid_out("a", axes) is axes["a"]
    assert laid_out("a*4", axes).index.tolist() == [
        4 * source + each for source in axes["a"].index.tolist() for each in range(4)
    ]
    together = laid_out("a*b+2+b", axes)
    assert len(together.index) == 3 * 5 + 2 + 5
    assert together.index[15:17].tolist() == [6, 7]
    assert together.index[17:].tolist() == [8 + each for each in axes["b"].index.tolist()]


@SMALL
@given(old=SIZES, more=st.integers(0, 9), seed=st.integers(0, 99))
def test_a_drawn_map_keeps_all_channels_in_their_places(old, more, seed):
    found = made("drawn", old, more, seed)
    assert found.index[:old].tolist() == list(range(old))
    assert torch.equal(found.index, made("drawn", old, more, seed).index)


def test_a_drawn_map_repeats_every_channel_at_least_so_often():
    counts = drawn(3, 8, generator_of(0), least=2).index.bincount(minlength=3)
    assert int(counts.min()) >= 2
    assert len(drawn(3, 5, generator_of(0), least=2).index) == 5


@pytest.mark.parametrize(("old", "new"), [(6, 15), (6, 8), (4, 12), (5, 5)])
@pytest.mark.parametrize("fill", ["zero", "mean"])
def test_a_tiled_axis_scales_what_its_norm_divides_by(old, new, fill):
    values = torch.randn(50, old, generator=generator_of(0)).double()
    found = tiled(old, new, fill)
    grown = write(values, 1, found)
    if fill == "mean":
        before, after = values.var(1, correction=0), grown.var(1, correction=0)
        assert torch.allclose(grown.mean(1), values.mean(1))
    else:
        before, after = values.square().mean(1), grown.square().mean(1)
    assert torch.allclose(after, found.scale**2 * before)


def test_an_axis_that_is_louder_keeps_what_its_norm_divides_by():
    found = made("loud", 6, 9)
    values = torch.randn(50, 6, generator=generator_of(0)).double()
    grown = write(values, 1, found)
    assert torch.allclose(grown.square().mean(1), values.square().mean(1))


def test_a_gate_is_applied_before_the_mean_is_taken():
    found = tiled(2, 3, fill="mean")
    weight, gate = torch.tensor([[1.0], [3.0]]).double(), torch.tensor([2.0, 4.0]).double()
    grown = write(weight, 0, found, gate)
    assert grown.flatten().tolist() == [1.0, 3.0, 7.0]


@SMALL
@given(
    groups=st.integers(1, 3),
    queries=st.integers(1, 4),
    more_groups=st.integers(0, 4),
    new_queries=st.integers(1, 6),
    seed=st.integers(0, 99),
)
def test_queries_follow_their_keys_or_say_what_is_lost(
    groups, queries, more_groups, new_queries, seed
):
    leader = Axis(name="kv", old=groups, new=groups + more_groups)
    heads = Axis(name="heads", old=groups * queries, new=leader.new * new_queries, follows="kv")
    least = least_copies(leader, [leader, heads])
    assert least == -(-queries // new_queries)
    leading = drawn(leader.old, leader.new, generator_of(seed), least=least)
    found = following(heads, leader, leading)
    asked = found.index // queries
    assert asked.tolist() == leading.index.repeat_interleave(new_queries).tolist()
    if leader.new >= least * leader.old:
        assert not found.reason
        spread, collect = dense(found, heads.old)
        assert torch.allclose(collect @ spread, torch.eye(heads.old).double())
    else:
        assert "would be lost" in found.reason


def test_an_axis_that_nothing_follows_needs_each_channel_once():
    assert least_copies(Axis(name="mlp", old=2, new=3), []) == 1


def test_what_has_a_name_has_random_numbers_of_its_own():
    first = torch.rand(4, generator=generator_of(0, "a"))
    assert torch.equal(first, torch.rand(4, generator=generator_of(0, "a")))
    assert not torch.equal(first, torch.rand(4, generator=generator_of(0, "b")))
    assert not torch.equal(first, torch.rand(4, generator=generator_of(1, "a")))


def test_a_reason_stays_with_the_map():
    assert cycled(4, 6, "because").reason == "because"
    assert drawn(4, 6, generator_of(0), reason="because").reason == "because"
