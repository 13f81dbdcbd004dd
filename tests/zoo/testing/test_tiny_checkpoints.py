"""What plugin authors build their tests on."""

from __future__ import annotations

import pytest

from zoo.errors import UnknownNameError
from zoo.testing.tiny_checkpoints import (
    TINY_AUDIO,
    TINY_IMAGE,
    TINY_OTHER,
    TINY_TEXT,
    build_tiny_checkpoint,
)


def test_the_names_cover_image_text_audio_and_other_families():
    assert len(TINY_IMAGE) >= 20
    assert len(TINY_TEXT) >= 10
    assert {"wav2vec2", "whisper"} <= set(TINY_AUDIO)
    assert {"clip", "siglip"} <= set(TINY_OTHER)


@pytest.mark.parametrize("name", [*TINY_AUDIO, *TINY_OTHER])
def test_every_other_family_is_written_in_hub_format(name, tiny_checkpoint):
    from pathlib import Path

    files = {path.name for path in Path(tiny_checkpoint(name).folder).iterdir()}
    assert {"config.json", "model.safetensors"} <= files


def test_a_checkpoint_is_the_same_every_time_and_leaves_the_random_state_alone(tmp_path):
    import torch

    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    first = build_tiny_checkpoint("bert", tmp_path / "a")
    assert torch.rand(1) == expected
    second = build_tiny_checkpoint("bert", tmp_path / "b")
    for path in first.iterdir():
        assert path.read_bytes() == (second / path.name).read_bytes()


def test_an_unknown_family_is_named(tmp_path):
    with pytest.raises(UnknownNameError, match="Did you mean 'resnet'"):
        build_tiny_checkpoint("resnets", tmp_path)
    assert not list(tmp_path.iterdir())
