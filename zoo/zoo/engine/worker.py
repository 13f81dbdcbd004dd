"""What runs inside a worker process. Nothing here raises: a failure is an answer.

An exception would have to survive pickling on its way back, which a library's own may not.
"""

from __future__ import annotations

import gc
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec

from zoo.catalogue import build
from zoo.engine.contest import enter, hold
from zoo.engine.extract import Extraction, attribute, describe, last_alive
from zoo.engine.failures import ERRORS, failure_of
from zoo.engine.inputs import pack, unpack
from zoo.engine.jobs import ExtractDone, ShardDone
from zoo.engine.keys import attempt_key, extraction_key
from zoo.engine.pieces import read_extraction, spread
from zoo.engine.process import owned_device, report
from zoo.engine.scores import keep
from zoo.errors import InputError, NotApplicable
from zoo.events import Event
from zoo.store import Store
from zoo.types.runtimes import Attributes, RuntimeOptions

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    import numpy.typing as npt

    from zoo.engine.contest import Entrant
    from zoo.engine.jobs import AttributionJob, ExtractJob, ShardJob
    from zoo.types.failure import Failure
    from zoo.types.runtimes import Backbone

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
    except ERRORS as error:
        return ShardDone(failure=failure_of(error, "extract", model))


def extract_features(job: ExtractJob) -> ExtractDone:
    """Open a checkpoint, run it over the samples once, keep every tap and what it looks at.

    What another process has kept meanwhile is not done again.
    """
    started = time.perf_counter()
    store = Store(job.store)
    try:
        with store.lock("features", job.key):
            known, name = _known(store, job)
            if job.attribution and store.has("attributions", job.attribution.key):
                job = replace(job, attribution=None)
            if known is not None and job.attribution is None:
                return ExtractDone(extraction=known, runtime=name)
            inputs, lost = _inputs(store, job)
            if lost:
                return ExtractDone(lost=lost)
            done = _run(store, job, inputs, known)
        return replace(done, seconds=time.perf_counter() - started)
    except ERRORS as error:
        return ExtractDone(failure=failure_of(error, "extract", job.checkpoint.model))
    finally:
        gc.collect()  # the next checkpoint needs the memory of this one


def _known(store: Store, job: ExtractJob) -> tuple[Extraction | None, str]:
    """Look for the features of the first runtime and of those that might take over."""
    names = {job.key: job.runtime.name}
    if job.contest is not None:
        names |= {rival.key: rival.runtime.name for rival in job.contest.rivals}
    for key, name in names.items():
        known = read_extraction(store, key)
        if known is not None:
            return known, name
    return None, ""


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


def _run(store: Store, job: ExtractJob, inputs: list[Any], known: Extraction | None) -> ExtractDone:
    model = job.checkpoint.model
    options = RuntimeOptions(
        device=owned_device(),
        threads=job.threads,
        precision=job.precision,
        cache=str(store.graphs),
        extras={"modality": job.modality},
    )
    try:
        entrant = _enter(job, options)
    except ERRORS as error:
        failure = failure_of(error, "load", model)
        if known is None:
            return ExtractDone(failure=failure)
        return ExtractDone(extraction=known, unattributed=failure)
    with entrant as first:
        winner = first
        if known is None:
            first.begin(inputs, _progress(model, len(inputs)))
            if job.contest is not None:
                winner = hold(job.contest, first, store=store, options=options, inputs=inputs)
        with winner:
            return _finish(store, job, winner, known, inputs)


def _finish(
    store: Store, job: ExtractJob, entrant: Entrant, known: Extraction | None, inputs: list[Any]
) -> ExtractDone:
    name = entrant.runtime.name
    try:
        extraction = known or _forward(store, job, entrant)
    except ERRORS as error:
        return ExtractDone(failure=failure_of(error, "extract", job.checkpoint.model), runtime=name)
    unattributed = _attribute(store, job, entrant.backbone, extraction, inputs)
    return ExtractDone(extraction=extraction, unattributed=unattributed, runtime=name)


def _enter(job: ExtractJob, options: RuntimeOptions) -> Entrant:
    entrant = enter(job.runtime, job.key, job.checkpoint, options)
    try:
        _check_device(job, entrant)
    except InputError:
        entrant.close()
        raise
    return entrant


def _check_device(job: ExtractJob, entrant: Entrant) -> None:
    """Say where a checkpoint runs when that is not where it was told to.

    Raises:
        InputError: a person asked for the other device by name.
    """
    told, found = owned_device(), entrant.device
    if told.partition(":")[0] == found.partition(":")[0]:
        return
    name = entrant.runtime.name
    text = f"the runtime {name} runs it on {found}, not on {told}"
    if job.demanded:
        raise InputError(
            f"{text}, and --device {job.demanded} was asked for.",
            f"Use --device {found.partition(':')[0]}, or another --runtime; zoo doctor says more.",
        )
    report(Event(kind="note", model=job.checkpoint.model, message=f"device: {text}"))


def _forward(store: Store, job: ExtractJob, entrant: Entrant) -> Extraction:
    backbone, forward = entrant.backbone, entrant.forward
    tensors = forward.finish()
    layers = describe(tensors, forward.taps)
    extraction = Extraction(
        layers=layers,
        default_layer=last_alive(layers, backbone.default_tap),
        prepare_seconds=job.prepare_seconds,
        load_seconds=entrant.load_seconds,
        forward_seconds=forward.seconds,
        device=entrant.device,
    )
    text = msgspec.json.encode(extraction)
    store.write("features", entrant.key, tensors, {"extraction": text.decode()})
    keep(store, {extraction_key(entrant.key): text})
    return extraction


def _attribute(
    store: Store, job: ExtractJob, backbone: Backbone, extraction: Extraction, inputs: list[Any]
) -> Failure | None:
    """Keep attributions; what can never be had is remembered, what went wrong is not."""
    if job.attribution is None:
        return None
    model, attempt = job.checkpoint.model, attempt_key(job.attribution.key)
    try:
        tensors = _maps(job, job.attribution, backbone, extraction, inputs)
        note = str(getattr(backbone, "attribution_note", ""))
        store.write("attributions", job.attribution.key, tensors, {"note": note} if note else {})
        keep(store, {attempt: msgspec.json.encode(None)})
    except NotApplicable as error:
        failure = failure_of(error, "attribute", model)
        keep(store, {attempt: msgspec.json.encode(failure)})
        return failure
    except ERRORS as error:
        return failure_of(error, "attribute", model)
    return None


def _maps(
    job: ExtractJob,
    wanted: AttributionJob,
    backbone: Backbone,
    extraction: Extraction,
    inputs: list[Any],
) -> dict[str, npt.NDArray[np.float32]]:
    if not isinstance(backbone, Attributes):
        raise NotApplicable(f"the runtime {job.runtime.name!r} makes no attributions.")
    encoded = backbone.encode([inputs[row] for row in spread(len(inputs), wanted.samples)])
    return attribute(
        backbone,
        encoded,
        extraction.attributed(wanted.layers),
        method=wanted.method,
        budget=backbone.budget,
        progress=_progress(job.checkpoint.model, len(encoded)),
    )


def _progress(model: str, total: int) -> Callable[[int], None]:
    last = 0.0

    def progress(done: int) -> None:
        nonlocal last
        now = time.monotonic()
        if done == total or now - last > _REPORT_SECONDS:
            last = now
            report(Event(kind="batch", model=model, done=done, total=total))

    return progress
