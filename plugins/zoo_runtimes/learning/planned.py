"""Layers and size of a network from its configuration alone: shapes run through it."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from zoo_runtimes.explaining import explained, quiet
from zoo_runtimes.learning.alignment import align, layers_among
from zoo_runtimes.learning.inputs import (
    TextReader,
    inputs_of,
    open_reader,
    require_fitting,
    require_trainable,
)
from zoo_runtimes.learning.making import choose_student, student_config
from zoo_runtimes.loading import check_architecture, choose, load_config
from zoo_runtimes.outline import build, on_meta
from zoo_runtimes.processors import read_config, require_colour
from zoo_runtimes.taps import discover

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zoo.types.model import Checkpoint
    from zoo.types.training import FeatureShape, StudentRequest
    from zoo_runtimes.loading import Network
    from zoo_runtimes.taps import Point


_REMEMBERED = 32


@dataclass(frozen=True)
class Planned:
    """What a network will be.

    Attributes:
        points: everything that can be read of it.
        body: those that are layers of its body, aligned.
        layers: what they give, in the order of the forward pass.
        parameters: how many numbers are in its weights.
    """

    points: tuple[Point, ...]
    body: tuple[Point, ...]
    layers: tuple[FeatureShape, ...]
    parameters: int


@dataclass(frozen=True)
class _Question:
    """A plan that is asked for; equal where files and wishes are the same."""

    files: tuple[object, ...]
    modality: str
    labels: tuple[str, ...] | None
    checkpoint: Checkpoint = field(compare=False)
    request: StudentRequest | None = field(compare=False)


def plan(checkpoint: Checkpoint, modality: str, request: StudentRequest | None) -> Planned:
    """Imagine a teacher, or a student with its new head; no weight is allocated or read.

    Plans are remembered for as long as the files of the checkpoint stay what they are.

    Args:
        checkpoint: configuration and preprocessing are enough.
        modality: which tower of a model that has several.
        request: None for a teacher.

    Raises:
        CheckpointError: as opening would.
    """
    require_trainable(checkpoint, modality)
    inputs_from = inputs_of(checkpoint, modality, request.inputs_like if request else None)
    return _plan(
        _Question(
            files=(*_files(checkpoint), *_files(inputs_from)),
            modality=modality,
            labels=request.labels if request else None,
            checkpoint=checkpoint,
            request=request,
        )
    )


def _files(checkpoint: Checkpoint) -> tuple[object, ...]:
    """Tell apart what the same folder held at different times."""
    found = {path.name: path.stat() for path in Path(checkpoint.folder).glob("*") if path.exists()}
    stamps = tuple((name, found[name].st_size, found[name].st_mtime_ns) for name in sorted(found))
    return checkpoint.folder, checkpoint.trust_remote_code, stamps


@lru_cache(maxsize=_REMEMBERED)
def _plan(question: _Question) -> Planned:
    checkpoint, modality, request = question.checkpoint, question.modality, question.request
    inputs_from = inputs_of(checkpoint, modality, request.inputs_like if request else None)
    borrowed = inputs_from is not checkpoint
    hint = "Put preprocessing of its own into its folder." if borrowed else "Leave it out."
    with explained(checkpoint, "its layers cannot be listed", hint), quiet():
        network = imagined(checkpoint, modality, request)
        reader = open_reader(inputs_from, network, modality)
        if borrowed and isinstance(reader, TextReader):
            require_fitting(checkpoint, reader, inputs_from)
        inputs = {name: values.to("meta") for name, values in reader.samples().items()}
        with on_meta():
            points = discover(network, inputs, modality=modality, varying=False)
            body, layers = align(network, layers_among(points), inputs)
    parameters = sum(part.numel() for part in network.module.parameters())
    return Planned(points, tuple(body), tuple(layers), parameters)


def imagined(checkpoint: Checkpoint, modality: str, request: StudentRequest | None) -> Network:
    """Make the network of a teacher (``request`` is None) or a student on the meta device.

    Raises:
        CheckpointError: as opening would.
    """
    if request is not None:
        config = student_config(checkpoint, modality, request)
        with on_meta():
            network = choose_student(
                checkpoint, config, modality, request, lambda auto: build(checkpoint, config, auto)
            )
    else:
        raw = read_config(checkpoint)
        if modality == "image":
            require_colour(checkpoint)
        check_architecture(checkpoint, raw)
        config = load_config(checkpoint, raw)
        with on_meta():
            network = choose(
                checkpoint, config, modality, lambda auto: build(checkpoint, config, auto)
            )
    network.module.eval()
    return network


def layers(
    checkpoint: Checkpoint, modality: str, student: StudentRequest | None
) -> tuple[Sequence[FeatureShape], int]:
    """Layers and number of parameters, see :func:`plan`."""
    planned = plan(checkpoint, modality, student)
    return planned.layers, planned.parameters
