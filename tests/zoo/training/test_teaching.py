"""Teachers that are asked: now or once, about the same views, and never changed by it."""

from __future__ import annotations

import io
import weakref
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from zoo.building import caching
from zoo.building.recipe import Views
from zoo.building.stages import cache_bytes, make_stages
from zoo.errors import CheckpointError, InputError, OutOfMemoryError, PluginError, ZooError
from zoo.training import teacher_cache
from zoo.training.observing import Teacher, logits_of, look, spread_rows, statistics_of
from zoo.training.samples import batches
from zoo.training.setup import Batch
from zoo.training.teacher_cache import (
    CachedTeaching,
    ClosedTeacher,
    Questions,
    cache_key,
    fill,
)
from zoo.training.teaching import OnlineTeaching
from zoo.types.probe import ImageInput
from zoo.types.runtimes import Head
from zoo.types.training import FeatureShape, Observed

FREE = teacher_cache._free
VIEWS = Views(kind="fixed", count=3)


class Reader:
    def __init__(self, side):
        self.side = side
        self.key = f"side {side}"

    def prepare(self, sample):
        return np.asarray(sample.resize((self.side, self.side)))

    def collate(self, samples):
        pixels = torch.from_numpy(np.stack(samples)).permute(0, 3, 1, 2)
        return {"pixels": pixels.float() / 128 - 1}


