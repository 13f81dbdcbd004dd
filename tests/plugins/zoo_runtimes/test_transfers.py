"""Parts of a batch, copies there and back."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from zoo.types.runtimes import RuntimeOptions
from zoo_runtimes import feeds, transfers
from zoo_runtimes.transfers import Upload, download, parts

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


@given(st.lists(st.integers(), max_size=400), st.sampled_from([CPU, CUDA]))
def test_parts_are_all_the_rows_in_order(rows, device):
    cut = parts(rows, device)
    assert [row for part in cut for row in part] == rows
    assert len(cut) <= (4 if device is CUDA else 1)
    assert all(len(part) == len(cut[0]) for part in cut[:-1])


def test_small_batches_are_not_cut():
    assert parts(range(127), CUDA) == [list(range(127))]
    assert [len(part) for part in parts(range(256), CUDA)] == [64, 64, 64, 64]


def test_on_a_cpu_nothing_is_copied():
    values = torch.rand(3, 4)
    assert Upload(CPU)(values).data_ptr() == values.data_ptr()


def test_all_taps_come_back_from_one_copy_as_float32():
    generator = torch.Generator().manual_seed(0)
    pooled = {
        "stage.1": torch.rand(5, 3, generator=generator),
        "stage.2": torch.rand(5, 7, generator=generator).bfloat16(),
        "logits": torch.rand(5, 1, generator=generator).double(),
    }
    arrived = download(pooled)()
    assert list(arrived) == list(pooled)
    for name, values in arrived.items():
        assert values.dtype == np.float32
        np.testing.assert_array_equal(values, pooled[name].float().numpy())


@pytest.mark.parametrize("name", ["vit", "bert"])
def test_a_batch_in_parts_gives_the_same_features(
    name, runtime, tiny_checkpoint, images, monkeypatch
):
    checkpoint = tiny_checkpoint(name)
    texts = [f"the words {'of it ' * number}" for number in range(8)]
    inputs = texts if name == "bert" else runtime.prepare(checkpoint, images)
    backbone = runtime.open(checkpoint, RuntimeOptions())
    names = [tap.name for tap in backbone.taps]
    whole = backbone.extract(backbone.encode(inputs), names)
    cut = []

    def overlapping(rows, _):
        cut.append(transfers.parts(rows, CUDA))
        return cut[-1]

    monkeypatch.setattr(transfers, "_LEAST_ROWS", 2)
    monkeypatch.setattr(feeds, "parts", overlapping)
    in_parts = backbone.extract(backbone.encode(inputs), names)
    assert len(cut[0]) == 4
    for tap, values in whole.items():
        scale = np.abs(values).max()
        np.testing.assert_allclose(in_parts[tap], values, rtol=0, atol=1e-5 * scale)
