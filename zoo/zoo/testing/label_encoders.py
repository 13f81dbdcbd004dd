"""What label encoders promise, found out on made-up labels and with made-up text checkpoints.

``assert not check_label_encoder(spec)`` is a test of its own; ``zoo plugins check`` asks the same.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.errors import NotApplicable, OfflineError, ZooError
from zoo.testing.given import problems_of
from zoo.testing.kit import Check, Kit, Trial
from zoo.testing.promises import BrokenPromiseError, NotTriedError, asking, lacking, mismatch
from zoo.types.protocols import LabelEncoder, LabelSet

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt

    from zoo.types.specs import LabelEncoderSpec

    Array = npt.NDArray[np.float64]

#: What labels can be, a few words for it first.
_LABELS = {
    "class names": ("tabby_cat", "Siamese cat", "golden retriever", "tench", "great white shark"),
    "captions": (
        "A man rides a horse on the beach.",
        "Two dogs play in the snow.",
        "a bowl of soup and a spoon",
    ),
    "numbers": ("1", "2.5", "-3", "40"),
    "boxes": ("0 0 10 20", "5 5 30 30", "1 2 3 4"),
}
_ODD = {
    "one label that is empty": ("", "cat", "dog"),
    "labels of signs": ("!", "?", "...", "#"),
    "labels in other scripts": ("猫", "собака", "café", "🐈"),
    "a very long label": ("cat", "a dog " * 2000),
    "labels that differ in case": ("cat", "Cat", "CAT"),
    "words beside numbers": ("cat", "1", "2 dogs", "nan", "inf"),
    "300 labels": tuple(f"class number {number}" for number in range(300)),
}
_WIDTH = 16


def check_label_encoder(spec: LabelEncoderSpec, method: object = None) -> list[str]:
    """Find out which promises a label encoder breaks.

    Args:
        spec: what the plugin advertises.
        method: its object; None makes one with the default options.

    Returns:
        One sentence a broken promise.
    """
    return problems_of("label_encoder", KIT, spec, method)


def embed(model: str, texts: Sequence[str]) -> Array:
    """Make vectors of texts up, (U, 16): the same text gets the same, whatever stands beside it."""
    seeds = [[zlib.crc32(model.encode()), zlib.crc32(each.encode())] for each in texts]
    rows = [np.random.default_rng(seed).standard_normal(_WIDTH) for seed in seeds]
    return np.array(rows).reshape(len(texts), _WIDTH)


def _exercise(trial: Trial) -> dict[str, Any]:
    made = trial.make()
    return {what: _encoded(made, _labels(texts), what) for what, texts in _LABELS.items()}


def _methods(trial: Trial) -> Iterator[str]:
    made = trial.make()
    if missing := lacking(made, LabelEncoder):
        yield f"it {missing}"
    elif wrong := mismatch(made.encode, LabelEncoder.encode):
        yield f"it {wrong}"


def _shape(trial: Trial) -> Iterator[str]:
    """Encode what labels usually are; one kind of them must be its."""
    made, reasons = trial.make(), []
    for what, texts in _LABELS.items():
        found = _encoded(made, _labels(texts), what)
        if isinstance(found, str):
            reasons.append(f"{what}: {found.rstrip('.')}")
        elif wrong := _misshapen(found, len(texts)):
            yield f"of {len(texts)} {what}, encode {wrong}"
    if len(reasons) == len(_LABELS):
        yield f"it encodes nothing ({'; '.join(reasons)})"


def _finite(trial: Trial) -> Iterator[str]:
    made = trial.make()
    for what, texts in _ODD.items():
        found = _encoded(made, _labels(texts), what)
        if not isinstance(found, str) and (wrong := _misshapen(found, len(texts))):
            yield f"of {what}, encode {wrong}"


def _alone(trial: Trial) -> Iterator[str]:
    made = trial.make()
    for what, texts in _LABELS.items():
        found = _encoded(made, _labels(texts[:1]), f"one of the {what} alone")
        if not isinstance(found, str) and (wrong := _misshapen(found, 1)):
            yield f"of one of the {what} alone, encode {wrong}"


def _order_free(trial: Trial) -> Iterator[str]:
    """Compare how far labels are apart: a one-hot code has other columns, and is the same code."""
    made = trial.make()
    for what, texts in _LABELS.items():
        labels, order = _labels(texts), np.roll(np.arange(len(texts))[::-1], 1)
        moved = LabelSet(texts=tuple(texts[each] for each in order), counts=labels.counts[order])
        first, second = _encoded(made, labels, what), _encoded(made, moved, what)
        if isinstance(first, str) or isinstance(second, str):
            if isinstance(first, str) != isinstance(second, str):
                yield f"in another order, {what} are no longer encoded, or only then"
            continue
        before, after = _distances(first)[np.ix_(order, order)], _distances(second)
        if not np.allclose(before, after, rtol=1e-4, atol=1e-4 * before.max(initial=0.0)):
            yield f"in another order, {what} are otherwise far apart"


def _untouched(trial: Trial) -> Iterator[str]:
    made = trial.make()
    for what, texts in _LABELS.items():
        labels = _labels(texts)
        before = labels.counts.tobytes()
        _encoded(made, labels, what)
        if labels.counts.tobytes() != before:
            yield f"it changes the counts of {what}"


def _offline(trial: Trial) -> Iterator[str]:
    made, asked = trial.make(), []

    def refuse(model: str, texts: Sequence[str]) -> Array:
        del texts
        asked.append(model)
        raise OfflineError(f"{model} is not on this machine.", "Run it once without --offline.")

    for what, texts in _LABELS.items():
        try:
            made.encode(_labels(texts), refuse)
        except ZooError:
            continue
        except Exception as error:  # noqa: BLE001 -- somebody's code
            yield f"offline, encode turns zoo.OfflineError into {type(error).__name__}"
            return
        if asked:
            yield f"offline, encode gives vectors of {what} as if it had had {asked[0]}"
            return
    if not asked:
        raise NotTriedError("it asks for no checkpoint")


def _encoded(made: Any, labels: LabelSet, what: str) -> Any:
    """Encode; where these labels have no meaning to it, its reason is the answer."""
    with asking(f"of {what}, encode"):
        try:
            return made.encode(labels, embed)
        except NotApplicable as error:
            if not error.message.strip():
                raise BrokenPromiseError(
                    f"of {what}, encode raises NotApplicable without a reason"
                ) from error
            return error.message


def _misshapen(table: Any, count: int) -> str:
    found = np.asarray(table)
    if found.dtype.kind not in "fiub":
        return f"gives {found.dtype}, and no numbers"
    if found.ndim != 2 or len(found) != count or not found.shape[1]:
        return f"gives the shape {found.shape}, and not ({count}, its width)"
    return "" if np.isfinite(found).all() else "gives NaN or infinity"


def _labels(texts: Sequence[str]) -> LabelSet:
    counts = 1.0 + np.arange(len(texts)) % 4
    return LabelSet(texts=tuple(texts), counts=counts)


def _distances(table: Any) -> Array:
    rows = np.asarray(table, dtype=np.float64)
    found: Array = np.linalg.norm(rows[:, None] - rows[None], axis=2)
    return found


KIT = Kit(
    exercise=_exercise,
    checks=(
        Check("methods", "it has encode, called as Zoo calls it", _methods),
        Check("shape", "U labels become U vectors, of numbers and of one length", _shape),
        Check("finite", "odd labels give finite numbers or NotApplicable", _finite),
        Check("one-text", "one label alone is encoded too, or NotApplicable", _alone),
        Check("order-free", "the order of the labels does not matter", _order_free),
        Check("untouched-input", "what it is given stays as it is", _untouched),
        Check("offline", "a checkpoint that cannot be had is an error of Zoo's", _offline),
    ),
)
