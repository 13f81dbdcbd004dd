from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tiny_networks import Asked, Concatenated, changed, make_setup, weights_of

from zoo.errors import InputError, OutOfMemoryError, PluginError, ZooError
from zoo.events import ignore
from zoo.training import checkpoints, loop
from zoo.training.journal import read_journal
from zoo.training.trainer import train

HERE = Path(__file__).parent


def same(one, two):
    return one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)


def lines(folder):
    """What a journal says about learning: no speeds."""
    found = read_journal(folder / "training.jsonl")
    return [replace_speed(line) for line in found]


def replace_speed(line):
    return (line.step, line.epoch, line.losses, line.shown, line.rates)


class AskedUntil(Asked):
    """Teachers during whose n-th lesson something happens."""

    def __init__(self, teaching, number, act):
        super().__init__(teaching.networks, teaching.stages)
        self.number, self.act = number, act

    def teach(self, batch):
        taught = super().teach(batch)
        if len(self.batches) == self.number:
            self.act()
        return taught


def until(setup, number, act):
    return replace(setup, teaching=AskedUntil(setup.teaching, number, act))


def interrupt():
    os.kill(os.getpid(), signal.SIGINT)


def test_a_training_brings_the_losses_down_and_says_what_it_did(images, tmp_path):
    setup, events = make_setup(images, epochs=10), []
    result = train(setup, tmp_path, on_event=events.append)
    assert (result.steps, result.epochs, result.interrupted) == (50, 10.0, False)
    assert result.journal == tmp_path / "training.jsonl"
    assert result.samples_per_second > 0
    assert result.peak_bytes > 2**20
    journal = read_journal(result.journal)
    assert [each.step for each in journal] == list(range(1, 51))
    for name in ("student.soft", "student.paired", "kd.soft"):
        assert journal[-1].losses[name] < journal[0].losses[name]
    assert journal[0].shown.keys() == {"student.paired"}
    shown = journal[0].losses["student.paired"] - 1 / 8
    assert journal[0].shown["student.paired"] == pytest.approx(shown)
    assert {(each.kind, each.total) for each in events} == {("batch", 50)}
    assert events[-1].done == 50
    assert "kd.soft" in events[-1].message
    assert not setup.learners["student"].network.module.training


def test_nothing_is_printed_and_nothing_is_pickled(images, tmp_path, capfd):
    train(make_setup(images, epochs=1), tmp_path)
    assert capfd.readouterr() == ("", "")
    names = {each.name for each in tmp_path.rglob("*")}
    assert "training_args.bin" not in names
    assert "model.safetensors" in names


def test_teachers_are_left_as_they_were_bit_for_bit(images, tmp_path):
    setup = make_setup(images, epochs=1)
    before = [
        {name: value.clone() for name, value in each.module.state_dict().items()}
        for each in setup.teaching.networks
    ]
    train(setup, tmp_path)
    for network, state in zip(setup.teaching.networks, before, strict=True):
        assert same(network.module.state_dict(), state)
        assert not network.module.training
        assert all(each.grad is None for each in network.module.parameters())


def test_a_saved_student_holds_nothing_of_what_was_trained_beside_it(images, tmp_path):
    setup = make_setup(images, epochs=1)
    names = set(setup.learners["student"].network.module.state_dict())
    train(setup, tmp_path)
    setup.learners["student"].network.save(tmp_path)
    assert set(torch.load(tmp_path / "weights.pt")) == names
    assert not any("projection" in name for name in names)


@pytest.mark.parametrize("dropout", [0.0, 0.4])
def test_a_student_learns_the_same_with_and_without_another_beside_it(images, tmp_path, dropout):
    alone = make_setup(images, kd=False, epochs=2, dropout=dropout)
    both = make_setup(images, epochs=2, dropout=dropout)
    train(alone, tmp_path / "alone")
    train(both, tmp_path / "both")
    assert same(weights_of(alone), weights_of(both))
    baseline = make_setup(images, kd=False, method=False, epochs=2, dropout=dropout)
    train(baseline, tmp_path / "baseline")
    assert same(weights_of(baseline), weights_of(both, "kd"))


def test_all_learners_see_the_same_batches_and_teachers_are_asked_once(images, tmp_path):
    setup = make_setup(images, epochs=2)
    train(setup, tmp_path)
    assert len(setup.teaching.batches) == 10
    assert [views for _, views in setup.teaching.batches] == [[1] * 8] * 5 + [[2] * 8] * 5


def test_the_number_of_workers_changes_nothing(images, tmp_path, monkeypatch):
    found = []
    for workers in (0, 1):
        monkeypatch.setattr(loop, "choose_workers", lambda *_, n=workers: n)
        setup = make_setup(images, epochs=2, dropout=0.3)
        train(setup, tmp_path / str(workers))
        assert not multiprocessing.active_children()
        found.append((weights_of(setup), lines(tmp_path / str(workers))))
    assert same(found[0][0], found[1][0])
    assert found[0][1] == found[1][1]


