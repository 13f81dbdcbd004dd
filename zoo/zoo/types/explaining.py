"""What an explanation is made of: evidence, claims that cite it, and the report of them."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from zoo.types.failure import Failure

#: How sure a claim is. ``measured``: a number of a run. ``known``: a fact of the graph, with its
#: path. ``supported``: an association that passed a test on recorded transfers. ``not known``.
Level = Literal["measured", "known", "supported", "not known"]

#: What a piece of evidence is. ``absence`` is a look-up that found nothing, ``prediction`` a link
#: that a model expects and nobody has confirmed, ``ablation`` what happened when something was
#: taken away.
EvidenceKind = Literal[
    "measurement", "fact", "alignment", "test", "ablation", "prediction", "absence", "record"
]
Triple = tuple[str, str, str]


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """Something that can be checked.

    Attributes:
        id: ``e`` and the beginning of the sha256 of everything else: equal evidence, equal id.
        subject: what it is about: a model, a class, a data set.
        predicate: what is said of it, such as ``score`` or ``hypernym path``.
        object: what was found: names and numbers by name.
        source: where it was read: a file of a run, a named graph, a checkpoint's file.
        sha256: of that source, where it is a file.
        triples: subject, predicate and object of the graph that it rests on, in N-Triples terms.
        derived_from: ids of the evidence it was computed from.
        check: a command or a SPARQL query that finds it again.
        confirmed: False where it rests on a guess, such as a match of names.
    """

    id: str
    kind: EvidenceKind
    subject: str
    predicate: str
    object: dict[str, Any] = {}
    source: str = ""
    sha256: str = ""
    triples: tuple[Triple, ...] = ()
    derived_from: tuple[str, ...] = ()
    check: str = ""
    confirmed: bool = True


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """One sentence of an explanation, and what supports it.

    It cannot be made without evidence; :meth:`zoo.explaining.Ledger.claim` makes it from slots
    that only evidence fills.

    Attributes:
        id: ``c1``, ``c2``, ... in the order of the report.
        level: how sure it is.
        evidence: ids; at least one.
        topic: heading that it stands under.
        reporter: who says so.
        models: which models it is about.
        prefers: the model that it puts above another; empty for every other claim.
        tentative: it rests on a guess that nobody has confirmed.
    """

    id: str
    text: str
    level: Level
    evidence: tuple[str, ...]
    topic: str = ""
    reporter: str = ""
    models: tuple[str, ...] = ()
    prefers: str = ""
    tentative: bool = False

    def __post_init__(self) -> None:
        """Refuse what nothing supports.

        Raises:
            ValueError: there is no text, or no evidence.
        """
        if not self.text.strip() or not self.evidence:
            raise ValueError("a claim needs a text and at least one piece of evidence")


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """A drawing of evidence; what draws it is chosen by its kind.

    Attributes:
        kind: ``path``: ``data["paths"]`` is a list of {caption, nodes, links}, each link the
            words between two nodes. ``curve``: ``data["layers"]`` and ``data["series"]``, a list
            of {name, values, chosen}. ``bars``: ``data["names"]`` of two models and
            ``data["rows"]``, a list of {label, values}. ``images``: ``data["rows"]``, a list of
            {caption, images}, each image {png, alt} with base64 PNG.
        description: in words, for whoever does not see it.
        evidence: ids; at least one.
    """

    kind: Literal["path", "curve", "bars", "images"]
    title: str
    description: str
    evidence: tuple[str, ...]
    topic: str = ""
    reporter: str = ""
    data: dict[str, Any] = {}

    def __post_init__(self) -> None:
        """Refuse a drawing of nothing.

        Raises:
            ValueError: no evidence.
        """
        if not self.evidence:
            raise ValueError("a figure needs at least one piece of evidence")


class GraphUse(msgspec.Struct, frozen=True, kw_only=True):
    """A named graph that an explanation read.

    Attributes:
        credit: the line that its licence asks to show.
        sha256: of what it was made from.
    """

    name: str
    triples: int
    license: str = ""
    credit: str = ""
    sha256: str = ""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """An explanation: also its JSON, field by field. Equal input gives equal bytes.

    Attributes:
        subject: ``ranking``: why one model before another; ``class``: why a class never seen.
        run: name of the run; empty for a class.
        model: what is explained.
        against: what it is compared with; empty where there is nothing.
        claims: in the order to read them.
        unknown: what is not known, each with the look-up that found nothing.
        evidence: everything that a claim, an unknown or a figure cites, and what that rests on.
        failures: reporters that broke; the others have spoken.
        graphs: that were read.
        versions: distribution -> version.
    """

    subject: Literal["ranking", "class"]
    title: str
    run: str = ""
    model: str = ""
    against: str = ""
    data: str = ""
    claims: tuple[Claim, ...] = ()
    unknown: tuple[Claim, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    figures: tuple[Figure, ...] = ()
    failures: tuple[Failure, ...] = ()
    graphs: tuple[GraphUse, ...] = ()
    seed: int = 0
    versions: dict[str, str] = {}
    schema_version: int = 1
