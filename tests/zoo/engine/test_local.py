"""The engine with a runtime of numpy alone: what is done, how often, and what is not."""

from __future__ import annotations

import os
import sqlite3
import sys
from concurrent.futures import CancelledError
from dataclasses import replace

import msgspec
import numpy as np
import pytest

from zoo.engine import LocalEngine
from zoo.engine.keys import labels_digest
from zoo.errors import InputError, ZooError
from zoo.settings import Settings
from zoo.store import Store


def run(settings, probe, *tasks, on_event=lambda event: None):
    with LocalEngine(settings, probe, on_event) as engine:
        futures = [engine.submit(task) for task in tasks]
        return [future.result(timeout=120) for future in futures]


def files(settings, kind):
    return sorted(Store(settings.folder).folder.glob(f"{kind}/??/*.safetensors"))


def test_a_model_is_measured_with_one_pass_over_the_data(settings, images, zoo, mean):
    (result,) = run(settings, images, zoo.task("a", estimators=[mean()]))
    (record,) = result.records
    values = np.array([image.data[0] for image in images.inputs], dtype=np.float64)
    expected = np.stack([values, np.sin(values), np.cos(values)], axis=1).mean()
    assert record.value == pytest.approx(expected, abs=1e-5)
    assert (record.model, record.layer, record.estimator) == ("./a", "late", "mean")
    assert len(record.folds) == 2
    assert result.failures == ()
    assert result.default_layer == "late"
    assert [tap.name for tap in result.layers] == ["early", "late"]
    assert not result.from_store
    assert result.forward_seconds > 0
    assert zoo.calls("extract") == ["a"]
    assert zoo.calls("close") == ["a"]


def test_a_second_run_starts_no_process_and_opens_nothing(settings, images, zoo, mean, monkeypatch):
    task = zoo.task("a", estimators=[mean()])
    (first,) = run(settings, images, task)
    monkeypatch.setitem(sys.modules, "pebble", None)
    for path in files(settings, "features"):
        path.unlink()  # the records alone are enough
    (second,) = run(settings, images, task)
    assert second == replace(first, from_store=True)
    assert zoo.calls("open") == ["a"]


def test_a_new_estimator_is_scored_on_what_was_kept(settings, images, zoo, mean):
    run(settings, images, zoo.task("a", estimators=[mean()]))
    (result,) = run(settings, images, zoo.task("a", estimators=[mean(), mean("double", scale=2.0)]))
    assert result.records[1].value == pytest.approx(2 * result.records[0].value)
    assert result.from_store
    assert zoo.calls("open") == ["a"]


def test_all_layers_can_be_scored_later_without_another_pass(settings, images, zoo, mean):
    run(settings, images, zoo.task("a", estimators=[mean()]))
    (result,) = run(settings, images, zoo.task("a", estimators=[mean()], layers="all"))
    assert [record.layer for record in result.records] == ["early", "late"]
    assert zoo.calls("open") == ["a"]


def test_inputs_are_prepared_once_for_all_that_want_them_alike(settings, images, zoo, mean):
    tasks = [zoo.task(name) for name in "abc"] + [zoo.task("d", input_key="384", ragged=True)]
    events = []
    run(settings, images, *tasks, on_event=events.append)
    prepared = zoo.calls("prepare")
    assert len(prepared) == 4  # two shards a key
    assert len(files(settings, "inputs")) == 4
    progress = [(event.done, event.total) for event in events if event.kind == "prepare"]
    assert progress[-1] == (80, 80)
    run(settings, images, zoo.task("e"))
    assert len(zoo.calls("prepare")) == 4


def test_inputs_of_any_shape_give_the_same_features(settings, images, zoo, mean):
    tasks = [zoo.task("a", estimators=[mean()])]
    tasks += [zoo.task("b", estimators=[mean()], input_key="x", ragged=True, budget=100)]
    one, other = run(settings, images, *tasks)
    assert one.records[0].value == pytest.approx(other.records[0].value, rel=1e-6)


def test_texts_need_no_preparation(settings, zoo, mean, make_probe):
    (result,) = run(settings, make_probe(30, "text"), zoo.task("a", estimators=[mean()]))
    assert result.records[0].value is not None
    assert result.prepare_seconds == 0
    assert not files(settings, "inputs")


def test_the_same_weights_under_two_names_are_run_once(settings, images, zoo, mean):
    tasks = [zoo.task(name, digest="same", estimators=[mean()]) for name in "ab"]
    one, other = run(settings, images, *tasks)
    assert len(zoo.calls("open")) == 1
    assert (one.records[0].model, other.records[0].model) == ("./a", "./b")
    assert one.records[0].value == other.records[0].value


