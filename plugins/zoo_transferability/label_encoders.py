"""Label encoders: from class names, captions and answers to vectors."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.errors import InputError, NotApplicable

if TYPE_CHECKING:
    import numpy.typing as npt

    from zoo.types.protocols import Embed, LabelSet

    Array = npt.NDArray[np.float64]

_WORD = re.compile(r"[^\W\d_]{2}")
_SEPARATORS = re.compile(r"[\s,;]+")
#: Most n-grams that are told apart, the most frequent ones.
_MOST_NGRAMS = 1000


class OneHot:
    """Every class is as far from every other: identity without meaning.

    Args:
        width: more classes than this are told apart by random signs, which keep the distances
            about equal.
    """

    def __init__(self, *, width: int = 256) -> None:
        if width < 1:
            raise InputError(f"one_hot.width must be at least 1, not {width}.")
        self.width = width

    def encode(self, labels: LabelSet, embed: Embed) -> Array:
        """Encode (U, U) exactly, or (U, width)."""
        del embed
        count = len(labels.texts)
        if count <= self.width:
            return np.eye(count)
        signs = np.random.default_rng(0).integers(0, 2, (count, self.width))
        encoded: Array = (2.0 * signs - 1.0) / np.sqrt(self.width)
        return encoded


class NGrams:
    """Labels that are spelt alike are near each other, and share words where they have several.

    Character n-grams within words, sublinear counts, rare ones weigh more (TF-IDF).

    Args:
        shortest: characters of the shortest n-gram.
        longest: of the longest.
    """

    def __init__(self, *, shortest: int = 2, longest: int = 4) -> None:
        if not 1 <= shortest <= longest:
            raise InputError(
                f"ngrams.shortest = {shortest} and ngrams.longest = {longest}: must be at least 1, "
                "and in this order."
            )
        self.sizes = (shortest, longest)

    def encode(self, labels: LabelSet, embed: Embed) -> Array:
        """Encode (U, number of n-grams).

        Raises:
            NotApplicable: most labels hold no word.
        """
        del embed
        spoken = sum(_WORD.search(text) is not None for text in labels.texts)
        if 2 * spoken < len(labels.texts):
            raise NotApplicable(
                f"{len(labels.texts) - spoken} of {len(labels.texts)} labels hold no word, such as "
                f"{next(text for text in labels.texts if not _WORD.search(text))!r}."
            )
        from sklearn.feature_extraction.text import TfidfVectorizer

        vectorizer = TfidfVectorizer(
            analyzer="char_wb",
            ngram_range=self.sizes,
            sublinear_tf=True,
            max_features=_MOST_NGRAMS,
            preprocessor=_words,
        )
        encoded: Array = vectorizer.fit_transform(labels.texts).toarray()
        return encoded


class Numbers:
    """Labels that are numbers: one column each, standardised."""

    def encode(self, labels: LabelSet, embed: Embed) -> Array:
        """Encode (U, numbers a label).

        Raises:
            NotApplicable: a label is something else, or labels hold different numbers of them.
        """
        del embed
        rows = [_numbers(text) for text in labels.texts]
        widths = {len(row) for row in rows}
        if len(widths) > 1:
            raise NotApplicable(f"some labels hold {min(widths)} numbers and others {max(widths)}.")
        values = np.array(rows)
        weights = labels.counts / labels.counts.sum()
        centred = values - weights @ values
        scale = np.sqrt(weights @ np.square(centred))
        encoded: Array = centred / np.where(scale > 0, scale, 1.0)
        return encoded


class TextCheckpoint:
    """Whatever a text checkpoint says of a label."""

    def __init__(self, model: str, template: str) -> None:
        if "{}" not in template:
            raise InputError(
                f"template {template!r} has no place for the label.", "a photo of a {}"
            )
        self.model, self.template = model, template

    def encode(self, labels: LabelSet, embed: Embed) -> npt.NDArray[Any]:
        """Encode (U, width of the checkpoint)."""
        return embed(self.model, [self.template.replace("{}", text) for text in labels.texts])


def sentence(
    *, model: str = "hub:sentence-transformers/all-MiniLM-L6-v2", template: str = "{}"
) -> TextCheckpoint:
    """Encode by a sentence encoder, pooled as it was trained.

    Args:
        model: reference of the checkpoint.
        template: text around the label, such as ``a photo of a {}``.
    """
    return TextCheckpoint(model, template)


def clip_text(
    *, model: str = "hub:laion/CLIP-ViT-B-32-laion2B-s34B-b79K", template: str = "{}"
) -> TextCheckpoint:
    """Encode by CLIP's text tower, projected to where images are.

    Args:
        model: reference of the checkpoint.
        template: text around the label, such as ``a photo of a {}``.
    """
    return TextCheckpoint(model, template)


def clip_g(
    *, model: str = "hub:laion/CLIP-ViT-g-14-laion2B-s12B-b42K", template: str = "{}"
) -> TextCheckpoint:
    """Encode by the text tower of a very large CLIP.

    Args:
        model: reference of the checkpoint.
        template: text around the label, such as ``a photo of a {}``.
    """
    return TextCheckpoint(model, template)


def bert_large(
    *, model: str = "hub:google-bert/bert-large-uncased", template: str = "{}"
) -> TextCheckpoint:
    """Encode by BERT large, mean over the tokens.

    Args:
        model: reference of the checkpoint.
        template: text around the label, such as ``a photo of a {}``.
    """
    return TextCheckpoint(model, template)


def gpt2_medium(
    *, model: str = "hub:openai-community/gpt2-medium", template: str = "{}"
) -> TextCheckpoint:
    """Encode by GPT-2 medium, mean over the tokens.

    Args:
        model: reference of the checkpoint.
        template: text around the label, such as ``a photo of a {}``.
    """
    return TextCheckpoint(model, template)


def _words(text: str) -> str:
    return text.replace("_", " ").casefold()


def _numbers(text: str) -> list[float]:
    try:
        values = [float(part) for part in _SEPARATORS.split(text.strip())]
    except ValueError:
        values = []
    if not values or not np.isfinite(values).all():
        raise NotApplicable(f"{text!r} is no number.")
    return values
