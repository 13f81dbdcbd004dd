"""Texts as vectors, by whatever is named."""

from __future__ import annotations

import sys
import types

import numpy as np
import pytest

from zoo.errors import NotApplicable, UnknownNameError, ZooError
from zoo.events import ignore
from zoo.explaining.texts import encoder_of
from zoo.hookspecs import hookimpl
from zoo.types import LabelEncoderSpec

TEXTS = ("dog", "cat", "dog", "")


class Letters:
    """Counts three letters; a text without them has no direction."""

    asked = ()

    def encode(self, labels, embed):
        del embed
        type(self).asked = labels.texts
        return np.array([[text.count(each) for each in "dca"] for text in labels.texts]) * 2.0


class Silent:
    def encode(self, labels, embed):
        raise ZooError("it speaks no English.")


@pytest.fixture
def encoders(catalogue, settings):
    """Two label encoders beside what the core has."""
    plugin = types.ModuleType("zoo_test_encoders")
    specs = [
        LabelEncoderSpec(name=name, target=f"{plugin.__name__}:{name.title()}", summary="t")
        for name in ("letters", "silent")
    ]
    plugin.zoo_label_encoders = hookimpl(lambda: specs)
    plugin.Letters, plugin.Silent = Letters, Silent
    sys.modules[plugin.__name__] = plugin
    catalogue.host.register(plugin, "test:encoders")
    yield lambda name: encoder_of(name, settings, catalogue, ignore)
    del sys.modules[plugin.__name__]


def test_texts_become_rows_of_unit_length_in_their_order(encoders):
    vectors = encoders("letters")(TEXTS)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), [1, 1, 1, 0])
    np.testing.assert_array_equal(vectors[0], vectors[2])
    np.testing.assert_allclose(vectors[1], [0, 0.5**0.5, 0.5**0.5])
    assert Letters.asked == ("dog", "cat", "")


def test_an_encoder_that_cannot_is_not_applicable_with_its_reason(encoders):
    with pytest.raises(NotApplicable) as error:
        encoders("silent")(TEXTS)
    assert error.value.message == "silent does not encode texts here: it speaks no English"


def test_a_checkpoint_that_is_not_there_is_found_out_when_it_is_asked(encoders):
    encode = encoders("./gone")
    with pytest.raises(NotApplicable, match=r"\./gone does not encode texts here: "):
        encode(TEXTS)


def test_an_unknown_encoder_is_named_at_once(encoders):
    with pytest.raises(UnknownNameError, match=r"no label encoder called 'leters'.*'letters'"):
        encoders("leters")
