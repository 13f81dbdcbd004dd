"""Where to cut a model: what its layers are worth, compared with each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zoo.errors import NotApplicable
from zoo_explanation.ranked import observe
from zoo_explanation.shown import clean, short_names

if TYPE_CHECKING:
    from zoo.types.explaining import Evidence
    from zoo.types.ranking import LayerScore, RankingRow
    from zoo.types.reporting import Case

_COMMAND = "--layers all"


class LayerCurve:
    """Says which layer was chosen, and what the last one would have been worth."""

    def report(self, case: Case) -> None:
        """Read the layers of the models from the ranking."""
        rows = {row.model: row for row in case.ranking.ranking} if case.ranking else {}
        models = [each for each in (case.model, case.against) if each in rows]
        if not models:
            raise NotApplicable("there is no ranking to read layers from")
        names = short_names(models)
        curves = []
        for model in models:
            row = rows[model]
            if len(row.layers) < 2:
                _one_layer(case, row, names[model])
            elif row.layer not in {each.layer for each in row.layers}:
                continue  # of another version of the document: nothing can be compared
            elif not row.signal:
                _no_signal(case, row, names[model])
            else:
                curves.append(_curve(case, row, names[model]))
        _draw(case, curves)


def _one_layer(case: Case, row: RankingRow, name: str) -> None:
    layer = clean(row.layer)
    found = {"name": name, "layer": layer, "command": _COMMAND}
    evidence = observe(case, row.model, "layers that were scored", **found)
    case.ledger.claim(
        "not known",
        "Of {name} one layer was scored, '{layer}': whether another does better is not known "
        "(zoo recommend {command} scores all).",
        evidence,
        models=(row.model,),
        **found,
    )


def _no_signal(case: Case, row: RankingRow, name: str) -> None:
    evidence = observe(case, row.model, "signal of the layers", name=name, layers=len(row.layers))
    case.ledger.claim(
        "not known",
        "Where to cut {name} is not known: its features say no more about your labels than about "
        "shuffled ones.",
        evidence,
        models=(row.model,),
        name=name,
    )


def _curve(
    case: Case, row: RankingRow, name: str
) -> tuple[str, RankingRow, dict[str, Any], Evidence | None]:
    """Say where the chosen layer stands among the others."""
    worth = {each.layer: each.score * 100 for each in row.layers}
    last = row.layers[-1].layer
    best = max(row.layers, key=lambda each: each.score).layer
    found: dict[str, Any] = {
        "name": name,
        "layer": clean(row.layer),
        "last": clean(last),
        "best": clean(best),
        "layers": len(row.layers),
        "worth": worth[row.layer],
        "of_last": worth[last],
        "of_best": worth[best],
        "curve": [{"layer": clean(each.layer), "worth": worth[each.layer]} for each in row.layers],
    }
    evidence = observe(case, row.model, "share of its other layers that each beats", **found)
    text, keys = _sentence(row, last, best)
    case.ledger.claim(
        "measured", text, evidence, models=(row.model,), **{key: found[key] for key in keys}
    )
    if row.layer == best != last:
        gap = found["of_best"] - found["of_last"]
        more = case.ledger.derive(
            "measurement",
            row.model,
            "chosen layer less the last",
            (evidence,),
            name=name,
            layer=found["layer"],
            last=found["last"],
            gap=gap,
        )
        case.ledger.claim(
            "measured",
            "The difference between '{layer}' and '{last}', the last layer of {name}, is {gap:.0f} "
            "points of a hundred.",
            more,
            models=(row.model,),
            layer=found["layer"],
            last=found["last"],
            name=name,
            gap=gap,
        )
    return name, row, found, evidence


def _sentence(row: RankingRow, last: str, best: str) -> tuple[str, tuple[str, ...]]:
    if row.layer == best == last:
        text = (
            "Of the {layers} layers of {name} the last, '{layer}', scores best: it beats "
            "{worth:.0f} % of the others. A new head goes there."
        )
        return text, ("layers", "name", "layer", "worth")
    if row.layer == best:
        text = (
            "Of the {layers} layers of {name}, '{layer}' scores best: it beats {worth:.0f} % of "
            "the others, the last one, '{last}', {of_last:.0f} %. A new head goes to '{layer}'."
        )
        return text, ("layers", "name", "layer", "worth", "last", "of_last")
    text = (
        "Of the {layers} layers of {name}, '{best}' scores best (it beats {of_best:.0f} % of the "
        "others), though not clearly: the usual place, '{layer}' ({worth:.0f} %), was kept."
    )
    return text, ("layers", "name", "best", "of_best", "layer", "worth")


def _draw(
    case: Case, curves: list[tuple[str, RankingRow, dict[str, Any], Evidence | None]]
) -> None:
    """Draw models with the same layers together, others each on its own."""
    groups: dict[tuple[str, ...], list[Any]] = {}
    for curve in curves:
        groups.setdefault(tuple(each.layer for each in curve[1].layers), []).append(curve)
    for group in groups.values():
        first: tuple[LayerScore, ...] = group[0][1].layers
        names = [name for name, *_ in group]
        described = ". ".join(
            f"Of {name} the chosen layer is {found['layer']}; the shares, from the first layer to "
            "the last, are " + ", ".join(f"{each['worth']:.0f}" for each in found["curve"])
            for name, _, found, _ in group
        )
        case.ledger.figure(
            "curve",
            f"What each layer of {' and '.join(names)} is worth",
            f"The percentage of the model's other layers that each one beats. {described}.",
            *(evidence for *_, evidence in group),
            layers=[clean(each.layer) for each in first],
            series=[
                {
                    "name": name,
                    "values": [each["worth"] for each in found["curve"]],
                    "chosen": found["layer"],
                }
                for name, _, found, _ in group
            ],
        )
