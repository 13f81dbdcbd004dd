from __future__ import annotations

import math

import pytest

from zoo.errors import NotApplicable
from zoo.types import ModelEntry
from zoo_transferability.prior import CORPORA, REFERENCE, Prior, learned


def _entry(parameters, **tags):
    return ModelEntry(ref="hub:a/b", parameters=parameters, tags=tags)


def test_ten_times_the_parameters_are_one_more():
    small, large = (Prior().score_entry(_entry(count)).value for count in (10**6, 10**7))
    assert large - small == pytest.approx(1.0)


def test_a_larger_corpus_counts_as_much_as_was_learned():
    plain = Prior().score_entry(_entry(10**7, pretraining="imagenet-1k"))
    large = Prior().score_entry(_entry(10**7, pretraining="ImageNet-21k"))
    assert plain.value == pytest.approx(7.0)
    decades = math.log10(14.2e6 / 1.28e6)
    weight = learned().corpus / learned().parameters
    assert large.value - plain.value == pytest.approx(weight * decades)
    assert 0 < weight < 1
    assert "imagenet-21k" in large.note


def test_a_corpus_nobody_knows_changes_nothing():
    known = Prior().score_entry(_entry(10**7)).value
    assert Prior().score_entry(_entry(10**7, pretraining="my-photos")).value == known
    assert Prior().score_entry(_entry(10**7, colour="imagenet-21k")).value == known


def test_an_entry_without_a_size_is_not_scored():
    with pytest.raises(NotApplicable, match="parameters"):
        Prior().score_entry(_entry(None))


def test_every_corpus_has_a_reference_of_its_unit():
    assert {unit for _, unit in CORPORA.values()} <= set(REFERENCE)
