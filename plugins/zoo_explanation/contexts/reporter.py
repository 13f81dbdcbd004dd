"""What went with good transfers so far, where a test on recorded transfers supports it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from zoo_explanation.contexts.history import history_of
from zoo_explanation.contexts.own_case import own_case
from zoo_explanation.contexts.records import aligned, by_target, facts_of, source_of
from zoo_explanation.contexts.sets import cores_of
from zoo_explanation.contexts.significance import RULES, associations
from zoo_explanation.contexts.spaces import TITLES, Spaces
from zoo_explanation.ranked import UNEXPLAINED, counted_by_all

if TYPE_CHECKING:
    from zoo.types.explaining import Evidence
    from zoo.types.reporting import Case
    from zoo_explanation.contexts.history import History
    from zoo_explanation.contexts.sets import Core
    from zoo_explanation.contexts.significance import Association, Tested

FEWER = "Fewer than {minimum} recorded transfers: no claim about what usually helps."
NARROW = (
    "The {transfers} recorded transfers are of {sources} models and {targets} data sets; a claim "
    "about what usually helps needs {least_sources} and {least_targets}."
)
NOTHING = (
    "Properties tested on {transfers} recorded transfers: {tests}. None was found to go with "
    "higher or lower {metric}."
)
#: After explanation.md's fourth template: the numbers that every supported claim shows.
_WENT = "In {transfers} recorded transfers over {targets} targets, {quantity} went with "
_NUMBERS = "{metric} ({coefficient} {effect:.2f}, {share:.0f} % interval [{low:.2f}, {high:.2f}], "
_COUNTED = (
    "Properties tested on {transfers} recorded transfers: {tests}; of them passed: {passed}. Of "
    "such claims, no more than {share:.0f} % are expected to be false."
)
#: How many contexts of each direction are said; the evidence lists all.
_MOST = 4


class Contexts:
    """Says which properties of a pair of model and data went with good and with bad transfers."""

    def report(self, case: Case) -> None:
        """Test what is known of the recorded transfers, and say what passes."""
        if not _enough(case):
            return
        graph = case.graph if _has_kinds(case) else None
        spaces = None if graph is None else Spaces(graph, case.senses, case.seed)
        history = history_of(case.history, spaces)
        first = associations(history.transfers, RULES, case.seed)
        tested, cores = cores_of(history.transfers, first, RULES, case.seed)
        every = _every_test(case, history, tested, cores, spaces)
        passing = [each for each in tested.associations if each.passes()]
        strongest = sorted(passing, key=lambda each: (-abs(each.effect), each.name))
        chosen = [
            each
            for positive in (True, False)
            for each in [one for one in strongest if (one.effect > 0) == positive][:_MOST]
        ]
        for each in chosen:
            _say(case, history, each, every, spaces=spaces)
            own_case(case, history, each, spaces)
        for core in [each for each in cores if each.passes()][:_MOST]:
            assert core.held_out is not None
            _say(case, history, core.held_out, every, spaces=spaces, core=core)
        if passing:
            passed = len(passing) + sum(each.passes() for each in cores)
            counted = case.ledger.derive(
                "test",
                "recorded transfers",
                "how many properties passed",
                [every],
                passed=passed,
                tests=len(tested.associations) + len(cores),
                transfers=len(history.records),
                share=100 * RULES.q,
            )
            _slots(case, "supported", _COUNTED, counted)
        else:
            _nothing(case, every)


def _has_kinds(case: Case) -> bool:
    return case.graph is not None and any(
        each.source_labels and each.target_labels for each in case.history
    )


def _enough(case: Case) -> bool:
    """Say so where the history is too small for any claim."""
    pairs = {(each.source, each.target) for each in case.history}
    found: dict[str, Any] = {
        "transfers": len(pairs),
        "sources": len({source for source, _ in pairs}),
        "targets": len({target for _, target in pairs}),
        "minimum": RULES.transfers,
        "least_sources": RULES.sources,
        "least_targets": RULES.targets,
    }
    few = found["transfers"] < RULES.transfers
    narrow = found["sources"] < RULES.sources or found["targets"] < RULES.targets
    if few or narrow:
        counted = case.ledger.observe(
            "absence",
            "recorded transfers",
            "how many there are",
            source=source_of(case.history),
            **found,
        )
        _slots(case, "not known", FEWER if few else NARROW, counted)
    return not few and not narrow


def _every_test(
    case: Case, history: History, tested: Tested, cores: tuple[Core, ...], spaces: Spaces | None
) -> Evidence | None:
    """Record everything that was tested: how many tests there were is part of the result."""
    of = [*by_target(case, history), *(aligned(case, history, spaces) if spaces else ())]
    return case.ledger.derive(
        "test",
        "recorded transfers",
        "every property tested",
        of,
        tests=len(tested.associations) + len(cores),
        transfers=len(history.records),
        metric=history.outcome,
        outcome=history.measure,
        permutations=RULES.permutations,
        resamples=RULES.resamples,
        largest_q=RULES.q,
        seed=case.seed,
        rows=[_row(each) for each in tested.associations],
        sets=[
            _row(each.found) | {"held_out": _row(each.held_out) if each.held_out else None}
            for each in cores
        ],
        untested=dict(tested.untested),
    )


def _row(each: Association) -> dict[str, Any]:
    known = not math.isnan(each.low)
    return {
        "property": each.name,
        "coefficient": _coefficient(each),
        "effect": each.effect,
        "low": each.low if known else None,
        "high": each.high if known else None,
        "p": each.p,
        "q": each.q,
        "transfers": each.transfers,
        "targets": each.targets,
        "sources": each.sources,
        "controlled": list(each.controlled),
    }


def _say(
    case: Case,
    history: History,
    each: Association,
    every: Evidence | None,
    *,
    spaces: Spaces | None,
    core: Core | None = None,
) -> None:
    """Say one supported claim; of a core context, with the numbers of the held-out targets."""
    names = (each.name,) if core is None else core.members
    facts = [
        fact
        for name in names
        for entailment in history.contexts.get(name, ())
        if spaces is not None
        for fact in facts_of(case, history, name, entailment, spaces)
    ]
    found = _row(each) | {"quantity": _title(names, history), "metric": history.outcome}
    found |= {"share": RULES.share} | ({"q": core.found.q} if core else {})
    evidence = case.ledger.derive("test", each.name, "went with", [every, *facts], **found)
    text = _WENT + ("higher " if each.effect > 0 else "lower ") + _NUMBERS
    text += "held out; q {q:.3f} where it was found)." if core else "q {q:.3f})."
    _slots(case, "supported", text, evidence)


def _nothing(case: Case, every: Evidence | None) -> None:
    _slots(case, "not known", NOTHING, every)
    if case.ranking is None:
        return
    rows = [each for each in case.ranking.ranking if each.model in (case.model, case.against)]
    if not rows or not (names := counted_by_all(rows)):
        return
    source, sha256 = case.origin
    rests = case.ledger.observe(
        "measurement",
        rows[0].model,
        "what the ranking rests on",
        source=source or "ranking",
        sha256=sha256,
        estimators=names,
    )
    case.ledger.claim("not known", UNEXPLAINED, every, rests, estimator=tuple(names))


def _slots(case: Case, level: Any, text: str, evidence: Evidence | None) -> None:
    """Fill a sentence from one piece of evidence."""
    if evidence is not None:
        named = {name: each for name, each in evidence.object.items() if f"{{{name}" in text}
        case.ledger.claim(level, text, evidence, **named)


def _coefficient(each: Association) -> str:
    return "rank-biserial r" if each.flag else "rho"


def _title(names: tuple[str, ...], history: History) -> str:
    if names[0] not in history.contexts:
        return TITLES.get(names[0], f"a higher value of {names[0]}")
    kinds = [name.partition(" ")[2] for name in names if name.startswith("kind ")]
    parts = [name.partition(" ")[2] for name in names if name.startswith("part ")]
    said = [f"of the kind {' and of the kind '.join(kinds)}"] if kinds else []
    said += [f"with the part {' and the part '.join(parts)}"] if parts else []
    return f"having classes {' and '.join(said)} on both sides"
