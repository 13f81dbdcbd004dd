"""Overlays that are readable without colour, and numbers of the maps behind them."""

from __future__ import annotations

import base64
import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from zoo.errors import NotApplicable
from zoo.explaining.checking import unsupported_claims
from zoo.explaining.ledger import Ledger
from zoo.testing.reporters import report_of, sample_case
from zoo_explanation.attribution_maps import AttributionMaps
from zoo_explanation.overlays import SIDE, overlay


def told(case):
    ledger = Ledger("maps")
    AttributionMaps().report(replace(case, ledger=ledger))
    assert unsupported_claims(report_of(ledger)) == []
    return ledger


def with_maps(case, change):
    read = case.read_maps
    return replace(case, read_maps=lambda model: change(model, read(model)))


def picture(width=400, height=300, mode="RGB"):
    out = io.BytesIO()
    Image.new(mode, (width, height), 200).save(out, "PNG")
    return out.getvalue()


def opened(text):
    return Image.open(io.BytesIO(base64.b64decode(text)))


def corner(side=7):
    values = np.zeros((side, side))
    values[0, -1] = 1.0
    return values


def test_the_strongest_part_is_bright_outlined_and_the_rest_dark():
    drawn = opened(overlay(picture(), corner()))
    assert drawn.size == (SIDE, 120)
    grey = np.asarray(drawn.convert("L"), dtype=float)
    assert grey[2, -2] > 1.5 * grey[-2, 2]
    orange = (np.asarray(drawn) == [230, 159, 0]).all(axis=2)
    assert orange.any()
    assert orange[:60, 80:].sum() == orange.sum()


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "1", "CMYK"])
def test_every_kind_of_picture_is_drawn(mode):
    out = io.BytesIO()
    Image.new(mode, (30, 20)).save(out, "TIFF")
    assert opened(overlay(out.getvalue(), corner())).size == (30, 20)


def test_what_is_no_picture_is_refused():
    with pytest.raises(NotApplicable, match="cannot be opened"):
        overlay(b"<svg onload=alert(1)>", corner())


def test_a_map_in_one_cell_is_as_concentrated_as_can_be_and_lies_on_the_border():
    case = with_maps(sample_case(), lambda _, maps: replace(maps, values=np.stack([corner()] * 4)))
    ledger = told(case)
    texts = [each.text for each in ledger.claims]
    assert texts[0].startswith("On 4 of your pictures, the 5 strongest of 49 cells hold 100 % of")
    assert "spread evenly it would be 10 %" in texts[0]
    assert any("The outer ring of cells holds 100 % of what" in text for text in texts)
    assert any("largely on the same cells of 4 pictures" in text for text in texts)
    (figure,) = ledger.figures
    assert [len(row["images"]) for row in figure.data["rows"]] == [2] * 4
    alt = figure.data["rows"][0]["images"][0]["alt"]
    assert alt == "dog: alpha depends most on the upper right"
    assert alt in figure.description


def test_even_maps_are_not_concentrated_and_their_likeness_is_not_said():
    case = with_maps(sample_case(), lambda _, maps: replace(maps, values=np.ones((4, 7, 7))))
    texts = [each.text for each in told(case).claims]
    assert "hold 10 % of" in texts[0]
    assert not any("correlation" in text for text in texts)


def test_nothing_is_said_of_objects():
    said = " ".join(each.text for each in told(sample_case()).claims)
    assert "object" not in said
    assert "looks at" not in said


def test_only_pictures_that_both_models_were_attributed_on_are_compared():
    def some(model, maps):
        keep = slice(0, 3) if "alpha" in model else slice(1, 4)
        return replace(
            maps,
            samples=maps.samples[keep],
            values=maps.values[keep],
            images=maps.images[keep],
            labels=maps.labels[keep],
        )

    (figure,) = told(with_maps(sample_case(), some)).figures
    assert len(figure.data["rows"]) == 2
    alone = with_maps(
        sample_case(),
        lambda model, maps: replace(maps, samples=maps.samples + 99 * ("alpha" in model)),
    )
    with pytest.raises(NotApplicable, match="no picture was attributed for every model"):
        told(alone)


def test_a_single_picture_has_no_interval():
    def first(_, maps):
        return replace(maps, samples=maps.samples[:1], values=maps.values[:1])

    texts = [each.text for each in told(with_maps(sample_case(), first)).claims]
    assert not any("interval" in text for text in texts)


def test_maps_of_nothing_are_refused():
    case = with_maps(sample_case(), lambda _, maps: replace(maps, values=np.zeros((4, 7, 7))))
    with pytest.raises(NotApplicable, match="zero throughout a picture"):
        told(case)
