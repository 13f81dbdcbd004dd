from __future__ import annotations

import pytest
import torch
from tiny_networks import Concatenated, make_setup, open_cnn, open_words
from torch import nn

from zoo.building.recipe import Schedule, Views
from zoo.errors import ZooError
from zoo.training import checkpoints
from zoo.training.journal import Journal, JournalLine, interval, read_journal
from zoo.training.meter import Meter
from zoo.training.optimising import head_of, make_optimiser, rate_factor
from zoo.training.pupil import Pupil
from zoo.training.samples import batches
from zoo.training.setup import Learner


def line(step):
    return JournalLine(step=step, epoch=step / 10, losses={"student.soft": 1 / step})


def test_a_journal_is_read_back_up_to_the_first_broken_line(tmp_path):
    path = tmp_path / "training.jsonl"
    journal = Journal(path)
    for step in (1, 2, 3):
        journal.write(line(step))
    journal.close()
    path.write_bytes(path.read_bytes()[:-5])
    assert read_journal(path) == [line(1), line(2)]
    assert read_journal(tmp_path / "nowhere.jsonl") == []


def test_a_journal_is_cut_where_the_training_goes_on(tmp_path):
    path = tmp_path / "training.jsonl"
    journal = Journal(path)
    for step in (1, 2, 3):
        journal.write(line(step))
    journal.close()
    journal = Journal(path, step=2)
    assert journal.last == line(2)
    journal.write(line(4))
    journal.sync()
    journal.close()
    assert read_journal(path) == [line(1), line(2), line(4)]


@pytest.mark.parametrize("steps", [1, 999, 1000, 1001, 123_456])
def test_a_journal_has_at_most_a_thousand_lines(steps):
    assert steps / interval(steps) <= 1000
    assert interval(1000) == 1


