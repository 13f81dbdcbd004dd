"""What runs inside a worker process. Nothing here raises: a failure is an answer.

An exception would have to survive pickling on its way back, which a library's own may not.
"""

from __future__ import annotations

import errno
import gc
import time
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec

from zoo.catalogue import build
from zoo.engine.extract import LOGITS, Extraction, describe, extract, last_alive
from zoo.engine.inputs import pack, unpack
from zoo.engine.jobs import ExtractDone, ScoreDone, ShardDone
from zoo.engine.keys import extraction_key, known_records, score_key
from zoo.engine.process import owned_device, report
from zoo.events import Event
from zoo.store import Store
from zoo.types.failure import Failure
from zoo.types.features import Features
from zoo.types.protocols import RuntimeOptions
from zoo.types.score import ScoreRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from zoo.engine.extract import Layer
    from zoo.engine.jobs import ExtractJob, ScoreJob, ShardJob
    from zoo.engine.tasks import EstimatorJob
    from zoo.types.specs import EstimatorSpec

#: A library may call ``sys.exit()``, and the panic of one written in Rust is no ``Exception``.
_ERRORS = (BaseException,)
_STORE_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES}
_HINTS = {
    "load": "zoo registry verify checks its files.",
    "extract": "zoo plugins check tells whether the runtime keeps its promises.",
    "score": "zoo plugins check tells whether the estimator keeps its promises.",
}
_REPORT_SECONDS = 0.1


def find_gpus(_: None) -> int:
    """Count the GPUs that PyTorch can use."""
    try:
        import torch
    except ImportError:
        return 0
    return torch.cuda.device_count() if torch.cuda.is_available() else 0


def prepare_shard(job: ShardJob) -> ShardDone:
    """Decode and resize some inputs, unless another process already has."""
    model = job.checkpoint.model
    store = Store(job.store)
    try:
        with store.lock("inputs", job.key):
            known = store.read("inputs", job.key, names=())
            if known is not None:
                return ShardDone(seconds=float(known.metadata["seconds"]))
            started = time.perf_counter()
            arrays = build(job.runtime).prepare(job.checkpoint, job.inputs)
            tensors = pack(arrays)
            seconds = time.perf_counter() - started
            store.write("inputs", job.key, tensors, {"seconds": repr(seconds)})
            return ShardDone(seconds=seconds)
    except _ERRORS as error:
        return ShardDone(failure=_failure(error, "extract", model))


def extract_features(job: ExtractJob) -> ExtractDone:
    """Open a checkpoint, run it over the probe once, keep every tap."""
    started = time.perf_counter()
    store = Store(job.store)
    try:
        with store.lock("features", job.key):
            known = read_extraction(store, job.key)
            if known is not None:
                return ExtractDone(extraction=known)
            inputs, lost = _inputs(store, job)
            if lost:
                return ExtractDone(lost=lost)
            done = _run(store, job, inputs)
        return replace(done, seconds=time.perf_counter() - started)
    except _ERRORS as error:
        return ExtractDone(failure=_failure(error, "extract", job.checkpoint.model))
    finally:
        gc.collect()  # the next checkpoint needs the memory of this one


def score_features(job: ScoreJob) -> ScoreDone:
    """Score every wanted layer by every estimator; what is known already is not done again."""
    store = Store(job.store)
    records: list[ScoreRecord] = []
    failures: list[Failure] = []
    try:
        extraction = read_extraction(store, job.key)
        if extraction is None:
            return ScoreDone(lost=True)
        _keep(store, {extraction_key(job.key): msgspec.json.encode(extraction)})
        for layer in extraction.scored(job.task.layers):
            answer = _score_layer(store, job, layer)
            if answer is None:
                return ScoreDone(lost=True)
            records += answer[0]
            failures += answer[1]
    except _ERRORS as error:
        return ScoreDone(failures=(_failure(error, "score", job.task.checkpoint.model),))
    return ScoreDone(extraction=extraction, records=tuple(records), failures=tuple(failures))


def read_extraction(store: Store, key: str) -> Extraction | None:
    """Read what a features file says about itself; None when it is not there, or damaged."""
    stored = store.read("features", key, names=())
    if stored is None:
        return None
    return msgspec.json.decode(stored.metadata["extraction"], type=Extraction)


def _inputs(store: Store, job: ExtractJob) -> tuple[list[Any], tuple[str, ...]]:
    inputs: list[Any] = list(job.texts)
    lost = []
    for key in job.shards:
        stored = store.read("inputs", key)
        if stored is None:
            lost.append(key)
        else:
            inputs += unpack(stored.tensors)
    return inputs, tuple(lost)


