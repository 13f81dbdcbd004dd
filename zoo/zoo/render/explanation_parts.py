"""What terminal, page and Markdown of an explanation share: topics, clean words, paths."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zoo.render.quantities import count_text
from zoo.render.words import short

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from zoo.types.explaining import Claim, Evidence, Figure, GraphUse, Report

_ELSEWHERE = "What was found"
_MOST = 6

#: How to read the levels, in the order of how much they rest on.
LEVELS = {
    "measured": "a number that this run, or this explanation, computed",
    "known": "a fact of a graph, a file or a model card, with its path",
    "supported": "an association that passed a test on recorded transfers; or what an ablation did",
    "not known": "what was looked for and not found, or is only expected",
}


@dataclass(frozen=True)
class Topic:
    """What stands under one heading."""

    title: str
    claims: tuple[Claim, ...]
    figures: tuple[Figure, ...]


@dataclass(frozen=True)
class Path:
    """A chain of nodes with words between them.

    Attributes:
        links: one fewer than the nodes.
        top: index of the node where the chain turns from going up to coming down; None for a
            chain that does not turn.
    """

    caption: str
    nodes: tuple[str, ...]
    links: tuple[str, ...]
    top: int | None


def topics(report: Report) -> list[Topic]:
    """Sort claims and figures under their headings, in the order in which they first appear."""
    said: tuple[Claim | Figure, ...] = (*report.claims, *report.figures)
    titles = dict.fromkeys(each.topic or _ELSEWHERE for each in said)
    return [
        Topic(
            title=clean(title),
            claims=tuple(each for each in report.claims if (each.topic or _ELSEWHERE) == title),
            figures=tuple(each for each in report.figures if (each.topic or _ELSEWHERE) == title),
        )
        for title in titles
    ]


def clean(text: object) -> str:
    """Leave out what steers a terminal or turns the writing around; white space becomes one."""
    kept = "".join(
        " " if each.isspace() else each
        for each in str(text)
        if each.isspace() or unicodedata.category(each) not in ("Cc", "Cf", "Cs", "Co")
    )
    return " ".join(kept.split())


def sentence(claim: Claim, report: Report) -> str:
    """Give the text of a claim with its models as people write them."""
    return short_names(claim.text, report, *claim.models)


def short_names(text: str, report: Report, *models: str) -> str:
    """Shorten the references of models in a text, and leave out what no person should meet."""
    for model in sorted({report.model, report.against, *models}, key=len, reverse=True):
        if model and short(model) != model:
            text = text.replace(model, short(model))
    return clean(text)


def level_words(claim: Claim) -> str:
    """``measured``, or ``known, tentative`` where it rests on a guess."""
    return f"{claim.level}, tentative" if claim.tentative else claim.level


def paths_of(figure: Figure) -> list[Path]:
    """Read the chains of a figure."""
    found = []
    for each in figure.data.get("paths", ()):
        nodes = tuple(clean(node) for node in each.get("nodes", ()))
        links = tuple(clean(link) for link in each.get("links", ()))
        links = (links + ("",) * len(nodes))[: max(len(nodes) - 1, 0)]
        if nodes:
            top = each.get("top")
            turn = int(top) if isinstance(top, int) else _turn(links)
            found.append(Path(clean(each.get("caption", "")), nodes, links, turn))
    return found


def path_text(path: Path) -> str:
    """``daisy -> composite plant -> plant <- orchid``: arrows point to what is broader."""
    words = [path.nodes[0]]
    for place, node in enumerate(path.nodes[1:]):
        down = path.top is not None and place >= path.top
        words += ["<-" if down else "->", node]
    return " ".join(words)


def told(figure: Figure, topic: Topic) -> bool:
    """Whether a claim on the same evidence names every node: then only a page draws it."""
    nodes = [node for path in paths_of(figure) for node in path.nodes]
    return any(
        claim.evidence == figure.evidence and all(node in claim.text for node in nodes)
        for claim in topic.claims
        if figure.kind == "path"
    )


def chosen_place(series: Mapping[str, Any], layers: Sequence[str]) -> int:
    """Index of the layer that a series was read at; -1 for none."""
    chosen = series.get("chosen")
    if isinstance(chosen, int) and not isinstance(chosen, bool):
        return chosen if 0 <= chosen < len(layers) else -1
    return list(layers).index(str(chosen)) if str(chosen) in layers else -1


def number_text(value: Any) -> str:
    """Four significant digits; whole numbers whole; a dash for nothing."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return f"{value:.4g}"
    return clean(value)


def found_text(evidence: Evidence, most: int = _MOST) -> str:
    """What was found, in a line; long lists are cut and say so."""
    return "; ".join(
        f"{clean(name).replace('_', ' ')}: {_brief(value, most)}"
        for name, value in evidence.object.items()
    )


def rests_on(report: Report, ids: Iterable[str]) -> list[Evidence]:
    """Evidence by id and all that it was derived from, each once, what is cited first."""
    known = {each.id: each for each in report.evidence}
    found: dict[str, Evidence] = {}
    waiting = list(ids)
    while waiting:
        name = waiting.pop(0)
        if name in known and name not in found:
            found[name] = known[name]
            waiting += known[name].derived_from
    return list(found.values())


def cited_by(report: Report) -> dict[str, list[str]]:
    """Evidence id -> ids of the claims that cite it."""
    found: dict[str, list[str]] = {}
    for claim in (*report.claims, *report.unknown):
        for name in claim.evidence:
            found.setdefault(name, []).append(claim.id)
    return found


def credit_line(graph: GraphUse) -> str:
    """Name a graph, its size, its licence and whom it credits."""
    license_ = f", {clean(graph.license)}" if graph.license else ""
    credit = f". {clean(graph.credit)}" if graph.credit else ""
    return f"{clean(graph.name)}: {count_text(graph.triples)} triples{license_}{credit}"


def _turn(links: Sequence[str]) -> int | None:
    """Where the words between the nodes change, if they change once."""
    changes = [place for place in range(1, len(links)) if links[place] != links[place - 1]]
    return changes[0] if len(changes) == 1 else None


def _brief(value: Any, most: int, *, inner: bool = False) -> str:
    if isinstance(value, dict):
        parts = [f"{clean(name)} {_brief(each, 3, inner=True)}" for name, each in value.items()]
    elif isinstance(value, (list, tuple)):
        parts = [_brief(each, 3, inner=True) for each in value]
    else:
        return number_text(value)
    more = f" and {len(parts) - most} more" if len(parts) > most else ""
    text = (", ".join(parts[:most]) or "none") + more
    return f"({text})" if inner else text


_TERM = re.compile(r"^<(.*)>$|^\"((?:[^\"\\]|\\.)*)\"(?:@[\w-]+|\^\^<.*>)?$", re.DOTALL)


def iri_in(term: str) -> str:
    """The IRI of an N-Triples term; empty for a literal."""
    match = _TERM.match(term)
    return (match[1] or "") if match else ""


def literal_in(term: str) -> str | None:
    """The text of an N-Triples literal; None for anything else."""
    match = _TERM.match(term)
    return match[2] if match and match[2] is not None else None
