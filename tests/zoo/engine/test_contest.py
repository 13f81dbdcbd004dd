"""Two runtimes on one checkpoint: who takes over, who is out, and what is remembered."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import numpy as np
import pytest

from zoo.engine import LocalEngine, contest, forwards, worker
from zoo.engine.choices import Choice, choice_key, keep_choice, read_choice
from zoo.engine.contest import Contest, Rival
from zoo.engine.extract import ForwardPass
from zoo.engine.jobs import ExtractJob, ShardJob
from zoo.engine.preparation import Wanted
from zoo.errors import CheckpointError, OutOfMemoryError
from zoo.store import Store

#: Twenty batches of two images, in a second or at once.
SLOW = {"slow": 0.05, "budget": 96}
FAST = {"slow": 0}


@pytest.fixture(autouse=True)
def _short_work_counts(monkeypatch):
    monkeypatch.setattr(forwards, "LEAST_SECONDS", 0.05)


@pytest.fixture
def notes(monkeypatch):
    """What a worker says, when its functions are called in this process."""
    said = []
    monkeypatch.setattr(contest, "report", said.append)
    monkeypatch.setattr(worker, "report", said.append)
    return said


@pytest.fixture
def job(zoo, images, settings):
    """Make a job of two runtimes, its inputs prepared."""

    def make(**facts):
        task = zoo.task("a", **facts)
        shard = ShardJob(
            store=settings.folder,
            key="shard",
            checkpoint=task.checkpoint,
            runtime=task.runtime,
            inputs=tuple(images.inputs),
        )
        assert worker.prepare_shard(shard).failure is None
        rivals = tuple(Rival(runtime=each, key="theirs") for each in task.rivals)
        return ExtractJob(
            store=settings.folder,
            key="ours",
            checkpoint=task.checkpoint,
            runtime=task.runtime,
            modality="image",
            shards=("shard",),
            texts=(),
            threads=1,
            prepare_seconds=0.0,
            contest=Contest(rivals=rivals, memory="memory", least=0.05),
        )

    return make


@pytest.fixture
def store(settings):
    return Store(settings.folder)


def run(settings, probe, *tasks, events=None, **options):
    told = events.append if events is not None else lambda event: None
    with LocalEngine(settings, probe, told, **options) as engine:
        futures = [engine.submit(task) for task in tasks]
        return [future.result() for future in futures]


def messages(events):
    return [
        event.message for event in events if event.kind == "note" and "runtime" in event.message
    ]


def features(store, key):
    stored = store.read("features", key)
    return None if stored is None else {name: np.array(t) for name, t in stored.tensors.items()}


# In the worker.


def test_the_faster_takes_over_and_keeps_what_it_would_have_made_alone(job, store, notes, zoo):
    wanted = job(**SLOW, rival=FAST)
    done = worker.extract_features(wanted)
    assert done.failure is None
    assert done.runtime == "rival"
    assert features(store, "ours") is None
    assert read_choice(store, "memory").runtime == "rival"
    assert set(read_choice(store, "memory").rates) == {"fake", "rival"}
    (note,) = messages(notes)
    assert "rival, " in note
    assert "times as fast as fake here" in note
    assert zoo.calls("extract-rival").count("a") == 20
    assert zoo.calls("extract").count("a") == 20 + 3
    assert len(zoo.calls("close")) == 2
    raced = features(store, "theirs")
    alone = replace(wanted, runtime=wanted.contest.rivals[0].runtime, key="alone", contest=None)
    assert worker.extract_features(alone).runtime == "rival"
    for name, values in features(store, "alone").items():
        assert values.tobytes() == raced[name].tobytes()


def test_a_slower_rival_is_closed_and_the_first_goes_on(job, store, notes, zoo):
    done = worker.extract_features(job(slow=0.01, budget=96, rival={"slow": 0.1}))
    assert done.runtime == "fake"
    assert features(store, "theirs") is None
    assert read_choice(store, "memory").runtime == "fake"
    assert zoo.calls("extract-rival").count("a") == 3
    assert zoo.calls("extract").count("a") == 20 + 3
    (note,) = messages(notes)
    assert "fake; rival is 0." in note


@pytest.mark.parametrize(
    ("rival", "reason"),
    [
        ({"error": 0.01}, "differs"),
        ({"lacks": "early"}, "no tap early"),
        ({"broken": True}, "cannot be exported"),
        ({"nan": "late"}, "differs"),
    ],
)
def test_a_rival_that_is_no_good_is_out_and_that_is_said(job, store, notes, zoo, rival, reason):
    done = worker.extract_features(job(**SLOW, rival={**FAST, **rival}))
    assert (done.failure, done.runtime) == (None, "fake")
    (note,) = messages(notes)
    assert reason in note
    assert note.startswith("runtime: rival is out, fake does it")
    choice = read_choice(store, "memory")
    assert choice.runtime == "fake"
    assert reason in choice.out["rival"]
    assert len(zoo.calls("close")) == len(zoo.calls("open")) + (not rival.get("broken"))


def test_a_difference_within_the_tolerance_is_none(job):
    assert worker.extract_features(job(**SLOW, rival={**FAST, "error": 1e-5})).runtime == "rival"


def test_a_rival_that_costs_more_than_it_saves_is_not_opened(job, store, zoo, notes):
    done = worker.extract_features(job(**SLOW, rival={**FAST, "opening": 60.0}))
    assert done.runtime == "fake"
    assert zoo.calls("open-rival") == []
    assert (messages(notes), read_choice(store, "memory")) == ([], Choice())


@pytest.mark.parametrize("facts", [{"slow": 0, "budget": 96}, {"slow": 0.05, "budget": 480}])
def test_little_work_opens_no_rival(job, store, zoo, facts):
    wanted = job(**facts, rival=FAST)
    wanted = replace(wanted, contest=replace(wanted.contest, least=3.0))
    assert worker.extract_features(wanted).runtime == "fake"
    assert zoo.calls("open-rival") == []
    assert read_choice(store, "memory") == Choice()


def test_no_memory_for_a_rival_at_this_moment_is_tried_again_later(job, store, notes, monkeypatch):
    wanted = job(**SLOW, rival=FAST)

    def enter(spec, *arguments):
        if spec.name == "rival":
            raise OutOfMemoryError("no room.")
        return original(spec, *arguments)

    original = contest.enter
    monkeypatch.setattr(contest, "enter", enter)
    assert worker.extract_features(wanted).runtime == "fake"
    assert "no room" in messages(notes)[0]
    assert read_choice(store, "memory") == msgspec.structs.replace(
        read_choice(store, "memory"), runtime="", out={}, trying=""
    )


def test_what_another_process_has_made_in_the_rival_is_not_made_again(job, store, zoo):
    wanted = job(**SLOW, rival=FAST)
    worker.extract_features(wanted)
    opened = len(zoo.calls("open"))
    done = worker.extract_features(wanted)
    assert (done.runtime, done.extraction is not None) == ("rival", True)
    assert len(zoo.calls("open")) == opened


def test_a_winner_that_breaks_later_is_named(job, monkeypatch):
    wanted = job(**SLOW, rival=FAST)
    finish = ForwardPass.finish

    def breaks(self):
        if self._backbone.__class__.__name__ == "RivalBackbone":
            raise CheckpointError("it breaks.")
        return finish(self)

    monkeypatch.setattr(ForwardPass, "finish", breaks)
    done = worker.extract_features(wanted)
    assert (done.runtime, done.failure.error) == ("rival", "it breaks.")


def test_a_checkpoint_that_runs_elsewhere_says_so(job, monkeypatch, notes):
    monkeypatch.setattr(worker, "owned_device", lambda: "cuda:0")
    wanted = replace(job(runs_on="cpu"), contest=None)
    done = worker.extract_features(wanted)
    assert done.extraction.device == "cpu"
    assert "runs it on cpu, not on cuda:0" in notes[0].message


def test_a_gpu_that_was_asked_for_is_never_silently_a_cpu(job, monkeypatch, store, zoo):
    monkeypatch.setattr(worker, "owned_device", lambda: "cuda:0")
    done = worker.extract_features(replace(job(runs_on="cpu"), demanded="cuda", contest=None))
    assert done.failure.stage == "load"
    assert "--device cuda was asked for" in done.failure.error
    assert "--device cpu" in done.failure.hint
    assert features(store, "ours") is None
    assert zoo.calls("close") == ["a"]


def test_where_it_runs_is_what_the_backbone_says(job, monkeypatch):
    monkeypatch.setattr(worker, "owned_device", lambda: "cuda:1")
    done = worker.extract_features(replace(job(runs_on="cuda:1"), demanded="cuda", contest=None))
    assert done.extraction.device == "cuda:1"


# Through the engine.


def test_the_choice_is_remembered_and_used_straight_away(settings, images, make_probe, zoo, mean):
    task = zoo.task("a", estimators=[mean()], **SLOW, rival=FAST)
    events = []
    (first,) = run(settings, images, task, events=events)
    assert (first.runtime, first.failures) == ("rival", ())
    assert "times as fast as fake" in messages(events)[0]
    (again,) = run(settings, images, task)
    assert (again.runtime, again.from_store, again.features) == ("rival", True, first.features)
    assert again.records == first.records
    opened = len(zoo.calls("open"))
    (other,) = run(settings, make_probe(48, seed=1), task)
    assert other.runtime == "rival"
    assert len(zoo.calls("open")) == opened  # only open-rival
    assert len(zoo.calls("open-rival")) == 2


def test_images_are_decoded_once_for_both(settings, images, zoo, mean):
    slow = zoo.task("a", estimators=[mean()], **SLOW, rival=FAST)
    run(settings, images, slow)
    prepared = len(zoo.calls("prepare"))
    (alone,) = run(settings, images, replace(slow, rivals=()))
    assert alone.runtime == "fake"
    assert len(zoo.calls("prepare")) == prepared


def test_features_of_any_runtime_are_used_where_nobody_names_one(settings, images, zoo, mean):
    task = zoo.task("a", estimators=[mean()], rival=FAST)
    named = replace(task, runtime=task.rivals[0], rivals=())
    (before,) = run(settings, images, named)
    (after,) = run(settings, images, task)
    assert (before.runtime, after.runtime, after.from_store) == ("rival", "rival", True)
    assert after.records == before.records
    (more,) = run(settings, images, replace(task, estimators=(mean("other"),)))
    assert (more.runtime, more.from_store) == ("rival", True)
    assert zoo.calls("open") == []


def test_small_work_takes_the_first_and_remembers_nothing(settings, images, zoo, mean):
    events = []
    task = zoo.task("a", estimators=[mean()], rival=FAST)
    (result,) = run(settings, images, task, events=events)
    assert result.runtime == "fake"
    assert messages(events) == []
    assert zoo.calls("open-rival") == []


def test_a_rival_that_kills_the_worker_costs_the_model_nothing(settings, images, zoo, mean):
    events = []
    task = zoo.task("a", estimators=[mean()], **SLOW, rival={**FAST, "die_in_open": True})
    (result,) = run(settings, images, task, events=events)
    assert (result.runtime, result.failures) == ("fake", ())
    assert "rival is out, fake does it: its worker process was ended" in messages(events)[0]
    (again,) = run(settings, images, replace(task, estimators=(mean("other"),)))
    assert again.runtime == "fake"
    assert zoo.calls("open-rival") == ["a"]


def test_a_remembered_runtime_that_fails_leaves_it_to_the_first(
    settings, images, make_probe, zoo, mean
):
    facts = {**SLOW, "rival": FAST}
    run(settings, images, zoo.task("a", estimators=[mean()], **facts))
    facts["rival"] = {**FAST, "broken": True}
    events = []
    task = zoo.task("a", estimators=[mean()], **facts)
    (result,) = run(settings, make_probe(48, seed=1), task, events=events)
    assert (result.runtime, result.failures) == ("fake", ())
    assert "cannot be exported" in messages(events)[0]
    run(settings, make_probe(44, seed=2), task)
    assert len(zoo.calls("open-rival")) == 2


def test_a_first_runtime_that_fails_is_a_failure_as_ever(settings, images, zoo, mean):
    (result,) = run(settings, images, zoo.task("a", estimators=[mean()], broken=True, rival=FAST))
    assert result.failures[0].stage == "load"
    assert zoo.calls("open") == ["a"]


def test_only_the_first_slice_chooses(settings, images, zoo, mean):
    slices = (np.arange(0, 40, 2), np.arange(1, 40, 2))
    task = zoo.task("a", estimators=[mean()], **SLOW, rival=FAST)
    with LocalEngine(settings, images, slices=slices) as engine:
        first = engine.submit(replace(task, slices=1)).result()
        second = engine.submit(replace(task, slices=2)).result()
    assert (first.runtime, second.runtime) == ("rival", "rival")
    assert zoo.calls("open") == ["a"]
    assert len(zoo.calls("open-rival")) == 2


def test_a_later_slice_stays_with_the_runtime_of_the_first(settings, images, zoo, mean):
    slices = (np.arange(0, 6), np.arange(6, 40))
    task = zoo.task("a", estimators=[mean()], **SLOW, rival=FAST)
    with LocalEngine(settings, images, slices=slices) as engine:
        results = [engine.submit(replace(task, slices=count)).result() for count in (1, 2)]
    assert [each.runtime for each in results] == ["fake", "fake"]
    assert zoo.calls("open-rival") == []


def test_maps_of_all_models_are_made_alike(settings, images, zoo, mean):
    task = zoo.task("a", estimators=[mean()], **SLOW, rival=FAST, attributes=True)
    task = replace(task, attributions="gradient_x_input", attribution_samples=4)
    (result,) = run(settings, images, task)
    assert (result.runtime, result.failures) == ("fake", ())
    assert zoo.calls("open-rival") == []


def test_an_interrupted_contest_is_held_again(settings, images, zoo, mean, script, store):
    facts = {**SLOW, "rival": {"slow": 0.4}}
    zoo.task("a", **facts)
    process = script(
        f"""
