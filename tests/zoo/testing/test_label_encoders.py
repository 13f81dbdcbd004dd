"""Which broken promises of label encoders are found, and in which words."""

from __future__ import annotations

import numpy as np
import pytest

from zoo.errors import InputError, NotApplicable, OfflineError
from zoo.testing.kit import Trial, checks_of, run_check
from zoo.testing.label_encoders import check_label_encoder, embed
from zoo.types import LabelEncoderSpec


def spec_of():
    return LabelEncoderSpec(name="plain", target=f"{__name__}:Plain", summary="")


class Plain:
    """A good one: counts of letters beside what a checkpoint says."""

    def encode(self, labels, embed):
        counts = [[text.count(letter) for letter in "abcde "] for text in labels.texts]
        return np.concatenate([counts, embed("hub:made/up", labels.texts)], axis=1)


def encoding(function):
    return type("Other", (Plain,), {"encode": function})()


def changed(change):
    return encoding(lambda self, labels, embed: change(Plain.encode(self, labels, embed), labels))


def sentences(method):
    found = check_label_encoder(spec_of(), method)
    assert all(each.startswith("plain: ") and each.endswith(".") for each in found)
    assert not any(".." in each.replace("...", "") or "\n" in each for each in found)
    return found


def test_one_that_keeps_its_promises_passes():
    assert check_label_encoder(spec_of()) == []
    assert sentences(Plain()) == []


def test_what_is_missing_or_raises():
    assert sentences(object()) == ["plain: it lacks encode."]
    (sentence,) = sentences(encoding(lambda self, labels: None))
    assert "is called as encode(labels, embed)" in sentence

    def refuse(self, labels, embed):
        raise KeyError("cat")

    assert "plain: of class names, encode raises KeyError: 'cat'." in sentences(encoding(refuse))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda table, _: table[:-1], "of 5 class names, encode gives the shape (4, 22), and not"),
        (lambda table, _: table[:, 0], "encode gives the shape (5,), and not (5, its width)"),
        (lambda table, _: table[:, :0], "encode gives the shape (5, 0), and not"),
        (lambda table, _: table.astype(str), "encode gives <U"),
        (lambda table, _: table * np.nan, "encode gives NaN or infinity"),
        (
            lambda table, labels: (
                table / max(map(len, labels.texts), default=0) / len(labels.texts[0])
            ),
            "of one label that is empty, encode ",
        ),
        (lambda table, _: table / np.ptp(table, axis=0).max(), "alone, encode "),
        (lambda table, _: np.cumsum(table, axis=0), "in another order, class names are otherwise"),
    ],
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_vectors_that_cannot_be(change, words):
    assert any(words in each for each in sentences(changed(change)))


def test_one_that_encodes_nothing():
    def silent(self, labels, embed):
        raise NotApplicable("no idea.")

    (sentence,) = sentences(encoding(silent))
    assert sentence.startswith("plain: it encodes nothing (class names: no idea; captions: no idea")


def test_labels_that_are_encoded_in_one_order_alone():
    def picky(self, labels, embed):
        if list(labels.texts[-2:]) == sorted(labels.texts[-2:]):
            raise NotApplicable("the last ones are sorted.")
        return Plain.encode(self, labels, embed)

    assert any("no longer encoded, or only then" in each for each in sentences(encoding(picky)))


def test_a_refusal_gives_its_reason():
    def refuse(self, labels, embed):
        raise NotApplicable("")

    assert any(
        "encode raises NotApplicable without a reason" in each
        for each in sentences(encoding(refuse))
    )


def test_counts_that_change():
    def change(table, labels):
        labels.counts[0] = 7
        return table

    assert "plain: it changes the counts of class names." in sentences(changed(change))


def test_a_checkpoint_that_cannot_be_had():
    def wrap(self, labels, embed):
        try:
            return Plain.encode(self, labels, embed)
        except OfflineError as error:
            raise ValueError("offline") from error

    assert sentences(encoding(wrap)) == [
        "plain: offline, encode turns zoo.OfflineError into ValueError."
    ]

    def say(self, labels, embed):
        try:
            return Plain.encode(self, labels, embed)
        except OfflineError as error:
            raise InputError("no checkpoint.") from error

    assert sentences(encoding(say)) == []

    def hide(self, labels, embed):
        try:
            return Plain.encode(self, labels, embed)
        except OfflineError:
            return np.eye(len(labels.texts))

    (sentence,) = sentences(encoding(hide))
    assert "as if it had had hub:made/up" in sentence


def test_one_that_asks_for_no_checkpoint_is_not_tried_offline():
    trial = Trial(
        noun="label_encoder",
        spec=LabelEncoderSpec(name="eye", target=f"{__name__}:Eye", summary=""),
    )
    asked = {each.name: run_check(each, trial) for each in checks_of(trial)}
    assert asked["offline"].not_tried == "it asks for no checkpoint"
    assert not any(each.problems for each in asked.values())


class Eye:
    def encode(self, labels, embed):
        del embed
        return np.eye(len(labels.texts))


def test_what_is_made_up_hangs_on_model_and_text_alone():
    both = embed("hub:a/b", ["cat", "dog"])
    assert both.shape == (2, 16)
    assert np.array_equal(both[1:], embed("hub:a/b", ["dog"]))
    assert not np.array_equal(both, embed("hub:a/c", ["cat", "dog"]))
