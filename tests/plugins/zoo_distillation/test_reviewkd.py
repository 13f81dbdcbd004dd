"""Knowledge review: chains for any pair of networks, and its two losses."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch.nn import functional

from zoo.errors import InputError
from zoo_distillation.review_fusion import Fusion, context_loss, hierarchical_loss
from zoo_distillation.reviewkd import KnowledgeReview

#: Layers of small networks: (channels, grid).
NETWORKS = {
    "convolutional": [(4, (12, 12)), (4, (12, 12)), (6, (6, 6)), (8, (3, 3))],
    "transformer": [(7, (5, 5))] * 12,
    "oblong": [(3, (9, 5)), (5, (9, 5)), (6, (4, 3)), (9, (2, 1))],
    "to a point": [(3, (8, 8)), (4, (4, 4)), (5, (1, 1))],
}


@pytest.fixture
def layers(make_shape):
    return {
        name: [make_shape(f"{name} {depth}", *size) for depth, size in enumerate(sizes)]
        for name, sizes in NETWORKS.items()
    }


@pytest.fixture
def reviewed(layers, make_classroom, make_lesson):
    """``reviewed(student, teacher)``: module and lesson of two networks by name."""

    def make(student, teacher, seed=0, **options):
        method = KnowledgeReview(**options)
        taps = {each.tap: each for network in layers.values() for each in network}
        pairs = method.pair([layers[teacher]], layers[student])
        classroom = make_classroom([(taps[pair.student], taps[pair.teachers[0]]) for pair in pairs])
        assert method.check(classroom) == ()
        torch.manual_seed(seed)
        module = method.build(classroom).double()
        return module, dataclasses.replace(make_lesson(classroom, batch=4), progress=1.0)

    return make


@pytest.mark.parametrize("teacher", NETWORKS)
@pytest.mark.parametrize("student", NETWORKS)
def test_a_chain_fits_any_two_networks(reviewed, student, teacher):
    module, lesson = reviewed(student, teacher)
    loss = module(lesson)["review"]
    loss.backward()
    assert loss > 0
    assert all(each.student.grad.abs().sum() > 0 for each in lesson.meetings)
    assert all(each.grad is not None for each in module.parameters())
    assert len(module.chain.fusions) == len(lesson.meetings) + module.pool
    maps = module._stages([each.student for each in lesson.meetings])
    targets = module._stages([each.teachers[0] for each in lesson.meetings])
    outputs = module.chain(maps)
    assert [each.shape for each in outputs] == [each.shape for each in targets]
    torch.testing.assert_close(loss, hierarchical_loss(outputs, targets))


def test_the_mean_of_the_last_maps_is_the_deepest_stage(reviewed):
    module, lesson = reviewed("convolutional", "transformer")
    assert module.pool
    deepest = module._stages([each.student for each in lesson.meetings])[-1]
    torch.testing.assert_close(deepest[:, :, 0, 0], lesson.meetings[-1].student.mean((2, 3)))
    assert module.chain.fusions[-1].grid == (1, 1)
    assert [fusion.attend is None for fusion in module.chain.fusions] == [False] * 3 + [True]


def test_maps_of_one_position_are_not_pooled_once_more(reviewed):
    module, lesson = reviewed("to a point", "to a point")
    assert not module.pool
    assert len(module.chain.fusions) == len(lesson.meetings)


def test_a_shallow_stage_sees_every_deeper_one(reviewed):
    module, lesson = reviewed("convolutional", "convolutional")
    module.eval()
    maps = module._stages([each.student for each in lesson.meetings])
    before = module.chain(maps)
    changed = module.chain([*maps[:-1], maps[-1] + 1])
    assert all(not torch.allclose(one, two) for one, two in zip(before, changed, strict=True))
    changed = module.chain([maps[0] + 1, *maps[1:]])
    torch.testing.assert_close(before[1:], changed[1:])


def test_what_is_passed_on_already_has_the_size_of_the_teacher():
    fusion = Fusion(3, 4, 5, (6, 7)).double()
    maps = torch.randn(2, 3, 4, 4, dtype=torch.float64)
    deeper = torch.randn(2, 4, 2, 3, dtype=torch.float64)
    output, passed = fusion.eval()(maps, deeper)
    assert (output.shape, passed.shape) == ((2, 5, 6, 7), (2, 4, 6, 7))
    embedded = fusion.embed(maps)
    deeper = functional.interpolate(deeper, size=(4, 4), mode="nearest")
    shares = torch.sigmoid(fusion.attend(torch.cat((embedded, deeper), dim=1)))
    fused = embedded * shares[:, 0, None] + deeper * shares[:, 1, None]
    torch.testing.assert_close(passed, functional.interpolate(fused, size=(6, 7), mode="nearest"))
    torch.testing.assert_close(output, fusion.project(passed))


@pytest.mark.parametrize(
    ("grid", "levels"),
    [((8, 8), (4, 2, 1)), ((4, 4), (2, 1)), ((9, 3), (2, 1)), ((2, 2), (1,)), ((1, 1), ())],
)
def test_context_weighs_every_smaller_grid_half_as_much_as_the_one_before(grid, levels):
    own, other = torch.randn(2, 3, 5, *grid, dtype=torch.float64)
    expected, weight, total = functional.mse_loss(own, other), 1.0, 1.0
    for level in levels:
        weight /= 2
        total += weight
        pooled = [functional.adaptive_avg_pool2d(each, level) for each in (own, other)]
        expected = expected + weight * functional.mse_loss(*pooled)
    torch.testing.assert_close(context_loss(own, other), expected / total)


@pytest.mark.parametrize(
    ("warmup", "progress", "factor"),
    [
        (20 / 240, 10 / 240, 0.5),
        (20 / 240, 20 / 240, 1.0),
        (20 / 240, 1.0, 1.0),
        (0.5, 0.0, 0.0),
        (0.0, 0.0, 1.0),
    ],
)
def test_the_weight_grows_in_the_beginning(reviewed, warmup, progress, factor):
    module, lesson = reviewed("convolutional", "transformer", warmup=warmup)
    full = module(lesson)["review"]
    early = module(dataclasses.replace(lesson, progress=progress))["review"]
    torch.testing.assert_close(early, factor * full)


def test_modules_built_with_one_seed_are_equal(reviewed):
    one, two = (reviewed("convolutional", "oblong", seed=5)[0].state_dict() for _ in range(2))
    torch.testing.assert_close(one, two, rtol=0, atol=0)


def test_real_sizes_need_no_table_and_no_memory(make_shape, make_classroom):
    sizes = [(64, (112, 112)), (256, (56, 56)), (512, (28, 28)), (1024, (14, 14)), (2048, (7, 7))]
    residual = [make_shape(f"layer{depth}", *size) for depth, size in enumerate(sizes)]
    vision = [make_shape(f"block{depth}", 192, (14, 14)) for depth in range(12)]
    method = KnowledgeReview()
    pairs = method.pair([vision], residual)
    assert [pair.student for pair in pairs] == ["layer1", "layer2", "layer3", "layer4"]
    assert pairs[-1].teachers == ("block11",)
    taps = {each.tap: each for each in (*residual, *vision)}
    classroom = make_classroom([(taps[pair.student], taps[pair.teachers[0]]) for pair in pairs])
    with torch.device("meta"):
        module = method.build(classroom)
    # As many as published: no fused map is wider than 512.
    assert {fusion.embed[0].out_channels for fusion in module.chain.fusions} == {512}
    assert 3e6 < sum(each.numel() for each in module.parameters()) < 8e6


def test_models_of_texts_are_refused_in_one_sentence(make_shape):
    texts = [make_shape(f"layer{depth}", 32) for depth in range(6)]
    with pytest.raises(InputError, match=r"^reviewkd compares maps, and the student has none"):
        KnowledgeReview().pair([texts], texts)


def test_a_single_stage_is_refused_in_one_sentence(make_shape):
    one = [make_shape("only", 8, (4, 4))]
    two = [make_shape("first", 8, (4, 4)), make_shape("second", 8, (2, 2))]
    with pytest.raises(InputError, match="at 2 stages or more, and the student has 1 and the tea"):
        KnowledgeReview().pair([two], one)
    assert len(KnowledgeReview().pair([two], two)) == 2


@pytest.mark.parametrize("warmup", [-0.1, 1.5, float("nan")])
def test_a_warmup_outside_of_the_training_is_refused(warmup):
    with pytest.raises(InputError, match=r"reviewkd\.warmup must be between 0 and 1"):
        KnowledgeReview(warmup=warmup)
