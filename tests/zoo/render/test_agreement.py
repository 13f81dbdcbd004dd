from __future__ import annotations

import pytest

from zoo.comparison import Agreement, AgreementMap
from zoo.render.agreement import agreement_html, agreement_rows, heat_map, names_of, verdict
from zoo.types.provenance import provenance_now
from zoo.types.ranking import ProbeSummary

MODELS = ("hub:org/<i>a</i>", "./b", "./c")
MATRIX = ((1.0, 0.2, 0.7), (0.2, 1.0, None), (0.7, None, 1.0))


@pytest.fixture
def found():
    one = Agreement(estimator="rsa", matrix=MATRIX, mean=(0.45, 0.2, 0.7), note="x < y")
    probe = ProbeSummary(
        name="photos",
        source="photos/",
        task="classification",
        modality="image",
        samples=40,
        classes=2,
        fingerprint="f" * 64,
    )
    return AgreementMap(
        probe=probe,
        models=MODELS,
        layers=("head_input",) * 3,
        agreement=(one,),
        similarity={"rsa": MATRIX},
        excluded=(),
        failures=(),
        provenance=provenance_now(seed=0, device="cpu"),
    )


def test_a_page_is_self_contained_and_escapes_what_others_wrote(found):
    page = agreement_html(found)
    assert "<i>a</i>" not in page
    assert "x &lt; y" in page
    assert "agreement, not transferability" in page
    assert "read at head_input" in page


def test_the_verdict_names_the_pair_that_is_most_alike_and_the_odd_one(found):
    text = verdict(found)
    assert "i> and c (0.70)" in text
    assert "Most unlike the others: b (0.20 on average)" in text


def test_a_map_without_a_number_says_why(found):
    empty = Agreement(estimator="rsa", matrix=((None,) * 3,) * 3, mean=(None,) * 3, note="too few")
    assert "(too few)" in verdict(AgreementMap(**{**_fields(found), "agreement": (empty,)}))
    assert "<svg" in heat_map(empty, MODELS)


def _fields(found):
    return {name: getattr(found, name) for name in found.__struct_fields__}


def test_rows_have_every_number_under_the_models_reference(found):
    first = agreement_rows(found.agreement[0], MODELS)[0]
    assert first["./b"] == 0.2
    assert first["mean"] == 0.45
    assert first["number"] == 1


def test_names_are_as_short_as_they_can_be_told_apart():
    models = ("hub:org/vit", "hub:other/vit", "./deep/folder/net/")
    assert names_of(models) == ["org/vit", "other/vit", "net"]


def test_many_models_have_colours_without_numbers():
    count = 20
    matrix = tuple(tuple(1.0 - abs(i - j) / count for j in range(count)) for i in range(count))
    one = Agreement(estimator="rsa", matrix=matrix, mean=(0.5,) * count)
    drawing = heat_map(one, [f"./m{number}" for number in range(count)])
    assert ">0.95<" not in drawing
    assert "m7 and m8: 0.95" in drawing
