"""The words that data sets use for columns and splits, and sentences made of them."""

from __future__ import annotations

import difflib
import re
import shlex
from typing import TYPE_CHECKING

from zoo.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


#: The foremost word wins.
TEXT_WORDS = _words(
    "text sentence body review content comment question query utterance message tweet post "
    "article document passage premise hypothesis prompt title headline description abstract "
    "summary caption"
)
LABEL_EXACT = frozenset({"label", "labels"})
LABEL_WORDS = LABEL_EXACT | frozenset(
    _words(
        "class classes category categories target targets stars star score scores sentiment rating "
        "ratings polarity intent emotion emotions topic topics tag tags genre genres grade quality "
        "similarity y gold type"
    )
)
IMAGE_WORDS = _words(
    "image img picture photo pixel_values file_name filename file image_path img_path path"
)
#: Columns that say which rows have the same image, where its bytes alone would.
IMAGE_IDS = frozenset(_words("image_id img_id image_name image_path file_name filename"))
IDENTIFIERS = frozenset({"", *_words("id idx index uid uuid guid key url source unnamed_0 row")})
SPLIT_COLUMNS = frozenset(_words("split subset set fold partition"))
PAIRS = (
    ("premise", "hypothesis"),
    ("question", "sentence"),
    ("question", "passage"),
    ("query", "passage"),
    ("query", "document"),
    ("claim", "evidence"),
    ("sentence", "paraphrase"),
)
PAIR_BASES = frozenset({*TEXT_WORDS, "sent", "s", "q", "phrase", "utt"})
IMAGE_SUFFIXES = frozenset(
    _words(".png .jpg .jpeg .jpe .jfif .bmp .gif .webp .tif .tiff .ppm .pgm .pbm .pnm .avif")
)

_SUFFIXES = frozenset({"name", "names", "id", "idx", "code", "value"})
_SPLITS = {
    "train": frozenset({"train", "training"}),
    "validation": frozenset({"validation", "valid", "val", "dev", "eval", "evaluation"}),
    "test": frozenset({"test", "testing"}),
    "unsupervised": frozenset({"unsupervised"}),
}


def normal(name: str) -> str:
    """Lower case, words joined by one underscore: ``Review Text`` -> ``review_text``."""
    camel = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name)
    return re.sub(r"[^a-z0-9]+", "_", camel.lower()).strip("_")


def head_word(name: str) -> str:
    """The word a compound is about: ``question_type`` and ``type_id`` -> ``type``."""
    words = normal(name).split("_")
    while len(words) > 1 and words[-1] in _SUFFIXES:
        words.pop()
    return words[-1]


def split_of(name: str) -> str | None:
    """The split that a folder, a file or a value names: ``val`` -> ``validation``."""
    word = name.strip().lower()
    return next((split for split, names in _SPLITS.items() if word in names), None)


def find_split(wanted: str, splits: Sequence[str]) -> str | None:
    """Find a split by its own name, or by another name of the same thing."""
    if wanted in splits:
        return wanted
    same = [each for each in splits if split_of(each) and split_of(each) == split_of(wanted)]
    return same[0] if len(same) == 1 else None


def choose_split(wanted: str | None, splits: Sequence[str], source: str) -> str | None:
    """Choose one split; ``train`` unless another is asked for, and never two.

    Raises:
        InputError: there is no such split, or none that could be meant.
    """
    if not splits:
        if wanted:
            raise InputError(f"{source!r} has no splits, so there is no split {wanted!r}.")
        return None
    found = find_split(wanted or "train", splits)
    if found:
        return found
    if wanted:
        raise InputError(
            f"{source!r} has no split {wanted!r}.{did_you_mean(wanted, splits)} "
            f"It has {listed(splits)}.",
            flag("--split", splits[0]),
        )
    if len(splits) == 1:
        return splits[0]
    raise InputError(
        f"{source!r} has no split 'train', but {listed(splits)}.", flag("--split", splits[0])
    )


def split_note(split: str | None, splits: Sequence[str]) -> tuple[str, ...]:
    """Say which split is read, and which are left alone."""
    others = [each for each in splits if each != split]
    if not split or not others:
        return ()
    return (f"Read split {split!r}; {listed(others)} {are(len(others))} left alone.",)


def listed(items: Sequence[str], *, quote: bool = True, most: int = 12) -> str:
    """``'a', 'b' and 'c'``; long lists end with how many more there are."""
    shown = [repr(each) if quote else each for each in items[:most]]
    if len(items) > most:
        shown.append(f"{len(items) - most} more")
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"


def nearest(name: str, known: Sequence[str]) -> str | None:
    """Find the known name that was probably meant."""
    lower = {each.lower(): each for each in known}
    close = difflib.get_close_matches(name.lower(), list(lower), n=1)
    return lower[close[0]] if close else None


def did_you_mean(name: str, known: Sequence[str]) -> str:
    """Ask for the nearest known name, if one is near."""
    close = nearest(name, known)
    return f" Did you mean {close!r}?" if close else ""


def unknown_column(name: str, option: str, known: Sequence[str], source: str) -> InputError:
    """Say that a column a person named is not there."""
    guess = did_you_mean(name, known)
    message = f"{source!r} has no column {name!r}.{guess} Its columns are {listed(known)}."
    return InputError(message, f"{option} NAME")


def refuse_doubled(names: Sequence[str], source: str) -> None:
    """Refuse two columns of one name."""
    doubled = {name for name in names if names.count(name) > 1}
    if doubled:
        raise InputError(f"{source!r} has two columns called {min(doubled)!r}.")


def are(number: int) -> str:
    """``is`` or ``are``."""
    return "is" if number == 1 else "are"


def flag(name: str, value: str) -> str:
    """``--label 'two words'``, as it is typed."""
    return f"{name} {shlex.quote(value)}"


def count(number: int, noun: str, plural: str = "") -> str:
    """``1 row``, ``2 rows``."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"
