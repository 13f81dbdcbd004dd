from __future__ import annotations

import json
import re
import sys
import types
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo import hookimpl
from zoo.api import open_catalogue
from zoo.errors import InputError, UnknownNameError
from zoo.label_embeddings import embed_labels
from zoo.label_embeddings.align import align, spread
from zoo.label_embeddings.embed import TextEmbedder
from zoo.settings import Settings
from zoo.testing.tiny_checkpoints import build_tiny_checkpoint
from zoo.types import Probe
from zoo.types.specs import LabelEncoderSpec

NAMES = ("cat", "dog", "bird", "fish")


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tiny")
    names = {"bert": False, "gpt2": False, "clip": True, "vit": True}
    built = {
        name: build_tiny_checkpoint(name, folder / name, head=head) for name, head in names.items()
    }
    built["sentence"] = sentence = build_tiny_checkpoint("bert", folder / "sentence", head=False)
    (sentence / "1_Pooling").mkdir()
    module = {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"}
    pooling = {**module, "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"}
    (sentence / "modules.json").write_text(json.dumps([module, pooling]))
    declared = {"pooling_mode_cls_token": True, "word_embedding_dimension": 32}
    (sentence / "1_Pooling" / "config.json").write_text(json.dumps(declared))
    return built


@pytest.fixture
def run_settings(tmp_path):
    return Settings(home=str(tmp_path / "home"), device="cpu", jobs=1, offline=True)


@pytest.fixture
def catalogue(run_settings):
    return open_catalogue(run_settings)


@pytest.fixture
def embed_as(catalogue, run_settings):
    """Embed the labels of a probe, with everything that was told."""

    def embed(probe, *encoders, **more):
        return embed_labels(
            probe, encoders, **{"catalogue": catalogue, "settings": run_settings, **more}
        )

    return embed


def probe_of(names=NAMES, labels=None, task="classification"):
    labels = np.arange(40) % len(names) if labels is None else np.asarray(labels)
    return Probe(
        name="p",
        source="p",
        task=task,
        modality="image",
        inputs=[],
        labels=labels,
        label_names=tuple(names),
        fingerprint="p",
    )


def tables_of(count, labels, width, seed):
    generator = np.random.default_rng(seed)
    scales = generator.uniform(0.01, 10, (count, 1, width))
    return scales * generator.standard_normal((count, labels, width))


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 3), st.integers(3, 12), st.integers(1, 20), st.integers(0, 99))
def test_all_dimensions_of_the_common_space_vary_equally(count, labels, width, seed):
    counts = np.random.default_rng(seed).integers(1, 9, labels).astype(float)
    table = align(list(tables_of(count, labels, width, seed)), counts)
    weights = counts / counts.sum()
    assert table.shape == (labels, min(labels - 1, width), count)
    assert np.einsum("u,uek->ek", weights, table) == pytest.approx(0, abs=1e-9)
    variances = np.einsum("u,uek->ek", weights, table**2)
    assert variances.sum(axis=1) == pytest.approx(count * np.ones(table.shape[1]))
    assert variances.mean(axis=0) == pytest.approx(1)


def test_distances_between_labels_survive_where_the_width_allows():
    (table,) = tables_of(1, 7, 30, seed=0)
    aligned = align([table], np.arange(1.0, 8.0))[:, :, 0]
    before = np.linalg.norm(table[:, None] - table[None], axis=2)
    after = np.linalg.norm(aligned[:, None] - aligned[None], axis=2)
    ratio = after[before > 0] / before[before > 0]
    assert np.ptp(ratio) <= 1e-9 * ratio.max()


def test_a_table_turned_mirrored_and_scaled_comes_back_onto_itself():
    (table,) = tables_of(1, 9, 6, seed=1)
    turn, _ = np.linalg.qr(np.random.default_rng(2).standard_normal((6, 6)))
    aligned = align([table, 7 * table @ turn + 3], np.ones(9))
    assert aligned[:, :, 1] == pytest.approx(aligned[:, :, 0])


def test_no_other_rotation_brings_the_second_table_nearer_to_the_first():
    first, second = tables_of(2, 12, 5, seed=3)
    counts = np.arange(1.0, 13.0)
    aligned = align([first, second], counts)
    least = counts @ np.square(aligned[:, :, 1] - aligned[:, :, 0]).sum(axis=1)
    generator = np.random.default_rng(0)
    for size in (0.01, 0.1, 1.0):
        turn, _ = np.linalg.qr(np.eye(5) + size * generator.standard_normal((5, 5)))
        moved = counts @ np.square(aligned[:, :, 1] @ turn - aligned[:, :, 0]).sum(axis=1)
        assert moved >= least - 1e-9


