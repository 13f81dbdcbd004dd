"""Teachers that are asked once about fixed views: one after the other, then read from disk."""

from __future__ import annotations

import gc
import hashlib
import re
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import torch

from zoo.building.caching import require_room
from zoo.building.stages import shapes_of
from zoo.errors import PluginError, ZooError
from zoo.events import Event, Listener, ignore
from zoo.render.quantities import some
from zoo.training.observing import Counts, Teacher, gathered, look, spread_rows
from zoo.training.samples import batches
from zoo.training.shelf import LOGITS, Shelf, feature_name
from zoo.training.teaching import Scale, taught

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    import numpy.typing as npt
    from torch import Tensor

    from zoo.building.recipe import Views
    from zoo.training.moments import Statistics
    from zoo.training.setup import Batch, Taught
    from zoo.types.training import FeatureShape, InputReader, Stage, TrainableNetwork

    Floats = npt.NDArray[np.float32]
    Integers = npt.NDArray[np.int64]

_FORMAT = 1
_KEY = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ClosedTeacher:
    """A teacher that is opened when it is asked, and closed after it.

    Attributes:
        alias: its short name.
        digest: of its weights and everything else that decides what it says.
        reader_key: equal for equal inputs, known without opening it.
        columns: number of its logits; 0 without a head.
        open: loads it.
        precision: numbers that its forward pass computes in.
    """

    alias: str
    digest: str
    reader_key: str
    columns: int
    open: Callable[[], TrainableNetwork]
    precision: str = "fp32"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Questions:
    """What the teachers are asked about: fixed views of some rows.

    Attributes:
        samples: all inputs.
        fingerprint: of the data: what the inputs are, in their order.
        rows: numbers of those that are asked about.
        views: which views; of the kind ``fixed``.
        seed: of their crops.
        batch: samples of one forward pass.
        workers: processes that read the data; None counts those that pay.
    """

    samples: Sequence[object]
    fingerprint: str
    rows: Sequence[int]
    modality: str
    views: Views
    seed: int
    batch: int = 64
    workers: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TeacherCache:
    """What every teacher says about every view of every row.

    Attributes:
        shelves: one complete shelf a teacher, in their order.
        rows: numbers of the samples, in the order of the shelves.
        views: how many of each; row r of view v lies at v * len(rows) + its position.
        statistics: of the plain views of :func:`zoo.training.observing.spread_rows`.
    """

    shelves: tuple[Shelf, ...]
    stages: tuple[Stage, ...]
    rows: tuple[int, ...]
    views: int
    statistics: Statistics


def fill(
    teachers: Sequence[ClosedTeacher],
    stages: Sequence[Stage],
    questions: Questions,
    folder: Path,
    *,
    on_event: Listener = ignore,
) -> TeacherCache:
    """Ask every teacher that is not asked yet, one at a time; go on where it was interrupted.

    Args:
        teachers: in the order of the stages.
        stages: where their features are read.
        questions: what they are asked about.
        folder: where their answers are kept; answers to other questions are removed from it.
        on_event: hears a ``model`` event a teacher and the progress in between.

    Raises:
        InputError: the disk has no room; nothing was written.
        ZooError: the disk is full.
        CheckpointError: a teacher cannot be opened, or does not give numbers.
    """
    keys = [cache_key(each, number, stages, questions) for number, each in enumerate(teachers)]
    _forget_others(folder, keys)
    total = len(questions.rows) * questions.views.count
    shelves = [
        Shelf(folder / key, total, teacher.columns, shapes_of(stages, number))
        for number, (key, teacher) in enumerate(zip(keys, teachers, strict=True))
    ]
    require_room(folder, sum(shelf.missing_bytes for shelf in shelves))
    for number, (teacher, shelf) in enumerate(zip(teachers, shelves, strict=True)):
        if shelf.damaged:
            sentence = f"{teacher.alias}: what it said before is damaged, so it is asked anew"
            on_event(Event(kind="note", model=teacher.alias, message=sentence))
        known = shelf.complete
        if not known:
            _ask(teacher, shelf, shapes_of(stages, number), questions, on_event)
        on_event(
            Event(
                kind="model",
                model=teacher.alias,
                done=number + 1,
                total=len(teachers),
                message=_summary(teacher, questions, known=known),
            )
        )
    statistics = gathered(
        [each.alias for each in teachers], [shelf.counts for shelf in shelves], stages
    )
    return TeacherCache(
        shelves=tuple(shelves),
        stages=tuple(stages),
        rows=tuple(questions.rows),
        views=questions.views.count,
        statistics=statistics,
    )


def cache_key(
    teacher: ClosedTeacher, number: int, stages: Sequence[Stage], questions: Questions
) -> str:
    """Name what a teacher says by everything that decides it."""
    facts: dict[str, Any] = {
        "format": _FORMAT,
        "teacher": teacher.digest,
        "reader": teacher.reader_key,
        "columns": teacher.columns,
        "precision": teacher.precision,
        "dtype": "float32",
        "shapes": [[each.tap, each.width, each.grid] for each in shapes_of(stages, number)],
        "views": msgspec.to_builtins(questions.views),
        "seed": questions.seed,
        "data": questions.fingerprint,
        "modality": questions.modality,
    }
    whole = hashlib.blake2b(msgspec.json.encode(facts, order="sorted"), digest_size=20)
    whole.update(np.asarray(questions.rows, dtype="<i8").tobytes())
    return whole.hexdigest()