def test_other_data_is_another_question(settings, zoo, mean, make_probe):
    task = zoo.task("a", estimators=[mean()])
    run(settings, make_probe(40, seed=0), task)
    run(settings, make_probe(40, seed=1), task)
    assert zoo.calls("open") == ["a", "a"]


def test_batches_and_features_are_the_same_in_every_run(settings, images, zoo, tmp_path):
    found = []
    for home in ("one", "two"):
        other = msgspec.structs.replace(settings, home=str(tmp_path / home))
        run(other, images, zoo.task("a", budget=300, input_key="x", ragged=True))
        (path,) = files(other, "features")
        found.append(Store(other.folder).read("features", path.stem).tensors)
    for name in found[0]:
        assert found[0][name].tobytes() == found[1][name].tobytes()


def test_out_of_memory_makes_smaller_batches(settings, images, zoo, mean):
    small, whole = run(
        settings,
        images,
        zoo.task("a", estimators=[mean()], fits=3),
        zoo.task("b", estimators=[mean()]),
    )
    assert small.records[0].value == whole.records[0].value


FAULTS = {
    "broken": ("load", "the weights are cut short.", "Fetch it again."),
    "library_error": ("load", "_LibraryError: one two", "zoo registry verify"),
    "exits": ("load", "SystemExit: 7", "zoo registry verify"),
    "die": ("extract", "SIGKILL", "ZOO_JOBS=1"),
}


def test_each_broken_model_is_one_failure_with_a_hint_and_the_others_go_on(
    settings, images, zoo, mean
):
    tasks = [zoo.task(fault, estimators=[mean()], **{fault: True}) for fault in FAULTS]
    tasks += [zoo.task("oom", estimators=[mean()], fits=0)]
    tasks += [zoo.task(name, estimators=[mean()]) for name in ("good", "fine")]
    *broken, oom, good, fine = run(settings, images, *tasks)
    for result, (stage, words, hint) in zip(broken, FAULTS.values(), strict=True):
        (failure,) = result.failures
        assert (failure.model, failure.stage) == (result.model, stage)
        assert words in failure.error
        assert hint in failure.hint
        assert result.records == ()
    assert oom.failures[0].error == "1 do not fit."
    assert oom.failures[0].hint
    assert good.records[0].value == fine.records[0].value
    assert good.failures == fine.failures == ()


def test_a_worker_that_dies_while_preparing_fails_what_needs_it(settings, images, zoo, mean):
    dead, good = run(
        settings,
        images,
        zoo.task("a", die_in_prepare=True, input_key="deadly"),
        zoo.task("b", estimators=[mean()]),
    )
    assert dead.failures[0].stage == "extract"
    assert "SIGKILL" in dead.failures[0].error
    assert good.records


def test_a_model_that_takes_too_long_fails_alone(settings, images, zoo, mean):
    settings = msgspec.structs.replace(settings, timeout=1.0)
    slow, good = run(settings, images, zoo.task("a", slow=60), zoo.task("b", estimators=[mean()]))
    assert "longer than 1 s" in slow.failures[0].error
    assert good.records


def test_a_layer_that_is_not_finite_is_left_out_and_the_others_scored(settings, images, zoo, mean):
    (result,) = run(settings, images, zoo.task("a", estimators=[mean()], nan="early", layers="all"))
    early, late = result.records
    assert "layer 'early' are not finite" in early.not_applicable
    assert "first is sample 0" in early.not_applicable
    assert late.value is not None
    assert result.failures == ()


@pytest.mark.parametrize("again", [False, True])
def test_a_model_without_a_finite_layer_has_failed(settings, images, zoo, mean, again):
    task = zoo.task("a", estimators=[mean()], nan="late")
    if again:
        run(settings, images, task)
    (result,) = run(settings, images, task)
    (failure,) = result.failures
    assert failure.stage == "extract"
    assert "not finite" in failure.error
    assert failure.hint
    assert result.records == ()


def test_an_estimator_that_cannot_be_built_fails_alone(settings, images, zoo, mean):
    broken = mean("broken", no_such_option=1)
    missing = replace(mean(), spec=replace(mean().spec, name="gone", target="nowhere:Gone"))
    (result,) = run(settings, images, zoo.task("a", estimators=[broken, missing, mean()]))
    assert len(result.records) == 1
    assert sorted(failure.stage for failure in result.failures) == ["score", "score"]
    assert all(failure.model == "./a" and failure.hint for failure in result.failures)


def test_a_runtime_that_cannot_be_loaded_is_a_failure(settings, images, zoo, mean):
    task = zoo.task("a")
    task = replace(task, runtime=replace(task.runtime, target="nowhere:Runtime"))
    (result,) = run(settings, images, task)
    assert result.failures[0].stage == "load"
    assert "nowhere" in result.failures[0].error