class Network:
    """A real network of two layers; its batch norm would show a forward pass in training mode."""

    def __init__(self, side, width, columns, seed):
        torch.manual_seed(seed)
        self.reader = Reader(side)
        self.head = Head(labels=tuple(map(str, range(columns)))) if columns else None
        self.layers = (FeatureShape(tap="end", width=width, grid=(side // 2, side // 2)),)
        body = nn.Sequential(
            nn.Conv2d(3, width, 3, 2, 1), nn.BatchNorm2d(width), nn.ReLU(), nn.Dropout(0.5)
        )
        body[1].running_mean.normal_(0, 0.1)
        parts = {"body": body}
        if columns:
            parts["head"] = nn.Linear(width, columns)
        self.module = nn.ModuleDict(parts).eval()
        self.batches = 0

    def observe(self, inputs, taps):
        self.batches += 1
        features = self.module["body"](inputs["pixels"])
        logits = self.module["head"](features.mean((2, 3))) if self.head else None
        return Observed(features=dict.fromkeys(taps, features), logits=logits)


def _ends(teachers, student):
    """Pair the last layers of everybody."""
    return [(student[-1].tap, [layers[-1].tap for layers in teachers])]


@pytest.fixture(autouse=True)
def unswept(monkeypatch):
    """Sweeping the memory of a whole test session takes longer than all the rest."""
    monkeypatch.setattr(teacher_cache, "_free", lambda: None)


@pytest.fixture(scope="module")
def samples():
    random = np.random.default_rng(0)
    images = []
    for number in range(11):
        file = io.BytesIO()
        Image.fromarray(random.integers(0, 256, (14, 18, 3), dtype=np.uint8)).save(file, "PNG")
        images.append(ImageInput(name=str(number), data=file.getvalue()))
    return images


@pytest.fixture
def networks():
    return [Network(8, 6, 4, 1), Network(12, 5, 0, 2)]


@pytest.fixture
def stages(networks):
    student = [FeatureShape(tap="last", width=3, grid=(4, 6))]
    layers = [each.layers for each in networks]
    return make_stages(layers, student, _ends(layers, student))


@pytest.fixture
def teachers(networks):
    return [Teacher(str(number), each, "x") for number, each in enumerate(networks)]


@pytest.fixture
def closed(networks):
    return [
        ClosedTeacher(
            alias=str(number),
            digest=f"digest {number}",
            reader_key=network.reader.key,
            columns=0 if network.head is None else len(network.head.labels),
            open=lambda network=network: network,
        )
        for number, network in enumerate(networks)
    ]


@pytest.fixture
def questions(samples):
    return Questions(
        samples=samples,
        fingerprint="data",
        rows=[0, 2, 3, 4, 6, 7, 8, 10],
        modality="image",
        views=VIEWS,
        seed=5,
        batch=3,
        workers=0,
    )


def asked(questions, networks, view, batch=4):
    readers = {each.reader.key: each.reader for each in networks}
    return batches(
        questions.samples,
        questions.rows,
        readers,
        view=view,
        views=questions.views,
        seed=questions.seed,
        modality="image",
        batch=batch,
    )


def statistics_for(teachers, stages, questions, **options):
    return statistics_of(
        teachers,
        stages,
        questions.samples,
        questions.rows,
        modality="image",
        workers=0,
        **options,
    )


def states(networks):
    return [
        {name: value.clone() for name, value in each.module.state_dict().items()}
        for each in networks
    ]


def test_statistics_are_those_of_numpy_on_the_whole(teachers, stages, questions):
    said = []
    found = statistics_for(teachers, stages, questions, batch=3, on_event=said.append)
    whole = next(asked(questions, [each.network for each in teachers], 0, batch=99))
    logits, (features,) = look(
        teachers[0], [stages[0].teachers[0]], whole.inputs[teachers[0].network.reader.key]
    )
    expected = logits.double().numpy()
    np.testing.assert_allclose(found.logits[0].mean, expected.mean(0), rtol=1e-6)
    np.testing.assert_allclose(found.logits[0].std, expected.std(0), rtol=1e-5)
    expected = features.double().transpose(0, 1).flatten(1).numpy()
    np.testing.assert_allclose(found.features[0][0].mean, expected.mean(1), rtol=1e-6)
    np.testing.assert_allclose(found.features[0][0].std, expected.std(1), rtol=1e-5)
    assert found.logits[1] is None
    assert [(each.done, each.total) for each in said] == [(3, 8), (6, 8), (8, 8)]


@pytest.mark.parametrize(("rows", "most"), [(10, 4), (4001, 2000), (5, 5), (3, 9), (0, 2)])
def test_rows_for_statistics_are_spread_evenly(rows, most):
    found = spread_rows(range(100, 100 + rows), most)
    assert len(found) == min(rows, most)
    assert found == sorted(set(found))
    steps = np.diff([*found, 100 + rows])
    assert not len(found) or steps.max() - steps.min() <= 1


def test_a_teacher_that_gives_no_numbers_is_named(teachers, stages, questions):
    teachers[1].network.module["body"][0].bias.data[0] = torch.nan
    with pytest.raises(CheckpointError, match="teacher '1' gives numbers that are not finite"):
        statistics_for(teachers, stages, questions)


def test_teachers_that_teach_stay_bit_for_bit_what_they_were(networks, teachers, stages, questions):
    before = states(networks)
    teaching = OnlineTeaching(teachers, stages)
    networks[0].module.train()  # as a careless parent module would
    for batch in asked(questions, networks, 1):
        taught = teaching.teach(batch)
        for each in (taught.logits[0], *taught.features[0]):
            assert not each.requires_grad
    for old, new in zip(before, states(networks), strict=True):
        assert old.keys() == new.keys()
        assert all(torch.equal(old[name], new[name]) for name in old)
    assert not any(each.module.training for each in networks)
    assert not any(each.requires_grad for net in networks for each in net.module.parameters())


def test_features_come_aligned_and_standardised_where_asked_for(teachers, stages, questions):
    networks = [each.network for each in teachers]
    statistics = statistics_for(teachers, stages, questions)
    raw, scaled = (
        OnlineTeaching(teachers, stages, statistics, standardise=choice) for choice in (False, True)
    )
    whole = next(asked(questions, networks, 0, batch=99))
    plain, standard = raw.teach(whole), scaled.teach(whole)
    assert [each.shape[1:] for each in plain.features[0]] == [(6, 4, 4), (5, 4, 4)]
    torch.testing.assert_close(plain.logits[0], standard.logits[0], rtol=0, atol=0)
    assert plain.logits[1] is None
    for each, before in zip(standard.features[0], plain.features[0], strict=True):
        torch.testing.assert_close(
            each.mean((0, 2, 3)), torch.zeros(each.shape[1]), atol=1e-5, rtol=0
        )
        deviation = each.std((0, 2, 3), correction=0)
        alive = before.std((0, 2, 3)) > 0.01
        assert alive.any()
        torch.testing.assert_close(deviation[alive], torch.ones(int(alive.sum())))
    assert set(raw.readers) == {"side 8", "side 12"}


def test_standardising_needs_statistics(teachers, stages):
    with pytest.raises(CheckpointError, match="without their statistics"):
        OnlineTeaching(teachers, stages, standardise=True)


def test_a_teacher_keeps_its_precision_inside_the_autocast_of_the_student(teachers, questions):
    batch = next(asked(questions, [teachers[0].network], 0))
    inputs = batch.inputs[teachers[0].network.reader.key]
    exact, _ = look(teachers[0], (), inputs)
    with torch.autocast("cpu", torch.bfloat16):
        inside, _ = look(teachers[0], (), inputs)
        half, _ = look(replace(teachers[0], precision="bf16"), (), inputs)
    assert torch.equal(exact, inside)
    assert half.dtype == torch.float32
    assert not torch.equal(exact, half)


def test_logits_of_plain_views_leave_a_student_in_its_mode(networks, questions):
    student = networks[0]
    student.module.train()
    student.module["body"][1].eval()  # frozen by its method
    found = logits_of(student, questions.samples, [7, 0, 2], modality="image", batch=2, workers=0)
    assert student.module.training
    assert not student.module["body"][1].training
    assert (found.shape, found.dtype) == ((3, 4), np.float32)
    first = logits_of(student, questions.samples, [0], modality="image", workers=0)
    np.testing.assert_allclose(found[1], first[0], atol=1e-6)


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        MemoryError(),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_teacher_that_does_not_fit_says_so(networks, teachers, monkeypatch, error):
    def fail(inputs, taps):
        raise error

    monkeypatch.setattr(networks[0], "observe", fail)
    with pytest.raises(OutOfMemoryError, match="teacher '0' does not fit into the memory of cpu"):
        look(teachers[0], (), {})


def test_other_errors_of_a_network_stay_what_they_are(networks, teachers):
    with pytest.raises(RuntimeError, match="expected"):
        look(teachers[0], (), {"pixels": torch.zeros(1, 2, 4, 4)})


def test_reading_ahead_changes_nothing(tmp_path, closed, stages, questions):
    one, other = (
        fill(closed, stages, replace(questions, workers=workers), tmp_path / str(workers))
        for workers in (0, 1)
    )
    for left, right in zip(one.shelves, other.shelves, strict=True):
        for name, values in left.read().items():
            np.testing.assert_array_equal(values, right.read()[name])


def test_a_network_without_a_head_has_no_logits_to_give(networks, questions):
    with pytest.raises(InputError, match="without a head"):
        logits_of(networks[1], questions.samples, [0], modality="image")


@pytest.mark.parametrize("standardise", [False, True])
def test_what_is_cached_is_what_would_be_said_now(
    tmp_path, networks, teachers, closed, stages, questions, standardise
):
    cache = fill(closed, stages, questions, tmp_path)
    statistics = statistics_for(teachers, stages, questions)
    online = OnlineTeaching(teachers, stages, statistics, standardise=standardise)
    cached = CachedTeaching(cache, standardise=standardise)
    assert cached.readers == {}
    for view in range(3):
        for batch in asked(questions, networks, view):
            now, then = online.teach(batch), cached.teach(replace(batch, inputs={}))
            torch.testing.assert_close(then.logits[0], now.logits[0], rtol=1e-5, atol=1e-5)
            assert then.logits[1] is None
            for one, other in zip(then.features[0], now.features[0], strict=True):
                torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)


def test_a_batch_may_mix_views_and_rows_in_any_order(tmp_path, networks, closed, stages, questions):
    cached = CachedTeaching(fill(closed, stages, questions, tmp_path))
    parts = [cached.teach(batch) for view in (2, 0) for batch in asked(questions, networks, view)]
    rows = torch.tensor(questions.rows).flip(0)
    mixed = Batch(rows=rows.repeat(2), views=torch.tensor([2, 0]).repeat_interleave(8), inputs={})
    expected = torch.cat([each.logits[0] for each in parts]).view(2, 8, -1).flip(1).flatten(0, 1)
    assert torch.equal(cached.teach(mixed).logits[0], expected)


@pytest.mark.parametrize(("row", "view"), [(1, 0), (11, 0), (-1, 0), (0, 3)])
def test_what_nobody_was_asked_about_is_not_made_up(tmp_path, closed, stages, questions, row, view):
    cached = CachedTeaching(fill(closed, stages, questions, tmp_path))
    batch = Batch(rows=torch.tensor([0, row]), views=torch.tensor([0, view]), inputs={})
    with pytest.raises(ZooError, match=f"not asked about view {view} of row {row}$"):
        cached.teach(batch)


def test_only_one_teacher_is_in_memory_at_a_time(tmp_path, monkeypatch, closed, stages, questions):
    monkeypatch.setattr(teacher_cache, "_free", FREE)
    alive = []

    def opener(number):
        def make():
            assert not [each for each in alive if each() is not None]
            network = Network((8, 12)[number], (6, 5)[number], (4, 0)[number], number)
            network.itself = network  # as hooks do
            alive.append(weakref.ref(network))
            return network

        return make

    teachers = [replace(each, open=opener(number)) for number, each in enumerate(closed)]
    fill(teachers, stages, questions, tmp_path)
    assert len(alive) == 2


def test_a_full_cache_opens_no_teacher(tmp_path, closed, stages, questions):
    first = fill(closed, stages, questions, tmp_path)

    def never():
        raise AssertionError

    said = []
    again = fill(
        [replace(each, open=never) for each in closed],
        stages,
        questions,
        tmp_path,
        on_event=said.append,
    )
    np.testing.assert_array_equal(again.statistics.logits[0].std, first.statistics.logits[0].std)
    assert [(each.kind, each.done, each.total) for each in said] == [
        ("model", 1, 2),
        ("model", 2, 2),
    ]


def test_an_interrupted_fill_goes_on_and_gives_the_same(
    tmp_path, networks, closed, stages, questions
):
    def stop(event):
        if event.kind == "batch" and event.model == "teacher 1" and event.done == 11:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fill(closed, stages, questions, tmp_path / "some", on_event=stop)
    before = [each.batches for each in networks]
    some = fill(closed, stages, questions, tmp_path / "some")
    assert [each.batches for each in networks] == [before[0], before[1] + 5]  # 13 rows are left
    whole = fill(closed, stages, questions, tmp_path / "whole")
    for one, other in zip(some.shelves, whole.shelves, strict=True):
        for name, values in one.read().items():
            np.testing.assert_allclose(values, other.read()[name], atol=1e-6)
    found, expected = some.statistics.features[0][1], whole.statistics.features[0][1]
    np.testing.assert_allclose(found.mean, expected.mean, atol=1e-6)
    np.testing.assert_allclose(found.std, expected.std, atol=1e-6)


def test_a_file_that_was_cut_is_written_anew(tmp_path, networks, closed, stages, questions):
    cache = fill(closed, stages, questions, tmp_path)
    path = cache.shelves[1].folder / "features.0.npy"
    path.write_bytes(path.read_bytes()[:-10])
    before, said = [each.batches for each in networks], []
    again = fill(closed, stages, questions, tmp_path, on_event=said.append)
    assert [each.batches for each in networks] == [before[0], before[1] + 9]
    (note,) = (each.message for each in said if each.kind == "note")
    assert note == "1: what it said before is damaged, so it is asked anew"
    np.testing.assert_array_equal(
        again.shelves[1].read()["features.0"], cache.shelves[1].read()["features.0"]
    )


@pytest.mark.parametrize(
    "change",
    [
        {"digest": "other"},
        {"reader_key": "other"},
        {"columns": 5},
        {"precision": "bf16"},
        {"fingerprint": "other"},
        {"rows": [0, 2, 3]},
        {"seed": 6},
        {"modality": "text"},
        {"views": Views(kind="fixed", count=4)},
        {"views": Views(kind="fixed", count=3, scale=0.5)},
        {"views": Views(kind="fixed", count=3, flip=False)},
    ],
    ids=str,
)
def test_answers_to_other_questions_are_never_taken(closed, stages, questions, change):
    (name,) = change
    teacher, about = closed[0], questions
    if hasattr(teacher, name):
        teacher = replace(teacher, **change)
    else:
        about = replace(about, **change)
    expected = cache_key(closed[0], 0, stages, questions)
    assert cache_key(teacher, 0, stages, about) != expected
    assert cache_key(replace(closed[0], alias="b"), 0, stages, questions) == expected
    assert cache_key(closed[0], 0, stages, replace(questions, batch=64, workers=1)) == expected


@pytest.mark.parametrize(
    "shape",
    [
        FeatureShape(tap="last", width=6, grid=(2, 2)),
        FeatureShape(tap="last", width=6),
    ],
    ids=str,
)
def test_another_grid_is_another_question(networks, closed, stages, questions, shape):
    layers = [each.layers for each in networks]
    other = make_stages(layers, [shape], _ends(layers, [shape]))
    assert cache_key(closed[0], 0, other, questions) != cache_key(closed[0], 0, stages, questions)


def test_old_answers_are_removed_and_nothing_else(tmp_path, closed, stages, questions):
    old = fill(closed, stages, questions, tmp_path)
    (tmp_path / "mine").mkdir()
    new = fill(closed, stages, replace(questions, seed=6), tmp_path)
    left = {each.name for each in tmp_path.iterdir()}
    assert left == {"mine", *(each.folder.name for each in new.shelves)}
    assert not any(each.folder.exists() for each in old.shelves)


def test_the_files_are_as_large_as_was_estimated(tmp_path, closed, stages, questions):
    cache = fill(closed, stages, questions, tmp_path)
    arrays = [array for each in cache.shelves for array in each.read().values()]
    estimate = cache_bytes(stages, [4, None], rows=8, views=3)
    assert sum(each.nbytes for each in arrays) == estimate


def test_a_disk_that_is_too_small_is_said_before_anything_is_opened(
    tmp_path, monkeypatch, networks, closed, stages, questions
):
    monkeypatch.setattr(caching, "free_bytes", lambda *_: 1000)
    with pytest.raises(InputError, match=r"takes 17 kB, but the disk of .* only 1\.0 kB free"):
        fill(closed, stages, questions, tmp_path / "teachers")
    assert not (tmp_path / "teachers").exists()
    assert [each.batches for each in networks] == [0, 0]


def test_a_teacher_with_another_number_of_logits_than_announced_is_refused(
    tmp_path, closed, stages, questions
):
    wrong = [replace(closed[0], columns=7), closed[1]]
    with pytest.raises(PluginError, match="teacher '0' gave 4 logits where 7 were announced"):
        fill(wrong, stages, questions, tmp_path)
    wrong = [closed[0], replace(closed[1], columns=7)]
    with pytest.raises(PluginError, match="teacher '1' gave no logits where 7"):
        fill(wrong, stages, questions, tmp_path)


def test_methods_of_logits_alone_cache_no_features(tmp_path, closed, questions):
    cache = fill(closed[:1], (), questions, tmp_path)
    assert list(cache.shelves[0].read()) == ["logits"]
    taught = CachedTeaching(cache).teach(
        Batch(rows=torch.tensor([3]), views=torch.tensor([1]), inputs={})
    )
    assert taught.features == ()
    assert taught.logits[0].shape == (1, 4)


def test_statistics_of_a_cache_are_of_the_plain_views_alone(
    tmp_path, monkeypatch, teachers, closed, stages, questions
):
    monkeypatch.setattr(teacher_cache, "spread_rows", lambda rows: spread_rows(rows, 5))
    cache = fill(closed, stages, questions, tmp_path)
    chosen = replace(questions, rows=spread_rows(questions.rows, 5))
    expected = statistics_for(teachers, stages, chosen)
    np.testing.assert_allclose(
        cache.statistics.logits[0].mean, expected.logits[0].mean, rtol=1e-5, atol=1e-6
    )
    np.testing.assert_allclose(
        cache.statistics.features[0][1].std, expected.features[0][1].std, rtol=1e-5
    )
