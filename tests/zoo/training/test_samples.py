from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_networks import TinyReader, WordReader, make_setup

from zoo.building.recipe import Views
from zoo.errors import InputError
from zoo.training import loading
from zoo.training.order import Course, Length
from zoo.training.samples import Samples, batches, scan
from zoo.types import ImageInput


def readers(*found):
    return {each.key: each for each in found}


def course(images, *, views=None, **schedule):
    setup = make_setup(images, views=views, **schedule)
    data = Samples(setup.samples, {}, setup.views, setup.seed, setup.modality)
    return data, Course(data, setup.rows, Length.of(setup))


@pytest.mark.parametrize("view", [0, 1])
def test_batches_are_the_same_for_any_number_of_workers(images, view):
    found = [
        list(
            batches(
                images,
                [3, 1, 4, 1, 5],
                readers(TinyReader()),
                view=view,
                modality="image",
                batch=2,
                workers=workers,
            )
        )
        for workers in (0, 1)
    ]
    assert [each.rows.tolist() for each in found[0]] == [[3, 1], [4, 1], [5]]
    for one, two in zip(*found, strict=True):
        assert one.views.tolist() == two.views.tolist() == [view] * len(one.rows)
        for key in one.inputs:
            assert torch.equal(one.inputs[key]["pixel_values"], two.inputs[key]["pixel_values"])


def test_all_readers_see_the_same_view_of_an_image(images):
    same = (TinyReader(16, 0.5), TinyReader(16, 0.0))
    (batch,) = batches(images, [7], readers(*same), view=5, modality="image", batch=1)
    one, two = (batch.inputs[each.key]["pixel_values"] for each in same)
    torch.testing.assert_close(one + 0.5, two)


def test_every_distinct_reader_prepares_a_sample_once(images):
    class Counting(TinyReader):
        calls = 0

        def prepare(self, sample):
            type(self).calls += 1
            return super().prepare(sample)

    data = Samples(images, readers(Counting(), Counting(), Counting(8)), Views(), 0, "image")
    data[data.index(3, 1)]
    assert Counting.calls == 2


def test_texts_pass_through_untouched_whatever_the_view():
    texts = ["abc", ("a", "b")]
    data = Samples(texts, readers(WordReader()), Views(), 0, "text")
    assert [data[data.index(row, view)][2]["words"] for row in (0, 1) for view in (0, 3)] == [
        "abc", "abc", ("a", "b"), ("a", "b"),
    ]  # fmt: skip


def test_an_epoch_holds_every_sample_once_in_an_order_of_its_own(images):
    data, order = course(images, epochs=3, batch=8)
    indices = list(order)
    assert len(indices) == len(order) == 120
    epochs = [indices[start : start + 40] for start in (0, 40, 80)]
    for number, epoch in enumerate(epochs):
        views, rows = np.divmod(epoch, len(data))
        assert sorted(rows) == list(range(40))
        assert set(views) == {number + 1}
    assert len({tuple(np.mod(epoch, len(data))) for epoch in epochs}) == 3
    assert list(order) == indices


def test_the_last_incomplete_batch_is_left_out_unless_it_is_the_only_one(images):
    _, order = course(images, epochs=2, batch=12)
    assert (order.length.epoch, order.length.steps, len(order)) == (3, 6, 72)
    _, order = course(images, epochs=2, batch=64)
    assert (order.length.batch, order.length.steps, len(order)) == (40, 2, 80)


def test_part_of_an_epoch_can_be_trained(images):
    _, order = course(images, epochs=0.5, batch=8)
    assert (order.length.steps, order.length.epochs(2)) == (2, 0.4)
    _, order = course(images, epochs=0.01, batch=8)
    assert order.length.steps == 1


def test_fixed_views_take_turns_from_image_to_image_and_from_epoch_to_epoch(images):
    data, order = course(images, epochs=4, batch=8, views=Views(kind="fixed", count=2))
    views, rows = (each.reshape(4, 40) for each in np.divmod(list(order), len(data)))
    shown = np.take_along_axis(views, rows.argsort(axis=1), axis=1)
    assert shown.sum(axis=1).tolist() == [20] * 4
    assert (shown[1:] == 1 - shown[:-1]).all()


