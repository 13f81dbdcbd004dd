"""What a worker answers when things go wrong, without a process around it."""

from __future__ import annotations

import errno
from dataclasses import replace

import numpy as np
import pytest

from zoo.engine import scores, worker
from zoo.engine.jobs import ExtractJob, ScoreJob, ShardJob
from zoo.engine.keys import Names
from zoo.engine.pieces import Piece
from zoo.store import Store


@pytest.fixture
def shard(zoo, images, tmp_path):
    task = zoo.task("a")
    return ShardJob(
        store=tmp_path / "home",
        key="shard",
        checkpoint=task.checkpoint,
        runtime=task.runtime,
        inputs=tuple(images.inputs),
    )


@pytest.fixture
def extraction(shard):
    return ExtractJob(
        store=shard.store,
        key="features",
        checkpoint=shard.checkpoint,
        runtime=shard.runtime,
        modality="image",
        shards=("shard",),
        texts=(),
        threads=1,
        prepare_seconds=0.5,
    )


@pytest.fixture
def scoring(zoo, mean, images, shard):
    return ScoreJob(
        store=shard.store,
        names=Names(features="features"),
        pieces=(Piece(key="features"),),
        task=zoo.task("a", estimators=[mean()]),
        labels=images.labels,
        probe_task=images.task,
    )


@pytest.fixture
def full_disk(monkeypatch):
    def write(*arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Store, "write", write)


def test_one_job_after_the_other_gives_records(shard, extraction, scoring):
    assert worker.prepare_shard(shard).failure is None
    done = worker.extract_features(extraction)
    assert done.extraction.default_layer == "late"
    assert done.extraction.prepare_seconds == 0.5
    scored = scores.score_features(scoring)
    assert [record.estimator for record in scored.records] == ["mean"]
    assert scores.score_features(scoring).records == scored.records


def test_a_full_disk_is_a_failure_with_a_hint(shard, extraction, full_disk):
    failure = worker.prepare_shard(shard).failure
    assert "No space left" in failure.error
    assert "ZOO_HOME" in failure.hint


def test_prepared_inputs_that_vanished_are_named(shard, extraction):
    assert worker.extract_features(extraction).lost == ("shard",)


def test_features_that_vanished_are_reported(scoring):
    assert scores.score_features(scoring).lost


def test_features_that_are_damaged_behind_their_header_are_reported(shard, extraction, scoring):
    worker.prepare_shard(shard)
    worker.extract_features(extraction)
    path = Store(shard.store).path("features", "features")
    content = bytearray(path.read_bytes())
    content[-200:] = bytes(200)
    path.write_bytes(content)
    assert scores.score_features(scoring).lost
    assert not path.exists()


def test_scores_that_cannot_be_kept_are_still_given(shard, extraction, scoring, monkeypatch):
    from zoo.records import Records

    def write(*arguments):
        raise OSError("read-only")

    worker.prepare_shard(shard)
    worker.extract_features(extraction)
    monkeypatch.setattr(Records, "write", write)
    assert len(scores.score_features(scoring).records) == 1


def test_a_panic_of_a_library_is_a_failure(shard, extraction, zoo, monkeypatch):
    import fake_runtime

    class PanicException(BaseException):
        pass

    def panic(*arguments):
        raise PanicException("the tokenizer is broken")

    worker.prepare_shard(shard)
    monkeypatch.setattr(fake_runtime.FakeRuntime, "open", panic)
    failure = worker.extract_features(extraction).failure
    assert failure.stage == "load"
    assert "the tokenizer is broken" in failure.error


def test_logits_that_are_not_finite_are_left_out(zoo, shard, extraction, scoring):
    zoo.checkpoint("a", nan="logits")
    worker.prepare_shard(shard)
    worker.extract_features(extraction)
    features = scores.features_to_score(Store(shard.store), scoring, "late")
    assert features.logits is None
    assert features.values.dtype == np.float64


def test_texts_are_used_as_they_are(extraction, zoo):
    job = replace(extraction, shards=(), texts=("one", "three"), modality="text")
    assert worker.extract_features(job).failure is None
    stored = Store(job.store).read("features", "features")
    np.testing.assert_array_equal(stored.tensors["early"][:, 0], [3, 5])
