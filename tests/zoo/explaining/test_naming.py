"""Which model of a ranking a person means."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from msgspec.structs import replace

from zoo.errors import InputError, UnknownNameError
from zoo.explaining.naming import choose, find

_SPEC = importlib.util.spec_from_file_location(
    "render_fixtures", Path(__file__).parents[1] / "render" / "conftest.py"
)
_FIXTURES = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(_FIXTURES)
ranking = _FIXTURES.ranking
MODELS = tuple(model for model, *_ in _FIXTURES.MODELS)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        *((model, place) for place, model in enumerate(MODELS)),
        ("resnet-50", 0),
        ("hub:microsoft/resnet-50", 0),
        ("our-vit", 3),
        ("shapes-resnet", 5),
        ("1", 0),
        ("06", 5),
    ],
)
def test_a_model_is_its_reference_its_last_part_or_its_rank(ranking, text, place):
    assert find(ranking, text) == MODELS[place]


@pytest.mark.parametrize("text", ["0", "7", "99999999999999999999"])
def test_a_rank_that_there_is_not_is_refused(ranking, text):
    with pytest.raises(InputError, match=f"there is no model of rank {text}") as error:
        find(ranking, text)
    assert error.value.hint == "The last one is 6."


@pytest.mark.parametrize("text", ["resnet-5", "-1", "\u00b2", "microsoft/resnet-50"])
def test_an_unknown_model_is_named_with_the_known_ones(ranking, text):
    with pytest.raises(UnknownNameError, match="no model of this run called") as error:
        find(ranking, text)
    assert "Available: digits-convnext" in error.value.message


def test_a_name_that_two_models_share_is_refused(ranking):
    rows = [replace(ranking.ranking[0], model=f"./{each}/vit") for each in "ab"]
    twins = replace(ranking, ranking=(*rows, replace(rows[0], model="./c/net")))
    with pytest.raises(InputError, match=r"'vit' could be any of \./a/vit, \./b/vit"):
        find(twins, "vit")
    assert find(twins, "./b/vit") == "./b/vit"


@pytest.mark.parametrize(
    ("model", "against", "pair"),
    [
        ("", "", (0, 1)),
        ("2", "", (1, 0)),
        ("shapes-resnet", "", (5, 0)),
        ("", "6", (0, 5)),
        ("6", "our-vit", (5, 3)),
    ],
)
def test_the_first_is_compared_with_the_next_and_every_other_with_the_first(
    ranking, model, against, pair
):
    assert choose(ranking, model, against) == tuple(MODELS[each] for each in pair)


@pytest.mark.parametrize("against", ["1", "resnet-50", MODELS[0]])
def test_a_model_is_not_compared_with_itself(ranking, against):
    with pytest.raises(InputError, match="cannot be compared with itself") as error:
        choose(ranking, "", against)
    assert "--against" in error.value.hint


def test_an_only_model_is_compared_with_nothing(ranking):
    alone = replace(ranking, ranking=ranking.ranking[:1])
    assert choose(alone, "", "") == (MODELS[0], "")