from zoo.engine import forwards
forwards.LEAST_SECONDS = 0.05
with LocalEngine(settings, probe) as engine:
    engine.submit(zoo.task("a", estimators=[mean()], **{facts!r})).result()
"""
    )
    zoo.wait_for("extract-rival")
    process.kill()
    process.communicate()
    zoo.wait_for_end()
    (result,) = run(settings, images, zoo.task("a", estimators=[mean()], **facts))
    assert (result.runtime, result.failures) == ("fake", ())
    assert len(zoo.calls("open-rival")) == 2


def test_precision_has_features_of_its_own_and_no_rivals(settings, images, zoo, mean):
    task = zoo.task("a", estimators=[mean()], **SLOW, rival=FAST, tells=True)
    (plain,) = run(settings, images, replace(task, rivals=()))
    assert zoo.told()["precision"] == "fp32"
    assert zoo.told()["cache"] == str(settings.folder / "graphs")
    half = msgspec.structs.replace(settings, precision="bf16")
    (other,) = run(half, images, task)
    assert zoo.told()["precision"] == "bf16"
    assert other.features != plain.features
    assert zoo.calls("open-rival") == []


# What is remembered.


@pytest.fixture
def wanted(zoo):
    def make(name, **facts):
        task = zoo.task("a", rival={}, **facts)
        spec = {"fake": task.runtime, "rival": task.rivals[0]}[name]
        return Wanted(
            checkpoint=task.checkpoint, runtime=spec, identity=name, input_key="224", number=1
        )

    return make


def test_the_memory_is_of_these_weights_on_this_machine(wanted, monkeypatch):
    pair = [wanted("fake"), wanted("rival")]
    keys = {choice_key(pair, "cpu", 1), choice_key(pair, "cuda", 1), choice_key(pair, "cpu", 2)}
    keys.add(choice_key([wanted("fake", digest="other"), wanted("rival")], "cpu", 1))
    keys.add(choice_key([pair[0], replace(pair[1], identity="rival 2")], "cpu", 1))
    assert choice_key(pair, "cpu", 1) in keys
    monkeypatch.setattr("zoo.engine.choices.describe_machine", lambda: "another")
    assert len(keys | {choice_key(pair, "cpu", 1)}) == 6


@pytest.mark.parametrize(
    ("samples", "opening", "best"),
    [(1000, 0.0, "rival"), (1000, 4.0, "rival"), (10, 4.0, "fake"), (1000, 9.5, "fake")],
)
def test_a_remembered_choice_weighs_what_opening_costs_now(
    settings, wanted, store, zoo, samples, opening, best
):
    from zoo.engine.choices import Entrants

    pair = [wanted("fake"), wanted("rival")]
    zoo.checkpoint("a", rival={"opening": opening})
    choice = Choice(runtime="rival", rates={"fake": 0.010, "rival": 0.001})
    keep_choice(store, Entrants(pair, store, settings, "image").memory, choice)
    order = Entrants(pair, store, settings, "image").in_order(samples)
    assert order[0].runtime.name == best
    assert len(order) == 2
