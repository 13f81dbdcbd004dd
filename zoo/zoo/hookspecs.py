"""Everything a plugin can do. Read this file first.

A plugin is a module that an entry point of the group ``zoo.v1`` names. It implements any of the
hooks below with ``@zoo.hookimpl``; an implementation asks only for the parameters it wants.

Three kinds of hooks: *collect* hooks advertise specs and import nothing heavy; *decide* hooks
answer a question, and the first answer that is not None wins; *event* hooks are told what
happened and return nothing. Return sequences, never generators: a generator would fail after the
host has stopped watching.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pluggy

from zoo.deprecation import Deprecated

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from zoo.graph import Graph
    from zoo.types import (
        AmalgamatorSpec,
        AugmenterSpec,
        BuiltModel,
        CalibratorSpec,
        Candidate,
        CommandSpec,
        CompleterSpec,
        DistillerSpec,
        EstimatorSpec,
        FamilySpec,
        GraphSourceSpec,
        GrowerSpec,
        LabelEncoderSpec,
        Limits,
        ModelEntry,
        ModelRef,
        ObjectiveSpec,
        PretextSpec,
        ProbeSpec,
        ProbeSummary,
        Ranking,
        RegulariserSpec,
        ReporterSpec,
        RuntimeSpec,
        ScoreRecord,
        SourceSpec,
    )

#: Major version of the hook contract; also the suffix of the entry-point group.
HOOK_API = 1
GROUP = f"zoo.v{HOOK_API}"

hookspec = pluggy.HookspecMarker("zoo")
hookimpl = pluggy.HookimplMarker("zoo")


# Collect: called once at start-up. Return specs; import nothing heavy.


@hookspec
def zoo_sources() -> Sequence[SourceSpec]:
    """Advertise places that checkpoints come from, each with the scheme of its references."""
    return ()


@hookspec
def zoo_runtimes() -> Sequence[RuntimeSpec]:
    """Advertise runtimes that can open checkpoints and tap their layers."""
    return ()


@hookspec
def zoo_probes() -> Sequence[ProbeSpec]:
    """Advertise readers of data layouts."""
    return ()


@hookspec
def zoo_estimators() -> Sequence[EstimatorSpec]:
    """Advertise transferability estimators and data-free priors."""
    return ()


@hookspec
def zoo_label_encoders() -> Sequence[LabelEncoderSpec]:
    """Advertise ways to turn class names, captions and answers into vectors."""
    return ()


@hookspec
def zoo_amalgamators() -> Sequence[AmalgamatorSpec]:
    """Advertise ways to make one student of several teachers."""
    return ()


@hookspec
def zoo_distillers() -> Sequence[DistillerSpec]:
    """Advertise ways to move what a teacher knows into a student."""
    return ()


@hookspec
def zoo_regularisers() -> Sequence[RegulariserSpec]:
    """Advertise losses that look at a student alone."""
    return ()


@hookspec
def zoo_augmenters() -> Sequence[AugmenterSpec]:
    """Advertise ways to mix the samples of a batch inside a student."""
    return ()


@hookspec
def zoo_objectives() -> Sequence[ObjectiveSpec]:
    """Advertise objectives that read labels where some are known."""
    return ()


@hookspec
def zoo_pretexts() -> Sequence[PretextSpec]:
    """Advertise tasks that inputs alone define."""
    return ()


@hookspec
def zoo_calibrators() -> Sequence[CalibratorSpec]:
    """Advertise ways to make the probabilities of a trained model honest."""
    return ()


@hookspec
def zoo_growers() -> Sequence[GrowerSpec]:
    """Advertise ways to set the weights of a wider or deeper checkpoint."""
    return ()


@hookspec
def zoo_families() -> Sequence[FamilySpec]:
    """Advertise architectures that can be grown."""
    return ()


@hookspec
def zoo_reporters() -> Sequence[ReporterSpec]:
    """Advertise ways to explain a ranking, or what a model makes of a class it never saw."""
    return ()


@hookspec
def zoo_graph_sources() -> Sequence[GraphSourceSpec]:
    """Advertise what can be read into the knowledge graph."""
    return ()


@hookspec
def zoo_completers() -> Sequence[CompleterSpec]:
    """Advertise ways to expect links that the knowledge graph lacks."""
    return ()


@hookspec
def zoo_commands() -> Sequence[CommandSpec]:
    """Advertise click commands that join ``zoo``."""
    return ()


# Decide: the first answer that is not None wins.


@hookspec(firstresult=True)
def zoo_resolve(reference: str) -> ModelRef | None:
    """Turn a text that no source's scheme claims into a reference, or return None."""


@hookspec(firstresult=True)
def zoo_select_runtime(
    entry: ModelEntry, device: str, available: Sequence[RuntimeSpec]
) -> str | None:
    """Name the runtime for one checkpoint, or return None to leave it to the others."""


# Exclude: every implementation is asked, before any download.


_LIMITS = Deprecated(
    "the parameter 'limits' of zoo_exclude_candidates",
    since="0.2",
    instead="'asked', a zoo.types.Limits",
)


@hookspec(warn_on_impl_args={"limits": _LIMITS})
def zoo_exclude_candidates(
    candidates: Sequence[Candidate],
    probe: ProbeSummary,
    asked: Limits,
    limits: Mapping[str, object],
) -> Mapping[str, str]:
    """Map the reference of each candidate to leave out to the reason, one short phrase.

    Asked twice, before and after the checkpoints were looked at. ``asked`` holds what the person
    asked for, and says which time it is; ``limits`` is the same as a mapping, and goes in 0.4.
    """
    return {}


# Events.


@hookspec
def zoo_score_recorded(record: ScoreRecord) -> None:
    """React to one finished cell of the table."""


@hookspec
def zoo_ranking_ready(ranking: Ranking) -> None:
    """React to a finished ranking, before it is printed."""


@hookspec
def zoo_graph_changed(graph: Graph) -> None:
    """React to what was imported into the knowledge graph, while it is open: make indices of it."""


@hookspec
def zoo_model_built(result: BuiltModel) -> None:
    """React to a finished model, before its table is printed."""
