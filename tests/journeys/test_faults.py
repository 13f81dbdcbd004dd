"""One broken checkpoint never takes down the others, and is never silent."""

from __future__ import annotations

import json
import os
import shutil
import signal
import struct
import subprocess
import time
from pathlib import Path

import pytest


@pytest.fixture
def broken(checkpoints, tmp_path) -> dict[str, Path]:
    """Five ways to be unusable, each a copy of a checkpoint that works."""
    source = checkpoints["bert"]
    copies = ("tokenizer", "truncated", "pickle", "remote", "huge")
    folders = {name: Path(shutil.copytree(source, tmp_path / name)) for name in copies}
    (folders["tokenizer"] / "tokenizer.json").write_text('{"broken": ')
    weights = folders["truncated"] / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])
    (folders["pickle"] / "model.safetensors").rename(folders["pickle"] / "pytorch_model.bin")
    _edit(folders["remote"], model_type="brand_new", auto_map={"AutoModel": "modeling.Model"})
    marker = tmp_path / "code-was-run"
    code = f"open({str(marker)!r}, 'w').close()\n"
    (folders["remote"] / "modeling.py").write_text(code)
    (folders["remote"] / "configuration.py").write_text(code)
    return folders


def _edit(folder: Path, **fields: object) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))


def test_each_broken_checkpoint_is_a_row_with_a_hint_and_the_rest_is_ranked(
    zoo, reviews, checkpoints, broken, tmp_path
):
    _make_huge(broken["huge"])
    good = [checkpoints["bert"], checkpoints["distilbert"]]
    models = [word for each in (*good, *broken.values()) for word in ("-m", each)]
    done = zoo("recommend", reviews, *models, "--json", "--offline")
    assert done.code == 3, done.stderr
    answer = done.json
    assert {row["model"] for row in answer["ranking"]} == {str(each) for each in good}
    failures = {Path(each["model"]).name: each for each in answer["failures"]}
    assert set(failures) == set(broken)
    assert all(each["hint"] and each["stage"] for each in failures.values()), failures
    assert "pickle" in failures["pickle"]["error"]
    assert "--trust-remote-code" in failures["remote"]["hint"]
    assert "memory" in failures["huge"]["error"]
    assert not (tmp_path / "code-was-run").exists()
    for name in broken:
        assert name in done.stderr
    assert "Traceback" not in done.stderr

    strict = zoo("recommend", reviews, *models, "--json", "--offline", "--strict")
    assert strict.code == 1


def _make_huge(folder: Path) -> None:
    """Weights that need more memory as float32 than this machine has; half a byte each on disk.

    The file is sparse: a header, and a hole of the size that the header promises.
    """
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    weights = int(0.3 * memory) // 2 * 2
    offsets = {"dtype": "F4", "shape": [weights], "data_offsets": [0, weights // 2]}
    header = json.dumps({"bert.embeddings.word_embeddings.weight": offsets}).encode()
    with (folder / "model.safetensors").open("wb") as file:
        file.write(struct.pack("<Q", len(header)) + header)
        file.truncate(8 + len(header) + weights // 2)


@pytest.mark.slow
def test_killed_at_any_moment_the_same_command_ends_with_the_same_ranking(zoo, ranked):
    arguments = (*ranked.arguments, "--layers", "all")
    for delay in (0.5, 3.0, 7.0):
        process = subprocess.Popen(
            zoo.command(*arguments),
            env=zoo.environment(ZOO_JOBS="2"),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        time.sleep(delay)
        process.kill()
        process.wait()
        _wait_for_the_group_to_end(process.pid)
    done = zoo(*arguments)
    assert done.code == 0, done.stderr
    assert _order(done.json) == _order(ranked.every_layer.json)


def test_interrupted_it_says_how_to_go_on(zoo, photos, registry):
    arguments = ("recommend", photos, "--registry", registry, "--offline")
    process = subprocess.Popen(
        zoo.command(*arguments),
        env=zoo.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stderr is not None
    first = process.stderr.readline()  # the plan: the run has begun
    assert "models" in first
    process.send_signal(signal.SIGINT)
    output, error = process.communicate(timeout=60)
    assert process.returncode == 130, error
    assert output == ""
    assert "zoo recommend --resume" in error
    assert "Traceback" not in error
    run = json.loads(zoo("runs", "list", "--json").stdout)["runs"][0]
    assert run["state"] == "interrupted"
    resumed = zoo("recommend", "--resume", run["run"], "--json")
    assert resumed.code == 0, resumed.stderr
    assert resumed.json["run"] == run["run"]
    assert len(resumed.json["ranking"]) == 3


def _wait_for_the_group_to_end(group: int) -> None:
    """No worker may outlive the command: nobody would be left to stop it."""
    for _ in range(300):
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return
        time.sleep(0.1)
    pytest.fail("a worker is still running 30 seconds after its parent was killed")


def _order(answer):
    return [(row["model"], row["rank"], row["score"], row["layer"]) for row in answer["ranking"]]
