"""Labels -> vectors that carry their meaning, for estimators that read label embeddings."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.catalogue import build
from zoo.checks import CLASS_TASKS
from zoo.errors import InputError, NotApplicable, PluginError
from zoo.events import ignore
from zoo.host import PLUGIN_ERRORS
from zoo.label_embeddings.align import align
from zoo.label_embeddings.embed import TextEmbedder, TextModel
from zoo.types.failure import Failure
from zoo.types.model import is_reference
from zoo.types.protocols import LabelSet

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import numpy.typing as npt

    from zoo.catalogue import Catalogue
    from zoo.events import Listener
    from zoo.runs import Request
    from zoo.settings import Settings
    from zoo.types.probe import Probe
    from zoo.types.specs import EstimatorSpec, LabelEncoderSpec

__all__ = ["LabelEmbeddings", "embed_for", "embed_labels"]


@dataclass(frozen=True, kw_only=True, eq=False)
class LabelEmbeddings:
    """What the label encoders made of a probe's labels.

    Attributes:
        extras: ``class_embeddings`` (U, E, K) float64 in the order of the probe's label names,
            and ``label_encoders`` (K,), the names of who made them; empty when nobody could.
        failures: encoders that could not be had.
        encoders: the names of those that could.
    """

    extras: dict[str, npt.NDArray[Any]] = field(default_factory=dict)
    failures: tuple[Failure, ...] = ()
    encoders: tuple[str, ...] = ()


def embed_for(
    request: Request,
    probe: Probe,
    estimators: Iterable[EstimatorSpec],
    *,
    catalogue: Catalogue,
    settings: Settings,
    on_event: Listener = ignore,
) -> LabelEmbeddings:
    """Embed the labels of a request's probe if an estimator reads that; texts are always read so.

    Raises:
        InputError: as :func:`embed_labels`.
    """
    reads = any(spec.reads("label_embeddings") for spec in estimators)
    if not reads and probe.task != "text":
        return LabelEmbeddings()
    known = catalogue.specs("label_encoder")
    return embed_labels(
        probe,
        request.label_encoders,
        catalogue=catalogue,
        settings=settings,
        on_event=on_event,
        options={name: each for name, each in request.options.items() if name in known},
        folder=request.folder,
    )


def embed_labels(
    probe: Probe,
    encoders: Sequence[str] = (),
    *,
    catalogue: Catalogue,
    settings: Settings,
    on_event: Listener = ignore,
    options: Mapping[str, Mapping[str, Any]] | None = None,
    folder: str = "",
) -> LabelEmbeddings:
    """Embed the distinct labels of a probe, each encoder its own failure domain.

    Labels that are numbers (regression, multi-label) need no encoder and get none. Class names
    are taken as they are, underscores and all.

    Args:
        probe: its label names are what is embedded, its label counts what is weighed with.
        encoders: names, or references of text checkpoints; empty takes the default ones.
        catalogue: where the names are looked up.
        settings: how checkpoints are run.
        on_event: is told of downloads and forward passes.
        options: encoder -> its options.
        folder: where relative references start from; the working directory.

    Raises:
        InputError: no such encoder or option, or one that does not do the task.
    """
    options = options or {}
    for name in options:
        catalogue.spec("label_encoder", name)
    if probe.task not in CLASS_TASKS:
        return LabelEmbeddings()
    chosen = _choose(encoders, probe, catalogue)
    made, failures = _made(chosen, options, catalogue)
    counts = np.bincount(probe.labels, minlength=len(probe.label_names)).astype(np.float64)
    labels = LabelSet(texts=tuple(probe.label_names), counts=counts)
    if np.count_nonzero(counts) < 2:
        return LabelEmbeddings()
    embed = TextEmbedder(catalogue, settings, on_event, folder)
    tables = {}
    for name, encoder in made.items():
        try:
            tables[name] = _checked(name, encoder.encode(labels, embed), labels)
        except PLUGIN_ERRORS as error:
            # Nobody asked for a default encoder, which may have nothing to say.
            if encoders or not isinstance(error, NotApplicable):
                failures.append(_failure(error, name, catalogue))
    if not tables:
        return LabelEmbeddings(failures=tuple(failures))
    extras = {
        "class_embeddings": align(list(tables.values()), counts),
        "label_encoders": np.array(list(tables)),
    }
    return LabelEmbeddings(extras=extras, failures=tuple(failures), encoders=tuple(tables))


def _made(
    chosen: Mapping[str, LabelEncoderSpec | None],
    options: Mapping[str, Mapping[str, Any]],
    catalogue: Catalogue,
) -> tuple[dict[str, Any], list[Failure]]:
    """Make every encoder; one that cannot be made is a failure of its own."""
    made: dict[str, Any] = {}
    failures = []
    for name, spec in chosen.items():
        try:
            made[name] = TextModel(name) if spec is None else build(spec, options.get(name))
        except InputError:  # the person's own words
            raise
        except PLUGIN_ERRORS as error:
            failures.append(_failure(error, name, catalogue))
    return made, failures


def _failure(error: BaseException, name: str, catalogue: Catalogue) -> Failure:
    owner = catalogue.stranger("label_encoder", name)
    return Failure.of(error, stage=f"label encoder {name}", **owner)


def _choose(
    encoders: Sequence[str], probe: Probe, catalogue: Catalogue
) -> dict[str, LabelEncoderSpec | None]:
    """Look up what was named, else the default ones; a checkpoint's reference has no spec."""
    known: dict[str, LabelEncoderSpec] = catalogue.specs("label_encoder")
    if not encoders:
        usable = (spec for spec in known.values() if spec.default and probe.task in spec.tasks)
        return {spec.name: spec for spec in usable}
    chosen: dict[str, LabelEncoderSpec | None] = {}
    for text in encoders:
        if text not in known and is_reference(text):
            chosen[text] = None
            continue
        spec = catalogue.spec("label_encoder", text)
        for name in spec.members or (text,):
            member = catalogue.spec("label_encoder", name)
            if probe.task not in member.tasks:
                raise InputError(
                    f"the label encoder {name!r} does not do {probe.task}; "
                    f"it does {', '.join(member.tasks)}.",
                    "zoo plugins list --hook zoo_label_encoders",
                )
            chosen[name] = member
    return chosen


def _checked(name: str, table: Any, labels: LabelSet) -> npt.NDArray[np.float64]:
    array = np.asarray(table, dtype=np.float64)
    if array.ndim != 2 or len(array) != len(labels.texts) or not array.shape[1]:
        raise PluginError(
            f"the label encoder {name!r} returned the shape {array.shape} for "
            f"{len(labels.texts)} labels."
        )
    if not np.isfinite(array).all():
        raise PluginError(f"the label encoder {name!r} returned NaN or infinity.")
    present = array[labels.counts > 0]
    if np.ptp(present, axis=0).max() <= 1e-9 * np.abs(present).max():
        raise NotApplicable("it gives every label the same embedding.")
    return array
