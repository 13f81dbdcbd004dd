"""Cards: what they say of the ancestor, and the facts for the Hub in front."""

from __future__ import annotations

import msgspec
import pytest
import yaml

from zoo.growing.card import write_card
from zoo.growing.journey import GrowthReport
from zoo.growing.plan import GrowthPlan, GrowthStep, NetworkSize
from zoo.growing.proof import Difference
from zoo.types.model import ModelEntry

EXACT = Difference(
    numbers="fp64", largest=2e-15, scale=20.0, tolerance=1e-9, agreement=1.0, samples=40
)
PLAN = GrowthPlan(
    model="org/small",
    family="vit",
    method="net2net",
    steps=(GrowthStep(what="hidden | size", old=384, new=576, how="whole copies"),),
    exact=True,
    before=NetworkSize(parameters=22_000_000, bytes=88_000_000),
    after=NetworkSize(parameters=49_000_000, bytes=196_000_000, flops=2.5e9),
    seed=5,
)
REPORT = GrowthReport(
    folder="models/grown",
    plan=PLAN,
    proof=(EXACT,),
    real=8,
    revision="abc123",
    digest="0123456789abcdef",
    notes=("A note.",),
)
ENTRY = ModelEntry(
    ref="org/small",
    architecture="ViTForImageClassification",
    task="image-classification",
    license="apache-2.0",
    library="transformers",
)


def card_of(report=REPORT, **facts):
    return write_card(report, msgspec.structs.replace(ENTRY, **facts))


def front_of(card):
    return yaml.safe_load(card.split("---\n")[1])


def changed(**plan):
    return msgspec.structs.replace(REPORT, plan=msgspec.structs.replace(PLAN, **plan))


def test_the_facts_for_the_hub():
    assert front_of(card_of()) == {
        "library_name": "transformers",
        "license": "apache-2.0",
        "base_model": ["org/small"],
        "pipeline_tag": "image-classification",
        "tags": ["zoo", "growth", "net2net"],
    }


def test_what_was_grown_from_what_and_the_proof():
    card = card_of()
    for words in (
        "# grown\n",
        "This ViTForImageClassification (49M parameters) was grown from",
        "`org/small` (22M) by `net2net`",
        "**It computes the same function",
        r"hidden \| size",
        "32 of noise and 8 real ones",
        "2.0e-15",
        "2.0e-08",
        "revision `abc123`",
        "weights `0123456789ab`",
        "seed 5",
        "* A note.",
    ):
        assert words in card, words
    assert "None" not in card
    assert card.endswith("\n")


def test_a_function_that_was_not_kept_is_said_with_the_reason():
    step = GrowthStep(what="hidden", old=2, new=3, how="copies", exact=False, reason="a norm does")
    off = msgspec.structs.replace(EXACT, largest=0.5, agreement=None)
    report = msgspec.structs.replace(changed(steps=(step,), exact=False), proof=(off,), real=0)
    card = card_of(report)
    assert "**It does not compute the function" in card
    assert "* hidden: a norm does" in card
    assert "the same inputs: 40 of noise." in card


@pytest.mark.parametrize("model", ["./small", "embedded:vit-digit-parity", "grow:./a:width=2x"])
def test_a_folder_is_no_model_of_the_hub(model):
    assert "base_model" not in front_of(card_of(changed(model=model)))


def test_an_unknown_licence_is_no_licence():
    front = front_of(card_of(license=None))
    assert front["license"] == "other"
    assert "ask its authors" in card_of(license=None)