@pytest.mark.parametrize("workers", [0, 1])
def test_ctrl_c_ends_the_step_and_resuming_goes_on_as_if_nothing_had_been(
    images, tmp_path, monkeypatch, workers
):
    monkeypatch.setattr(loop, "choose_workers", lambda *_: workers)
    options = {"epochs": 3, "dropout": 0.3, "batch": 5, "accumulate": 3}
    undisturbed = make_setup(images, **options)
    train(undisturbed, tmp_path / "whole")
    handler = signal.getsignal(signal.SIGINT)
    result = train(until(make_setup(images, **options), 10, interrupt), tmp_path / "cut")
    assert (result.steps, result.interrupted) == (4, True)
    assert signal.getsignal(signal.SIGINT) is handler
    setup = make_setup(images, **options)
    result = train(setup, tmp_path / "cut", resume=True)
    assert (result.steps, result.interrupted) == (8, False)
    assert setup.teaching.batches[0] == undisturbed.teaching.batches[12]
    for name in ("student", "kd"):
        assert same(weights_of(setup, name), weights_of(undisturbed, name))
    assert lines(tmp_path / "cut") == lines(tmp_path / "whole")


def test_the_second_ctrl_c_breaks_off_at_once(images, tmp_path):
    def twice():
        interrupt()
        interrupt()

    with pytest.raises(KeyboardInterrupt):
        train(until(make_setup(images), 3, twice), tmp_path)
    assert len(read_journal(tmp_path / "training.jsonl")) == 2


@pytest.mark.exhaustive
def test_a_training_that_is_killed_again_and_again_ends_as_if_nothing_had_been(images, tmp_path):
    folder = tmp_path / "killed"
    environment = {**os.environ, "PYTHONPATH": str(HERE), "OMP_NUM_THREADS": "1"}
    script = [sys.executable, str(HERE / "killing.py"), str(tmp_path / "images"), str(folder), "1"]
    found = subprocess.run(
        script, env=environment, capture_output=True, text=True, timeout=200, check=False
    )
    assert found.returncode == 0, found.stderr
    undisturbed = make_setup(images, dropout=0.3)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    train(undisturbed, tmp_path / "whole")
    torch.set_num_threads(threads)
    learned = torch.load(folder / "weights.pt")
    for name in ("student", "kd"):
        assert same(learned[name], weights_of(undisturbed, name))
    assert lines(folder) == lines(tmp_path / "whole")
    assert len(checkpoints.complete(folder / "checkpoints")) <= 2


def test_resuming_what_is_complete_returns_at_once_with_the_trained_weights(images, tmp_path):
    setup = make_setup(images, epochs=1)
    first = train(setup, tmp_path)
    again = make_setup(images, epochs=1)
    result = train(again, tmp_path, resume=True)
    assert (result.steps, result.interrupted, result.samples_per_second) == (5, False, 0.0)
    assert result.seconds >= first.seconds
    assert again.teaching.batches == []
    assert same(weights_of(again), weights_of(setup))


def test_resuming_without_a_checkpoint_starts_anew(images, tmp_path):
    (tmp_path / "training.jsonl").write_text('{"step":1,"epoch":1.0,"losses":{}}\n{"st')
    result = train(make_setup(images, epochs=1), tmp_path, resume=True)
    assert [each.step for each in read_journal(result.journal)] == [1, 2, 3, 4, 5]


def test_a_checkpoint_of_another_training_is_refused(images, tmp_path):
    train(make_setup(images, epochs=1), tmp_path)
    for other in (make_setup(images, epochs=2), make_setup(images, epochs=1, kd=False)):
        with pytest.raises(ZooError, match="belongs to another training"):
            train(other, tmp_path, resume=True)


def test_half_a_line_between_two_lines_of_the_journal_survives_a_resumption(
    images, tmp_path, monkeypatch
):
    monkeypatch.setattr("zoo.training.pace.interval", lambda steps: 4)
    undisturbed = make_setup(images)
    train(undisturbed, tmp_path / "whole")
    train(until(make_setup(images), 6, interrupt), tmp_path / "cut")
    assert [each.step for each in read_journal(tmp_path / "cut/training.jsonl")] == [4]
    train(make_setup(images), tmp_path / "cut", resume=True)
    assert lines(tmp_path / "cut") == lines(tmp_path / "whole")
    assert [line[0] for line in lines(tmp_path / "whole")] == [4, 8, 12, 15]


def test_accumulated_batches_learn_what_one_large_batch_does(tmp_path):
    texts = ["".join("abcdefgh"[(n * k) % 8] for k in range(n % 7 + 1)) for n in range(32)]
    found = []
    for batch, accumulate in ((16, 1), (4, 4)):
        setup = make_setup(texts, method=False, batch=batch, accumulate=accumulate)
        result = train(setup, tmp_path / str(batch))
        assert result.steps == 6
        found.append((weights_of(setup), lines(tmp_path / str(batch))))
    for name, values in found[0][0].items():
        torch.testing.assert_close(values, found[1][0][name], rtol=0, atol=1e-5)
    assert found[0][1][0][2] == pytest.approx(found[1][1][0][2])


