"""The small parts of the engine, each by itself."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.engine import Reference
from zoo.engine.deaths import explain
from zoo.engine.devices import check_device, choose_devices
from zoo.engine.extract import LOGITS, Extraction, Layer, describe, extract, last_alive
from zoo.engine.inputs import pack, shards, unpack
from zoo.engine.keys import Names, features_key, labels_digest, score_key
from zoo.engine.machine import usable_cores, usable_memory
from zoo.engine.once import Once, gather
from zoo.errors import InputError, PluginError
from zoo.types import EncodedInput, Tap


class TestInputs:
    @given(st.integers(1, 5_000))
    def test_shards_cover_every_sample_once(self, samples):
        parts = shards(samples)
        assert [index for part in parts for index in part] == list(range(samples))
        assert max(map(len, parts)) <= 256

    @given(
        st.lists(st.tuples(st.integers(1, 5), st.integers(1, 5)), min_size=1, max_size=9),
        st.sampled_from([np.uint8, np.float32]),
    )
    def test_arrays_survive_packing(self, sizes, dtype):
        arrays = [
            np.full((height, width, 3), index, dtype=dtype)
            for index, (height, width) in enumerate(sizes)
        ]
        for before, after in zip(arrays, unpack(pack(arrays)), strict=True):
            np.testing.assert_array_equal(before, after)
            assert before.dtype == after.dtype

    def test_arrays_that_do_not_belong_together_are_refused(self):
        with pytest.raises(PluginError, match="different types"):
            pack([np.zeros((2, 2, 3), np.uint8), np.zeros((3, 2, 2), np.float32)])


class TestDevices:
    @pytest.mark.parametrize(
        ("text", "gpus", "devices"),
        [
            ("cpu", 2, ("cpu",)),
            ("auto", 0, ("cpu",)),
            ("auto", 2, ("cuda:0", "cuda:1")),
            ("cuda", 1, ("cuda:0",)),
            ("cuda:1", 2, ("cuda:1",)),
        ],
    )
    def test_a_device_means_what_is_here(self, text, gpus, devices):
        assert choose_devices(text, gpus) == devices

    @pytest.mark.parametrize(("text", "gpus"), [("cuda", 0), ("cuda:0", 0), ("cuda:2", 2)])
    def test_a_gpu_that_is_not_here_is_an_input_error(self, text, gpus):
        with pytest.raises(InputError, match=text) as caught:
            choose_devices(text, gpus)
        assert "--device cpu" in caught.value.hint

    @pytest.mark.parametrize("text", ["gpu", "cuda:", "cuda:-1", "CPU", ""])
    def test_what_names_no_device_is_an_input_error(self, text):
        with pytest.raises(InputError, match="not a device"):
            check_device(text)


class TestOnce:
    def test_work_is_started_once_and_everybody_gets_the_answer(self):
        once, started, answers = Once(), [], []
        once.ask("a", started.append, answers.append)
        once.ask("a", started.append, answers.append)
        assert len(started) == 1
        started[0](7)
        once.ask("a", started.append, answers.append)
        assert answers == [7, 7, 7]

    def test_what_is_forgotten_is_started_again(self):
        once, answers = Once(), []
        once.ask("a", lambda done: done(1), answers.append)
        once.forget("a")
        once.ask("a", lambda done: done(2), answers.append)
        assert answers == [1, 2]

    def test_answers_are_gathered_in_the_order_of_the_questions(self):
        waiting, gathered = [], []
        gather([waiting.append, lambda then: then("now"), waiting.append], gathered.append)
        waiting[1]("last")
        assert not gathered
        waiting[0]("first")
        assert gathered == [["first", "now", "last"]]

    def test_gathering_nothing_answers_at_once(self):
        gathered = []
        gather([], gathered.append)
        assert gathered == [[]]


class TestKeys:
    def test_everything_that_shapes_features_is_in_their_key(self, zoo):
        checkpoint = zoo.checkpoint("a")
        other = zoo.checkpoint("b")
        base = (checkpoint, "torch 2", "224", "data", "labels")
        keys = {features_key(*base), features_key(other, *base[1:])}
        keys |= {features_key(*base[:i], "other", *base[i + 1 :]) for i in range(1, 5)}
        assert len(keys) == 6

    def test_everything_that_shapes_a_score_is_in_its_key(self, zoo, mean):
        task, names = zoo.task("a"), Names(features="features")
        keys = {
            score_key(names, "late", mean(), task),
            score_key(Names(features="other"), "late", mean(), task),
            score_key(names, "early", mean(), task),
            score_key(names, "late", mean(scale=2.0), task),
        }
        assert len(keys) == 4

    @pytest.mark.parametrize("need", ["label_embeddings", "attributions", "reference"])
    def test_what_an_estimator_reads_is_in_its_key_and_nothing_else(self, zoo, mean, need):
        plain = mean()
        reader = replace(plain, spec=replace(plain.spec, wants=(need,)))
        task = zoo.task("a")
        other = Reference(model="./b", layer="late", features="theirs", attributions="maps")
        changes = {
            "label_embeddings": (Names(features="features", extras="embedded"), task),
            "attributions": (Names(features="features", attributions="maps"), task),
            "reference": (Names(features="features"), replace(task, reference=other)),
        }
        before = Names(features="features"), task
        for name, (names, changed) in changes.items():
            assert score_key(names, "late", plain, changed) == score_key(
                before[0], "late", plain, task
            )
            same = score_key(names, "late", reader, changed) == score_key(
                before[0], "late", reader, task
            )
            assert same == (name != need)

    def test_a_changed_estimator_is_scored_again(self, zoo, mean, tmp_path, monkeypatch):
        from zoo.engine import keys

        monkeypatch.syspath_prepend(tmp_path)
        module = tmp_path / "my_estimator.py"
        job = replace(mean(), spec=replace(mean().spec, target="my_estimator:Mine"))
        task = zoo.task("a")
        found = set()
        for text in ("one", "two"):
            module.write_text(f"'''{text}'''")
            keys._code_digest.cache_clear()
            found.add(score_key(Names(features="features"), "late", job, task))
        assert len(found) == 2
        keys._code_digest.cache_clear()

    def test_labels_are_digested_in_their_order(self, make_probe):
        probe, other = make_probe(10), make_probe(10)
        other.labels[:] = np.roll(other.labels, 1)
        assert labels_digest(probe) != labels_digest(other)


class TestDeaths:
    @pytest.mark.parametrize(
        ("code", "words", "hint"),
        [(-9, "memory ran out", "ZOO_JOBS=1"), (-11, "SIGSEGV", "leave it out"), (3, "3", "")],
    )
    def test_an_exit_code_is_explained(self, code, words, hint):
        error = OSError("gone")
        error.exitcode = code
        failure = explain(error, stage="extract", model="./a", timeout=0)
        assert words in failure.error
        assert hint in failure.hint

    def test_a_deadline_is_explained(self):
        failure = explain(TimeoutError(), stage="extract", model="./a", timeout=2.5)
        assert "2.5 s" in failure.error
        assert "ZOO_TIMEOUT" in failure.hint


class TestMachine:
    def test_there_is_a_core_and_some_memory(self):
        assert usable_cores() >= 1
        assert usable_memory() > 1 << 20


class Backbone:
    """Gives whatever the test wants."""

    taps = (Tap(name="late"),)
    default_tap = "late"
    budget = 4

    def __init__(self, outputs):
        self.outputs = outputs

    def encode(self, inputs):
        return [EncodedInput(cost=1, data=each) for each in inputs]

    def extract(self, batch, taps):
        return self.outputs(batch)

    def close(self):
        pass


class TestExtract:
    def test_rows_come_back_in_the_order_of_the_samples(self):
        costs = {"aaa": 3, "b": 1, "cc": 2, "dddd": 4}
        backbone = Backbone(
            lambda batch: {"late": np.array([[float(len(each.data))] for each in batch])}
        )
        backbone.encode = lambda inputs: [EncodedInput(cost=costs[i], data=i) for i in inputs]
        seen = []
        tensors, seconds = extract(backbone, list(costs), seen.append)
        np.testing.assert_array_equal(tensors["late"], [[3], [1], [2], [4]])
        assert tensors["late"].dtype == np.float32
        assert seen[-1] == 4
        assert seconds > 0

    @pytest.mark.parametrize(
        ("outputs", "words"),
        [
            (lambda batch: {}, "no output"),
            (lambda batch: {"late": np.zeros((1, 2))}, "was expected"),
            (lambda batch: {"late": np.zeros(len(batch))}, "was expected"),
            (lambda batch: {"late": np.zeros((len(batch), len(batch)))}, "width"),
        ],
    )
    def test_a_backbone_that_breaks_its_promises_is_named_as_such(self, outputs, words):
        with pytest.raises(PluginError, match=words):
            extract(Backbone(outputs), list("abcde" * 3)[:10], lambda done: None)

    def test_a_default_tap_that_is_none_is_refused(self):
        backbone = Backbone(lambda batch: {})
        backbone.default_tap = "nowhere"
        with pytest.raises(PluginError, match="nowhere"):
            extract(backbone, ["a"], lambda done: None)

    def test_what_is_not_finite_is_counted_by_sample(self):
        values = np.zeros((5, 2), np.float32)
        values[[2, 4], 1] = np.inf
        values[4, 0] = np.nan
        (layer,) = describe({"late": values}, ["late"])
        assert (layer.dimension, layer.broken, layer.first) == (2, 2, 2)
        assert "2 samples" in layer.problem

    def test_logits_are_kept_but_are_no_layer_to_cut_at(self):
        layers = tuple(Layer(name=name, dimension=2) for name in ("early", "late", "logits"))
        extraction = Extraction(layers=layers, default_layer="late")
        assert [layer.name for layer in extraction.scored("last")] == ["late"]
        assert [layer.name for layer in extraction.scored("all")] == ["early", "late"]
        assert [tap.name for tap in extraction.taps] == ["early", "late"]


@pytest.mark.parametrize(
    ("dead", "chosen"), [((), "head"), (("head",), "late"), (("late", "head"), "early")]
)
def test_a_layer_of_zeros_is_no_place_to_cut(dead, chosen):
    names = ["early", "late", "head", LOGITS]
    tensors = {name: np.full((4, 3), float(name not in dead), np.float32) for name in names}
    assert last_alive(describe(tensors, names), "head") == chosen


def test_a_network_of_zeros_keeps_its_default_layer():
    names = ["early", "head"]
    tensors = {name: np.zeros((4, 3), np.float32) for name in names}
    assert last_alive(describe(tensors, names), "head") == "head"
