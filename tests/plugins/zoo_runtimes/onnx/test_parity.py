"""What counts as equal, and what is refused."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.errors import CheckpointError
from zoo.types.runtimes import RuntimeOptions, TapParity
from zoo_runtimes.onnx import parity, samples
from zoo_runtimes.onnx.manifest import read_manifest
from zoo_runtimes.onnx.parity import Comparison, compare, refuse, warn
from zoo_runtimes.torch_runtime import TorchRuntime


def tap(name, relative):
    return TapParity(tap=name, dimension=4, difference=3 * relative, relative=relative)


def test_the_tap_that_differs_most_is_named_with_the_difference():
    found = Comparison(taps=(tap("block.1", 1e-6), tap("block.2", 0.25)), samples=3, agreement=1.0)
    with pytest.raises(CheckpointError) as caught:
        refuse("./m", found, 1e-4, "fp32")
    assert caught.value.message == (
        "./m: exported in fp32, block.2 differs from the original by 0.75, 0.25 of its largest "
        "value; 1e-04 is allowed."
    )
    refuse("./m", found, 0.3, "int8")


def test_what_is_not_a_number_is_refused_whatever_is_allowed():
    values = np.ones((2, 3), np.float32)
    broken = values.copy()
    broken[1, 1] = np.nan
    found = Comparison(taps=(parity._parity("logits", values, broken),), samples=2, agreement=1.0)
    with pytest.raises(CheckpointError, match=r"logits is not a finite number.*"):
        refuse("./m", found, 1e9, "int8")
    same = parity._parity("logits", broken, broken)
    assert same.difference == 0


def test_numbers_below_the_normal_ones_are_equal():
    found = parity._parity("x", np.full((1, 2), 3e-43, np.float32), np.zeros((1, 2), np.float32))
    assert found.relative == 0


@given(
    st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=8),
    st.floats(0, 10, width=32),
)
def test_the_relative_difference_is_over_the_largest_value(row, shift):
    values = np.array([row], np.float32)
    found = parity._parity("x", values, values + np.float32(shift))
    scale = float(np.abs(values).max())
    if scale > 1e-30:
        assert found.relative == pytest.approx(found.difference / scale)


def test_a_warning_needs_more_than_a_point():
    found = Comparison(taps=(), samples=200, agreement=0.955)
    assert "4.5% of 200 samples" in (warn(found, "int8") or "")
    assert warn(Comparison(taps=(), samples=200, agreement=0.99), "int8") is None
    assert warn(Comparison(taps=(), samples=200, agreement=0.5), "fp32") is None


def test_without_a_head_the_cost_is_the_shift_of_the_features():
    found = Comparison(taps=(tap("block.1", 0.15),), samples=9, agreement=None)
    assert "moves block.1 by up to 15% of its largest value" in (warn(found, "int8") or "")
    assert warn(found, "fp16") is None


def test_batches_of_one_of_three_and_the_rest_hold_every_sample():
    sizes = [len(batch) for batch in parity._batches(list(range(16)))]
    assert sizes == [1, 3, 8, 4]


def test_the_samples_are_real_varied_and_the_same_every_time():
    assert len(samples.images()) == 16
    assert len(set(samples.TEXTS)) == 16
    assert len({image.data for image in samples.images()}) == 16
    assert all(np.isfinite(sound).all() for sound in samples.sounds(16_000))


@pytest.fixture(scope="module")
def bit(exported, tiny_checkpoint):
    original = tiny_checkpoint("bit")
    runtime = TorchRuntime()
    backbone = runtime.open(original, RuntimeOptions())
    encoded = backbone.encode(runtime.prepare(original, samples.images()[:6]))
    folder = exported("bit", "image").folder
    return backbone, encoded, folder


def test_zero_padding_before_max_pooling_is_right_only_without_pad_fusion(bit, monkeypatch):
    from pathlib import Path

    from zoo_runtimes.onnx import sessions

    backbone, encoded, folder = bit
    taps = [tap.name for tap in backbone.taps]
    right = compare(backbone, Path(folder) / "model.onnx", encoded, taps)
    refuse("./bit", right, 1e-4, "fp32")
    assert right.agreement == 1
    monkeypatch.setattr(sessions, "_WRONG", [])
    wrong = compare(backbone, Path(folder) / "model.onnx", encoded, taps)
    if max(found.relative for found in wrong.taps) < 1e-4:
        pytest.skip("this ONNX Runtime fuses the padding correctly")
    with pytest.raises(CheckpointError, match="differs from the original"):
        refuse("./bit", wrong, 1e-4, "fp32")


def test_the_parity_of_a_cached_graph_is_in_its_manifest(bit):
    from pathlib import Path

    manifest = read_manifest(Path(bit[2]))
    assert [found.tap for found in manifest.parity] == [found.name for found in manifest.taps]
    assert max(found.relative for found in manifest.parity) <= 1e-4
    assert manifest.samples == 16
    assert msgspec.json.decode(msgspec.json.encode(manifest), type=type(manifest)) == manifest
