from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.errors import CheckpointError, InputError
from zoo.types import Failure, ModelRef

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("org/name", "hub:org/name"),
        ("hub:org/name@main", "hub:org/name@main"),
        (f"hub:org/name@{COMMIT}#model.onnx", f"hub:org/name@{COMMIT}#model.onnx"),
        ("gpt2", "hub:gpt2"),
        ("./models/vit", "./models/vit"),
        ("../vit@home", "../vit@home"),
        ("/models/a#b", "/models/a#b"),
        ("embedded:digits", "embedded:digits"),
    ],
)
def test_a_reference_reads_as_a_person_types_it(text, canonical):
    assert str(ModelRef.parse(text)) == canonical
    assert ModelRef.parse(canonical) == ModelRef.parse(text)


def test_only_a_commit_pins():
    assert ModelRef.parse(f"org/name@{COMMIT}").pinned
    assert not ModelRef.parse("org/name@main").pinned
    assert not ModelRef.parse(f"org/name@{COMMIT[:8]}").pinned


@pytest.mark.parametrize("text", ["a/b/c", "with space", "", "hub:"])
def test_what_is_no_reference_is_refused_with_the_forms_that_are(text):
    with pytest.raises(InputError) as error:
        ModelRef.parse(text)
    assert "hub:org/name" in error.value.hint


@given(st.text(max_size=40))
def test_any_text_parses_or_is_refused_in_one_sentence(text):
    try:
        reference = ModelRef.parse(text)
    except InputError:
        return
    assert ModelRef.parse(str(reference)) == reference


def test_a_failure_keeps_the_sentence_and_the_hint_of_our_own_errors():
    failure = Failure.of(CheckpointError("no weights.", "do this"), stage="load", model="m")
    assert (failure.error, failure.hint, str(failure)) == (
        "no weights.",
        "do this",
        "m (load): no weights.",
    )


def test_a_failure_keeps_one_line_of_a_stranger_s_error():
    failure = Failure.of(ValueError("first\nsecond"), stage="score")
    assert failure.error == "ValueError: first"
