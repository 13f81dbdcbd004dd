from __future__ import annotations

import pytest
from msgspec.structs import replace

from zoo.render.quantities import (
    count_text,
    duration_text,
    parameters_text,
    size_text,
    some,
)
from zoo.render.words import agreement_line, data_line, exclusions_line, short, tie_note, verdict


def test_the_leader_is_named_with_those_that_would_do_as_well(ranking):
    assert verdict(ranking) == (
        "Start from microsoft/resnet-50@1f2e3d4; facebook/dinov2-small@1f2e3d4 "
        "is not clearly worse."
    )


def test_a_much_smaller_tie_is_pointed_out(ranking):
    first = ranking.ranking[0]
    small = replace(ranking.ranking[1], bytes=20_000_000)
    text = verdict(replace(ranking, ranking=(first, small, *ranking.ranking[2:])))
    assert text.endswith("is 5.1 times smaller (20 MB instead of 102 MB).")


def test_a_clear_leader_is_called_one(ranking):
    first = replace(ranking.ranking[0], tied=False, tied_with=())
    text = verdict(replace(ranking, ranking=(first, *ranking.ranking[1:])))
    assert text.endswith("it is ahead of every other model.")


def test_without_a_signal_nothing_is_recommended(ranking):
    first = replace(ranking.ranking[0], signal=False)
    assert "a guess" in verdict(replace(ranking, ranking=(first,)))


def test_nothing_ranked_is_said(empty_ranking):
    assert verdict(empty_ranking) == "No model could be ranked."


def test_ties_name_the_places_above(ranking):
    row = ranking.ranking[4]
    ranks = {"a": 1, "b": 2, "c": 3, "d": 7, row.model: 5}
    assert tie_note(replace(row, tied_with=("a", "b", "d")), ranks) == "tie with 1-2"
    assert tie_note(replace(row, tied_with=("a", "c")), ranks) == "tie with 1, 3"
    assert tie_note(replace(row, tied_with=("d",)), ranks) == ""
    assert tie_note(replace(row, signal=False), ranks) == "no signal"


def test_commits_are_shortened_and_folders_are_not():
    commit = "0123456789abcdef0123456789abcdef01234567"
    assert short(f"hub:org/name@{commit}") == "org/name@0123456"
    assert short(f"hub:org/name@{commit}#model.onnx") == "org/name@0123456#model.onnx"
    assert short("./folder") == "./folder"
    assert short("hub:org/name@main") == "org/name@main"


def test_the_data_is_described_in_one_line(ranking):
    assert data_line(ranking.probe) == (
        "flowers <b>102</b>: 1 000 of 4 812 images, classification, 5 classes, split train, seed 0"
    )
    plain = replace(ranking.probe, rows=1000, split=None, task="regression", classes=None)
    assert data_line(plain).endswith(": 1 000 images, regression, seed 0")


def test_exclusions_are_counted_by_reason(ranking):
    assert exclusions_line(ranking.excluded) == ("3 models left out (2 over --max-size, 1 gated)")


def test_agreement_is_said_only_where_it_was_measured(ranking, empty_ranking):
    assert agreement_line(ranking).startswith("Agreement between estimators (Kendall's W) 0.81")
    assert agreement_line(replace(ranking, agreement=None)) == (
        "With the prior (weighted tau) 0.52"
    )
    assert agreement_line(empty_ranking) == ""


@pytest.mark.parametrize(
    ("count", "text"),
    [(None, "-"), (0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (999_999, "1.0 MB"),
     (102_500_000, "102 MB"), (9_940_000_000, "9.9 GB"), (4e15, "4000 TB")],
)  # fmt: skip
def test_sizes_read_like_disks(count, text):
    assert size_text(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "-"), (0.04, "0.0 s"), (9.2, "9.2 s"), (18.3, "18 s"), (130, "2 min"),
     (7500, "2 h 05 min")],
)  # fmt: skip
def test_durations_read_like_clocks(seconds, text):
    assert duration_text(seconds) == text


def test_counts_are_grouped_and_nouns_follow():
    assert count_text(4812) == "4 812"
    assert parameters_text(86_567_656) == "87M"
    assert parameters_text(3_500_000) == "3.5M"
    assert parameters_text(96_000) == "96k"
    assert parameters_text(None) == "-"
    assert (some(1, "model"), some(2, "model")) == ("1 model", "2 models")