def test_a_label_without_samples_has_no_say_in_the_space():
    (table,) = tables_of(1, 6, 8, seed=4)
    counts = np.array([3.0, 2, 4, 0, 1, 2])
    other = table.copy()
    other[3] = 1e3
    present = counts > 0
    assert align([other], counts)[present] == pytest.approx(align([table], counts)[present])
    assert align([table], counts).shape[1] == 4


@given(st.integers(1, 9), st.integers(0, 99))
def test_a_spread_is_a_rotation_that_levels_the_diagonal(size, seed):
    factor = np.random.default_rng(seed).standard_normal((size, size))
    covariance = factor @ factor.T
    rotation = spread(covariance)
    assert rotation.T @ rotation == pytest.approx(np.eye(size), abs=1e-9)
    level = np.diag(rotation.T @ covariance @ rotation)
    assert level == pytest.approx(np.full(size, np.trace(covariance) / size))


def test_the_default_ones_need_nothing_but_the_names(embed_as):
    found = embed_as(probe_of(("oak_tree", "maple_tree", "van")))
    assert found.encoders == ("one_hot", "ngrams")
    assert found.failures == ()
    assert found.extras["class_embeddings"].shape == (3, 2, 2)
    assert found.extras["label_encoders"].tolist() == ["one_hot", "ngrams"]


def test_a_default_encoder_with_nothing_to_say_is_no_failure_and_a_named_one_is(embed_as):
    digits = probe_of(tuple("0123"))
    assert embed_as(digits).encoders == ("one_hot",)
    assert embed_as(digits).failures == ()
    (failure,) = embed_as(digits, "ngrams", "numbers").failures
    assert failure.stage == "label encoder ngrams"
    assert "hold no word" in failure.error


def test_texts_are_spelt_or_embedded_but_never_one_hot(embed_as):
    captions = probe_of(("a dog runs", "a cat sleeps", "the dog ran"), task="text")
    assert embed_as(captions).encoders == ("ngrams",)
    with pytest.raises(InputError, match="'one_hot' does not do text"):
        embed_as(captions, "one_hot")


@pytest.mark.parametrize("task", ["regression", "multi-label"])
def test_numbers_need_no_encoder(embed_as, task):
    assert embed_as(probe_of(labels=np.ones((40, 4)), task=task)).extras == {}


def test_one_label_alone_gives_nothing_to_embed(embed_as):
    assert embed_as(probe_of(labels=np.zeros(9, dtype=int))).extras == {}


def test_an_unknown_name_is_answered_with_the_nearest(embed_as):
    with pytest.raises(UnknownNameError, match="Did you mean 'ngrams'"):
        embed_as(probe_of(), "ngram")
    with pytest.raises(InputError, match="no option 'size'"):
        embed_as(probe_of(), "ngrams", options={"ngrams": {"size": 3}})


def test_offline_says_what_to_pull_and_the_others_go_on(embed_as):
    found = embed_as(probe_of(), "paper", "ngrams")
    assert found.encoders == ("ngrams",)
    assert [failure.stage for failure in found.failures] == [
        "label encoder clip_g",
        "label encoder bert_large",
        "label encoder gpt2_medium",
    ]
    for failure in found.failures:
        assert failure.error.startswith("offline, and ")
        assert failure.hint.startswith("zoo models pull hub:")


def test_with_none_left_there_is_no_table(embed_as):
    found = embed_as(probe_of(), "sentence")
    assert found.extras == {}
    assert len(found.failures) == 1


