"""What size and pre-training say of a checkpoint before any data is seen.

A fixed order of models beats most published scores on the standard benchmarks, so this is the
baseline that every ranking has to beat: log10(parameters) + w log10(corpus / reference corpus).
The weight w was learned from public fine-tuning tables, see ``benchmarks/learn_combined.py``. A
corpus that is unknown or smaller than the reference counts as the reference: a small data set on a
card is usually what some larger one was fine-tuned on.
"""

from __future__ import annotations

import functools
import math
import re
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from zoo.errors import NotApplicable
from zoo.types.score import Score

if TYPE_CHECKING:
    from zoo.types.model import ModelEntry

#: Published sizes of corpora: number, unit. Text corpora are counted in words or tokens.
CORPORA: dict[str, tuple[float, str]] = {
    "imagenet-1k": (1.28e6, "images"),
    "imagenet-12k": (12e6, "images"),
    "imagenet-21k": (14.2e6, "images"),
    "imagenet-22k": (14.2e6, "images"),
    "places365": (1.8e6, "images"),
    "inaturalist-2021": (2.7e6, "images"),
    "cc3m": (3.3e6, "images"),
    "cc12m": (12.4e6, "images"),
    "yfcc15m": (15e6, "images"),
    "lvd-142m": (142e6, "images"),
    "jft-300m": (300e6, "images"),
    "laion-400m": (400e6, "images"),
    "wit-400m": (400e6, "images"),
    "laion-2b": (2.3e9, "images"),
    "bookcorpus": (0.8e9, "words"),
    "wikipedia": (2.5e9, "words"),
    "c4": (156e9, "words"),
    "audioset": (5.8e3, "hours"),
    "librispeech": (960.0, "hours"),
}
#: What an ordinary checkpoint of each kind was trained on: ImageNet-1k, BERT's corpora, ...
REFERENCE = {"images": 1.28e6, "words": 3.3e9, "hours": 960.0}
#: Tags of an entry that name its corpora.
TAGS = ("pretraining", "datasets", "dataset")


class Learned(msgspec.Struct, frozen=True):
    """Weights of the combined score, in log odds.

    Attributes:
        parameters: of a decade of parameters.
        corpus: of a decade of pre-training data.
        evidence: of the logit of the estimators' consensus, with many of them.
        estimators: how many give it half of that weight.
        smallest: parameters of the smallest checkpoint that was learned from.
        largest: likewise.
    """

    parameters: float
    corpus: float
    evidence: float
    estimators: float
    smallest: float
    largest: float


class _File(msgspec.Struct):
    weights: Learned


@functools.cache
def learned() -> Learned:
    """Read the weights that come with this plugin."""
    path = Path(__file__).with_name("combined_weights.json")
    return msgspec.json.decode(path.read_bytes(), type=_File).weights


class Prior:
    """Parameters and, where the entry's tags tell, pre-training data."""

    def score_entry(self, entry: ModelEntry) -> Score:
        """Score one registry entry.

        Raises:
            NotApplicable: its number of parameters is not known.
        """
        if not entry.parameters:
            raise NotApplicable("the number of parameters is not known.")
        value = math.log10(entry.parameters)
        reason = f"{_short(entry.parameters)} parameters"
        corpora, size, unit = known_corpora(entry.tags)
        if size > REFERENCE[unit]:
            weights = learned()
            decades = math.log10(size / REFERENCE[unit])
            value += weights.corpus / weights.parameters * decades
        if corpora:
            reason += f", {' + '.join(corpora)} ({_short(size)} {unit})"
        return Score(value, note=reason)


def known_corpora(tags: dict[str, str]) -> tuple[tuple[str, ...], float, str]:
    """Find the corpora that the tags name: names, size in all, and its unit."""
    text = " ".join(tags.get(name, "") for name in TAGS)
    plain = f" {re.sub(r'[^a-z0-9]+', ' ', text.lower())} "
    found = [name for name in CORPORA if f" {name.replace('-', ' ')} " in plain]
    unit = CORPORA[found[0]][1] if found else "images"
    same = tuple(name for name in found if CORPORA[name][1] == unit)
    return same, sum(CORPORA[name][0] for name in same), unit


def _short(number: float) -> str:
    for limit, suffix in ((1e9, " B"), (1e6, " M"), (1e3, " k")):
        if number >= limit:
            return f"{number / limit:.3g}{suffix}"
    return f"{number:.0f}"