def test_a_checkpoint_that_fails_half_way_leaves_nothing(tmp_path):
    def fail():
        with checkpoints.appearing(tmp_path / "checkpoint-1") as draft:
            (draft / "weights").write_bytes(b"half")
            raise OSError("full")

    with pytest.raises(OSError, match="full"):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_only_whole_checkpoints_count_and_they_are_sorted_as_numbers(tmp_path):
    for step in (9, 10, 100):
        with checkpoints.appearing(tmp_path / f"checkpoint-{step}") as draft:
            (draft / "weights").write_bytes(b"whole")
    (tmp_path / ".draft-checkpoint-200").mkdir()
    assert checkpoints.newest(tmp_path) == (100, tmp_path / "checkpoint-100")
    checkpoints.prune(tmp_path)
    assert [step for step, _ in checkpoints.complete(tmp_path)] == [10, 100]
    checkpoints.clear(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_meter_gives_means_and_goes_on_exactly_from_its_sums():
    values = [{"a": torch.rand(()), "b": torch.rand(())} for _ in range(6)]
    whole, first, second = Meter(), Meter(), Meter()
    for each in values:
        whole.add(each, 1)
    for each in values[:4]:
        first.add(each, 1)
    second.restore(first.sums(), first.count, torch.device("cpu"))
    for each in values[4:]:
        second.add(each, 1)
    assert second.means() == whole.means()
    assert whole.means()["a"] == pytest.approx(sum(float(each["a"]) for each in values) / 6)
    whole.clear()
    assert whole.means() == {}


def test_a_meter_names_the_first_loss_that_breaks_and_its_step():
    meter = Meter()
    for step, a, b in ((1, 1.0, 1.0), (2, 1.0, float("inf")), (3, float("nan"), float("nan"))):
        meter.add({"a": torch.tensor(a), "b": torch.tensor(b)}, step)
    with pytest.raises(ZooError, match="the loss 'b' is not a finite number from step 2 on"):
        meter.means()


def test_rates_fall_as_the_schedule_says():
    assert [rate_factor("step", each, 10) for each in (0, 4, 5, 9)] == [1, 1, 0.1, 0.1]
    assert [rate_factor("constant", each, 10) for each in (0, 9)] == [1, 1]
    cosine = [rate_factor("cosine", each, 10) for each in range(11)]
    assert cosine[0] == 1
    assert cosine[5] == pytest.approx(0.5)
    assert cosine[10] == pytest.approx(0)
    assert cosine == sorted(cosine, reverse=True)


def test_body_head_and_extras_have_rates_of_their_own():
    extras = nn.Linear(2, 2)
    learners = {"student": Learner(network=open_cnn(4, trained=True), extras=extras)}
    schedule = Schedule(learning_rate=0.1, head_rate=10, extras_rate=5, weight_decay=0.3)
    groups = make_optimiser(learners, schedule, fused=False).param_groups
    assert [(each["part"], each["lr"], len(each["params"])) for each in groups] == [
        ("body", 0.1, 6), ("head", 1.0, 2), ("extras", 0.5, 2),
    ]  # fmt: skip
    assert {each["weight_decay"] for each in groups} == {0.3}


def test_a_network_without_a_head_is_all_body():
    network = open_cnn(0, trained=True)
    (group,) = make_optimiser({"s": Learner(network=network)}, Schedule(), fused=False).param_groups
    assert group["part"] == "body"
    assert head_of(nn.Linear(2, 2)) == set()


def test_a_head_inside_the_body_is_found_where_the_body_names_it():
    class Body(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.fc = nn.Conv2d(3, 4, 1), nn.Linear(4, 2)

        def get_classifier(self):
            return self.fc

    class Wrapped(nn.Module):
        base_model_prefix = "timm_model"

        def __init__(self):
            super().__init__()
            self.timm_model = Body()

    module = Wrapped()
    assert head_of(module) == set(module.timm_model.fc.parameters())


def lesson_of(setup, images):
    readers = dict(setup.teaching.readers)
    for learner in setup.learners.values():
        readers[learner.network.reader.key] = learner.network.reader
    (batch,) = batches(images, range(8), readers, views=Views(), modality="image", batch=8)
    with torch.no_grad():
        return batch, setup.teaching.teach(batch)


def test_the_weights_of_a_method_warm_up_and_those_of_soft_targets_do_not(images):
    setup = make_setup(images, kd=False)
    batch, taught = lesson_of(setup, images)
    pupil = Pupil(setup.learners, setup.targets, warmup=0.2)
    for progress, share in ((0.05, 0.25), (0.1, 0.5), (0.2, 1.0), (1.0, 1.0)):
        total, losses = pupil(batch, taught, progress)
        weights = {
            "student.soft": 1.0,
            "student.paired": 0.5 * share,
            "student.penalty": 0.01 * share,
        }
        assert list(losses) == list(weights)
        expected = sum(weights[name] * float(value) for name, value in losses.items())
        assert float(total.detach()) == pytest.approx(expected, rel=1e-6)
        assert not any(value.requires_grad for value in losses.values())


def test_gradients_reach_students_and_extras_and_nobody_else(images):
    setup = make_setup(images)
    batch, taught = lesson_of(setup, images)
    pupil = Pupil(setup.learners, setup.targets)
    pupil(batch, taught, 1.0)[0].backward()
    assert all(each.grad is not None for each in pupil.parameters())
    teachers = {id(p) for each in setup.teaching.networks for p in each.module.parameters()}
    assert not teachers & {id(each) for each in pupil.parameters()}


def test_dropout_is_drawn_anew_for_every_learner(images):
    setup = make_setup(images, dropout=0.5, method=False)
    batch, taught = lesson_of(setup, images)
    pupil = Pupil(setup.learners, Concatenated())
    one = pupil(batch, taught, 1.0, seed=1)[1]
    assert one["student.soft"] == one["kd.soft"]
    assert pupil(batch, taught, 1.0, seed=1)[1] == one
    assert pupil(batch, taught, 1.0, seed=2)[1] != one


def test_a_vector_of_a_text_is_met_as_well():
    texts = ["abc", "deadbeef", "cab", "hag"] * 2
    setup = make_setup(texts)
    assert open_words().layers == setup.learners["student"].stages[0].teachers[:1]
    readers = setup.teaching.readers
    (batch,) = batches(texts, range(8), readers, modality="text", batch=8)
    _, losses = Pupil(setup.learners, setup.targets)(batch, setup.teaching.teach(batch), 1.0)
    assert set(losses) == {"student.soft", "student.paired", "student.penalty", "kd.soft"}
