"""Where the models at hand stand by a property that passed, with the ranking or against it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zoo_explanation.facts import source_of as graph_source
from zoo_explanation.ranked import cells_of, counts
from zoo_explanation.shown import number_format, short_names

if TYPE_CHECKING:
    from zoo.types.explaining import Evidence
    from zoo.types.reporting import Case
    from zoo_explanation.contexts.history import History
    from zoo_explanation.contexts.significance import Association
    from zoo_explanation.contexts.spaces import Spaces

_BOTH = "{first} has {property} {one:FORM}, and {second} {other:FORM}: "
_SAME = "by what usually went with higher {metric}, that is the order of the ranking."
_OTHER = "by what usually went with higher {metric}, that is the other order than the ranking."


def own_case(case: Case, history: History, each: Association, spaces: Spaces | None) -> None:
    """Compare the two models by the property; agreements and disagreements alike."""
    if not case.against or case.ranking is None or each.flag:
        return
    order = [row.model for row in case.ranking.ranking]
    models = sorted(
        (model for model in (case.model, case.against) if model in order), key=order.index
    )
    if len(models) < 2:
        return
    values = [_value(case, model, each.name, spaces) for model in models]
    if any(value is None or evidence is None for value, evidence in values):
        return
    (one, first), (other, second) = values
    assert one is not None
    assert other is not None
    if one == other:
        return
    names = short_names(models)
    slots: dict[str, Any] = {"first": names[models[0]], "second": names[models[1]]}
    slots |= {"property": each.name, "metric": history.outcome, "one": one, "other": other}
    both = case.ledger.derive(
        "measurement", each.name, "of the two models", [first, second], **slots
    )
    agrees = (one - other > 0) == (each.effect > 0)
    text = (_BOTH + (_SAME if agrees else _OTHER)).replace("FORM", number_format(one, other))
    case.ledger.claim("measured", text, both, models=tuple(models), **slots)


def _value(
    case: Case, model: str, name: str, spaces: Spaces | None
) -> tuple[float | None, Evidence | None]:
    """Find the property of one model, with evidence of it."""
    assert case.ranking is not None
    row = next(each for each in case.ranking.ranking if each.model == model)
    cell = cells_of(row).get(name)
    if cell is not None and counts(cell) and cell.value is not None:
        source, sha256 = case.origin
        evidence = case.ledger.observe(
            "measurement",
            model,
            "score",
            source=source or "ranking",
            sha256=sha256,
            estimator=name,
            value=cell.value,
        )
        return cell.value, evidence
    space = case.spaces.get(model)
    if spaces is None or space is None or not space.labels or not case.target.labels:
        return None, None
    value = spaces.factors(space.labels, case.target.labels).get(name)
    if value is None:
        return None, None
    sure = spaces.confirmed(space.labels) and spaces.confirmed(case.target.labels)
    evidence = case.ledger.observe(
        "alignment",
        model,
        name,
        source=space.source or graph_source(spaces.graph),
        sha256=space.sha256,
        confirmed=sure,
        value=value,
    )
    return value, evidence
