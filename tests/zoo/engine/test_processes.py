"""Processes that are killed, interrupted, or share a store."""

from __future__ import annotations

import os
import signal
import sys

import msgspec
import pytest

from zoo.engine import LocalEngine
from zoo.store import Store

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")

RUN = """
with LocalEngine(settings, probe) as engine:
    futures = [engine.submit(task) for task in tasks]
    print(*(future.result().records[0].value for future in futures), flush=True)
"""


def test_a_worker_killed_by_the_system_fails_its_model_alone(settings, images, zoo, mean):
    settings = msgspec.structs.replace(settings, jobs=2)
    with LocalEngine(settings, images) as engine:
        victim = engine.submit(zoo.task("victim", slow=100))
        zoo.wait_for("extract")
        (worker,) = {int(pid) for call, _, pid in zoo._log() if call == "extract"}
        others = [engine.submit(zoo.task(name, estimators=[mean()])) for name in "abc"]
        os.kill(worker, signal.SIGKILL)
        (failure,) = victim.result(timeout=60).failures
        assert failure.stage == "extract"
        assert "SIGKILL" in failure.error
        assert "ZOO_JOBS=1" in failure.hint
        for other in others:
            assert other.result(timeout=60).failures == ()


def test_a_worker_killed_between_two_jobs_is_replaced(settings, images, zoo, mean):
    with LocalEngine(settings, images) as engine:
        engine.submit(zoo.task("a")).result(timeout=60)
        for pid in zoo.workers():
            os.kill(pid, signal.SIGKILL)
        result = engine.submit(zoo.task("b", estimators=[mean()])).result(timeout=60)
        assert result.failures == ()
        assert result.records


def test_a_killed_parent_leaves_no_process_and_the_next_run_goes_on(
    settings, images, zoo, mean, script
):
    process = script(
        "tasks = [zoo.task('a', estimators=[mean()]), zoo.task('slow', slow=100)]" + RUN
    )
    zoo.wait_for("close")
    zoo.wait_for("extract", count=2)
    process.kill()
    process.communicate()
    zoo.wait_for_end()
    with LocalEngine(settings, images) as engine:
        slow = zoo.task("slow", estimators=[mean()])
        futures = [engine.submit(zoo.task("a", estimators=[mean()])), engine.submit(slow)]
        results = [future.result(timeout=60) for future in futures]
    assert all(result.records for result in results)
    assert sorted(zoo.calls("open")) == ["a", "slow", "slow"]
    assert len(zoo.calls("prepare")) == 2


@pytest.mark.parametrize("moment", ["prepare", "extract"])
def test_an_interrupted_command_ends_at_once_and_quietly(zoo, script, moment):
    slow = {"prepare": "slow_prepare", "extract": "slow"}[moment]
    process = script(
        f"tasks = [zoo.task('a', {slow}=100)]"
        """
try:
    with LocalEngine(settings, probe) as engine:
        [engine.submit(task) for task in tasks][0].result()
except KeyboardInterrupt:
    print("interrupted")
""",
        start_new_session=True,
    )
    zoo.wait_for(moment)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: the workers get it too
    out, err = process.communicate(timeout=30)
    assert out == "interrupted\n"
    assert err == ""
    zoo.wait_for_end()


def test_two_processes_on_one_store_do_the_work_once(zoo, script):
    body = "tasks = [zoo.task(name, estimators=[mean()], slow=0.1) for name in 'ab']" + RUN
    processes = [script(body), script(body)]
    said = [process.communicate(timeout=120) for process in processes]
    assert said[0][0] == said[1][0]
    assert len(said[0][0].split()) == 2
    assert sorted(zoo.calls("open")) == ["a", "b"]
    assert len(zoo.calls("prepare")) == 2


def test_stdout_belongs_to_the_command(zoo, script):
    process = script("tasks = [zoo.task('a', estimators=[mean()], prints=True)]" + RUN)
    out, err = process.communicate(timeout=60)
    assert len(out.split()) == 1
    float(out)
    assert "a library chats on stdout" in err
    assert "so does its native code" in err


def test_a_script_without_a_main_guard_is_not_run_again_by_the_workers(zoo, script):
    process = script(
        "print('hello')\ntasks = [zoo.task(name, estimators=[mean()]) for name in 'ab']" + RUN
    )
    out, err = process.communicate(timeout=60)
    assert out.startswith("hello\n")
    assert out.count("hello") == 1
    assert err == ""


def test_workers_begin_with_their_environment_before_numpy_is_loaded(settings, images, zoo):
    task = zoo.task("a", tells=True)
    with LocalEngine(settings, images) as engine:
        engine.submit(task).result(timeout=60)
    told = zoo.told()
    assert told["OMP_NUM_THREADS"] == told["OPENBLAS_NUM_THREADS"] == "1"
    assert told["MKL_NUM_THREADS"] == "1"
    assert (told["OMP_WAIT_POLICY"], told["GOMP_SPINCOUNT"]) == ("PASSIVE", "0")
    assert (told["HF_HUB_OFFLINE"], told["TRANSFORMERS_OFFLINE"]) == ("1", "1")


def test_nothing_heavy_is_loaded_to_begin_a_worker():
    import subprocess

    code = """
import sys, zoo.engine.process, pebble.pool.process
print([name for name in ("numpy", "torch", "huggingface_hub") if name in sys.modules])
"""
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout == "[]\n"


def test_a_killed_run_leaves_no_half_file(settings, zoo, script):
    process = script("tasks = [zoo.task(name, estimators=[mean()]) for name in 'abcdefgh']" + RUN)
    zoo.wait_for("close", count=2)
    process.kill()
    process.communicate()
    zoo.wait_for_end()
    store = Store(settings.folder)
    for path in store.folder.glob("features/??/*.safetensors"):
        assert store.read("features", path.stem) is not None