class CachedTeaching:
    """Teachers whose answers lie on disk; no network is open.

    Args:
        cache: what :func:`fill` gave.
        standardise: scale every channel by the statistics of the cache.
        device: where answers go; None takes that of the inputs of each batch.
    """

    def __init__(
        self,
        cache: TeacherCache,
        *,
        standardise: bool = False,
        device: torch.device | None = None,
    ) -> None:
        self.cache = cache
        self._device = device
        self._arrays = [shelf.read() for shelf in cache.shelves]
        self._shapes = [shapes_of(cache.stages, each) for each in range(len(cache.shelves))]
        self._scales = [
            Scale(cache.stages, each, cache.statistics, standardise)
            for each in range(len(cache.shelves))
        ]
        self._positions = _positions(cache.rows)

    @property
    def readers(self) -> Mapping[str, InputReader]:
        """None: nothing has to be prepared for a teacher."""
        return {}

    def teach(self, batch: Batch) -> Taught:
        """Read what the teachers said about the views of a batch.

        Raises:
            ZooError: a row or a view that they were not asked about.
        """
        places, device = self._places(batch), self._device or _device_of(batch)
        said = []
        for arrays, shapes, scale in zip(self._arrays, self._shapes, self._scales, strict=True):
            found = {
                name: torch.from_numpy(array[places]).to(device) for name, array in arrays.items()
            }
            features = {shape: found[feature_name(each)] for each, shape in enumerate(shapes)}
            said.append((found.get(LOGITS), scale(features)))
        return taught(said, len(self.cache.stages))

    def _places(self, batch: Batch) -> Integers:
        rows, views = batch.rows.cpu().numpy(), batch.views.cpu().numpy()
        known = (rows >= 0) & (rows < len(self._positions)) & (views < self.cache.views)
        positions = self._positions[np.where(known, rows, 0)]
        wrong = ~known | (positions < 0)
        if wrong.any():
            row, view = rows[wrong][0], views[wrong][0]
            raise ZooError(f"the teachers were not asked about view {view} of row {row}")
        places: Integers = views * len(self.cache.rows) + positions
        return places


def _ask(
    closed: ClosedTeacher,
    shelf: Shelf,
    shapes: Sequence[FeatureShape],
    questions: Questions,
    on_event: Listener,
) -> None:
    teacher = Teacher(closed.alias, closed.open(), closed.digest, closed.precision)
    reader = teacher.network.reader
    counted = torch.tensor(spread_rows(questions.rows))
    try:
        with shelf.writing():
            for view, batch in _rest(reader, questions, shelf.done):
                said, features = look(teacher, shapes, batch.inputs[reader.key])
                logits = _announced(closed, said)
                chosen = torch.isin(batch.rows, counted) & (view == 0)
                counts = _counted(shelf.counts, chosen, logits, features)
                shelf.append(_arrays(logits, features), counts)
                name = f"teacher {closed.alias}"
                on_event(Event(kind="batch", model=name, done=shelf.done, total=shelf.total))
    finally:
        del teacher, reader
        _free()


def _summary(teacher: ClosedTeacher, questions: Questions, *, known: bool) -> str:
    views = questions.views.count
    each = f", {views} views of each" if views > 1 else ""
    when = "is known from before" if known else "is kept on disk"
    what = f"{some(len(questions.rows), 'training sample')}{each}"
    return f"teacher {teacher.alias}: what it says about {what}, {when}"


def _announced(teacher: ClosedTeacher, logits: Tensor | None) -> Tensor | None:
    if not teacher.columns:
        return None
    if logits is None or logits.shape[1] != teacher.columns:
        found = "no" if logits is None else logits.shape[1]
        raise PluginError(
            f"teacher {teacher.alias!r} gave {found} logits where {teacher.columns} were announced"
        )
    return logits


def _arrays(logits: Tensor | None, features: Sequence[Tensor]) -> dict[str, Floats]:
    arrays = {feature_name(each): values.cpu().numpy() for each, values in enumerate(features)}
    if logits is not None:
        arrays[LOGITS] = logits.cpu().numpy()
    return arrays


def _rest(reader: InputReader, questions: Questions, done: int) -> Iterator[tuple[int, Batch]]:
    first, start = divmod(done, len(questions.rows))
    for view in range(first, questions.views.count):
        for batch in batches(
            questions.samples,
            questions.rows[start:],
            {reader.key: reader},
            view=view,
            views=questions.views,
            seed=questions.seed,
            modality=questions.modality,
            batch=questions.batch,
            workers=questions.workers,
        ):
            yield view, batch
        start = 0


def _counted(
    counts: Counts, chosen: Tensor, logits: Tensor | None, features: Sequence[Tensor]
) -> Counts:
    if not chosen.any():
        return counts
    return counts.grown(
        None if logits is None else logits[chosen.to(logits.device)],
        [each[chosen.to(each.device)] for each in features],
    )


def _device_of(batch: Batch) -> torch.device:
    for inputs in batch.inputs.values():
        for values in inputs.values():
            return values.device
    return torch.device("cpu")


def _positions(rows: Sequence[int]) -> Integers:
    positions = np.full(max(rows, default=-1) + 1, -1, dtype=np.int64)
    positions[list(rows)] = np.arange(len(rows))
    return positions


def _forget_others(folder: Path, keys: Sequence[str]) -> None:
    for each in folder.iterdir() if folder.is_dir() else ():
        if _KEY.fullmatch(each.name) and each.name not in keys:
            shutil.rmtree(each, ignore_errors=True)


def _free() -> None:
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
