"""Whether a reporter is faithful, found out by taking away what it says it rests on.

:data:`KIT` has them as checks with names, which ``zoo plugins check`` asks too;
``assert not check_reporter(spec)`` asks all at once.
"""

from __future__ import annotations

import hashlib
import random
import re
import time
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from zoo.catalogue import build
from zoo.errors import NotApplicable, PluginError
from zoo.explaining.checking import control_characters, unsupported_claims
from zoo.explaining.ledger import Ledger
from zoo.testing.findings import (
    METHODS,
    Found,
    broken_promises,
    named,
    promised,
    stopped,
    under,
)
from zoo.testing.kit import Kit
from zoo.testing.noun_graph import sample_graph
from zoo.testing.promises import BrokenPromiseError, asking, described, lacking
from zoo.testing.reporting_trials import LABELS, sample_case
from zoo.types.explaining import Report
from zoo.types.reporting import Reporter

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from zoo.testing.kit import Trial
    from zoo.types.explaining import Claim, Evidence, Triple
    from zoo.types.reporting import Case
    from zoo.types.specs import ReporterSpec

__all__ = ["KIT", "check_reporter", "preference_in", "report_of", "sample_case", "sample_graph"]

#: Pieces of evidence that are withheld one by one, and claims whose triples are deleted; of a
#: reporter that takes more than a second of the processor, which learns something, fewer.
_WITHHELD, _DELETED = 16, 5
_WITHHELD_SLOW, _DELETED_SLOW = 4, 2
_SEEDS = 3
_HOSTILE = ("a\x1b[31m", "b\u202e", "c\n", "'", "{0}", "<b>")
#: Cases in which parts are missing: a reporter says less there, and finishes.
_DEGENERATE: tuple[tuple[str, dict[str, Any]], ...] = (
    ("one model", {"lacking": ("against",)}),
    ("classes without names", {"lacking": ("labels",)}),
    ("no graph", {"lacking": ("graph",)}),
    ("classes that no graph knows", {"labels": tuple(f"LABEL_{n}" for n in range(len(LABELS)))}),
    ("no history", {"lacking": ("history",)}),
    ("no data to read", {"lacking": ("features", "maps", "classifier")}),
    ("nothing registered", {"lacking": ("entries",)}),
    ("one layer and one estimator", {"lacking": ("layers", "scores")}),
    ("no text encoder", {"lacking": ("encoder",)}),
    ("no ranking", {"lacking": ("ranking",)}),
    ("names that a terminal would obey", {"labels": _HOSTILE}),
)  # fmt: skip
_PREFERS = re.compile(
    r"\b(ranked|stands?|stood|stays?|stayed|comes?) (clearly |far |well )?(above|ahead of|before)\b"
    r"|\bputs? [^.;:]{1,80}? (above|ahead of|before)\b"
    r"|\bis (clearly |far |much )?(better|superior|preferable|ahead)\b"
    r"|\b(outperforms?|beats (?!\d)|prefer(s|red)?|surpass(es)?)\b",
    re.IGNORECASE,
)
_DENIED = re.compile(r"\b(no|none|neither|nothing|whether|not (clearly )?)\b[^.;:]*", re.IGNORECASE)
_DECIMAL = re.compile(r"\d\.\d")


def check_reporter(spec: ReporterSpec, method: object = None) -> list[str]:
    """Find out which promises a reporter breaks.

    It is given cases without a checkpoint: drawn scores that are really ranked, features, maps,
    a classifier, recorded transfers and a graph of forty nouns. Every sentence must be supported
    by evidence that is there; without that evidence, and without its triples in the graph, the
    sentence must be gone; shuffled labels must give no preference; the same case must give the
    same bytes and stay as it was; and a case in which parts are missing must be survived.

    Args:
        spec: what the plugin advertises.
        method: its object; None makes one with the default options.

    Returns:
        One sentence a broken promise, of the first trial in which one is broken.
    """
    return broken_promises(_found, spec, method)


def _found(spec: ReporterSpec, method: Any) -> Iterator[Found]:
    with asking("making it with its default options"):
        tried = build(spec) if method is None else method
    if missing := lacking(tried, Reporter):
        yield Found(METHODS, f"it {missing}")
        return
    yield Found(METHODS)
    began = time.process_time()
    with promised("supported"):
        usual = [_told(tried, _case(spec, seed=seed)) for seed in range(_SEEDS)]
    slow = time.process_time() - began > _SEEDS
    most = (_WITHHELD_SLOW, _DELETED_SLOW) if slow else (_WITHHELD, _DELETED)
    for part in (
        under("supported", _supported(spec, usual)),
        _repeated(spec, tried, usual),
        under("faithful", _withheld(spec, tried, usual[0], most[0])),
        under("faithful", _deleted(spec, tried, usual[0], most[1])),
        under("no-preference-by-chance", _shuffled(spec, tried, usual)),
        under("missing-parts", _degenerate(spec, tried)),
        under("measured", _varied(usual)),
    ):
        found = list(dict.fromkeys(part))
        yield from found
        if stopped(found, spec.expected_failures):
            return


