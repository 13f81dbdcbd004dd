"""What a training will take is known before a weight is there."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.building.cost import Rates, Workload, estimate, machine_rates, remembered
from zoo.building.heap import Heap
from zoo.settings import Settings
from zoo.types.training import StepCost

MB = 1 << 20
RATES = Rates(dense=1e9, grouped=1e8, moved=1e9, image=0.01)
TEACHER = StepCost(
    parameters=10 * MB, inputs=MB, forward=(8 * MB, 4 * MB, -1), dense=2e9, grouped=1e8, moved=1e9
)
STUDENT = StepCost(
    parameters=2 * MB,
    trained=2 * MB,
    inputs=MB,
    forward=(5 * MB, 3 * MB),
    backward=(2 * MB, -1, -2),
    dense=3e9,
)


def work(**others):
    facts = {"teachers": (TEACHER, TEACHER), "student": STUDENT, "batch": 10, "rows": 100}
    return Workload(**{**facts, "epochs": 3, **others})


def seen(**others):
    return estimate(work(**others), RATES, base=100 * MB)


def test_the_parts_make_the_whole():
    found = seen()
    assert found.memory_bytes == sum(found.parts.values())
    assert found.seconds == pytest.approx(sum(found.phases.values()))
    assert found.parts["teachers"] == 20 * MB
    assert found.parts["optimiser"] == 4 * MB


def test_a_second_learner_takes_its_weights_activations_and_time():
    one, two = seen(), seen(learners=2)
    assert two.parts["students"] == 2 * one.parts["students"]
    assert two.parts["activations"] > one.parts["activations"]
    assert two.phases["training"] > one.phases["training"]


def test_a_cache_leaves_one_teacher_at_a_time_and_asks_each_sample_once():
    online, cached = seen(), seen(cached=True, views=2, cache_bytes=5)
    assert cached.memory_bytes < online.memory_bytes
    assert cached.phases["training"] < online.phases["training"]
    assert cached.phases["caching"] == pytest.approx(200 * (2 * 0.4 + 0.01))
    assert (online.cache_bytes, cached.cache_bytes) == (0, 5)


def test_seconds_follow_the_work():
    found = seen(observed=10, judged=20, images=False)
    assert found.phases["observing"] == pytest.approx(10 * 0.8)
    assert found.phases["training"] == pytest.approx(300 * (0.8 + 0.3 + 7 * 2 * MB / 1e10))
    assert found.phases["judging"] > found.phases["observing"]


def test_a_gpu_has_none_of_the_libraries_and_wastes_nothing():
    gpu = estimate(work(), RATES, device="cuda:0")
    assert gpu.parts["libraries"] == 0
    assert gpu.parts["activations"] < seen().parts["activations"]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 40 * MB), st.integers(0, 3)), max_size=60))
def test_a_heap_holds_at_least_what_is_alive(steps):
    heap, ideal = Heap(), Heap(ideal=True)
    alive: dict[int, int] = {}
    most = 0
    for number, (size, freed) in enumerate(steps):
        for each in (heap, ideal):
            each.take(number, size)
        alive[number] = size
        most = max(most, sum(alive.values()))
        for name in list(alive)[:freed]:
            del alive[name]
            heap.give_back(name)
            ideal.give_back(name)
    assert ideal.peak == most
    assert heap.peak >= most
    heap.clear()
    assert (heap.top, heap.mapped) == (0, 0)


def test_a_hole_is_filled_again():
    heap = Heap()
    heap.take("a", MB)
    heap.take("b", MB)
    heap.give_back("a")
    before = heap.top
    heap.take("c", MB)
    assert heap.top == before


def test_what_is_remembered_is_found_once(tmp_path):
    here, calls = Settings(home=str(tmp_path)), []

    def find():
        calls.append(1)
        return STUDENT

    for _ in range(2):
        assert remembered(here, find, StepCost, network="a", taps=["x"]) == STUDENT
    assert len(calls) == 1
    remembered(here, find, StepCost, network="b", taps=["x"])
    assert len(calls) == 2


def test_a_store_that_cannot_be_written_costs_time_only(tmp_path):
    (tmp_path / "file").touch()
    here = Settings(home=str(tmp_path / "file" / "store"))
    assert remembered(here, lambda: STUDENT, StepCost, network="a") == STUDENT


def test_a_cost_survives_json():
    assert msgspec.json.decode(msgspec.json.encode(TEACHER), type=StepCost) == TEACHER


def test_this_machine_is_measured_once(tmp_path):
    here = Settings(home=str(tmp_path))
    first = machine_rates(here, "cpu", 1)
    assert min(msgspec.structs.astuple(first)) > 0
    assert machine_rates(here, "cpu", 1) == first
