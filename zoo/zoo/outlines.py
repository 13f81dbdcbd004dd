"""The named points of a checkpoint that can be read, and their shapes, without its weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from zoo.checkpoints import choose_runtime, guarded, inspected, locate, opened
from zoo.errors import CheckpointError
from zoo.events import Listener, ignore
from zoo.types.protocols import Describes
from zoo.types.runtimes import Outlines

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zoo.catalogue import Catalogue
    from zoo.settings import Settings
    from zoo.types.model import Candidate, Checkpoint
    from zoo.types.protocols import Source
    from zoo.types.runtimes import Runtime, Tap
    from zoo.types.specs import RuntimeSpec

_HEAD_INPUT, _LOGITS = "head_input", "logits"


class TapOutline(msgspec.Struct, frozen=True, kw_only=True):
    """One point of a network.

    Attributes:
        shape: of one sample before it is pooled; a None varies with the input; empty where nobody
            knows.
        dimension: width of the pooled vector, where it is known.
        default: whether it is what a new head would read.
    """

    tap: str
    shape: tuple[int | None, ...] = ()
    dimension: int | None = None
    default: bool = False


class Outline(msgspec.Struct, frozen=True, kw_only=True):
    """The points of one checkpoint, in the order of the forward pass."""

    model: str
    runtime: str
    modality: str | None
    architecture: str | None
    taps: tuple[TapOutline, ...]
    schema_version: int = 1


def outline(
    model: str,
    settings: Settings,
    catalogue: Catalogue,
    *,
    modality: str | None = None,
    trust_remote_code: Sequence[str] = (),
    on_event: Listener = ignore,
) -> Outline:
    """Name the taps of a checkpoint; no weight is downloaded or read where its runtime can.

    Args:
        model: a reference, a folder or a name of the registry.
        settings: how to run.
        catalogue: what the plugins provide.
        modality: which tower of a model that has several.
        trust_remote_code: references that may run their own code.
        on_event: is told what happens.

    Raises:
        InputError: no such model.
        CheckpointError: it cannot be read, or only with weights that are not here.
    """
    candidate, source = locate(
        model, settings, catalogue, trust_remote_code=trust_remote_code, on_event=on_event
    )
    checkpoint = source.describe(candidate) if isinstance(source, Describes) else None
    entry = checkpoint.entry if checkpoint else source.inspect(candidate)
    wanted = modality or entry.modality
    spec = choose_runtime(entry, wanted, settings, catalogue)
    runtime: Runtime = catalogue.create("runtime", spec.name)
    if checkpoint and isinstance(runtime, Outlines):
        with guarded(spec, "outline", checkpoint.model):
            taps, default = list(runtime.outline(checkpoint, modality)), _HEAD_INPUT
    else:
        whole = _whole(candidate, source, spec)
        with opened(
            whole, spec, runtime, modality=wanted or "", settings=settings, on_event=on_event
        ) as (backbone, _):
            taps, default = list(backbone.taps), backbone.default_tap
    return Outline(
        model=entry.ref,
        runtime=spec.name,
        modality=wanted,
        architecture=entry.architecture,
        taps=_outlined(taps, default),
    )


def _outlined(taps: Sequence[Tap], default: str) -> tuple[TapOutline, ...]:
    names = [tap.name for tap in taps if tap.name != _LOGITS]
    chosen = default if default in names else next(reversed(names), "")
    return tuple(
        TapOutline(
            tap=tap.name, shape=tap.shape, dimension=tap.dimension, default=tap.name == chosen
        )
        for tap in taps
    )


def _whole(candidate: Candidate, source: Source, spec: RuntimeSpec) -> Checkpoint:
    """Bring the weights of a checkpoint whose runtime cannot do without, if they are here.

    Raises:
        CheckpointError: they would have to be downloaded.
    """
    complete = inspected(candidate, source)
    if source.missing_bytes(complete):
        raise CheckpointError(
            f"the runtime {spec.name!r} needs the weights of {complete.model} to name its taps, "
            "and they are not on this machine.",
            f"zoo models pull {complete.model}",
        )
    return source.fetch(complete)
