"""What a spec says about a method of training, in words: what it sees, needs and weighs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_WAYS = {
    "training": "a student is trained, on data without labels",
    "merging": "weights are combined; nothing is trained and no data is read",
    "ensemble": "the teachers are asked together; there is no student",
}
_TEACHERS = {
    "each": "any number; it is built once for each",
    "one": "one alone",
    "several": "two or more, seen together",
}
_KNOWLEDGE = {
    "logits": "logits of teacher and student on the same labels",
    "labels": "the labels of the data",
    "partial_view": "a second view of every sample",
    "student_again": "further passes of the student over a batch",
}
_AMALGAMATOR = ("way", "soft", "features", "smallest_batch", "advised_batch", "needs_base")
_DISTILLER: tuple[str, ...] = (
    "teachers",
    "needs",
    "wants",
    "imitates_maps",
    "soft",
    "teaches_logits",
)
_DISTILLER += ("smallest_batch", "advised_batch")
#: Kind -> facts that its rows say in words.
WORDED: Mapping[str, tuple[str, ...]] = {
    "amalgamator": _AMALGAMATOR,
    "distiller": _DISTILLER,
    "objective": _DISTILLER,
    "regulariser": ("smallest_batch",),
    "pretext": ("share",),
}


def rows_in_words(described: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Say the facts of :data:`WORDED`; an empty text has nothing to say."""
    match described["kind"]:
        case "amalgamator":
            way = described["way"]
            yield "way", f"{way}: {_WAYS[way]}" if way in _WAYS else way
            yield "needs", _amalgamator_needs(described)
        case "distiller" | "objective":
            yield from _distiller(described)
        case "regulariser":
            yield "needs", _batch(described["smallest_batch"], 1)
        case "pretext":
            yield "share", f"{described['share']:.0%} of the training comes before all else"


def _distiller(described: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield "teachers", _TEACHERS[described["teachers"]]
    batch = _batch(described["smallest_batch"], described["advised_batch"])
    yield "needs", "; ".join(filter(None, [*map(_knowledge, described["needs"]), batch]))
    yield "wants", "; ".join(map(_knowledge, described["wants"]))
    if described["imitates_maps"]:
        yield "compares", "maps place by place, which may harm across architectures"
    if described["soft"]:
        yield "soft targets", "are its loss"
    elif not described["teaches_logits"]:
        yield "soft targets", "are added: its own loss does not reach the student's head"


def _amalgamator_needs(described: Mapping[str, Any]) -> str:
    """Say what an amalgamator cannot do without."""
    if described["way"] == "merging":
        base = ["the checkpoint that they were made from (--base)"] * bool(
            described.get("needs_base")
        )
        return "; ".join(["checkpoints of one architecture", *base])
    parts = ["teachers with trained heads"] * (described["soft"] or described["way"] == "ensemble")
    parts += ["the features of every network"] * described["features"]
    parts += [_batch(described["smallest_batch"], described["advised_batch"])]
    return "; ".join(filter(None, parts))


def _batch(smallest: int, advised: int) -> str:
    parts = [f"{smallest} samples a batch"] * (max(smallest, advised) > 1)
    parts += [f"{advised} or more advised"] * (advised > smallest)
    return ", ".join(parts)


def _knowledge(name: str) -> str:
    return _KNOWLEDGE.get(name, name)
