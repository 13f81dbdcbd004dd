"""What a network says about inputs, and what the numbers of the teachers look like."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from zoo.building.stages import shapes_of
from zoo.errors import CheckpointError, InputError, OutOfMemoryError
from zoo.events import Event, Listener, ignore
from zoo.training.aligning import align
from zoo.training.moments import Moments, Spread, Statistics, merged, moments, spread
from zoo.training.samples import batches

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import numpy.typing as npt
    from torch import Tensor, nn

    from zoo.types.training import FeatureShape, Stage, TrainableNetwork

__all__ = ["Spread", "Statistics", "Teacher", "logits_of", "look", "spread_rows", "statistics_of"]

#: Rows that mean and deviation are taken of.
STATISTIC_ROWS = 2000
_HALVES = {"bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True, slots=True, eq=False)
class Teacher:
    """A frozen network that is asked.

    Attributes:
        alias: its short name.
        network: open, on its device.
        digest: of everything that decides what it says; equal for equal teachers.
        precision: numbers that its forward pass computes in.
    """

    alias: str
    network: TrainableNetwork
    digest: str = ""
    precision: str = "fp32"


def look(
    teacher: Teacher, shapes: Sequence[FeatureShape], inputs: Mapping[str, Tensor]
) -> tuple[Tensor | None, tuple[Tensor, ...]]:
    """Ask a teacher about one batch, without gradients and in eval mode.

    Args:
        teacher: who is asked.
        shapes: the forms of its taps that are wanted.
        inputs: as its reader collates them; on any device.

    Returns:
        (B, C) float32 logits, None without a head; one aligned tensor a shape.

    Raises:
        OutOfMemoryError: the batch does not fit.
    """
    module = teacher.network.module
    if module.training:
        module.eval()
    taps = list(dict.fromkeys(shape.tap for shape in shapes))
    device = device_of(module)
    with (
        torch.no_grad(),
        _explained_memory(teacher.alias, device),
        _computing(teacher.precision, device),
    ):
        seen = teacher.network.observe(_moved(inputs, device), taps)
        features = tuple(align(seen.features[shape.tap], shape) for shape in shapes)
    return None if seen.logits is None else seen.logits.float(), features


def statistics_of(
    teachers: Sequence[Teacher],
    stages: Sequence[Stage],
    samples: Sequence[object],
    rows: Sequence[int],
    *,
    modality: str,
    batch: int = 64,
    workers: int | None = None,
    on_event: Listener = ignore,
) -> Statistics:
    """Ask all teachers about the plain views of :func:`spread_rows`; keep mean and deviation.

    Args:
        teachers: open networks, each of which sees every batch.
        stages: where their features are read.
        samples: all inputs.
        rows: numbers of those that are trained on.
        modality: of the inputs.
        batch: samples of one forward pass.
        workers: processes that read ahead; None counts those that pay.
        on_event: hears the progress.

    Raises:
        CheckpointError: a teacher says something that is not a number.
    """
    shapes = [shapes_of(stages, each) for each in range(len(teachers))]
    readers = {each.network.reader.key: each.network.reader for each in teachers}
    counts = [Counts() for _ in teachers]
    chosen, done = spread_rows(rows), 0
    for asked in batches(samples, chosen, readers, modality=modality, batch=batch, workers=workers):
        for each, teacher in enumerate(teachers):
            inputs = asked.inputs[teacher.network.reader.key]
            counts[each] = counts[each].grown(*look(teacher, shapes[each], inputs))
        done += len(asked.rows)
        on_event(Event(kind="batch", done=done, total=len(chosen)))
    return gathered([each.alias for each in teachers], counts, stages)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Counts:
    """Moments of what one teacher said so far.

    Attributes:
        logits: None before the first one, or without a head.
        features: one a form of its taps; empty before the first ones.
    """

    logits: Moments | None = None
    features: tuple[Moments, ...] = ()

    def grown(self, logits: Tensor | None, features: Sequence[Tensor]) -> Counts:
        """Count one batch more of what :func:`look` gives."""
        known = self.features or (None,) * len(features)
        pairs = zip(known, features, strict=True)
        return Counts(
            logits=self.logits if logits is None else _grown(self.logits, logits),
            features=tuple(_grown(old, new) for old, new in pairs),
        )

    def all(self) -> tuple[Moments, ...]:
        """List what was counted, logits first."""
        return (*(() if self.logits is None else (self.logits,)), *self.features)


def gathered(
    aliases: Sequence[str], counts: Sequence[Counts], stages: Sequence[Stage]
) -> Statistics:
    """Sort what was counted of each teacher by stages.

    Raises:
        CheckpointError: a teacher says something that is not a number.
    """
    for alias, count in zip(aliases, counts, strict=True):
        if not all(np.isfinite(each.squares).all() for each in count.all()):
            raise CheckpointError(
                f"teacher {alias!r} gives numbers that are not finite on this data",
                "compute in fp32, or leave this teacher out",
            )
    known = [
        dict(zip(shapes_of(stages, each), count.features, strict=True))
        for each, count in enumerate(counts)
    ]
    return Statistics(
        logits=tuple(None if each.logits is None else spread(each.logits) for each in counts),
        features=tuple(
            tuple(spread(known[each][shape]) for each, shape in enumerate(stage.teachers))
            for stage in stages
        ),
    )


def spread_rows(rows: Sequence[int], most: int = STATISTIC_ROWS) -> list[int]:
    """Choose rows that are evenly spread over all of them."""
    if len(rows) <= most:
        return list(rows)
    return [rows[number * len(rows) // most] for number in range(most)]


def logits_of(
    network: TrainableNetwork,
    samples: Sequence[object],
    rows: Sequence[int],
    *,
    modality: str,
    batch: int = 64,
    precision: str = "fp32",
    workers: int | None = None,
    on_event: Listener = ignore,
) -> npt.NDArray[np.float32]:
    """Read the logits of plain views, in eval mode; the mode that the network had comes back.

    Returns:
        (N, C) float32, in the order of ``rows``.

    Raises:
        InputError: the network has no head.
    """
    if network.head is None:
        raise InputError("a network without a head gives no logits")
    module, reader = network.module, network.reader
    found = np.empty((len(rows), len(network.head.labels)), dtype=np.float32)
    done = 0
    with _judging(module):
        for each in batches(
            samples, rows, {reader.key: reader}, modality=modality, batch=batch, workers=workers
        ):
            teacher = Teacher("", network, precision=precision)
            logits, _ = look(teacher, (), each.inputs[reader.key])
            assert logits is not None
            found[done : done + len(logits)] = logits.cpu().numpy()
            done += len(logits)
            on_event(Event(kind="batch", done=done, total=len(rows)))
    return found


def device_of(module: nn.Module) -> torch.device:
    """Where a network is."""
    some = next(chain(module.parameters(), module.buffers()), None)
    return torch.device("cpu") if some is None else some.device


@contextmanager
def _judging(module: nn.Module) -> Iterator[None]:
    modes = {each: each.training for each in module.modules()}
    module.eval()
    try:
        yield
    finally:
        for each, mode in modes.items():
            each.training = mode


def _computing(precision: str, device: torch.device) -> Any:
    # A teacher keeps its own precision inside the autocast of the student.
    half = _HALVES.get(precision)
    return torch.autocast(device.type, dtype=half, enabled=half is not None)


@contextmanager
def _explained_memory(alias: str, device: torch.device) -> Iterator[None]:
    try:
        yield
    except (MemoryError, torch.OutOfMemoryError):
        pass
    except RuntimeError as error:  # how the allocator of the cpu says it
        if "allocate memory" not in str(error):
            raise
    else:
        return
    who = f"teacher {alias!r}" if alias else "the network"
    raise OutOfMemoryError(
        f"{who} does not fit into the memory of {device} with so many samples at a time.",
        "a smaller --batch",
    )


def _moved(inputs: Mapping[str, Tensor], device: torch.device) -> dict[str, Tensor]:
    return {name: value.to(device, non_blocking=True) for name, value in inputs.items()}


def _grown(old: Moments | None, values: Tensor) -> Moments:
    return moments(values) if old is None else merged(old, moments(values))
