"""What a finished sentence may say, given its evidence."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from zoo.explaining.wording import causal_word, listed, names_in, numbers_in, unsupported
from zoo.types import Evidence

numbers = st.one_of(
    st.integers(-(10**9), 10**9), st.floats(-1e9, 1e9, allow_nan=False, allow_infinity=False)
)


def evidence(**found):
    return [
        Evidence(id="e1", kind="fact", subject="resnet-50", predicate="score", object=found)
    ]  # fmt: skip


@given(numbers, st.integers(0, 6), st.sampled_from(["f", "e", ",f", "g"]))
def test_a_rounded_number_of_the_evidence_is_always_supported(number, digits, form):
    form = f",.{digits}f" if form == ",f" else f".{digits}{form}"
    assert unsupported(f"It has {number:{form}} of them.", evidence(value=number)) == []


@given(numbers, numbers, st.integers(0, 6))
def test_a_number_that_the_evidence_does_not_round_to_never_is(number, held, digits):
    shown = f"{number:.{digits}f}"
    assume(abs(float(shown) - held) > 0.51 * 10.0**-digits)
    assert unsupported(f"It has {shown} of them.", evidence(value=held)) == [shown]


@given(st.from_regex(r"[a-z]{1,5}[-_/.]?[0-9]{1,4}(\.[0-9])?", fullmatch=True))
def test_a_digit_in_a_name_that_the_evidence_holds_is_no_number(name):
    assert unsupported(f"{name} is ranked above '{name}'.", evidence(name=name)) == []


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("resnet-50 has it.", []),
        ("vgg16 has it.", []),
        ("vit-16 has it.", ["16"]),
        ("It has 0.7.", []),
        ("It has 0.75 and 0.8.", []),
        ("It has 0.74.", ["0.74"]),
        ("It has -0.75.", ["-0.75"]),
        ("It has \u22123.", []),
        ("It has 75 %.", ["75"]),
        ("It has 1,200.", []),
        ("It has 1200, and 3 of 4.", ["3", "4"]),
        ("A '3' is a digit.", []),
        ("It keeps 'jack-o'-lantern' apart.", []),
        ("It keeps 'dog' apart.", []),
        ("It keeps 'cat' apart.", ["cat"]),
        ("alpha's score and beta's are alike.", []),
        ("The models' scores: 'cat' is alpha's.", ["cat"]),
        ("It has true and False.", []),
    ],
)
def test_numbers_and_quoted_names_have_to_be_held(text, wrong):
    held = evidence(
        value=0.75, n=1200, down=-3, name=["dog", "jack-o'-lantern", "'3'"], yes=True, deep={"a": 8}
    )
    assert unsupported(text, held) == wrong


def test_longer_names_are_taken_out_before_what_they_begin_with():
    held = evidence(names=["net", "net 3", "net 34"])
    assert unsupported("net 34 stands above net 3 and net.", held) == []
    assert unsupported("net 5 stands above net 3.", held) == ["5"]


def test_a_switch_is_neither_a_number_nor_a_name():
    held = evidence(yes=True, deep=[{"no": False, "n": 2, "word": "x"}])
    assert numbers_in(held) == {2.0}
    assert names_in(held) == {"resnet-50", "score", "x"}


@pytest.mark.parametrize(
    ("names", "text"),
    [([], ""), (["a"], "a"), (["a", "b"], "a and b"), (("a", "b", 3), "a, b and 3")],
)
def test_a_list_reads_as_a_person_writes_it(names, text):
    assert listed(names) == text
    assert listed(names, "or") == text.replace(" and ", " or ")


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("It wins because of it.", "because"),
        ("This led to that.", "led to"),
        ("Colour causes it.", "causes"),
        ("It Results In more.", "Results In"),
        ("Its cause is named.", "cause"),
        ("Whoever pauses at a driveway is thusly hosted.", ""),
    ],
)
def test_words_that_name_a_cause_are_found(text, word):
    assert causal_word(text) == word