def test_a_scan_finds_what_cannot_be_read(images, tmp_path):
    broken = tmp_path / "broken.png"
    broken.write_bytes(Path(images[0].path).read_bytes()[:200])
    bad = [
        ImageInput(name="words.png", data=b"no image"),
        None,
        ImageInput(name="cut.png", path=str(broken)),
        ImageInput(name="gone.png", path=str(tmp_path / "gone.png")),
    ]
    samples = [images[0], *bad, images[1]] * 12
    events = []
    for workers in (0, 1):
        rows, skipped = scan(samples, events.append, workers=workers)
        assert rows == [each for n in range(12) for each in (6 * n, 6 * n + 5)]
        assert [name for name, _ in skipped[:4]] == ["words.png", "row 3", "cut.png", "gone.png"]
        reasons = [reason for _, reason in skipped[:4]]
        assert reasons[0] == "its bytes are no known image format"
        assert reasons[1] == "it is empty"
        assert "truncated" in reasons[2]
        assert "No such file" in reasons[3]
    assert (events[-1].kind, events[-1].done, events[-1].total) == ("prepare", 72, 72)


def test_a_scan_of_texts_finds_the_empty_ones_by_name():
    rows, skipped = scan(["a", None, ("b", "c")], names=["one", "two", "three"])
    assert (rows, skipped) == ([0, 2], [("two", "it is empty")])


@pytest.mark.parametrize("workers", [0, 1])
def test_an_image_that_breaks_later_is_named_without_a_traceback(images, workers):
    samples = [images[0], ImageInput(name="broken.png", data=b"no image")]
    found = batches(
        samples, [0, 1], readers(TinyReader()), modality="image", batch=2, workers=workers
    )
    with pytest.raises(InputError, match=r"cannot read the image broken\.png") as caught:
        list(found)
    assert "Traceback" not in caught.value.message


def test_reading_leaves_the_random_numbers_of_others_alone(images):
    torch.manual_seed(1)
    before = torch.get_rng_state()
    list(batches(images, [1], readers(TinyReader()), view=2, modality="image", batch=1))
    assert torch.equal(torch.get_rng_state(), before)


def test_nobody_reads_ahead_for_texts_on_one_core_or_without_shared_memory(images, monkeypatch):
    data = Samples(images, readers(TinyReader()), Views(), 0, "image")
    monkeypatch.setattr(loading, "usable_cores", lambda: 4)
    monkeypatch.setattr(loading, "_CHEAP_SECONDS", 0.0)
    monkeypatch.setattr(loading.sys, "platform", "linux")
    assert loading.choose_workers(data, data.collate, range(20), "image") == 3
    assert loading.choose_workers(data, data.collate, range(20), "text") == 0
    monkeypatch.setattr(loading, "_shared_memory", lambda: 1000)
    assert loading.choose_workers(data, data.collate, range(20), "image") == 0
    monkeypatch.setattr(loading, "usable_cores", lambda: 1)
    assert loading.possible_workers("image") == 0


def test_batches_that_cost_nothing_need_no_worker(images, monkeypatch):
    data = Samples(images, readers(TinyReader()), Views(), 0, "image")
    monkeypatch.setattr(loading, "usable_cores", lambda: 4)
    monkeypatch.setattr(loading, "_CHEAP_SECONDS", 60.0)
    assert loading.choose_workers(data, data.collate, range(20), "image") == 0


def test_a_process_that_ends_in_the_middle_of_reading_says_nothing(images):
    script = (
        "import sys; from tiny_networks import TinyReader\n"
        "from zoo.training.samples import batches; from zoo.types import ImageInput\n"
        "images = [ImageInput(name='a', path=sys.argv[1])] * 9\n"
        "how = {'modality': 'image', 'batch': 1, 'workers': 1}\n"
        "kept = batches(images, range(9), {'a': TinyReader()}, **how)\n"
        "next(kept); sys.kept = kept; sys.exit(3)"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    found = subprocess.run(
        [sys.executable, "-c", script, images[0].path],
        env=environment,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert (found.returncode, found.stdout, found.stderr) == (3, "", "")
