"""Which classes a model keeps apart, which it takes for each other, and where two models differ."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.errors import NotApplicable
from zoo_explanation.neighbours import nearest_class, sign_tests, two_sided
from zoo_explanation.ranked import measured
from zoo_explanation.shown import class_names, clean, share_of, short_names

if TYPE_CHECKING:
    import numpy.typing as npt

    from zoo.types.explaining import Evidence
    from zoo.types.reporting import Case

_PERCENT, _FEWEST = 95, 5
#: Differences of classes that are said aloud, for either model; bars that are drawn.
_SAID, _DRAWN = 3, 12
#: Expected share of chance finds among the differences that are said.
_Q = 0.05
_P = 0.05
_NOUNS = {"image": "images", "text": "texts", "audio": "recordings"}


@dataclass(frozen=True, eq=False)
class _Answers:
    """Where one model puts each sample when the others of its class are all it has seen.

    Attributes:
        given: (N,) class ids.
        evidence: of the count over all classes.
    """

    model: str
    name: str
    layer: str
    given: npt.NDArray[np.int64]
    labels: npt.NDArray[np.int64]
    found: dict[str, Any]
    evidence: Evidence | None

    @cached_property
    def right(self) -> npt.NDArray[np.bool_]:
        """Where it is right, (N,)."""
        right: npt.NDArray[np.bool_] = self.given == self.labels
        return right

    @property
    def informed(self) -> bool:
        """Whether it does better than naming the largest class every time."""
        return bool(self.found["low"] > self.found["largest"])


class Classes:
    """Gives each sample to the class whose other samples lie nearest, and counts."""

    def report(self, case: Case) -> None:
        """Say it for ``case.model``, and compare with ``case.against`` on the same samples."""
        models = [each for each in (case.model, case.against) if each]
        names = short_names(models)
        answers = [_answers(case, model, names[model]) for model in models]
        first = answers[0]
        if any(not np.array_equal(each.labels, first.labels) for each in answers):
            raise NotApplicable("the two models were not measured on the same samples")
        classes = class_names(case.target.labels, int(first.labels.max()) + 1)
        for each in answers:
            _overall(case, each)
        if not all(each.informed for each in answers):
            raise NotApplicable(
                "class by class nothing is said: a model is not clearly better than naming the "
                "largest class every time"
            )
        if len(answers) > 1:
            _differences(case, first, answers[1], classes)
        else:
            _weakest(case, first, classes)
        for each in answers:
            _confusions(case, each, classes)
        _rare(case, first, classes)


def _answers(case: Case, model: str, name: str) -> _Answers:
    features = case.read_features(model)
    if features.task != "classification" or features.labels.ndim != 1:
        words = {"multi-label": "several labels a sample", "regression": "numbers for labels"}
        kind = words.get(features.task, "texts for labels")
        raise NotApplicable(f"the data have {kind}, and class by class takes one class a sample")
    labels = np.asarray(features.labels, dtype=np.int64)
    counts = np.bincount(labels) if len(labels) else np.zeros(0, dtype=np.int64)
    if (counts > 1).sum() < 2:
        raise NotApplicable("fewer than two classes have two samples or more")
    given = nearest_class(features.values, labels, len(counts))
    share, low, high = share_of(given == labels)
    found = {
        "name": name,
        "layer": features.layer,
        "right": int((given == labels).sum()),
        "samples": len(labels),
        "share": share,
        "low": low,
        "high": high,
        "percent": _PERCENT,
        "largest": 100 * float(counts.max()) / len(labels),
        "noun": _noun(case),
    }
    evidence = measured(
        case, model, _source(model, features.layer), "samples nearest to their own class", found
    )
    return _Answers(model, name, features.layer, given, labels, found, evidence)


def _noun(case: Case) -> str:
    modality = case.ranking.probe.modality if case.ranking else ""
    return _NOUNS.get(modality, "samples")


def _source(model: str, layer: str) -> str:
    return f"features of {clean(model)} at {clean(layer) or 'its last layer'}"


def _overall(case: Case, answers: _Answers) -> None:
    keys = ("name", "noun", "right", "samples", "share", "percent", "low", "high")
    case.ledger.claim(
        "measured",
        "Each of your {noun} was given to the class whose other {noun} lie nearest on average in "
        "the features of {name}: {right} of {samples} came to their own class ({share:.1f} %, "
        "{percent} % interval {low:.1f} to {high:.1f}).",
        answers.evidence,
        models=(answers.model,),
        **{key: answers.found[key] for key in keys},
    )


def _differences(case: Case, first: _Answers, second: _Answers, classes: list[str]) -> None:
    """Say of which classes the difference is no chance, draw the largest."""
    labels = first.labels
    p, q = sign_tests(first.right, second.right, labels, len(classes))
    counts = np.bincount(labels, minlength=len(classes))
    right = [np.bincount(labels[each.right], minlength=len(classes)) for each in (first, second)]
    gaps = (right[0] - right[1]) / np.maximum(counts, 1)
    order = sorted(np.flatnonzero(counts), key=lambda c: (-abs(gaps[c]), classes[c]))
    rows = {
        int(c): _pair(case, (first, second), int(c), classes[c], p=float(p[c]), q=float(q[c]))
        for c in order
    }
    real = [c for c in rows if q[c] <= _Q]
    for sign in (1, -1):
        for c in [each for each in real if gaps[each] * sign > 0][:_SAID]:
            _gain(case, (first, second)[:: int(sign)], rows[c], sign)
    _summary(case, first, second, [float(each) for each in q[counts > 0]])
    drawn = [c for c in rows if gaps[c] != 0][:_DRAWN] or list(rows)[:_DRAWN]
    case.ledger.figure(
        "bars",
        f"Class by class: {first.name} and {second.name}",
        f"For each class the percentage of its samples that came to it, first with {first.name}, "
        f"then with {second.name}: "
        + "; ".join(
            f"{classes[c]} {rows[c][0]['share_0']:.0f} and {rows[c][0]['share_1']:.0f}"
            for c in drawn
        )
        + ".",
        *(rows[c][1] for c in drawn),
        names=[first.name, second.name],
        rows=[
            {"label": classes[c], "values": [rows[c][0]["share_0"], rows[c][0]["share_1"]]}
            for c in drawn
        ],
    )


def _pair(
    case: Case, answers: tuple[_Answers, _Answers], c: int, label: str, **tested: float
) -> tuple[dict[str, Any], Evidence | None]:
    """Record one class of both models."""
    here = answers[0].labels == c
    found: dict[str, Any] = {"class": label, "samples": int(here.sum()), "percent": _PERCENT}
    for place, each in enumerate(answers):
        share, low, high = share_of(each.right[here])
        found |= {
            f"name_{place}": each.name,
            f"right_{place}": int(each.right[here].sum()),
            f"share_{place}": share,
            f"low_{place}": low,
            f"high_{place}": high,
        }
    one, other = (each.right[here] for each in answers)
    found |= {"only_0": int((one & ~other).sum()), "only_1": int((other & ~one).sum())}
    found |= tested
    models = f"{answers[0].model} and {answers[1].model}"
    return found, measured(
        case, models, _source(models, answers[0].layer), "the class with both models", found
    )


def _gain(
    case: Case,
    answers: tuple[_Answers, ...],
    row: tuple[dict[str, Any], Evidence | None],
    sign: int,
) -> None:
    found, evidence = row
    best, other = (0, 1) if sign > 0 else (1, 0)
    case.ledger.claim(
        "measured",
        "'{label}' is kept apart more often by {a}: {right_a} of {samples} ({low_a:.0f} to "
        "{high_a:.0f} %) vs {right_b} by {b} ({low_b:.0f} to {high_b:.0f} %); {only_a} only by "
        "{a}, {only_b} only by {b} (q {q:.3f}).",
        evidence,
        models=tuple(each.model for each in answers),
        label=found["class"],
        samples=found["samples"],
        q=found["q"],
        a=found[f"name_{best}"],
        b=found[f"name_{other}"],
        **{f"{key}_a": found[f"{key}_{best}"] for key in ("right", "low", "high", "only")},
        **{f"{key}_b": found[f"{key}_{other}"] for key in ("right", "low", "high", "only")},
    )


def _summary(case: Case, first: _Answers, second: _Answers, q: list[float]) -> None:
    """Say how many classes were tested, and of how many the difference is more than chance."""
    only_a = int((first.right & ~second.right).sum())
    only_b = int((second.right & ~first.right).sum())
    found: dict[str, Any] = {
        "a": first.name,
        "b": second.name,
        "tested": len(q),
        "real": sum(each <= _Q for each in q),
        "level": _Q,
        "smallest": min(q),
        "noun": first.found["noun"],
        "only_a": only_a,
        "only_b": only_b,
        "p": two_sided(only_a, only_b),
        "test": "exact sign test, false-discovery rate over the classes controlled",
    }
    evidence = case.ledger.derive(
        "measurement",
        f"{first.model} and {second.model}",
        "classes in which they differ",
        (first.evidence, second.evidence),
        **found,
    )
    unlikely = found["p"] <= _P
    case.ledger.claim(
        "measured",
        "Over all classes, {only_a} of your {noun} came to their own class only with {a}, {only_b} "
        f"only with {{b}}: {'more' if unlikely else 'no more'} than chance would explain (exact "
        "sign test, p {p:.2g}).",
        evidence,
        models=(first.model, second.model),
        **{key: found[key] for key in ("a", "b", "noun", "only_a", "only_b", "p")},
    )
    text = (
        "In {real} of your {tested} classes {a} and {b} differ by more than chance"
        if found["real"]
        else "In no single one of your {tested} classes do {a} and {b} differ by more than chance"
    )
    slots = {key: found[key] for key in ("a", "b", "tested", "smallest", "test")}
    if found["real"]:
        slots["real"] = found["real"]
    case.ledger.claim(
        "measured",
        f"{text} ({{test}}; smallest q {{smallest:.3f}}).",
        evidence,
        models=(first.model, second.model),
        **slots,
    )


def _weakest(case: Case, answers: _Answers, classes: list[str]) -> None:
    """Without a second model: the classes that are kept apart least."""
    counts = np.bincount(answers.labels, minlength=len(classes))
    right = np.bincount(answers.labels[answers.right], minlength=len(classes))
    known = np.flatnonzero(counts >= _FEWEST)
    order = sorted(known, key=lambda c: (right[c] / counts[c], classes[c]))
    for c in order[:_SAID]:
        if right[c] == counts[c]:
            break
        share, low, high = share_of(answers.right[answers.labels == c])
        found: dict[str, Any] = {"name": answers.name, "label": classes[c], "right": int(right[c])}
        found |= {"samples": int(counts[c]), "share": share, "low": low, "high": high}
        found |= {"percent": _PERCENT}
        evidence = measured(
            case, answers.model, _source(answers.model, answers.layer), "one class", found
        )
        case.ledger.claim(
            "measured",
            "Of '{label}', {right} of {samples} came to their own class with {name} ({share:.0f} "
            "%, {percent} % interval {low:.0f} to {high:.0f}).",
            evidence,
            models=(answers.model,),
            **found,
        )


def _confusions(case: Case, answers: _Answers, classes: list[str]) -> None:
    """Name the pairs of classes that a model takes for each other most often."""
    table = np.zeros((len(classes), len(classes)), dtype=np.int64)
    np.add.at(table, (answers.labels, answers.given), 1)
    counts = table.sum(axis=1)
    np.fill_diagonal(table, 0)
    flat = np.argsort(-table, axis=None, kind="stable")[:_SAID]
    for c, other in zip(*np.unravel_index(flat, table.shape), strict=True):
        if table[c, other] < 2:
            break
        found: dict[str, Any] = {"name": answers.name, "label": classes[c], "other": classes[other]}
        found |= {"wrong": int(table[c, other]), "samples": int(counts[c])}
        found |= {"noun": answers.found["noun"]}
        evidence = measured(
            case,
            answers.model,
            _source(answers.model, answers.layer),
            "one class for another",
            found,
        )
        case.ledger.claim(
            "measured",
            "With {name}, {wrong} of the {samples} {noun} of '{label}' lie nearer to '{other}'.",
            evidence,
            models=(answers.model,),
            **found,
        )


def _rare(case: Case, answers: _Answers, classes: list[str]) -> None:
    """Say of which classes there are too few samples to know."""
    counts = np.bincount(answers.labels, minlength=len(classes))
    few = [classes[c] for c in np.flatnonzero((counts > 0) & (counts < _FEWEST))]
    if not few:
        return
    found = {"few": few, "count": len(few), "fewest": _FEWEST, "noun": answers.found["noun"]}
    evidence = measured(
        case, answers.model, _source(answers.model, answers.layer), "rare classes", found
    )
    named = len(few) <= _DRAWN
    case.ledger.claim(
        "not known",
        f"How well {'{few}' if named else '{count} of your classes'} can be kept apart is not "
        "known: fewer than {fewest} {noun} each.",
        evidence,
        **{key: found[key] for key in ("fewest", "noun")},
        **({"few": tuple(few)} if named else {"count": len(few)}),
    )