@pytest.mark.parametrize("kind", ["features", "inputs"])
def test_a_damaged_file_is_made_again(settings, images, zoo, mean, kind):
    (before,) = run(settings, images, zoo.task("a", estimators=[mean()]))
    for path in files(settings, kind):
        content = bytearray(path.read_bytes())
        content[-1] ^= 1
        path.write_bytes(content)
    name = "a" if kind == "features" else "b"
    (after,) = run(settings, images, zoo.task(name, estimators=[mean(scale=1)], layers="all"))
    assert after.failures == ()
    assert after.records[-1].value == before.records[0].value
    assert zoo.calls("open") == ["a", name]


def test_damaged_records_only_cost_the_scoring(settings, images, zoo, mean):
    task = zoo.task("a", estimators=[mean()])
    (before,) = run(settings, images, task)
    store = Store(settings.folder)
    store.records.path.write_bytes(b"no database" * 1000)
    (after,) = run(settings, images, task)
    assert after.records[0].value == before.records[0].value
    assert zoo.calls("open") == ["a"]
    with sqlite3.connect(store.records.path) as database:
        assert database.execute("SELECT count(*) FROM records").fetchone()[0] == 2


def test_a_device_that_is_none_is_refused_at_once(images, tmp_path):
    with pytest.raises(InputError, match="not a device"):
        LocalEngine(Settings(home=str(tmp_path), device="tpu"), images)


def test_a_gpu_that_is_not_here_is_an_input_error(settings, images, zoo):
    settings = msgspec.structs.replace(settings, device="cuda:97")
    with pytest.raises(InputError, match="cuda:97"):
        run(settings, images, zoo.task("a"))
    assert zoo.calls("open") == []


def test_auto_says_what_it_took(settings, images, zoo):
    events = []
    settings = msgspec.structs.replace(settings, device="auto")
    run(settings, images, zoo.task("a"), on_event=events.append)
    (note,) = [event for event in events if event.kind == "note"]
    assert note.message.startswith("device: c")
    assert "cpu" not in note.message or "no CUDA device" in note.message


def test_progress_comes_from_the_workers(settings, images, zoo):
    events = []
    run(settings, images, zoo.task("a"), on_event=events.append)
    last = [event for event in events if event.kind == "batch"][-1]
    assert (last.model, last.done, last.total) == ("./a", 40, 40)


def test_a_listener_that_fails_does_not_stop_the_engine_and_is_heard_of(
    settings, images, zoo, mean
):
    def listener(event):
        raise RuntimeError("broken bar")

    engine = LocalEngine(settings, images, listener)
    assert engine.submit(zoo.task("a", estimators=[mean()])).result(timeout=60).records
    with pytest.raises(RuntimeError, match="broken bar"):
        engine.close()


def test_leaving_by_an_exception_ends_the_workers_at_once(settings, images, zoo):
    futures = []

    def interrupted():
        with LocalEngine(settings, images) as engine:
            futures.append(engine.submit(zoo.task("a", slow=100)))
            zoo.wait_for("extract")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    with pytest.raises(CancelledError):
        futures[0].result(timeout=5)
    zoo.wait_for_end()


def test_leaving_waits_for_what_was_submitted(settings, images, zoo, mean):
    with LocalEngine(settings, images) as engine:
        future = engine.submit(zoo.task("a", estimators=[mean()]))
    assert future.done()
    assert future.result().records


def test_nothing_is_submitted_to_an_engine_that_was_left(settings, images, zoo):
    with LocalEngine(settings, images) as engine:
        pass
    with pytest.raises(RuntimeError, match="left"):
        engine.submit(zoo.task("a"))


def test_the_time_of_the_workers_is_counted(settings, images, zoo, mean):
    with LocalEngine(settings, images) as engine:
        result = engine.submit(zoo.task("a", estimators=[mean()], slow=0.2)).result()
    assert set(engine.workers.busy) == {"prepare_shard", "extract_features", "score_features"}
    assert engine.workers.busy["extract_features"] > result.forward_seconds > 0.2


def test_a_store_that_cannot_be_used_is_one_sentence(images, zoo, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    (home / "scores.sqlite").mkdir()
    settings = Settings(home=str(home), device="cpu")
    with LocalEngine(settings, images) as engine, pytest.raises(ZooError) as caught:
        engine.submit(zoo.task("a"))
    assert "ZOO_HOME" in caught.value.hint


def test_the_parents_environment_is_left_alone(settings, images, zoo, monkeypatch):
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    before = dict(os.environ)
    run(settings, images, zoo.task("a"))
    assert dict(os.environ) == before


def test_rows_in_another_order_are_other_features(images):
    assert labels_digest(images) != labels_digest(replace(images, labels=images.labels[::-1]))