def preference_in(text: str) -> str:
    """Give the words of a sentence that put one model above another; empty where none do."""
    found = _PREFERS.search(_DENIED.sub(" ", text))
    return found[0].strip() if found else ""


def report_of(ledger: Ledger, **facts: Any) -> Report:
    """Put what one reporter said into a report, as the core does."""
    cited = [id_ for each in (*ledger.claims, *ledger.unknown) for id_ in each.evidence]
    cited += [id_ for each in ledger.figures for id_ in each.evidence]
    kept = _closure(cited, ledger.evidence)
    return Report(
        subject=facts.pop("subject", "ranking"),
        title=facts.pop("title", "a trial"),
        claims=tuple(ledger.claims),
        unknown=tuple(ledger.unknown),
        figures=tuple(ledger.figures),
        evidence=tuple(each for id_, each in ledger.evidence.items() if id_ in kept),
        **facts,
    )


def _closure(ids: Iterable[str], evidence: dict[str, Evidence]) -> set[str]:
    """Give ids and everything that they rest on."""
    kept, todo = set(), list(ids)
    while todo:
        id_ = todo.pop()
        if id_ in evidence and id_ not in kept:
            kept.add(id_)
            todo.extend(evidence[id_].derived_from)
    return kept


def _told(method: Any, case: Case, words: str = "an ordinary case") -> Ledger:
    """Let it speak; what it refuses is in the ledger as the core would put it there."""
    try:
        method.report(case)
    except NotApplicable as error:
        reason = str(error).strip()
        if not reason or reason.endswith(".") or control_characters(reason):
            raise BrokenPromiseError(
                f"a reason must be one sentence without its full stop, and with {words} it is "
                f"{str(error)!r}"
            ) from error
        nothing = case.ledger.observe(
            "absence", "this case", "not known", source="reporter", reason=reason
        )
        case.ledger.claim("not known", "{reason}.", nothing, reason=reason)
    except PluginError as error:
        raise BrokenPromiseError(f"with {words}, {error.message.rstrip('.')}") from error
    except Exception as error:
        raise BrokenPromiseError(f"with {words}, report raises {described(error)}") from error
    return case.ledger


def _case(spec: ReporterSpec, withheld: Collection[str] = (), **changes: Any) -> Case:
    ledger = Ledger(spec.name, withheld)
    return sample_case(ledger=ledger, subject=spec.subject, **changes)


def _sentences(ledger: Ledger) -> list[Claim]:
    return [*ledger.claims, *ledger.unknown]


def _bytes(ledger: Ledger) -> bytes:
    parts = [ledger.claims, ledger.unknown, ledger.figures, list(ledger.evidence.values())]
    return msgspec.json.encode(parts, order="deterministic")


def _supported(spec: ReporterSpec, usual: list[Ledger]) -> Iterator[str]:
    """Is every sentence supported, and is there one at all?"""
    spoken = []
    for ledger in usual:
        for fault in unsupported_claims(report_of(ledger, subject=spec.subject)):
            yield fault.partition(": ")[2]
        spoken += ledger.claims or [each for each in ledger.unknown if each.text]
    if not spoken:
        yield "it says nothing of any case, not even why"


def _repeated(spec: ReporterSpec, method: Any, usual: list[Ledger]) -> Iterator[Found]:
    """Does the same case give the same bytes, and stay as it was?"""
    case = _case(spec)
    before, state = _fingerprint(case), _drawn()
    with promised("same-bytes"):
        again = _bytes(_told(method, case))
    changed = _fingerprint(case) != before
    yield from under("untouched-input", ["it changes what it is given to read"] if changed else ())
    yield Found("same-bytes")
    if _drawn() != state:
        yield Found("same-bytes", "it draws from the process's own random numbers")
    if again != _bytes(usual[0]):
        yield Found("same-bytes", "the same case gives another report the second time")


def _drawn() -> str:
    """Give the state of the process's own random numbers."""
    return repr((random.getstate(), np.random.get_state()))  # noqa: NPY002 -- it is looked at


