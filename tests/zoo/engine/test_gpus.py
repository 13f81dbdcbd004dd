"""Several GPUs, one worker each; counted by a fake, since nothing here needs a real one."""

from __future__ import annotations

import importlib
import threading
from functools import partial

import msgspec
import pytest

from zoo.engine import EstimatorJob, LocalEngine, forwards, local
from zoo.engine.workers import Job, Workers
from zoo.types import EstimatorSpec

LENT = EstimatorSpec(name="lent", target="fake_gpus:LentEstimator", summary="where it runs")
GPUS = ("cuda:0", "cuda:1")


@pytest.fixture
def fake_gpus():
    return importlib.import_module("fake_gpus")


@pytest.fixture
def two_gpus(fake_gpus, monkeypatch):
    monkeypatch.setattr(forwards, "find_gpus", fake_gpus.two_gpus)
    monkeypatch.setattr(forwards, "may_have_gpu", lambda: True)


def devices(engine, futures):
    return [future.result(timeout=60).device for future in futures]


def test_every_gpu_gets_one_worker_and_every_worker_one_gpu(settings, images, zoo, two_gpus):
    settings = msgspec.structs.replace(settings, device="auto")
    with LocalEngine(settings, images) as engine:
        futures = [engine.submit(zoo.task(name, slow=0.5)) for name in "abcd"]
        used = devices(engine, futures)
    assert set(used) == set(GPUS)
    opened = {name: pid for call, name, pid in zoo._log() if call == "open"}
    assert len(set(opened.values())) == 2
    by_device = {(used["abcd".index(name)], pid) for name, pid in opened.items()}
    assert len(by_device) == 2


def test_a_named_gpu_takes_everything(settings, images, zoo, two_gpus):
    settings = msgspec.structs.replace(settings, device="cuda:1")
    with LocalEngine(settings, images) as engine:
        futures = [engine.submit(zoo.task(name)) for name in "ab"]
        assert devices(engine, futures) == ["cuda:1", "cuda:1"]


@pytest.mark.parametrize("large", [True, False])
def test_large_matrices_are_scored_where_a_gpu_is_idle(
    large, settings, images, zoo, two_gpus, monkeypatch
):
    monkeypatch.setattr(local, "LEAST", 1 if large else 10**6)
    settings = msgspec.structs.replace(settings, device="cuda:0")
    estimator = EstimatorJob(spec=LENT, distribution_version="1")
    with LocalEngine(settings, images) as engine:
        result = engine.submit(zoo.task("a", estimators=[estimator])).result(timeout=60)
    assert result.device == "cuda:0"
    assert result.records[0].value == float(large)


def test_a_score_leaves_a_gpu_to_the_forward_pass_that_waits_for_it(settings, fake_gpus):
    answers, finished = {}, threading.Semaphore(0)

    def done(name, answer):
        answers[name] = answer
        finished.release()

    workers = Workers(settings, lambda _: None, lambda _: None)
    job = partial(Job, function=fake_gpus.where, order=(1.0,), devices=("cuda:0",))
    busy = job(argument=1.0, done=partial(done, "busy"))
    waiting = job(argument=0.0, done=partial(done, "waiting"))
    score = Job(
        function=fake_gpus.where,
        argument=0.0,
        done=partial(done, "score"),
        order=(0.0,),
        gains=True,
    )
    try:
        for each in (busy, waiting, score):
            workers.call(partial(workers.add, each))
        for _ in range(3):
            assert finished.acquire(timeout=60)
    finally:
        workers.close()
    assert {name: device for name, (device, _) in answers.items()} == {
        "busy": "cuda:0",
        "waiting": "cuda:0",
        "score": "cpu",
    }
