"""What a reporter is given, and the objects behind the specs of explanations."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    import numpy.typing as npt

    from zoo.explaining.ledger import Ledger
    from zoo.graph import Graph
    from zoo.types.features import Features
    from zoo.types.model import ModelEntry
    from zoo.types.ranking import Ranking


class LabelSpace(msgspec.Struct, frozen=True, kw_only=True):
    """The names of the classes of a data set or of a checkpoint's own head.

    Attributes:
        name: the model's reference, or the data's name.
        labels: in the order of the class ids.
        source: the file that says so.
        sha256: of that file.
        ids: WordNet 3.0 ids, one a label, where the source has them.
    """

    name: str
    labels: tuple[str, ...]
    source: str = ""
    sha256: str = ""
    ids: tuple[str, ...] = ()


class TransferRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One model fine-tuned on one data set: what happened, by a held-out part that is no test set.

    Attributes:
        source: the model that was started from.
        target: the data.
        value: what was reached; higher is better.
        metric: its name, such as ``accuracy``.
        origin: the run or the file that says so.
        quantities: further numbers known of the pair before the transfer, by name: scores of
            estimators, size.
        source_labels: classes that the model was trained on.
        target_labels: classes of the data.
    """

    source: str
    target: str
    value: float
    metric: str = "accuracy"
    origin: str = ""
    quantities: dict[str, float] = {}
    source_labels: tuple[str, ...] = ()
    target_labels: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, eq=False)
class Maps:
    """Attribution maps of one model on a few samples.

    Attributes:
        layer: whose output is attributed.
        method: how.
        samples: (P,) indices into the probe.
        values: (P, H, W): attribution of each cell of a grid that all models share.
        images: P pictures as encoded bytes.
        labels: P class names.
    """

    model: str
    layer: str
    method: str
    samples: npt.NDArray[Any]
    values: npt.NDArray[Any]
    images: Sequence[bytes]
    labels: Sequence[str]


@dataclass(frozen=True, kw_only=True, eq=False)
class Classifier:
    """The last linear layer of a classifier.

    Attributes:
        weight: (S, D) float32, a row a class.
        bias: (S,) float32, or None.
        space: the names of the S classes.
        source: the tensor's name and file.
    """

    weight: npt.NDArray[Any]
    bias: npt.NDArray[Any] | None
    space: LabelSpace
    source: str
    sha256: str = ""


def _lacking(what: str) -> Callable[..., Any]:
    def refuse(*_: object) -> Any:
        from zoo.errors import NotApplicable

        raise NotApplicable(what)

    return refuse


_NAMELESS = LabelSpace(name="", labels=())
_NO_DATA = _lacking("there is no data to read")
_NO_MAPS = _lacking("there is no data to attribute")
_NO_CLASSIFIER = _lacking("there is no checkpoint to read")
_NO_ENCODER = _lacking("no text encoder is named")


@dataclass(frozen=True, kw_only=True, eq=False)
class Case:
    """Everything a reporter may ask for. What cannot be had raises ``NotApplicable``.

    A reporter reads, records what it found in :attr:`ledger` and claims from there. Whatever it
    leaves to fall out as ``NotApplicable`` is listed as not known, with its reason.

    Attributes:
        ledger: where evidence is recorded and claims are made.
        model: what is explained.
        against: what it is compared with; empty where there is nothing.
        ranking: of the run; None for a class.
        origin: the file of the ranking, for :attr:`Evidence.source`, and its sha256.
        target: the person's classes; empty where they have no names.
        spaces: model -> its own classes; a checkpoint without a head is missing.
        entries: model -> what the registry and its files say.
        cards: model -> the facts of its card.
        graph: the knowledge graph, or None where there is none.
        history: recorded transfers.
        senses: label -> id of the sense that the person chose.
        unseen: classes to justify, as the person named them.
        seed: of everything that draws.
        options: what else the person said, by name.
        read_features: model -> features of the person's data at the ranked layer, with logits.
        read_maps: model -> attribution maps of a few samples.
        read_classifier: model -> its classifier.
        encode: texts -> (N, E) vectors of unit length.
        encoder: name of what encodes; empty where nothing does.
    """

    ledger: Ledger
    model: str = ""
    against: str = ""
    ranking: Ranking | None = None
    origin: tuple[str, str] = ("", "")
    target: LabelSpace = _NAMELESS
    spaces: Mapping[str, LabelSpace] = field(default_factory=dict)
    entries: Mapping[str, ModelEntry] = field(default_factory=dict)
    cards: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    graph: Graph | None = None
    history: tuple[TransferRecord, ...] = ()
    senses: Mapping[str, str] = field(default_factory=dict)
    unseen: tuple[str, ...] = ()
    seed: int = 0
    options: Mapping[str, Any] = field(default_factory=dict)
    read_features: Callable[[str], Features] = _NO_DATA
    read_maps: Callable[[str], Maps] = _NO_MAPS
    read_classifier: Callable[[str], Classifier] = _NO_CLASSIFIER
    encode: Callable[[Sequence[str]], npt.NDArray[Any]] = _NO_ENCODER
    encoder: str = ""


class Reporter(Protocol):
    """Explains, in claims that cite evidence."""

    def report(self, case: Case) -> None:
        """Record evidence and claims in ``case.ledger``.

        Raises:
            NotApplicable: nothing can be said; the reason is listed as not known.
        """
        ...


class SourceFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What a graph source knows of the triples it gave.

    Attributes:
        version: of the data.
        license: SPDX-like id.
        credit: the line that the licence asks to show.
        sha256: of what was read.
    """

    version: str = ""
    license: str = ""
    credit: str = ""
    sha256: str = ""


class GraphSource(Protocol):
    """Turns somebody's data into triples."""

    def write(self, place: Path | None, out: BinaryIO, *, offline: bool) -> SourceFacts:
        """Write N-Triples.

        Args:
            place: the file or folder that the person named; None fetches, where the source can.
            out: gets lines of N-Triples in UTF-8; all of it is loaded, or none.
            offline: the network must not be asked.

        Raises:
            InputError: nothing there, or not what this source reads; with file and line.
            OfflineError: it would have to be fetched.
        """
        ...


@dataclass(frozen=True, kw_only=True, eq=False)
class LinkTable:
    """Links between the nodes of a graph, by number.

    Attributes:
        nodes: N identifiers.
        texts: N texts, one a node: its names and gloss.
        relations: R names.
        links: (L, 3) int64: head, relation, tail.
        vectors: (N, E) float32 of the texts, of unit length; None where nothing encodes them.
    """

    nodes: Sequence[str]
    texts: Sequence[str]
    relations: Sequence[str]
    links: npt.NDArray[Any]
    vectors: npt.NDArray[Any] | None = None


class Completer(Protocol):
    """Learns which links a graph lacks."""

    def fit(self, table: LinkTable, validation: npt.NDArray[Any], *, seed: int = 0) -> LinkScorer:
        """Learn from the links of the table.

        Args:
            table: what is known; the links of ``validation`` are not among them.
            validation: (V, 3) int64 links to stop by; may be empty.
            seed: of everything that draws.
        """
        ...


class LinkScorer(Protocol):
    """What a completer has learnt."""

    def score(self, heads: npt.NDArray[Any], relations: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Score every node as the tail of (head, relation).

        Args:
            heads: (B,) int64.
            relations: (B,) int64; ``relation + R`` asks for the head of (?, relation, tail).

        Returns:
            (B, N) float32, raw; higher is likelier. The core makes probabilities of them.
        """
        ...