def _fingerprint(case: Case) -> str:
    """Digest everything that a reporter may read."""
    digest = hashlib.sha256()
    for each in (case.ranking, case.target, case.spaces, case.entries, case.history):
        digest.update(msgspec.json.encode(each, order="deterministic"))
    digest.update(repr((sorted(case.cards.items(), key=str), case.senses)).encode())
    if case.graph is not None:
        digest.update("".join(sorted(map(repr, case.graph.triples()))).encode())
    for model in filter(None, (case.model, case.against)):
        for read in (case.read_features, case.read_maps, case.read_classifier):
            try:
                found = read(model)
            except NotApplicable:
                continue
            for array in vars(found).values():
                if isinstance(array, np.ndarray):
                    digest.update(array.tobytes())
    return digest.hexdigest()


def _withheld(spec: ReporterSpec, method: Any, whole: Ledger, most: int) -> Iterator[str]:
    """Is a sentence gone when a piece of its evidence is?"""
    claims = _sentences(whole)
    resting = {id(each): _closure(each.evidence, whole.evidence) for each in claims}
    every = list(dict.fromkeys(id_ for each in claims for id_ in sorted(resting[id(each)])))
    for id_ in _spread(every, most):
        left = {each.text for each in _sentences(_told(method, _case(spec, (id_,))))}
        for claim in claims:
            if id_ in resting[id(claim)] and claim.text in left:
                what = whole.evidence[id_].predicate
                yield f"it still says {claim.text!r} without the evidence {what!r}"
    left = {each.text for each in _sentences(_told(method, _case(spec, every)))}
    for claim in claims:
        if claim.text in left:
            yield f"it still says {claim.text!r} without any of its evidence"


def _deleted(spec: ReporterSpec, method: Any, whole: Ledger, most: int) -> Iterator[str]:
    """Is a sentence gone when its triples are no longer in the graph?"""
    known = [each for each in whole.claims if _triples_of(each, whole)]
    for claim in _spread(known, most):
        gone = _triples_of(claim, whole)
        left = {each.text for each in _told(method, _case(spec, without=gone)).claims}
        if claim.text in left:
            yield f"it still says {claim.text!r} of a graph that no longer holds its triples"


def _triples_of(claim: Claim, ledger: Ledger) -> set[Triple]:
    ids = _closure(claim.evidence, ledger.evidence)
    return {triple for id_ in ids for triple in ledger.evidence[id_].triples}


def _shuffled(spec: ReporterSpec, method: Any, usual: list[Ledger]) -> Iterator[str]:
    """Do labels that say nothing give no preference?"""
    for seed in range(_SEEDS):
        case = _case(spec, seed=seed, shuffled=True)
        for claim in _told(method, case, "shuffled labels").claims:
            if claim.prefers or preference_in(claim.text):
                yield f"with shuffled labels it prefers a model: {claim.text!r}"
    for ledger in usual:
        for claim in ledger.claims:
            if claim.prefers and not preference_in(claim.text):
                yield f"{claim.text!r} is marked as a preference, and does not say one"


def _degenerate(spec: ReporterSpec, method: Any) -> Iterator[str]:
    """Does it finish, and say nothing unsupported, where parts are missing?"""
    for words, changes in _DEGENERATE:
        ledger = _told(method, _case(spec, **changes), words)
        for fault in unsupported_claims(report_of(ledger, subject=spec.subject)):
            yield f"with {words}, {fault.partition(': ')[2]}"


def _varied(usual: list[Ledger]) -> Iterator[str]:
    """Is a measured number with decimals another one when everything is drawn anew?"""
    said = [{each.text for each in ledger.claims if _measured(each)} for ledger in usual]
    for text in sorted(set.intersection(*said)):
        yield f"it says {text!r} whatever was measured"


def _measured(claim: Claim) -> bool:
    return claim.level == "measured" and bool(_DECIMAL.search(claim.text))


def _spread(items: list[Any], most: int) -> list[Any]:
    """Take at most so many, evenly from the first to the last."""
    if len(items) <= most:
        return items
    return [items[round(each)] for each in np.linspace(0, len(items) - 1, most)]


def _exercise(trial: Trial) -> Any:
    """Tell of one ordinary case."""
    return _bytes(_told(trial.make(), _case(trial.spec)))


_PROMISES = (
    (METHODS, "it can be made, and has the methods of its kind"),
    ("supported", "every sentence is supported by evidence that is there"),
    ("untouched-input", "what it is given to read stays as it is"),
    ("same-bytes", "the same case gives the same bytes"),
    ("faithful", "a sentence is gone without its evidence, and without its triples in the graph"),
    ("no-preference-by-chance", "labels that say nothing give no preference"),
    ("missing-parts", "it says less where parts of a case are missing, and finishes"),
    ("measured", "a measured number is another one when everything is drawn anew"),
)
KIT = Kit(exercise=_exercise, checks=tuple(named(_found, *each) for each in _PROMISES))
