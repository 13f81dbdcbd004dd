"""What the commands of the graph share: how it is opened, a node as a tree, answers as a table."""

from __future__ import annotations

import sys
import textwrap
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Any

from zoo_cli import options
from zoo_cli.output import Column

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from zoo.graph import Graph
    from zoo.graph.neighbourhood import Branch, Neighbourhood, Node
    from zoo_cli.context import Context
    from zoo_cli.output import Output

_TEE, _CORNER, _BAR = "\u251c\u2500 ", "\u2514\u2500 ", "\u2502  "
_PLAIN = {_TEE: "|- ", _CORNER: "`- ", _BAR: "|  "}
_WIDTH = 96

RDF = ("turtle", "ntriples", "nquads", "trig", "rdfxml", "jsonld", "n3")
kind_option = options.option(
    "--as",
    "kind",
    metavar="FORMAT",
    default="",
    default_shown="by the file's ending",
    variable="ZOO_GRAPH_FORMAT",
    help=f"{', '.join(RDF)}; for import also trix, hext and every source of `fetch`.",
)


def tree(found: Neighbourhood) -> str:
    """Draw what is around a node."""
    lines = [found.node.name, f"  {found.node.iri}"]
    if found.names:
        lines += _wrapped("also " + ", ".join(found.names))
    if found.node.gloss:
        lines += _wrapped(found.node.gloss)
    lines += _section("is a kind of", _chains(found.broader))
    lines += _section("its kinds", _branches(found.narrower, found.more))
    lines += _section("its parts", _leaves([node.name for node in found.parts]))
    lines += _section("other links", _links(found))
    if found.graphs:
        lines += ["", f"From the graphs: {', '.join(found.graphs)}"]
    text = "\n".join(lines)
    return text if _draws() else _plain(text)


def senses(nodes: Sequence[Node]) -> str:
    """List the nodes of one name."""
    lines = []
    for node in nodes:
        lines += [f"{node.name}  {node.iri}"]
        lines += _wrapped(node.gloss) if node.gloss else []
    return "\n".join(lines)


def show_answer(output: Output, found: Any, limit: int | None) -> None:
    """Print what a query found: a table, yes or no, or triples."""
    from pyoxigraph import QueryBoolean, QuerySolutions

    from zoo_cli.documents.graph import YesOrNo

    if isinstance(found, QuerySolutions):
        _solutions(output, found, limit)
    elif isinstance(found, QueryBoolean):
        answer = bool(found)
        output.value(YesOrNo(boolean=answer), "yes" if answer else "no")
    else:
        _triples(output, found, limit)


def _solutions(output: Output, found: Any, limit: int | None) -> None:
    from zoo_cli.documents.graph import Bindings, Head, Solutions

    names = [variable.value for variable in found.variables]
    rows = list(islice(found, None if limit is None else limit + 1))
    more = limit is not None and len(rows) > limit
    rows = rows[:limit]
    bindings = [{name: _json(row[name]) for name in names if row[name] is not None} for row in rows]
    show = _short if not output.machine else _value
    table = [{name: show(row[name]) for name in names} for row in rows]
    columns = [Column(name, title=f"?{name}") for name in names] or [Column("nothing")]
    document = Solutions(head=Head(vars=tuple(names)), results=Bindings(bindings=tuple(bindings)))
    output.rows(columns, table, document=document)
    if more:
        output.note(f"There is more; -n {limit} shows {limit}.")
    elif not rows:
        output.note("Nothing in the graph matches.")


def _triples(output: Output, found: Any, limit: int | None) -> None:
    from pyoxigraph import RdfFormat, serialize

    from zoo.graph.terms import PREFIXES
    from zoo_cli.documents.graph import Triples

    triples = list(islice(found, limit))
    if output.mode in {"auto", "table"}:
        text = serialize(triples, format=RdfFormat.TURTLE, prefixes=PREFIXES) or b""
        lines = text.decode().splitlines()  # a literal has its control characters escaped
        output.write("".join(f"{_harmless(line)}\n" for line in lines))
        return
    rows = [
        {"subject": _value(each.subject), "predicate": each.predicate.value}
        | {"object": _value(each.object)}
        for each in triples
    ]
    document = Triples(
        triples=tuple(
            (str(each.subject), str(each.predicate), str(each.object)) for each in triples
        )
    )
    columns = [Column("subject", key=True), Column("predicate"), Column("object")]
    output.rows(columns, rows, document=document)


