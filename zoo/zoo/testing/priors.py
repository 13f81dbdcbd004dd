"""What priors and combiners promise: estimators that see entries and scores, and no features."""

from __future__ import annotations

import copy
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from zoo.errors import NotApplicable
from zoo.testing.promises import BrokenPromiseError
from zoo.testing.scored import answer, broken_answer, broken_score, far
from zoo.types.model import ModelEntry
from zoo.types.protocols import Contestant
from zoo.types.score import Score, ScoreRecord

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt

    from zoo.types.specs import EstimatorSpec

    Array = npt.NDArray[np.float64]
    Case = tuple[str, Sequence[Contestant], Array]


def exercise(spec: EstimatorSpec, made: Any) -> Any:
    """Score every entry, or all contestants."""
    if spec.combines:
        return list(made.combine(*_ordinary()))
    said = [answer("score_entry", made.score_entry, entry) for entry in _entries()]
    return [str(each) if isinstance(each, NotApplicable) else each for each in said]


def broken_scores(spec: EstimatorSpec, made: Any) -> Iterator[str]:
    """Ask what everything is known of."""
    if spec.combines:
        yield from _combined("four candidates", made, *_ordinary(), always=True)
        return
    said = answer("of an entry with every field, score_entry", made.score_entry, _entries()[0])
    if isinstance(said, NotApplicable):
        yield f"it has nothing to say of an entry with every field: {said.message.rstrip('.')}"
    elif wrong := broken_score(said):
        yield f"of an entry with every field, score_entry {wrong}"


def broken_awkwardly(spec: EstimatorSpec, made: Any) -> Iterator[str]:
    """Ask what little is known of."""
    if spec.combines:
        for what, contestants, evidence in _awkward():
            yield from _combined(what, made, contestants, evidence)
        return
    for entry in _entries():
        said = f"of the entry {msgspec.json.encode(entry).decode()}, score_entry"
        wrong = broken_answer(said, made.score_entry, entry)
        if wrong:
            yield wrong


def broken_orders(made: Any) -> Iterator[str]:
    """Give a combiner the same contestants in another order."""
    contestants, evidence = _ordinary()
    order = np.array([2, 0, 3, 1])
    first = _values(made, contestants, evidence.copy())[order]
    second = _values(made, [contestants[each] for each in order], evidence[order])
    for place, (one, other) in enumerate(zip(first, second, strict=True)):
        if far(one, other):
            which = f"candidate {order[place]}"
            yield f"the order of candidates matters: {which} gets {one:.6g}, or {other:.6g}"
            return


def broken_inputs(spec: EstimatorSpec, made: Any) -> Iterator[str]:
    """Look at what was given, afterwards."""
    if spec.combines:
        contestants, evidence = _ordinary()
        before = copy.deepcopy((contestants, evidence.tolist()))
        made.combine(contestants, evidence)
        if before != (contestants, evidence.tolist()):
            yield "it changes its contestants or the evidence"
        return
    for entry in _entries():
        before_entry = msgspec.json.encode(entry)
        with suppress(BrokenPromiseError):  # what it raises is another promise
            answer("score_entry", made.score_entry, entry)
        if before_entry != msgspec.json.encode(entry):
            yield f"it changes the entry of {entry.ref}"


def broken_directions(made: Any) -> Iterator[str]:
    """Give a combiner more evidence of one candidate."""
    contestants, evidence = _ordinary()
    before = _values(made, contestants, evidence.copy())
    for place in range(len(contestants)):
        more = evidence.copy()
        more[place] += 0.15
        after = _values(made, contestants, more)
        ahead, was = after - np.mean(after), before - np.mean(before)
        if far(ahead[place], was[place]) and ahead[place] < was[place]:
            yield f"more evidence for candidate {place} puts it further back"
            return