def _run(store: Store, job: ExtractJob, inputs: list[Any]) -> ExtractDone:
    started = time.perf_counter()
    model = job.checkpoint.model
    try:
        options = RuntimeOptions(
            device=owned_device(), threads=job.threads, extras={"modality": job.modality}
        )
        opened = build(job.runtime).open(job.checkpoint, options)
    except _ERRORS as error:
        return ExtractDone(failure=_failure(error, "load", model))
    load_seconds = time.perf_counter() - started
    with closing(opened) as backbone:
        tensors, forward_seconds = extract(backbone, inputs, _progress(model, len(inputs)))
        layers = describe(tensors, [tap.name for tap in backbone.taps])
        extraction = Extraction(
            layers=layers,
            default_layer=last_alive(layers, backbone.default_tap),
            prepare_seconds=job.prepare_seconds,
            load_seconds=load_seconds,
            forward_seconds=forward_seconds,
            device=owned_device(),
        )
    text = msgspec.json.encode(extraction).decode()
    store.write("features", job.key, tensors, {"extraction": text})
    return ExtractDone(extraction=extraction)


def _score_layer(
    store: Store, job: ScoreJob, layer: Layer
) -> tuple[list[ScoreRecord], list[Failure]] | None:
    jobs = job.task.estimators
    known = known_records(store, job.key, job.task, [layer.name])
    missing = [each for each in jobs if (layer.name, each.spec.name) not in known]
    fresh: list[ScoreRecord] = []
    failures: list[Failure] = []
    if missing and layer.problem:
        fresh = [_not_applicable(job, layer, each) for each in missing]
    elif missing:
        features = _features(store, job, layer)
        if features is None:
            return None
        fresh, failures = _score(job, features, missing)
    known.update({(layer.name, record.estimator): record for record in fresh})
    keys = {each.spec.name: score_key(job.key, layer.name, each, job.task) for each in jobs}
    _keep(store, {keys[each.estimator]: msgspec.json.encode(each) for each in fresh})
    cells = [(layer.name, each.spec.name) for each in jobs]
    return [known[cell] for cell in cells if cell in known], failures


def _score(
    job: ScoreJob, features: Features, missing: Sequence[EstimatorJob]
) -> tuple[list[ScoreRecord], list[Failure]]:
    from zoo.scoring import score_layer

    model = job.task.checkpoint.model
    estimators: list[tuple[EstimatorSpec, Any]] = []
    failures = []
    for each in missing:
        try:
            estimators.append((each.spec, build(each.spec, each.options)))
        except _ERRORS as error:
            failures.append(_failure(error, "score", model))
    task = job.task
    records, failed = score_layer(
        features, estimators, permutations=task.permutations, folds=task.folds, seed=task.seed
    )
    failures += [msgspec.structs.replace(each, model=model) for each in failed]
    return list(records), failures


def _features(store: Store, job: ScoreJob, layer: Layer) -> Features | None:
    import numpy as np

    stored = store.read("features", job.key, names=(layer.name, LOGITS))
    if stored is None or layer.name not in stored.tensors:
        return None
    logits = stored.tensors.get(LOGITS)
    return Features(
        model=job.task.checkpoint.model,
        layer=layer.name,
        values=stored.tensors[layer.name].astype(np.float64),
        labels=job.labels,
        task=job.probe_task,
        logits=None if logits is None or not np.isfinite(logits).all() else logits.astype("f8"),
    )


def _not_applicable(job: ScoreJob, layer: Layer, estimator: EstimatorJob) -> ScoreRecord:
    return ScoreRecord(
        model=job.task.checkpoint.model,
        layer=layer.name,
        estimator=estimator.spec.name,
        not_applicable=layer.problem,
    )


def _keep(store: Store, values: dict[str, bytes]) -> None:
    try:
        store.records.write(values)
    except OSError as error:
        report(Event(kind="note", message=f"scores could not be kept: {error}"))


def _progress(model: str, total: int) -> Callable[[int], None]:
    last = 0.0

    def progress(done: int) -> None:
        nonlocal last
        now = time.monotonic()
        if done == total or now - last > _REPORT_SECONDS:
            last = now
            report(Event(kind="batch", model=model, done=done, total=total))

    return progress


def _failure(error: BaseException, stage: str, model: str) -> Failure:
    hint = _HINTS[stage]
    if isinstance(error, MemoryError):
        hint = "Use fewer workers (ZOO_JOBS=1) or a smaller checkpoint."
    elif isinstance(error, OSError) and error.errno in _STORE_ERRORS:
        hint = "Free some space, or name another folder with ZOO_HOME."
    return Failure.of(error, stage=stage, model=model, hint=hint)
