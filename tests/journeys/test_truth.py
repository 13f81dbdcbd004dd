"""Leaders of a ranking are fine-tuned, and what they reach is part of the run."""

from __future__ import annotations

import pytest

MODELS = ("embedded:resnet-digits-0-4", "embedded:regnet-textures")


@pytest.fixture(scope="module")
def killed(bench):
    """The name of a run that was killed while its second leader was trained."""
    done = bench(
        *("recommend", "labelled", "-m", MODELS[0], "-m", MODELS[1], "-e", "knn", "--offline"),
        *("--finetune-top", 2, "--permutations", 5, "--folds", 2),
        fault=("zoo.training.pupil:Pupil.forward", 8, "SIGKILL"),
    )
    assert done.code == -9, done.stderr
    return bench("runs", "list", "-q", "-n", 1).stdout.strip()


def test_a_killed_run_goes_on_with_the_leader_that_it_was_at(bench, killed):
    done = bench("recommend", "--resume", killed, "--json")
    assert done.code == 0, done.stderr
    answer = done.json
    truth = {each["model"]: each for each in answer["truth"]}
    assert [*truth] == [row["model"] for row in answer["ranking"]]
    for each in truth.values():
        low, high = each["interval"]
        assert 0 <= low <= each["accuracy"] <= high <= 1
        assert (each["samples"], each["steps"]) == (2, 6)
    first, second = (each["model"] for each in answer["truth"])
    assert f"{second}: training student on 10 samples" in done.stderr
    assert f"{first}: training" not in done.stderr
    shown = bench("runs", "show", killed)
    assert "Fine-tuned, judged on 2 held-out samples:" in shown.stdout + shown.stderr
    judged = bench("evaluate", killed, "--json")
    assert judged.code == 0, judged.stderr
    assert {each["by"] for each in judged.json["quality"]} >= {"score", "knn", "prior"}
    refused = bench("recommend", "--resume", killed, "--finetune-top", 1)
    assert refused.code == 2
    assert "--finetune-top would ask another one" in refused.stderr