def _harmless(line: str) -> str:
    return "".join(each if each.isprintable() or each == "\t" else "\ufffd" for each in line)


def _short(term: Any) -> str:
    """A term as a person reads it; what a stranger wrote does not steer the terminal."""
    from pyoxigraph import NamedNode

    from zoo.graph.neighbourhood import visible
    from zoo.graph.terms import prefixed

    if term is None:
        return ""
    return visible(prefixed(term.value) if isinstance(term, NamedNode) else _value(term))


def _value(term: Any) -> str:
    return "" if term is None else str(getattr(term, "value", term))


def _json(term: Any) -> dict[str, str]:
    """A term as SPARQL 1.1 Query Results JSON has it."""
    from pyoxigraph import BlankNode, Literal, NamedNode

    if isinstance(term, NamedNode):
        return {"type": "uri", "value": term.value}
    if isinstance(term, BlankNode):
        return {"type": "bnode", "value": term.value}
    if not isinstance(term, Literal):
        return {"type": "triple", "value": str(term)}
    found = {"type": "literal", "value": term.value}
    if term.language:
        return found | {"xml:lang": term.language}
    plain = term.datatype.value.endswith("XMLSchema#string")
    return found if plain else found | {"datatype": term.datatype.value}


def _section(title: str, lines: Iterator[str]) -> list[str]:
    found = list(lines)
    return ["", title, *(f"  {line}" for line in found)] if found else []


def _chains(chains: Sequence[Sequence[Node]]) -> Iterator[str]:
    """Draw the shortest way up from each direct kind; the others mostly repeat it."""
    shortest: dict[str, Sequence[Node]] = {}
    for chain in sorted(chains, key=len):
        shortest.setdefault(chain[-1].iri, chain)
    for chain in shortest.values():
        for level, node in enumerate(chain):
            yield (f"{'   ' * (level - 1)}{_CORNER}" if level else "") + node.name
    left = len(chains) - len(shortest)
    if left:
        yield f"and {left} longer {'way' if left == 1 else 'ways'} up; --json has every one"


def _branches(branches: Sequence[Branch], more: int) -> Iterator[str]:
    last = len(branches) - 1 + bool(more)
    for place, branch in enumerate(branches):
        count = f" ({branch.more} more below)" if branch.more and not branch.below else ""
        yield (_CORNER if place == last else _TEE) + branch.node.name + count
        below = list(_branches(branch.below, branch.more)) if branch.below else []
        for line in below:
            yield ("   " if place == last else _BAR) + line
    if more:
        yield f"{_CORNER}{more} more"


def _leaves(names: Sequence[str]) -> Iterator[str]:
    for place, name in enumerate(names):
        yield (_CORNER if place == len(names) - 1 else _TEE) + name


def _links(found: Neighbourhood) -> Iterator[str]:
    for link in found.links:
        names = ", ".join(node.name for node in link.nodes)
        more = f" and {link.more} more" if link.more else ""
        yield f"{link.predicate}{' of' if link.inverse else ''}: {names}{more}"


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, initial_indent="  ", subsequent_indent="  ")


def _draws() -> bool:
    try:
        _TEE.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _plain(text: str) -> str:
    for drawn, plain in _PLAIN.items():
        text = text.replace(drawn, plain)
    return text


@contextmanager
def opened_graph(context: Context, *, create: bool = False) -> Iterator[Graph]:
    """Open the graph, and say which runs could not be read into it."""
    from zoo.graph import open_graph

    with open_graph(context.settings.folder, create=create) as opened:
        for failure in opened.failures:
            context.output.failure(failure)
        yield opened