def _combined(
    what: str,
    made: Any,
    contestants: Sequence[Contestant],
    evidence: Array,
    *,
    always: bool = False,
) -> Iterator[str]:
    said = answer(f"with {what}, combine", made.combine, contestants, evidence)
    if isinstance(said, NotApplicable):
        if always:
            yield f"with {what}, combine has nothing to say: {said.message.rstrip('.')}"
        return
    if len(said) != len(contestants):
        yield f"with {what}, combine gives {len(said)} scores for {len(contestants)} candidates"
    for each in said:
        if wrong := broken_score(each):
            yield f"with {what}, combine {wrong}"
            return


def _values(made: Any, contestants: Sequence[Contestant], evidence: Array) -> Array:
    return np.array([each.value for each in made.combine(contestants, evidence)], dtype=float)


def _entries() -> tuple[ModelEntry, ...]:
    """From everything known to nothing known, with numbers as large and small as they come."""
    whole = ModelEntry(
        ref="hub:made/up-base",
        task="image-classification",
        modality="image",
        library="transformers",
        architecture="ViTForImageClassification",
        parameters=86_000_000,
        bytes=344_000_000,
        license="apache-2.0",
        labels=1000,
        files={"model.safetensors": "0" * 64},
        tags={"pretraining": "imagenet-21k", "datasets": "imagenet-1k"},
    )
    change = msgspec.structs.replace
    return (
        whole,
        change(whole, ref="hub:made/up-text", modality="text", tags={"pretraining": "wikipedia"}),
        change(whole, ref="hub:made/up-large", parameters=10**13, bytes=4 * 10**13),
        change(whole, ref="hub:made/up-tiny", parameters=1, bytes=1, labels=1),
        change(whole, ref="hub:made/up-empty", parameters=0, bytes=0, labels=0, tags={}),
        change(whole, ref="hub:made/up-odd", tags={"pretraining": "", "x": "\n, ,?"}, license=""),
        ModelEntry(ref="./folder"),
    )


def _ordinary() -> tuple[list[Contestant], Array]:
    return [_contestant(place) for place in range(4)], np.array([0.8, 0.2, 0.55, 0.45])


def _contestant(place: int, *, prior: bool = True, entry: bool = True, **word: Any) -> Contestant:
    ref = f"hub:made/up-{place}"
    said = ModelEntry(ref=ref, modality="image", parameters=10 ** (6 + place))
    records = {
        name: ScoreRecord(
            **{
                "model": ref,
                "layer": "last",
                "estimator": name,
                "value": float(place + number),
                "folds": (place + number - 0.5, place + number + 0.5),
                **word,
            }
        )
        for number, name in enumerate(("first", "second"))
    }
    return Contestant(
        entry=said if entry else None,
        prior=Score(float(6 + place), note="its size") if prior else None,
        records=records if word.get("value", 0) is not None else {},
    )


def _awkward() -> Iterator[Case]:
    half = np.full(3, 0.5)
    everybody = range(3)
    yield "two candidates", [_contestant(0), _contestant(1)], np.array([1.0, 0.0])
    yield "evidence as clear as can be", [_contestant(i) for i in everybody], np.array([1, 0, 0.5])
    yield "candidates that are all alike", [_contestant(1) for _ in everybody], half
    yield "no entry known", [_contestant(i, entry=False) for i in everybody], half
    yield "no prior known", [_contestant(i, prior=False) for i in everybody], half
    yield "one prior known", [_contestant(i, prior=i == 1) for i in everybody], half
    yield "no scores", [_contestant(i, value=None) for i in everybody], half
    yield "saturated scores", [_contestant(i, saturated=True) for i in everybody], half
    reason = {"value": None, "not_applicable": "needs labels."}
    yield "scores that do not apply", [_silent(_contestant(i), **reason) for i in everybody], half


def _silent(contestant: Contestant, **word: Any) -> Contestant:
    records = {
        name: msgspec.structs.replace(record, **word, folds=())
        for name, record in contestant.records.items()
    }
    return Contestant(entry=contestant.entry, prior=contestant.prior, records=records)
