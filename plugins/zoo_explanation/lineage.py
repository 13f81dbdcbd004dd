"""Where a model comes from, what its card allows, and what it costs to run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zoo.errors import NotApplicable
from zoo.render.quantities import duration_text, parameters_text, size_text
from zoo_explanation.ranked import observe
from zoo_explanation.shown import clean, short_names

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from zoo.types.explaining import Evidence
    from zoo.types.model import ModelEntry
    from zoo.types.reporting import Case

#: Lists on a card longer than this are cut, which the sentence says.
_MOST = 5
#: Fact -> key of a card's front matter, tag of a registry entry, words.
_FACTS = {
    "base": ("base_model", "base_model", "which model it was made from"),
    "trained": ("datasets", "pretraining", "which data it was trained on"),
    "license": ("license", "", "its licence"),
}
_SENTENCES = {
    "base": "{name} was made from {listed}, says {place}.",
    "trained": "{name} was trained on {listed}, says {place}.",
    "license": "The licence of {name} is {listed}, says {place}.",
}

_RATIOS = {
    "bytes": "is {ratio:.1f} times smaller on disk",
    "parameters": "has {ratio:.1f} times fewer parameters",
}


class Lineage:
    """Repeats what card and files say of the models, and says what they leave out."""

    def report(self, case: Case) -> None:
        """Tell it of ``case.model`` and of what it is compared with."""
        models = [each for each in (case.model, case.against) if each]
        names = short_names(models)
        known = [each for each in models if each in case.entries or each in case.cards]
        if not known:
            raise NotApplicable("nothing is registered of these models, and they have no card")
        sizes = []
        for model in known:
            _facts(case, model, names[model])
            sizes.append(_size(case, model, names[model]))
        if len(sizes) == 2:
            _ratio(case, known, sizes)
        _seconds(case, models, names)


def _facts(case: Case, model: str, name: str) -> None:
    """Say what is known of a model's origin; in one sentence, what is not."""
    card, entry = case.cards.get(model, {}), case.entries.get(model)
    missing = []
    for fact, (key, tag, words) in _FACTS.items():
        values, place = _stated(card, entry, key, tag)
        if not values:
            missing.append(words)
            continue
        shown = values[:_MOST]
        if len(values) > _MOST:
            shown = [*shown, "others"]
        evidence = case.ledger.observe(
            "record",
            model,
            key,
            source=f"{clean(model)}, {place}",
            check=f"zoo models show {clean(model)}",
            name=name,
            listed=values,
            more="others",
            place=place,
        )
        case.ledger.claim(
            "known",
            _SENTENCES[fact],
            evidence,
            models=(model,),
            name=name,
            listed=tuple(shown),
            place=place,
        )
    if missing:
        _missing(case, model, name, missing)


def _stated(
    card: Mapping[str, Any], entry: ModelEntry | None, key: str, tag: str
) -> tuple[list[str], str]:
    """Find a fact on the card, else in the registry."""
    if values := _texts(card.get(key)):
        if values == ["other"] and key == "license":
            values = _texts(card.get("license_name")) or values
        return values, "its card"
    if entry is None:
        return [], ""
    stated = entry.license if key == "license" else entry.tags.get(tag)
    return _texts(stated.split(", ") if stated else None), "its registry entry"


def _texts(value: Any) -> list[str]:
    """Give the texts of a card's value, which may be anything: strangers wrote it."""
    values: Iterable[Any] = value if isinstance(value, (list, tuple)) else (value,)
    plain = [clean(each) for each in values if isinstance(each, (str, int, float))]
    return [each for each in dict.fromkeys(plain) if each]


def _missing(case: Case, model: str, name: str, words: Sequence[str]) -> None:
    nothing = case.ledger.observe(
        "absence",
        model,
        "not stated",
        source=f"{clean(model)}, its card and its registry entry",
        check=f"zoo models show {clean(model)}",
        name=name,
        missing=list(words),
    )
    where = "its card does not say" if case.cards.get(model) else "it has no card that says so"
    case.ledger.claim(
        "not known",
        f"Not stated for {{name}}: {{missing}} ({where}).",
        nothing,
        models=(model,),
        name=name,
        missing=tuple(words),
    )


def _size(case: Case, model: str, name: str) -> tuple[dict[str, Any], Evidence | None]:
    """Say how large a model is, as far as its files were counted."""
    entry = case.entries.get(model)
    parameters, size = (entry.parameters, entry.bytes) if entry else (None, None)
    found: dict[str, Any] = {"name": name}
    if parameters:
        found |= {"parameters": parameters, "weights": parameters_text(parameters)}
    if size:
        found |= {"bytes": size, "size": size_text(size)}
    if len(found) == 1:
        return found, None
    evidence = case.ledger.observe(
        "record",
        model,
        "size",
        source=f"{clean(model)}, its files",
        check=f"zoo models show {clean(model)}",
        **found,
    )
    parts = ["has {weights} parameters"] if parameters else []
    parts += ["takes {size} on disk"] if size else []
    keys = ("name", *(("weights",) if parameters else ()), *(("size",) if size else ()))
    case.ledger.claim(
        "known",
        f"{{name}} {' and '.join(parts)}.",
        evidence,
        models=(model,),
        **{key: found[key] for key in keys},
    )
    return found, evidence


def _ratio(
    case: Case, models: Sequence[str], sizes: Sequence[tuple[dict[str, Any], Evidence | None]]
) -> None:
    """Say how many times smaller one is, where that is worth a word."""
    for key, words in _RATIOS.items():
        if not all(key in found for found, _ in sizes):
            continue
        least, most = sorted(sizes, key=lambda each: each[0][key])
        ratio = most[0][key] / least[0][key]
        if ratio < 1.5:
            return
        found: dict[str, Any] = {"a": least[0]["name"], "b": most[0]["name"], "ratio": ratio}
        evidence = case.ledger.derive(
            "record", " and ".join(models), f"ratio of {key}", (least[1], most[1]), **found
        )
        case.ledger.claim("known", f"{{a}} {words} than {{b}}.", evidence, models=models, **found)
        return


def _seconds(case: Case, models: Sequence[str], names: Mapping[str, str]) -> None:
    """Say how long the run took for each, on what."""
    rows = {row.model: row for row in case.ranking.ranking} if case.ranking else {}
    for model in models:
        row = rows.get(model)
        if row is None or not row.seconds:
            continue
        assert case.ranking is not None
        device = clean(row.device or case.ranking.provenance.device)
        found: dict[str, Any] = {
            "name": names[model],
            "seconds": row.seconds,
            "duration": duration_text(row.seconds),
            "device": device or "the device of that run",
            "samples": case.ranking.probe.samples,
        }
        evidence = observe(case, model, "seconds of the run", **found)
        case.ledger.claim(
            "measured",
            "Reading {samples} samples with {name} and scoring it took {duration} on {device} in "
            "that run.",
            evidence,
            models=(model,),
            **{key: found[key] for key in ("samples", "name", "duration", "device")},
        )
