"""Sounds: taps against transformers' own hidden states, one waveform at a time."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from transformers import AutoFeatureExtractor, AutoModelForAudioClassification, WhisperModel

from zoo.errors import InputError, NotApplicable
from zoo.testing.tiny_checkpoints import CLASSES, TINY_AUDIO
from zoo.types.runtimes import RuntimeOptions

RATE = 16000
# Written down independently of the runtime, which counts them.
SPECIAL_TOKENS = {"ast": 2}


@pytest.fixture(scope="module")
def waveforms():
    """Six sounds of three lengths, as tones in noise."""
    random = np.random.default_rng(0)
    lengths = (16000, 9000, 16000, 12345, 9000, 16000)
    tones = [np.sin(np.arange(length) / (5 + row)) for row, length in enumerate(lengths)]
    return [(tone + random.normal(0, 0.1, tone.size)).astype(np.float32) for tone in tones]


def everything(backbone, inputs):
    return backbone.extract(backbone.encode(inputs), [tap.name for tap in backbone.taps])


def close(actual, expected):
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-4 * np.abs(expected).max())


@pytest.mark.parametrize("name", TINY_AUDIO)
def test_taps_are_means_over_time_of_each_sound_alone(name, runtime, tiny_checkpoint, waveforms):
    checkpoint = tiny_checkpoint(name)
    backbone = runtime.open(checkpoint, RuntimeOptions())
    found = everything(backbone, runtime.prepare(checkpoint, waveforms))
    extract = AutoFeatureExtractor.from_pretrained(checkpoint.folder)
    model = AutoModelForAudioClassification.from_pretrained(checkpoint.folder).eval()
    rows = []
    with torch.no_grad():
        for wave in waveforms:
            inputs = extract(wave, sampling_rate=RATE, return_tensors="pt")
            output = model(**inputs, output_hidden_states=True)
            states = output.hidden_states
            pooled = [state[:, SPECIAL_TOKENS.get(name, 0) :].mean(1) for state in states]
            rows.append([*pooled, output.logits])
    *layers, logits = (torch.cat(column).numpy() for column in zip(*rows, strict=True))
    blocks = [name for name in found if "block" in name]
    assert list(found) == ["embeddings", *blocks, "head_input", "logits"]
    for tap, expected in zip(["embeddings", *blocks], layers, strict=True):
        close(found[tap], expected)
    close(found["logits"], logits)
    assert found["logits"].shape == (len(waveforms), CLASSES)


@pytest.mark.parametrize("name", TINY_AUDIO)
def test_taps_do_not_depend_on_the_batch(name, runtime, tiny_checkpoint, waveforms):
    backbone = runtime.open(tiny_checkpoint(name), RuntimeOptions())
    batch, names = backbone.encode(waveforms), [tap.name for tap in backbone.taps]
    together = backbone.extract(batch, names)
    for row, one in enumerate(batch):
        for tap, values in backbone.extract([one], names).items():
            close(values[0], together[tap][row])


def test_whisper_without_a_head_is_its_encoder(runtime, tiny_checkpoint, waveforms):
    checkpoint = tiny_checkpoint("whisper", head=False)
    backbone = runtime.open(checkpoint, RuntimeOptions())
    found = everything(backbone, waveforms)
    extract = AutoFeatureExtractor.from_pretrained(checkpoint.folder)
    encoder = WhisperModel.from_pretrained(checkpoint.folder).eval().get_encoder()
    inputs = extract(waveforms, sampling_rate=RATE, return_tensors="pt")
    with torch.no_grad():
        expected = encoder(inputs["input_features"]).last_hidden_state.mean(1).numpy()
    close(found["head_input"], expected)
    assert "logits" not in found


def test_longer_sounds_cost_more_unless_they_are_cut(runtime, tiny_checkpoint, waveforms):
    costs = {}
    for name in ("wav2vec2", "whisper"):
        backbone = runtime.open(tiny_checkpoint(name), RuntimeOptions())
        costs[name] = [one.cost for one in backbone.encode(waveforms[:2])]
    assert costs == {"wav2vec2": [50, 28], "whisper": [100, 100]}


@pytest.mark.parametrize(
    "wrong", [np.zeros((2, 100)), np.zeros(0), np.array([0.0, np.nan]), ["a", "b"]]
)
def test_what_is_no_waveform_is_refused(wrong, runtime, tiny_checkpoint):
    with pytest.raises(InputError, match="a waveform has to be"):
        runtime.prepare(tiny_checkpoint("ast"), [wrong])


def test_waveforms_are_shared_by_checkpoints_with_the_same_extractor(runtime, tiny_checkpoint):
    keys = {name: runtime.input_key(tiny_checkpoint(name), "audio") for name in TINY_AUDIO}
    assert keys["wav2vec2"] == keys["hubert"]
    assert len(set(keys.values())) == len(TINY_AUDIO) - 1


def test_sounds_are_not_attributed(runtime, tiny_checkpoint, waveforms):
    backbone = runtime.open(tiny_checkpoint("ast"), RuntimeOptions())
    with pytest.raises(NotApplicable, match="neither pixels nor tokens"):
        backbone.attribute(backbone.encode(waveforms[:2]), ["block.2"], "saliency")


def test_audio_is_told_from_the_configuration(runtime, tiny_checkpoint):
    import msgspec

    from zoo.types.model import ModelEntry

    for name in TINY_AUDIO:
        checkpoint = tiny_checkpoint(name)
        unsaid = msgspec.structs.replace(checkpoint, entry=ModelEntry(ref="./sound"))
        assert runtime.outline(unsaid) == runtime.outline(checkpoint)
