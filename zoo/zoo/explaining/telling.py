"""Ask the reporters, each its own failure domain, and put what they say into one report."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from zoo.catalogue import build
from zoo.errors import InputError, NotApplicable, unknown_name
from zoo.explaining.checking import unsupported_claims
from zoo.explaining.ledger import Ledger
from zoo.host import PLUGIN_ERRORS
from zoo.running import running
from zoo.types.explaining import GraphUse, Report
from zoo.types.failure import Failure
from zoo.types.provenance import installed_versions

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from zoo.catalogue import Catalogue
    from zoo.graph import Graph
    from zoo.types.explaining import Claim, Evidence, Figure
    from zoo.types.reporting import Case
    from zoo.types.specs import ReporterSpec

Said = TypeVar("Said", "Claim", "Figure")

#: Runs are in the graph too, each as a graph of its own; a report names what it read beside them.
_RUNS = "run:"


def reporters(
    catalogue: Catalogue, subject: str, only: Sequence[str], *, without: Iterable[str] = ()
) -> list[ReporterSpec]:
    """Give those for a subject, in the order of their claims.

    Args:
        catalogue: what there is.
        subject: ``ranking`` or ``class``.
        only: names; none takes all.
        without: needs that nobody wants to meet.

    Raises:
        UnknownNameError: no such reporter for this subject.
    """
    known = catalogue.specs("reporter")
    fitting = {name: spec for name, spec in known.items() if spec.subject == subject}
    for name in only:
        if name not in fitting:
            raise unknown_name("reporter", name, fitting, "zoo plugins list --hook zoo_reporters")
    unwanted = set(without)
    chosen = [
        spec
        for name, spec in fitting.items()
        if (name in only if only else not unwanted & set(spec.needs))
    ]
    return sorted(chosen, key=lambda spec: (spec.order, spec.name))


def ask(
    case: Case,
    specs: Sequence[ReporterSpec],
    catalogue: Catalogue,
    *,
    options: Mapping[str, Mapping[str, Any]] | None = None,
) -> tuple[list[Ledger], list[Failure]]:
    """Let every reporter speak; one that breaks is a failure, the others go on.

    Raises:
        InputError: what the person said cannot be used, such as a sense that a label does not have.
    """
    ledgers, failures = [], []
    for spec in specs:
        ledger = Ledger(spec.name)
        try:
            with running(catalogue.provided("reporter")[spec.name].plugin):
                reporter = build(spec, (options or {}).get(spec.name))
                reporter.report(replace(case, ledger=ledger))
        except NotApplicable as error:
            _left_open(ledger, spec, case, str(error))
        except InputError:
            raise
        except PLUGIN_ERRORS as error:
            plugin = catalogue.provided("reporter")[spec.name].plugin
            failures.append(
                Failure.of(
                    error,
                    stage=f"report {spec.name}",
                    plugin=plugin,
                    version=catalogue.host.version_of(plugin),
                    hint=f"zoo plugins check {plugin.partition(':')[0]}",
                )
            )
        ledgers.append(_under(ledger, spec))
    return ledgers, failures


def compose(
    ledgers: Sequence[Ledger], failures: Sequence[Failure], case: Case, **facts: Any
) -> Report:
    """Put ledgers together; a claim that its evidence does not support is left out and named."""
    every = {each.id: each for ledger in ledgers for each in ledger.evidence.values()}
    claims = _numbered((each for ledger in ledgers for each in ledger.claims), "c")
    unknown = _numbered((each for ledger in ledgers for each in ledger.unknown), "u")
    figures = tuple(each for ledger in ledgers for each in ledger.figures)
    report = Report(
        claims=claims,
        unknown=unknown,
        figures=figures,
        evidence=_cited((*claims, *unknown, *figures), every),
        failures=tuple(failures),
        graphs=_graphs(case.graph),
        seed=case.seed,
        versions=installed_versions(),
        **facts,
    )
    wrong = {each.partition(":")[0] for each in unsupported_claims(report)}
    if not wrong:
        return report
    drawn = {f"figure {number}": each for number, each in enumerate(figures, start=1)}
    said = {each.id: (each.reporter, each.text) for each in (*claims, *unknown)}
    said |= {name: (each.reporter, each.title) for name, each in drawn.items()}
    refused = [
        Failure(stage=f"report {reporter}", error=f"{text!r} is more than its evidence.")
        for name, (reporter, text) in said.items()
        if name in wrong
    ]
    kept = _numbered((each for each in claims if each.id not in wrong), "c")
    open_ = _numbered((each for each in unknown if each.id not in wrong), "u")
    shown = tuple(each for name, each in drawn.items() if name not in wrong)
    return msgspec.structs.replace(
        report,
        claims=kept,
        unknown=open_,
        figures=shown,
        evidence=_cited((*kept, *open_, *shown), every),
        failures=(*report.failures, *refused),
    )


def _left_open(ledger: Ledger, spec: ReporterSpec, case: Case, reason: str) -> None:
    """Say that a reporter has nothing to say, and why."""
    reason = " ".join(reason.split()).rstrip(".") or f"{spec.name} has nothing to say"
    reason = _capitalised(reason)
    nothing = ledger.observe(
        "absence", case.model or "this run", "not known", source=f"reporter {spec.name}",
        reason=reason,
    )  # fmt: skip
    ledger.claim("not known", "{reason}.", nothing, reason=reason)


def _capitalised(sentence: str) -> str:
    """Begin with a capital, unless the first word is a name with a reference's marks in it."""
    first = sentence.partition(" ")[0]
    return sentence[:1].upper() + sentence[1:] if first.isalpha() else sentence


def _under(ledger: Ledger, spec: ReporterSpec) -> Ledger:
    """Sign what a reporter said; whatever stands under no heading gets the reporter's."""
    ledger.claims = [_signed(each, spec) for each in ledger.claims]
    ledger.unknown = [_signed(each, spec) for each in ledger.unknown]
    ledger.figures = [_signed(each, spec) for each in ledger.figures]
    return ledger


def _signed(said: Said, spec: ReporterSpec) -> Said:
    topic = said.topic or spec.topic or spec.name
    return msgspec.structs.replace(said, topic=topic, reporter=spec.name)


def _numbered(claims: Iterable[Claim], letter: str) -> tuple[Claim, ...]:
    return tuple(
        msgspec.structs.replace(each, id=f"{letter}{number}")
        for number, each in enumerate(claims, start=1)
    )


def _cited(said: Sequence[Claim | Figure], every: Mapping[str, Evidence]) -> tuple[Evidence, ...]:
    """Keep what is cited and what that rests on, in the order in which it is first cited."""
    kept: dict[str, Evidence] = {}
    todo = [id_ for each in said for id_ in each.evidence]
    while todo:
        id_ = todo.pop(0)
        if id_ in every and id_ not in kept:
            kept[id_] = every[id_]
            todo.extend(every[id_].derived_from)
    return tuple(kept.values())


def _graphs(graph: Graph | None) -> tuple[GraphUse, ...]:
    infos = graph.infos.values() if graph is not None else ()
    return tuple(
        GraphUse(
            name=each.name,
            triples=each.triples,
            license=each.license,
            credit=each.credit,
            sha256=each.sha256,
        )
        for each in sorted(infos, key=lambda each: each.name)
        if not each.name.startswith(_RUNS)
    )
