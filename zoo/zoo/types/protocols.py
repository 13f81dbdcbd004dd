"""The objects behind the specs: small protocols, no base class to inherit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy.typing as npt

    from zoo.types.features import Features
    from zoo.types.model import Candidate, Checkpoint, ModelEntry
    from zoo.types.probe import Probe
    from zoo.types.score import Score, ScoreRecord

    #: Gives (U, E) text embeddings of U texts by the checkpoint that a reference names. Raises
    #: ZooError where it cannot be had: unknown, offline, no text model.
    Embed = Callable[[str, Sequence[str]], npt.NDArray[Any]]


class Estimator(Protocol):
    """Predicts how well a checkpoint would transfer, without training it."""

    def score(self, features: Features) -> Score:
        """Score one layer of one model.

        Raises:
            NotApplicable: the method has nothing to say about this input; the table shows a dash.
        """
        ...


@runtime_checkable
class ManyLabels(Protocol):
    """An estimator that scores many label sets at once, on one factorisation (optional)."""

    def score_many(
        self, features: Features, labels: Sequence[npt.NDArray[Any]]
    ) -> npt.NDArray[Any]:
        """Scores (B,) of the same activations under B label arrays shaped like the labels."""
        ...


@runtime_checkable
class ManyFolds(Protocol):
    """An estimator that leaves groups of samples out without starting afresh (optional)."""

    def score_folds(
        self, features: Features, folds: Sequence[npt.NDArray[Any]]
    ) -> npt.NDArray[Any]:
        """Scores (K,) without each group of samples; a group is an (N,) bool mask."""
        ...


class Prior(Protocol):
    """Scores a checkpoint from its registry entry alone."""

    def score_entry(self, entry: ModelEntry) -> Score:
        """Score without any data; ``Score.note`` is the reason shown beside it."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Contestant:
    """One candidate as a combiner sees it.

    Attributes:
        entry: its registry entry, or None where there is none.
        prior: its data-free score, or None where it has none.
        records: estimator -> its word at the layer that was chosen; saturated ones included.
    """

    entry: ModelEntry | None
    prior: Score | None
    records: Mapping[str, ScoreRecord]


class Combiner(Protocol):
    """Makes one score of the evidence and the prior, all candidates at once."""

    def combine(
        self, contestants: Sequence[Contestant], evidence: npt.NDArray[Any]
    ) -> Sequence[Score]:
        """Score n candidates together; a difference of two values is the log odds of winning.

        Args:
            contestants: n candidates.
            evidence: (n,) consensus of the estimators in [0, 1]: the expected share of the other
                candidates that each beats.

        Raises:
            NotApplicable: there is nothing to combine; the consensus stands.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelSet:
    """Distinct labels, for encoders.

    Attributes:
        texts: U class names or label texts.
        counts: (U,) how many samples have each.
    """

    texts: tuple[str, ...]
    counts: npt.NDArray[Any]


class LabelEncoder(Protocol):
    """Turns labels into vectors that carry their meaning."""

    def encode(self, labels: LabelSet, embed: Embed) -> npt.NDArray[Any]:
        """Encode U labels as (U, E) floats; the width E is the encoder's own.

        Args:
            labels: what to encode.
            embed: runs a text checkpoint of any source over texts, and keeps what came out.

        Raises:
            NotApplicable: these labels have no meaning to it; the other encoders go on.
            ZooError: it cannot be had, as a checkpoint while offline.
        """
        ...


class Source(Protocol):
    """Finds checkpoints and brings them to this machine."""

    def inspect(self, candidate: Candidate) -> ModelEntry:
        """Complete an entry without downloading a weight: config, header, sizes, licence.

        Raises:
            CheckpointError: unsafe or unusable (no safetensors, remote code, ...).
            OfflineError: offline, and not in the cache.
        """
        ...

    def missing_bytes(self, candidate: Candidate) -> int:
        """Bytes that :meth:`fetch` would download; 0 when everything is here. Asks no network."""
        ...

    def fetch(self, candidate: Candidate) -> Checkpoint:
        """Bring the files here, verified against their digests; cached files cost nothing.

        Raises:
            CheckpointError, HubError, OfflineError: with what to do.
        """
        ...


@runtime_checkable
class Describes(Protocol):
    """A source that can bring a checkpoint here without its weights (optional)."""

    def describe(self, candidate: Candidate) -> Checkpoint:
        """Bring configuration and preprocessing here, and no weight.

        The entry is as complete as :meth:`Source.inspect` makes it, or says less; the digest is
        that of these files alone.

        Raises:
            CheckpointError, HubError, OfflineError: with what to do.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeOptions:
    """What a person may say about their data; None or empty means: guess, and say so.

    Attributes:
        task: overrides the guess.
        label: label columns.
        text: text columns, one or two.
        image: the image column.
        split: the split to read.
        samples: sample size; None reads everything.
        seed: seed of the stratified sample.
        offline: never ask the network.
    """

    task: str | None = None
    label: tuple[str, ...] = ()
    text: tuple[str, ...] = ()
    image: str | None = None
    split: str | None = None
    samples: int | None = 1000
    seed: int = 0
    offline: bool = False


class ProbeLoader(Protocol):
    """Reads one data layout."""

    def claims(self, data: str) -> bool:
        """Whether this layout is what ``data`` (a path or an id) looks like; cheap."""
        ...

    def load(self, data: str, options: ProbeOptions) -> Probe:
        """Read, guess, sample.

        Raises:
            InputError: one sentence about what is wrong, where, and what to do.
        """
        ...