def test_a_loss_that_is_not_a_number_stops_the_training_with_one_sentence(images, tmp_path):
    class Broken(Concatenated):
        calls = 0

        def loss(self, student, teachers):
            self.calls += 1
            return super().loss(student, teachers) * (float("nan") if self.calls > 4 else 1)

    setup = replace(make_setup(images, kd=False), targets=Broken())
    with pytest.raises(
        ZooError, match=r"'student\.soft' is not a finite number from step 5"
    ) as err:
        train(setup, tmp_path)
    assert "--learning-rate" in err.value.hint
    assert [each.step for each in read_journal(tmp_path / "training.jsonl")] == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("kind", "words"),
    [(torch.OutOfMemoryError, "CUDA"), (MemoryError, ""), (RuntimeError, "can't allocate memory")],
)
def test_running_out_of_memory_names_the_batch_and_a_smaller_one(images, tmp_path, kind, words):
    def fail():
        raise kind(words)

    with pytest.raises(OutOfMemoryError, match="a batch of 8 does not fit") as caught:
        train(until(make_setup(images), 2, fail), tmp_path)
    assert "--batch 4; with accumulate: 2" in caught.value.hint


def test_workers_end_with_a_training_that_fails(images, tmp_path, monkeypatch):
    def fail():
        raise RuntimeError("in the middle")

    monkeypatch.setattr(loop, "choose_workers", lambda *_: 1)
    with pytest.raises(RuntimeError, match="in the middle"):
        train(until(make_setup(images), 2, fail), tmp_path)
    assert not multiprocessing.active_children()


def test_other_errors_are_not_taken_for_memory(images, tmp_path):
    def fail():
        raise RuntimeError("sizes differ")

    with pytest.raises(RuntimeError, match="sizes differ"):
        train(until(make_setup(images), 2, fail), tmp_path)


def test_half_precision_keeps_losses_and_what_methods_read_in_float32(images, tmp_path):
    setup = replace(make_setup(images, epochs=1), precision="bf16")
    seen = []
    forward = setup.learners["student"].extras.forward

    def watch(lesson):
        seen.extend(
            [lesson.student_logits, *lesson.meetings[0].teachers, lesson.meetings[0].student]
        )
        losses = forward(lesson)
        seen.extend(losses.values())
        return losses

    setup.learners["student"].extras.forward = watch
    train(setup, tmp_path)
    assert {each.dtype for each in seen} == {torch.float32}
    assert {each.dtype for each in weights_of(setup).values()} <= {torch.float32, torch.int64}
    other = make_setup(images, epochs=1)
    train(other, tmp_path / "full")
    assert not same(weights_of(setup), weights_of(other))


def test_bad_setups_are_refused_with_a_sentence(images, tmp_path):
    setup = make_setup(images)
    with pytest.raises(InputError, match="nothing to train on"):
        train(replace(setup, rows=[]), tmp_path)
    with pytest.raises(InputError, match="fp16 needs a GPU"):
        train(replace(setup, precision="fp16"), tmp_path)
    weights = {"soft": 1.0, "paired": 1.0}
    learner = replace(setup.learners["student"], weights=weights)
    with pytest.raises(PluginError, match="no weight for its loss 'penalty'"):
        train(replace(setup, learners={"student": learner}), tmp_path)


def test_checkpoints_are_written_in_time_and_the_last_two_stay(images, tmp_path):
    train(make_setup(images, epochs=1, save_minutes=1e-9), tmp_path)
    assert [step for step, _ in checkpoints.complete(tmp_path / "checkpoints")] == [4, 5]


def test_a_fresh_start_forgets_the_checkpoints_of_the_one_before(images, tmp_path):
    train(make_setup(images, epochs=2), tmp_path)
    train(changed(make_setup(images), epochs=1), tmp_path, on_event=ignore)
    assert [step for step, _ in checkpoints.complete(tmp_path / "checkpoints")] == [5]
    assert len(read_journal(tmp_path / "training.jsonl")) == 5


def test_a_full_disk_does_not_end_a_training_but_an_interrupt_says_that_nothing_was_kept(
    images, tmp_path, monkeypatch
):
    def full(self, draft, progress):
        raise OSError("no space left")

    monkeypatch.setattr(loop.Loop, "_write", full)
    events = []
    result = train(make_setup(images, epochs=1), tmp_path, on_event=events.append)
    assert result.steps == 5
    (note,) = [each.message for each in events if each.kind == "note"]
    assert note.startswith("no checkpoint of step 5 could be written: no space left")
    assert list((tmp_path / "checkpoints").iterdir()) == []
    with pytest.raises(ZooError, match="no checkpoint of step 2 could be written"):
        train(until(make_setup(images), 2, interrupt), tmp_path)
