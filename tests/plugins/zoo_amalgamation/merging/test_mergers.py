"""What every merger keeps whatever the weights are, and what it refuses."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.catalogue import Catalogue, build
from zoo.errors import InputError
from zoo.types.training import Merger
from zoo_amalgamation.merging.dare import Dare, draw_mask
from zoo_amalgamation.merging.linear import Linear
from zoo_amalgamation.merging.slerp import Slerp
from zoo_amalgamation.merging.task_arithmetic import TaskArithmetic
from zoo_amalgamation.merging.ties import Ties, trim

quick = settings(max_examples=25, deadline=None)
seeds = st.integers(0, 2**16)
positive = st.floats(0.1, 5)
shapes = st.sampled_from([(), (1,), (7,), (3, 4), (2, 3, 1, 2)])


def tensors(seed, count, shape, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(shape, generator=generator, dtype=dtype) for _ in range(count)]


def close(first, second):
    torch.testing.assert_close(first, second, rtol=1e-9, atol=1e-11)


@quick
@given(seeds, shapes, st.lists(positive, min_size=1, max_size=4))
def test_mean_of_equal_models_is_the_model(seed, shape, weights):
    (model,) = tensors(seed, 1, shape)
    close(Linear(weights=weights).merge("w", [model] * len(weights), None), model)


@quick
@given(seeds, shapes)
def test_the_ends_of_the_arc_are_the_models(seed, shape):
    first, second = tensors(seed, 2, shape)
    close(Slerp(t=0).merge("w", [first, second], None), first)
    close(Slerp(t=1).merge("w", [first, second], None), second)


@quick
@given(seeds, st.floats(0, 1))
def test_the_arc_keeps_the_length_of_models_of_equal_length(seed, t):
    first, second = (each / each.norm() for each in tensors(seed, 2, (12,)))
    length = Slerp(t=t).merge("w", [first, second], None).norm()
    torch.testing.assert_close(length.item(), 1.0, rtol=0, atol=2e-4)


def test_the_arc_from_zero_and_between_opposites_is_finite():
    (model,) = tensors(0, 1, (5,))
    close(Slerp(t=0.0).merge("w", [torch.zeros(5).double(), model], None), torch.zeros(5).double())
    close(Slerp(t=0.5).merge("w", [model, -model], None), torch.zeros(5).double())


@quick
@given(seeds, st.lists(positive, min_size=3, max_size=3), st.floats(0.01, 100))
@pytest.mark.parametrize("kind", [Linear, TaskArithmetic, Ties])
def test_normalised_weights_have_no_scale(kind, seed, weights, factor):
    base, *models = tensors(seed, 4, (3, 4))
    merged = kind(weights=weights, normalize=True).merge("w", models, base)
    scaled = kind(weights=[factor * each for each in weights], normalize=True)
    close(scaled.merge("w", models, base), merged)


@quick
@given(seeds, st.permutations([0, 1, 2]), st.lists(positive, min_size=3, max_size=3))
@pytest.mark.parametrize("kind", [Linear, TaskArithmetic, Ties])
def test_the_order_of_the_models_does_not_matter(kind, seed, order, weights):
    base, *models = tensors(seed, 4, (3, 4))
    merged = kind(weights=weights).merge("w", models, base)
    shuffled = kind(weights=[weights[i] for i in order])
    close(shuffled.merge("w", [models[i] for i in order], base), merged)


@quick
@given(seeds, shapes, positive)
def test_one_model_that_keeps_all_of_its_changes_is_itself(seed, shape, weight):
    base, model = tensors(seed, 2, shape)
    for merger in (Ties(weights=[weight]), TaskArithmetic(), Dare(density=1.0)):
        close(merger.merge("w", [model], base), model)


@quick
@given(seeds, st.lists(positive, min_size=2, max_size=2), positive)
@pytest.mark.parametrize("rescale", ["none", "inverse", "l1", "l2", "linf"])
def test_dropping_nothing_is_task_arithmetic(rescale, seed, weights, scale):
    base, *models = tensors(seed, 3, (4, 3))
    dropped = Dare(weights=weights, density=1.0, scale=scale, rescale=rescale)
    plain = TaskArithmetic(weights=weights, scale=scale)
    close(dropped.merge("w", models, base), plain.merge("w", models, base))


@quick
@given(seeds)
def test_dropping_nothing_and_electing_signs_is_ties_without_trimming(seed):
    base, *models = tensors(seed, 4, (4, 3))
    dropped = Dare(density=1.0, consensus="ties", normalize=True)
    close(dropped.merge("w", models, base), Ties().merge("w", models, base))


@quick
@given(seeds, st.floats(0.01, 1))
def test_trimming_keeps_the_largest_changes_and_at_least_one(seed, density):
    (change,) = tensors(seed, 1, (5, 4))
    kept = trim(change, density) != 0
    assert kept.sum() == max(1, int(density * 20)) if density < 1 else 20
    if not kept.all():
        assert change[kept].abs().min() >= change[~kept].abs().max()


@pytest.mark.parametrize(("rescale", "order"), [("l1", 1), ("l2", 2), ("linf", float("inf"))])
def test_what_is_kept_has_the_norm_of_the_whole(rescale, order):
    base, model = tensors(3, 2, (40, 5))
    merged = Dare(rescale=rescale).merge("w", [model], base)
    norms = [torch.linalg.vector_norm(each - base, order) for each in (merged, model)]
    close(*norms)
    assert 0 < ((merged - base) == 0).sum() < 200


def test_the_inverse_of_the_density_keeps_the_mean_of_the_changes():
    base, model = torch.zeros(1), torch.ones(1)
    drawn = [
        Dare(density=0.25, rescale="inverse").merge(f"w{i}", [model], base).item()
        for i in range(2000)
    ]
    assert set(drawn) == {0.0, 4.0}
    assert sum(drawn) / len(drawn) == pytest.approx(1, abs=0.15)


def test_masks_depend_on_the_seed_the_tensor_and_the_model_and_on_nothing_else():
    base, model = torch.zeros(64), torch.ones(64)

    def merged(name="w", seed=0, models=1, dtype=torch.float32):
        merger = Dare(seed=seed, rescale="none", weights=[0.0] * (models - 1) + [1.0])
        return merger.merge(name, [model.to(dtype)] * models, base.to(dtype))

    torch.manual_seed(1)
    state = torch.random.get_rng_state()
    first = merged()
    assert torch.equal(first, merged())
    assert torch.equal(first, merged(dtype=torch.float64).float())
    assert torch.equal(state, torch.random.get_rng_state())
    for other in (merged(name="v"), merged(seed=1), merged(models=2)):
        assert not torch.equal(first, other)


def test_a_mask_that_drops_everything_leaves_the_base():
    key = next(f"{n}" for n in range(99) if not draw_mask(torch.ones(1), 0.1, f"0/0/{n}").any())
    merged = Dare(density=0.1).merge(key, [torch.ones(1)], torch.zeros(1))
    assert merged.item() == 0


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_mergers_keep_their_numbers_and_their_inputs(dtype):
    for merger in (Linear(), Slerp(), TaskArithmetic(), Ties(density=0.5), Dare()):
        base, *models = tensors(0, 3, (4, 2), dtype)
        before = [each.clone() for each in (base, *models)]
        merged = merger.merge("w", models, base if merger.needs_base else None)
        assert merged.dtype == dtype
        assert all(map(torch.equal, before, (base, *models)))


@pytest.mark.parametrize(
    ("merger", "models", "words"),
    [
        (Linear(weights=[1.0]), 3, "1 weights were given for 3 models"),
        (Linear(weights=[1.0, -1.0]), 2, "sum to 0"),
        (Linear(weights=[1.0, float("nan")]), 2, "finite"),
        (Slerp(), 3, "exactly 2 models, and there are 3"),
        (Slerp(t=1.5), 2, "1.5 is none"),
        (Ties(density=0.0), 2, "0 is none"),
        (Ties(density=[0.5]), 2, "1 densities were given for 2 models"),
        (Dare(density=2.0), 2, "2 is none"),
        (TaskArithmetic(weights=[1.0]), 2, "1 weights"),
    ],
)
def test_what_cannot_work_is_said_before_anything_is_merged(merger, models, words):
    (problem,) = merger.check(models)
    assert words in problem


def test_every_merger_that_is_advertised_is_one_and_is_built_from_plain_options(zoo_host):
    specs = Catalogue(zoo_host).specs("amalgamator")
    merging = {name: spec for name, spec in specs.items() if spec.kind == "merging"}
    assert merging
    for spec in merging.values():
        merger = build(spec)
        assert isinstance(merger, Merger)
        assert not merger.check(2)
    merger = build(merging["merge-ties"], {"density": [0.5, 1], "weights": [1, 2]})
    assert not merger.check(2)
    with pytest.raises(InputError, match="consensus"):
        build(merging["merge-dare"], {"consensus": "most"})
