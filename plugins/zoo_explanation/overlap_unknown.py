"""What the look-up of classes leaves open: labels not found, guesses, labels without meaning."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zoo.completing.predictions import stored_predictions
from zoo.graph.terms import BROADER
from zoo_explanation.alignment import ambiguous
from zoo_explanation.facts import fact_graphs
from zoo_explanation.overlap_evidence import MOSTLY_GUESSED, Known, shown, single
from zoo_explanation.overlap_names import say_meaningless

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zoo.types.explaining import Evidence
    from zoo.types.reporting import Case
    from zoo_explanation.alignment import Alignment

_MOST = 8
_BE = {True: "be a kind of", False: "be linked to"}
_LISTED = 15


def not_known(case: Case, target: Known, models: Sequence[Known]) -> None:
    """List everything that the overlap does not rest on, or rests on too lightly."""
    if target.meaningless:
        _numbers(case, target)
    else:
        _missing(case, target)
    _expected(case, target)
    related = [each for each in models if each.overlap is not None]
    if related:
        _guesses(case, target)
    for known in models:
        if known.meaningless:
            say_meaningless(case, known.space, known.name, known.model)
    for known in related:
        _theirs(case, known)
    for known in (target, *related) if related else ():
        _tentative(case, known)


def _numbers(case: Case, target: Known) -> None:
    labels = [shown(each.label) for each in target.found]
    nothing = case.ledger.observe(
        "absence",
        target.space.name or "your classes",
        "meaning of your labels",
        source=target.space.source or "labels",
        labels=labels,
    )
    case.ledger.claim(
        "not known",
        "Your labels are numbers ({labels}): what they stand for is not known, and no statement "
        "about class overlap is made. --sense names what a label means."
        if len(labels) <= _LISTED
        else "Your labels are numbers, such as {labels}: what they stand for is not known, and no "
        "statement about class overlap is made. --sense names what a label means.",
        nothing,
        labels=tuple(labels[:_LISTED]),
    )


def _missing(case: Case, target: Known) -> None:
    lost = [shown(each.label) for each in target.found if each.node is None]
    if not lost:
        return
    graphs = fact_graphs(case.graph)
    nothing = case.ledger.observe(
        "absence",
        target.space.name or "your classes",
        "classes not in the graph",
        source=f"graph {', '.join(graphs)}",
        labels=lost,
        count=len(lost),
        classes=len(target.found),
        graphs=graphs,
    )
    text = "{count} of your {classes} classes could not be found in {graph}: {labels}."
    if len(lost) == len(target.found):
        such = "such as " if len(lost) > _LISTED else ""
        text = (
            f"None of your {{classes}} classes could be found in {{graph}} ({such}{{labels}}); no "
            "statement about class overlap is made."
        )
    if len(lost) > _LISTED:
        text = text.replace(": {labels}", ", such as {labels}")
    slots: dict[str, Any] = {"count": len(lost), "classes": len(target.found)}
    slots |= {"graph": tuple(graphs), "labels": tuple(lost[:_LISTED])}
    used = {name: value for name, value in slots.items() if f"{{{name}}}" in text}
    case.ledger.claim("not known", text, nothing, **used)


def _expected(case: Case, target: Known) -> None:
    """Tell what a model expects of the classes that were not found."""
    lost = {each.label.casefold(): each for each in target.found if each.node is None}
    if not lost or case.graph is None:
        return
    for each in stored_predictions(case.graph):
        found = lost.pop(each.label.casefold(), None)
        if found is None or each.accepted:
            continue
        said: dict[str, Any] = {
            "label": shown(found.label),
            "other": each.object_label,
            "probability": each.probability,
            "method": each.method,
        }
        evidence = case.ledger.observe(
            "prediction",
            shown(found.label),
            "is expected to be linked with",
            source="graph predicted",
            check=f"SELECT ?what ?text WHERE {{ <{each.iri}> ?what ?text }}",
            confirmed=False,
            relation=each.relation,
            **said,
        )
        case.ledger.claim(
            "not known",
            "'{label}' is expected by {method}, with a score of {probability:.2f}, to "
            f"{_BE[each.relation in BROADER]} '{{other}}'; "
            "nobody has confirmed it, and nothing else here rests on it.",
            evidence,
            **said,
        )


def _guesses(case: Case, target: Known) -> None:
    """Show every guess with its gloss, the undecided first."""
    guessed = [
        place
        for place, each in enumerate(target.found)
        if each.node is not None and not each.confirmed
    ]
    open_ = {id(each) for each in ambiguous(target.found)}
    order = sorted(guessed, key=lambda place: (id(target.found[place]) not in open_, place))
    for place in order[:_MOST]:
        _guess(case, target, target.found[place], single(case, target, place))
    _more(case, target, order[_MOST:])


def _guess(case: Case, target: Known, found: Alignment, evidence: Evidence | None) -> None:
    if evidence is None or found.node is None:
        return
    lexicon = target.lexicon
    text = "'{label}' was taken for "
    text += "a kind of '{sense}'" if found.broader else "'{sense}'"
    slots: dict[str, Any] = {"label": shown(found.label), "sense": lexicon.name(found.node)}
    slots |= {"gloss": evidence.object["gloss"], "how": evidence.object["how"]}
    text += " ({gloss})" if slots["gloss"] else ""
    text += ", by {how}"
    if found.similarity is not None:
        text += ", the gloss being {similarity:.2f} similar by {encoder}"
        slots |= {"similarity": found.similarity, "encoder": case.encoder}
    if not found.decided:
        other = evidence.object["alternatives"][0]
        text += "; it could as well be '{other}'"
        text += " ({meaning})" if other["gloss"] else ""
        slots |= {"other": other["sense"], "meaning": other["gloss"]}
    used = {name: value for name, value in slots.items() if f"{{{name}" in text}
    case.ledger.claim(
        "not known",
        f"{text}. Nobody has confirmed this; --sense chooses another.",
        evidence,
        **used,
    )


def _more(case: Case, target: Known, places: Sequence[int]) -> None:
    if not places:
        return
    evidence = [single(case, target, place) for place in places[:_LISTED]]
    labels = [shown(target.found[place].label) for place in places[:_LISTED]]
    counted = case.ledger.derive(
        "alignment",
        target.space.name or "your classes",
        "further guesses",
        evidence,
        count=len(places),
        labels=labels,
    )
    case.ledger.claim(
        "not known",
        "What {count} more of your classes mean was guessed from their words alone: {labels}."
        if len(places) <= _LISTED
        else "What {count} more of your classes mean was guessed from their words alone, such as "
        "{labels}.",
        counted,
        count=len(places),
        labels=tuple(labels),
    )


def _theirs(case: Case, known: Known) -> None:
    """Count the training classes that were guessed or not found."""
    whole = known.whole
    if whole is None:
        return
    guessed, missing = whole.object["guessed"], whole.object["missing"]
    pieces = []
    if guessed:
        pieces.append("the meaning of {guessed} was guessed from the words alone")
    if missing:
        pieces.append("{missing} could not be found in the graph")
    slots = {"guessed": guessed, "missing": missing, "classes": whole.object["classes"]}
    text = f"Of the {{classes}} training classes of {{name}}, {' and '.join(pieces)}."
    used = {name: value for name, value in slots.items() if f"{{{name}}}" in text}
    if pieces:
        case.ledger.claim("not known", text, whole, models=(known.model,), name=known.name, **used)


def _tentative(case: Case, known: Known) -> None:
    """Say that most of what a section rests on are guesses."""
    if known.guessed <= MOSTLY_GUESSED or known.meaningless:
        return
    share = case.ledger.derive(
        "alignment",
        known.model or "your classes",
        "share of guesses",
        [known.whole],
        percent=100 * known.guessed,
        name=known.name,
    )
    case.ledger.claim(
        "not known",
        "{percent:.0f} % of the matches of {name} are guesses that nobody has confirmed: "
        "everything said here of the overlap is tentative.",
        share,
        percent=100 * known.guessed,
        name=known.name,
    )
