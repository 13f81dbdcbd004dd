from __future__ import annotations

import numpy as np
import pytest

from zoo.catalogue import Catalogue, build, options_of
from zoo.errors import InputError, NotApplicable
from zoo.types.protocols import LabelSet
from zoo_transferability import label_encoders
from zoo_transferability.label_encoders import NGrams, Numbers, OneHot, TextCheckpoint

HUB = ("sentence", "clip_text", "clip_g", "bert_large", "gpt2_medium")


def labels_of(*texts, counts=None):
    return LabelSet(texts=texts, counts=np.array(counts or [1] * len(texts), dtype=float))


def no_embed(model, texts):
    raise AssertionError("an offline encoder runs no checkpoint")


def distances(table):
    return np.linalg.norm(table[:, None] - table[None], axis=2)


def test_one_hot_is_the_identity_and_many_classes_stay_about_equally_far_apart():
    assert OneHot().encode(labels_of("a", "b", "c"), no_embed) == pytest.approx(np.eye(3))
    many = OneHot().encode(labels_of(*map(str, range(600))), no_embed)
    apart = distances(many)[~np.eye(600, dtype=bool)]
    assert many.shape == (600, 256)
    assert apart.std() < 0.1 * apart.mean()


def test_names_that_share_a_word_are_near():
    table = NGrams().encode(labels_of("oak_tree", "maple_tree", "police van"), no_embed)
    apart = distances(table)
    assert apart[0, 1] < apart[0, 2]
    assert (
        table == NGrams().encode(labels_of("oak_tree", "maple_tree", "police van"), no_embed)
    ).all()


def test_underscores_and_capitals_separate_nothing_and_hide_nothing():
    table = NGrams().encode(labels_of("oak_tree", "Oak tree", "dog"), no_embed)
    assert table[0] == pytest.approx(table[1])


@pytest.mark.parametrize("names", [("0", "1", "2"), ("n01", "n02", "n03"), ("@", "?", "!")])
def test_names_without_words_have_no_spelling_to_compare(names):
    with pytest.raises(NotApplicable, match="hold no word"):
        NGrams().encode(labels_of(*names), no_embed)


@pytest.mark.parametrize("names", [("日本語", "中国語"), ("größe", "größer"), ("crème", "brûlée")])
def test_words_of_any_script_are_words(names):
    assert NGrams().encode(labels_of(*names), no_embed).any()


def test_numbers_are_standardised_with_the_counts_as_weights():
    table = Numbers().encode(labels_of("1", " 2.5", "-4e0", counts=[2, 1, 1]), no_embed)
    weights = np.array([0.5, 0.25, 0.25])
    assert table.shape == (3, 1)
    assert weights @ table == pytest.approx(0)
    assert weights @ table**2 == pytest.approx(1)


def test_boxes_are_several_numbers():
    table = Numbers().encode(labels_of("0.1 0.2 0.5 0.9", "0.3, 0.2, 0.6, 0.7"), no_embed)
    assert table.shape == (2, 4)
    assert (table[:, 1] == 0).all()


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("1", "cat"), "'cat' is no number"),
        (("1", ""), "'' is no number"),
        (("1", "nan"), "'nan' is no number"),
        (("1", "1 2"), "some labels hold 1 numbers and others 2"),
    ],
)
def test_what_is_no_number_is_named(names, message):
    with pytest.raises(NotApplicable, match=message):
        Numbers().encode(labels_of(*names), no_embed)


def test_a_template_goes_round_the_name_as_it_is():
    asked = []

    def embed(model, texts):
        asked.append((model, list(texts)))
        return np.eye(2)

    encoder = TextCheckpoint("hub:org/name", "a photo of a {}")
    assert encoder.encode(labels_of("aquarium_fish", "CamelCase{0}"), embed) is not None
    assert asked == [("hub:org/name", ["a photo of a aquarium_fish", "a photo of a CamelCase{0}"])]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: OneHot(width=0), "one_hot.width"),
        (lambda: NGrams(shortest=3, longest=2), "ngrams.shortest = 3"),
        (lambda: label_encoders.sentence(template="a photo"), "no place for the label"),
    ],
)
def test_an_option_out_of_range_is_named(make, message):
    with pytest.raises(InputError, match=message):
        make()


def test_the_default_encoders_need_no_download(zoo_host):
    specs = Catalogue(zoo_host).specs("label_encoder")
    for spec in specs.values():
        encoder = build(spec)
        if spec.default:
            assert not isinstance(encoder, TextCheckpoint)
    for task in ("classification", "text"):
        assert any(spec.default and task in spec.tasks for spec in specs.values())


def test_every_encoder_of_the_hub_takes_a_model_and_a_template(zoo_host):
    catalogue = Catalogue(zoo_host)
    for name in HUB:
        encoder = catalogue.create("label_encoder", name, {"template": "the word {}"})
        assert encoder.model.startswith("hub:")
        assert set(options_of(getattr(label_encoders, name))) == {"model", "template"}
    members = catalogue.spec("label_encoder", "paper").members
    assert set(members) == {"clip_g", "bert_large", "gpt2_medium"}
