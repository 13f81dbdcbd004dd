"""What config, card and file names say about a checkpoint."""

from __future__ import annotations

import json

import pytest

from zoo.hub.card import front_matter
from zoo.hub.inspect import inspect
from zoo.types import ModelEntry


class InMemory:
    """Files that never were on a disk."""

    model = "a test"

    def __init__(self, config, card=None, **files):
        import numpy as np
        from safetensors.numpy import save

        self.content = {
            "config.json": json.dumps(config).encode(),
            "model.safetensors": save({"w": np.zeros((2, 3), "float32")}),
            **{name.replace("__", "."): value for name, value in files.items()},
        }
        self.sizes = {name: len(value) for name, value in self.content.items()}
        self._card = card or {}

    def read(self, path, start=0, length=None):
        return self.content[path][start : None if length is None else start + length]

    def card(self):
        return self._card


IMAGE = {"preprocessor_config__json": b'{"image_mean": [0.5]}'}
OLD_IMAGE = {
    "preprocessor_config__json": b'{"feature_extractor_type": "ViTFeatureExtractor",'
    b' "image_mean": [0.5]}'
}
AUDIO = {"preprocessor_config__json": b'{"sampling_rate": 16000}'}
TEXT = {"tokenizer__json": b"{}"}


@pytest.mark.parametrize(
    ("architecture", "config", "files", "modality", "task"),
    [
        ("ResNetForImageClassification", {}, IMAGE, "image", "image-classification"),
        ("ViTModel", {"image_size": 8}, OLD_IMAGE, "image", "image-feature-extraction"),
        ("ConvNextModel", {"num_channels": 3}, {}, "image", "image-feature-extraction"),
        ("YolosForObjectDetection", {}, IMAGE, "image", "object-detection"),
        ("SegformerForSemanticSegmentation", {}, IMAGE, "image", "image-segmentation"),
        ("CLIPModel", {}, IMAGE | TEXT, "image", "image-feature-extraction"),
        ("BertForMaskedLM", {"vocab_size": 9}, TEXT, "text", "fill-mask"),
        ("BertModel", {"vocab_size": 9}, TEXT, "text", "feature-extraction"),
        ("GPT2LMHeadModel", {"vocab_size": 9}, TEXT, "text", "text-generation"),
        ("RobertaForSequenceClassification", {}, TEXT, "text", "text-classification"),
        ("Wav2Vec2ForSequenceClassification", {}, AUDIO, "audio", "text-classification"),
        (
            "Wav2Vec2ForSequenceClassification",
            {"feat_extract_norm": "group"},
            AUDIO,
            "audio",
            "audio-classification",
        ),
        ("ASTForAudioClassification", {"num_mel_bins": 128}, {}, "audio", "audio-classification"),
        (
            "WhisperForConditionalGeneration",
            {"num_mel_bins": 80, "vocab_size": 9},
            TEXT,
            "audio",
            "automatic-speech-recognition",
        ),
    ],
)
def test_modality_and_task_without_a_card(architecture, config, files, modality, task):
    config = {"model_type": "x", "architectures": [architecture], **config}

    entry = inspect(ModelEntry(ref="hub:a/b"), InMemory(config, **files)).entry

    assert (entry.modality, entry.task) == (modality, task)
    assert entry.parameters == 6


def test_the_card_s_tag_decides_over_the_class_name():
    config = {"model_type": "mobilenet_v1", "architectures": ["MobileNetV1ForImageClassification"]}

    files = InMemory(config, card={"pipeline_tag": "audio-classification"}, **IMAGE)

    assert inspect(ModelEntry(ref="hub:a/b"), files).entry.modality == "audio"


def test_a_timm_checkpoint_is_known_by_its_config():
    config = {
        "architecture": "resnet18",
        "num_classes": 1000,
        "num_features": 512,
        "pretrained_cfg": {"license": "apache-2.0"},
    }

    entry = inspect(ModelEntry(ref="hub:timm/x"), InMemory(config)).entry

    assert (entry.library, entry.modality, entry.architecture) == ("timm", "image", "resnet18")
    assert (entry.labels, entry.license) == (1000, "apache-2.0")


def test_two_labels_are_the_default_of_a_classifier():
    config = {"model_type": "bert", "architectures": ["BertForSequenceClassification"]}

    assert inspect(ModelEntry(ref="hub:a/b"), InMemory(config, **TEXT)).entry.labels == 2


def test_facts_of_a_card_are_plain_short_text():
    card = {
        "license": "other",
        "license_name": "odd\nlicence",
        "datasets": [f"data-{number}" for number in range(100)],
        "base_model": "org/base",
    }

    entry = inspect(ModelEntry(ref="hub:a/b"), InMemory({"model_type": "x"}, card=card)).entry

    assert entry.license == "odd licence"
    assert entry.tags["base_model"] == "org/base"
    assert entry.tags["pretraining"].startswith("data-0, data-1")
    assert len(entry.tags["pretraining"]) <= 200


@pytest.mark.parametrize(
    ("text", "facts"),
    [
        ("---\nlicense: mit\n---\n# x", {"license": "mit"}),
        ("\ufeff---\r\nlicense: mit\r\n---\r\n", {"license": "mit"}),
        ("# no front matter\n---\nlicense: mit\n---\n", {}),
        ("---\n: : : [\n---\n", {}),
        ("---\n- a list\n---\n", {}),
        ("---\nx: !!python/object/apply:os.system ['echo']\n---\n", {}),
        ("", {}),
    ],
)
def test_front_matter_is_data_and_never_an_error(text, facts):
    assert front_matter(text) == facts
