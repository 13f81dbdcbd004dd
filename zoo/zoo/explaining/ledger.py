"""Where a reporter records what it found, and the only place that makes claims.

A claim is a fixed sentence with slots. Every slot must be filled with something that a cited piece
of evidence holds; the sentence itself may contain no number. So a claim cannot say what was not
found, and where a piece of evidence is missing, no claim is made.
"""

from __future__ import annotations

import hashlib
import math
import string
from numbers import Real
from typing import TYPE_CHECKING, Any

import msgspec

from zoo.errors import PluginError
from zoo.explaining.wording import causal_word, listed, names_in, numbers_in
from zoo.types.explaining import Claim, Evidence, Figure

if TYPE_CHECKING:
    from collections.abc import Iterable

    from zoo.types.explaining import EvidenceKind, Level, Triple

#: A claim of a level cites at least one piece of evidence of these kinds.
NEEDED: dict[str, frozenset[str]] = {
    "measured": frozenset(("measurement", "ablation")),
    "known": frozenset(("fact", "alignment", "record")),
    "supported": frozenset(("test", "ablation")),
    "not known": frozenset(("absence", "prediction", "alignment", "measurement", "test", "record")),
}
#: What rests on these may only be said as not known.
UNSURE = frozenset(("prediction", "absence"))