def reference_states(folder, texts):
    """Give states (tokens, width) of each text alone, the usual way."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModel.from_pretrained(folder).eval()
    with torch.inference_mode():
        for text in texts:
            yield model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0].numpy()


TEXTS = ("cat", "the very good film and the plot", "one red bird")


def test_a_checkpoint_gives_the_mean_over_its_tokens_without_the_padding(
    checkpoints, catalogue, run_settings
):
    embed = TextEmbedder(catalogue, run_settings, print)
    states = reference_states(checkpoints["gpt2"], TEXTS)
    expected = np.stack([each.mean(axis=0) for each in states])
    assert embed(str(checkpoints["gpt2"]), TEXTS) == pytest.approx(expected, abs=1e-5)


@pytest.mark.exhaustive
def test_clip_gives_what_it_compares_with_images(checkpoints, catalogue, run_settings):
    import torch
    from transformers import AutoTokenizer, CLIPModel

    tokenizer = AutoTokenizer.from_pretrained(checkpoints["clip"])
    model = CLIPModel.from_pretrained(checkpoints["clip"]).eval()
    with torch.inference_mode():
        outputs = [
            model.text_model(**tokenizer(text, return_tensors="pt")).pooler_output for text in TEXTS
        ]
        expected = np.concatenate([model.text_projection(each).numpy() for each in outputs])
    embed = TextEmbedder(catalogue, run_settings, print)
    assert embed(str(checkpoints["clip"]), TEXTS) == pytest.approx(expected, abs=1e-5)


def test_any_checkpoint_may_be_named_and_a_second_run_needs_no_forward_pass(checkpoints, embed_as):
    events = []
    model, folder = str(checkpoints["bert"]), str(checkpoints["bert"].parent)
    first = embed_as(probe_of(), model, "one_hot", on_event=events.append)
    assert first.encoders == (model, "one_hot")
    assert "batch" in {event.kind for event in events}
    events.clear()
    again = embed_as(probe_of(), "./bert", "one_hot", on_event=events.append, folder=folder)
    assert again.encoders == ("./bert", "one_hot")
    assert "batch" not in {event.kind for event in events}
    assert (again.extras["class_embeddings"] == first.extras["class_embeddings"]).all()


@pytest.mark.parametrize(
    ("reference", "message"),
    [("./nowhere", "nowhere"), ("vit", "reads images, not text|tokenizer|no runtime")],
)
def test_a_checkpoint_that_reads_no_texts_is_one_failure(reference, message, checkpoints, embed_as):
    text = str(checkpoints["vit"]) if reference == "vit" else reference
    found = embed_as(probe_of(), text, "one_hot")
    assert found.encoders == ("one_hot",)
    (failure,) = found.failures
    assert re.search(message, failure.error)
    assert "\n" not in failure.error


def test_a_sentence_encoder_of_the_hub_is_fetched_once_and_pooled_as_it_was_trained(
    checkpoints, loopback_hub, catalogue, tmp_path
):
    loopback_hub.add("org/words", checkpoints["sentence"], pipeline_tag="feature-extraction")
    online = Settings(home=str(tmp_path / "home"), device="cpu", jobs=1)
    texts = ("the cat", "the dog", "the very good film")
    expected = np.stack([each[0] for each in reference_states(checkpoints["sentence"], texts)])
    found = TextEmbedder(catalogue, online, print)("hub:org/words", texts)
    assert found == pytest.approx(expected, abs=1e-5)
    loopback_hub.stop()
    offline = Settings(home=online.home, device="cpu", jobs=1, offline=True)
    options = {"sentence": {"model": "hub:org/words", "template": "the {}"}}
    probe = probe_of(("cat", "dog", "very good film"))
    again = embed_labels(
        probe, ["sentence"], catalogue=catalogue, settings=offline, options=options
    )
    assert again.failures == ()
    assert (again.extras["class_embeddings"] == align([found], np.bincount(probe.labels))).all()


class Stranger:
    """A plugin whose label encoders misbehave in one way each."""

    answers: ClassVar = {
        "short": lambda count: np.ones((count - 1, 2)),
        "flat": lambda count: np.ones((count, 2)),
        "broken": lambda count: np.full((count, 2), np.nan),
        "raises": lambda count: 1 / 0,
        "absent": None,
    }

    @hookimpl
    def zoo_label_encoders(self):
        return [
            LabelEncoderSpec(name=name, target=f"stranger_encoders:{name}", summary="")
            for name in self.answers
        ]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("short", r"returned the shape \(3, 2\) for 4 labels"),
        ("flat", "every label the same embedding"),
        ("broken", "NaN or infinity"),
        ("raises", "ZeroDivisionError"),
        ("absent", "'absent' cannot be loaded from stranger_encoders:absent"),
    ],
)
def test_an_encoder_of_a_stranger_that_breaks_is_one_failure(
    name, message, embed_as, catalogue, monkeypatch
):
    module = types.ModuleType("stranger_encoders")
    for each, answer in Stranger.answers.items():

        class Encoder:
            _answer = staticmethod(answer)

            def encode(self, labels, embed):
                return self._answer(len(labels.texts))

        if answer:
            setattr(module, each, Encoder)
    monkeypatch.setitem(sys.modules, "stranger_encoders", module)
    catalogue.host.register(Stranger(), name="stranger")
    found = embed_as(probe_of(), name, "one_hot")
    assert found.encoders == ("one_hot",)
    (failure,) = found.failures
    assert re.search(message, failure.error)