class Ledger:
    """Evidence, claims and figures of one reporter.

    Args:
        reporter: whose.
        withheld: ids of evidence to act as if it did not exist: how a faithful reporter is told
            from one that only decorates what it says.

    Attributes:
        evidence: id -> everything recorded, cited or not.
        claims: in the order they were made.
        unknown: the same for what is not known.
    """

    def __init__(self, reporter: str = "", withheld: Iterable[str] = ()) -> None:
        self.reporter = reporter
        self.evidence: dict[str, Evidence] = {}
        self.claims: list[Claim] = []
        self.unknown: list[Claim] = []
        self.figures: list[Figure] = []
        self._withheld = frozenset(withheld)

    def observe(
        self,
        kind: EvidenceKind,
        subject: str,
        predicate: str,
        *,
        source: str,
        sha256: str = "",
        triples: Iterable[Triple] = (),
        check: str = "",
        confirmed: bool = True,
        **found: Any,
    ) -> Evidence | None:
        """Record what was read; None where it is withheld.

        Args:
            kind: see :data:`zoo.types.EvidenceKind`.
            subject: what it is about.
            predicate: what is said of it.
            source: where it was read.
            sha256: of that file.
            triples: of the graph that it rests on.
            check: a command or query that finds it again.
            confirmed: False for a guess.
            **found: names and numbers; what slots of claims are filled with.
        """
        evidence = Evidence(
            id="",
            kind=kind,
            subject=subject,
            predicate=predicate,
            object=_plain(found),
            source=source,
            sha256=sha256,
            triples=tuple(triples),
            check=check,
            confirmed=confirmed,
        )
        return self._record(evidence)

    def derive(
        self,
        kind: EvidenceKind,
        subject: str,
        predicate: str,
        of: Iterable[Evidence | None],
        *,
        check: str = "",
        **found: Any,
    ) -> Evidence | None:
        """Record what was computed from other evidence; None where any of that is missing."""
        of = tuple(of)
        parts = [each for each in of if each is not None]
        if len(parts) < len(of) or not parts:
            return None
        evidence = Evidence(
            id="",
            kind=kind,
            subject=subject,
            predicate=predicate,
            object=_plain(found),
            source="computed",
            derived_from=tuple(dict.fromkeys(each.id for each in parts)),
            check=check,
            confirmed=all(each.confirmed for each in parts),
        )
        return self._record(evidence)

    def claim(
        self,
        level: Level,
        template: str,
        *evidence: Evidence | None,
        topic: str = "",
        models: Iterable[str] = (),
        prefers: str = "",
        **slots: Any,
    ) -> Claim | None:
        """Say one sentence; None where a piece of its evidence is missing.

        Args:
            level: how sure it is; what rests on predictions is never more than not known.
            template: the sentence, with ``{name}`` or ``{name:.2f}`` for each slot and no digit.
            *evidence: what supports it.
            topic: heading that it stands under.
            models: which models it is about.
            prefers: the model that it puts above another.
            **slots: texts, numbers, or tuples of texts, all of them found in the evidence.

        Raises:
            PluginError: the sentence says what its evidence does not hold.
        """
        if not evidence or any(each is None for each in evidence):
            return None
        cited = [each for each in evidence if each is not None]
        self._check(level, template, cited, slots)
        shown = {
            name: listed(each) if isinstance(each, (tuple, list)) else each
            for name, each in slots.items()
        }
        into = self.unknown if level == "not known" else self.claims
        claim = Claim(
            id=f"{self.reporter}{'u' if into is self.unknown else 'c'}{len(into) + 1}",
            text=self._filled(template, shown),
            level=level,
            evidence=tuple(dict.fromkeys(each.id for each in cited)),
            topic=topic,
            reporter=self.reporter,
            models=tuple(models),
            prefers=prefers,
            tentative=not all(each.confirmed for each in cited),
        )
        into.append(claim)
        return claim

    def figure(
        self,
        kind: Any,
        title: str,
        description: str,
        *evidence: Evidence | None,
        topic: str = "",
        **data: Any,
    ) -> Figure | None:
        """Draw evidence; None where a piece of it is missing. See :class:`zoo.types.Figure`."""
        if not evidence or any(each is None for each in evidence):
            return None
        ids = tuple(dict.fromkeys(each.id for each in evidence if each is not None))
        figure = Figure(
            kind=kind,
            title=title,
            description=description,
            evidence=ids,
            topic=topic,
            reporter=self.reporter,
            data=_plain(data),
        )
        self.figures.append(figure)
        return figure

    def _record(self, evidence: Evidence) -> Evidence | None:
        digest = hashlib.sha256(msgspec.json.encode(evidence, order="deterministic")).hexdigest()
        evidence = msgspec.structs.replace(evidence, id=f"e{digest[:10]}")
        if evidence.id in self._withheld:
            return None
        return self.evidence.setdefault(evidence.id, evidence)

    def _filled(self, template: str, slots: dict[str, Any]) -> str:
        try:
            return template.format(**slots)
        except (LookupError, ValueError, TypeError, AttributeError) as error:
            who = f"reporter {self.reporter!r} may not say {template!r}"
            raise PluginError(f"{who}: what it is filled with does not fit ({error}).") from error

    def _check(
        self, level: Level, template: str, cited: list[Evidence], slots: dict[str, Any]
    ) -> None:
        who = f"reporter {self.reporter!r} may not say {template!r}"
        literal = "".join(text for text, *_ in string.Formatter().parse(template))
        if any(character.isdigit() for character in literal):
            raise PluginError(f"{who}: a number in a sentence has to be a slot.")
        for name, each in slots.items():
            if isinstance(each, Real) and not math.isfinite(each):
                raise PluginError(f"{who}: {name} is {each}, which is no number to say.")
        if not any(each.kind in NEEDED.get(level, ()) for each in cited):
            raise PluginError(f"{who}: no evidence of the kind that a claim {level!r} needs.")
        if level != "not known" and any(each.kind in UNSURE for each in cited):
            raise PluginError(f"{who}: what it rests on is no more than expected.")
        word = causal_word(literal)
        if word and not any(each.kind == "ablation" for each in cited):
            raise PluginError(f"{who}: {word!r} names a cause, and nothing was taken away.")
        names, numbers = names_in(cited), numbers_in(cited)
        for slot, value in slots.items():
            for part in value if isinstance(value, (tuple, list)) else (value,):
                if part not in (names if isinstance(part, str) else numbers):
                    raise PluginError(f"{who}: {slot} = {part!r} is in none of its evidence.")


def _plain(found: dict[str, Any]) -> dict[str, Any]:
    """Turn arrays and numpy numbers into what JSON has."""
    return {name: _value(each) for name, each in found.items()}


def _value(value: Any) -> Any:
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, dict):
        return {str(name): _value(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_value(each) for each in value]
    return value
