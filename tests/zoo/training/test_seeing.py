"""How a student sees a batch: as a whole, in part, again, mixed; and what labels make of it."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from PIL import Image
from tiny_networks import TinyNetwork, open_cnn, open_words
from torch import nn

from zoo.errors import PluginError
from zoo.training.pupil import Pupil
from zoo.training.seeing import see
from zoo.training.setup import Batch, Learner, Taught
from zoo.training.views import part_of
from zoo.types.distilling import Mixed
from zoo.types.training import FeatureShape, Observed, Stage

KEY = "tiny-16-0.5"


class Alterable(TinyNetwork):
    """A network whose stages can be altered; every forward pass is counted."""

    def observe(self, inputs, taps, alter=None):
        self.seen.append(len(inputs["pixel_values"]))
        maps, features = {}, inputs["pixel_values"]
        for number, stage in enumerate(self.module.body):
            tap = f"stage.{number}"
            features = stage(features)
            if alter and tap in alter:
                features = alter[tap](features)
            maps[tap] = features
        logits = self.module.classifier(features.mean((2, 3))) if self.module.classifier else None
        return Observed(features={tap: maps[tap] for tap in taps}, logits=logits)


class Turns:
    """Every sample lends from the one before it."""

    def __init__(self, probability=1.0, share=0.25):
        self.probability, self.share = probability, share

    def mix(self, features):
        order = torch.arange(len(features)).roll(1)
        mixed = self.share * features + (1 - self.share) * features[order]
        return Mixed(features=mixed, order=order, share=self.share)


class Notes(nn.Module):
    """Keeps the lessons, and gives the mean of what the student shows."""

    def __init__(self):
        super().__init__()
        self.lessons = []

    def forward(self, lesson):
        self.lessons.append(lesson)
        return {"notes": lesson.meetings[0].student.mean()}


class Matching:
    """Mean squared difference of logits."""

    def loss(self, student, teachers):
        return (student - teachers[0]).square().mean()


def student_of(labels=3, **more):
    network = open_cnn(labels, seed=3, width=4, trained=True, **more)
    return Alterable(network.module.train(), network.reader, network.layers, network.head)


def batch_of(size=6, *, part=False):
    draw = torch.Generator().manual_seed(0)

    def pixels(side):
        return {KEY: {"pixel_values": torch.randn(size, 3, side, side, generator=draw)}}

    rows = torch.arange(size)
    return Batch(rows=rows, views=rows * 0, inputs=pixels(16), partial=pixels(8) if part else {})


def stages_of(network):
    shape = network.layers[-1]
    common = FeatureShape(tap=shape.tap, width=shape.width, grid=(2, 2))
    return (
        Stage(student=common, teachers=(FeatureShape(tap="t", width=7),)),
        Stage(student=replace(common, grid=None), teachers=(FeatureShape(tap="t", width=7),)),
    )


def taught_of(size=6, stages=2, labels=3):
    draw = torch.Generator().manual_seed(1)
    return Taught(
        logits=(torch.randn(size, labels, generator=draw),),
        features=((torch.zeros(size, 7),),) * stages,
    )


def state(network):
    return {name: each.clone() for name, each in network.module.state_dict().items()}


def same(first, second):
    return all(torch.equal(each, second[name]) for name, each in first.items())


def test_one_pass_gives_every_form_that_is_wanted():
    network = student_of()
    learner = Learner(network=network, stages=stages_of(network), watched=network.layers)
    seen = see(learner, batch_of(), taught_of(), progress=0.5)
    lesson = seen.lesson
    assert network.seen == [6]
    assert [tuple(each.student.shape) for each in lesson.meetings] == [(6, 8, 2, 2), (6, 8)]
    assert [tuple(each.shape) for each in lesson.watched] == [(6, 4, 8, 8), (6, 8, 4, 4)]
    assert all(each.partial is None for each in lesson.meetings)
    assert (lesson.again, seen.mixed, lesson.labels) == (None, None, None)
    assert lesson.rows.tolist() == list(range(6))
    assert lesson.student_logits.requires_grad
    pooled = lesson.meetings[1].student
    torch.testing.assert_close(pooled, lesson.watched[1].mean((2, 3)))


def test_a_learner_of_logits_alone_is_shown_no_features():
    learner = Learner(network=student_of())
    assert see(learner, batch_of(), taught_of(), progress=0.1).lesson.meetings == ()


@pytest.mark.parametrize("momentum", [0.1, None])
def test_a_part_is_seen_as_vectors_and_leaves_no_trace(momentum):
    network, plain = student_of(), student_of()
    for norm in [*network.module.modules(), *plain.module.modules()]:
        if isinstance(norm, nn.BatchNorm2d):
            norm.momentum = momentum
    batch = batch_of(part=True)
    learner = Learner(network=network, stages=stages_of(network), partial=True)
    with_part = see(learner, batch, taught_of(), progress=0.1).lesson
    without = see(replace(learner, network=plain, partial=False), batch, taught_of(), progress=0.1)
    assert [tuple(each.partial.shape) for each in with_part.meetings] == [(6, 8), (6, 8)]
    assert with_part.meetings[0].partial.requires_grad
    assert torch.equal(with_part.student_logits, without.lesson.student_logits)
    assert same(state(network), state(plain))
    norms = [each for each in network.module.modules() if isinstance(each, nn.BatchNorm2d)]
    assert all(each.track_running_stats and each.momentum == momentum for each in norms)


def test_a_part_is_normalised_by_its_own_batch():
    network = student_of()
    learner = Learner(network=network, stages=stages_of(network)[1:], partial=True)
    batch = batch_of(part=True)
    (meeting,) = see(learner, batch, taught_of(stages=1), progress=0.1).lesson.meetings
    other = student_of()
    wanted = other.observe(batch.partial[KEY], ["stage.1"]).features["stage.1"].mean((2, 3))
    torch.testing.assert_close(meeting.partial, wanted)


def test_again_gives_the_same_and_leaves_no_trace():
    network = student_of()
    learner = Learner(network=network, stages=stages_of(network), again=True)
    lesson = see(learner, batch_of(), taught_of(), progress=0.1).lesson
    before = state(network)
    found = lesson.again(taps=["stage.0"])
    torch.testing.assert_close(found.logits, lesson.student_logits)
    assert tuple(found.features["stage.0"].shape) == (6, 4, 8, 8)
    assert same(before, state(network))
    found.logits.sum().backward()
    assert network.module.classifier.weight.grad is not None


def test_frozen_the_weights_get_no_gradient_and_what_is_put_in_does():
    network = student_of()
    network.module.body[0][0].weight.requires_grad_(False)  # was frozen before
    learner = Learner(network=network, again=True)
    lesson = see(learner, batch_of(), taught_of(), progress=0.1).lesson
    before = state(network)
    put_in = torch.randn(6, 4, 8, 8, requires_grad=True)
    found = lesson.again(alter={"stage.0": lambda _: put_in}, frozen=True)
    found.logits.square().sum().backward()
    assert put_in.grad.abs().sum() > 0
    assert all(each.grad is None for each in network.module.parameters())
    assert same(before, state(network))
    trained = [each.requires_grad for each in network.module.parameters()]
    assert trained == [False, *[True] * (len(trained) - 1)]
    lesson.student_logits.sum().backward()  # the first pass has lost nothing
    assert network.module.classifier.weight.grad is not None


def test_a_pass_that_fails_leaves_the_student_as_it_was():
    network = student_of()
    lesson = see(Learner(network=network, again=True), batch_of(), taught_of(), progress=0.1).lesson

    def fail(_):
        raise ValueError

    with pytest.raises(ValueError):
        lesson.again(alter={"stage.1": fail}, frozen=True)
    assert all(each.requires_grad for each in network.module.parameters())
    norms = [each for each in network.module.modules() if isinstance(each, nn.BatchNorm2d)]
    assert all(each.track_running_stats for each in norms)


def test_samples_are_mixed_in_training_alone():
    network = student_of()
    learner = Learner(network=network, augmenter=Turns(), tap="stage.0")
    batch = batch_of()
    assert see(learner, batch, taught_of(), progress=0.1).mixed.order.tolist() == [5, 0, 1, 2, 3, 4]
    network.module.eval()
    assert see(learner, batch, taught_of(), progress=0.1).mixed is None


@pytest.mark.parametrize(("probability", "count"), [(0.0, range(1)), (0.5, range(5, 36))])
def test_some_batches_are_mixed_and_others_are_not(probability, count):
    learner = Learner(network=student_of(), augmenter=Turns(probability), tap="stage.0")
    torch.manual_seed(0)
    batch = batch_of(2)
    mixed = [see(learner, batch, taught_of(2), progress=0.1).mixed for _ in range(40)]
    assert sum(each is not None for each in mixed) in count


def mixing_pupil(share, known=None, **weights):
    network = student_of()
    learner = Learner(
        network=network,
        stages=stages_of(network),
        extras=Notes(),
        weights={"soft": 1.0, "notes": 1.0, **weights},
        augmenter=Turns(share=share),
        tap="stage.0",
    )
    return Pupil({"student": learner}, Matching(), rows=range(6), labels=known), learner


def test_targets_and_labels_are_mixed_as_the_samples_are_and_methods_sit_it_out():
    labels = torch.tensor([0, 1, 2, 0, -1, 1])
    pupil, learner = mixing_pupil(0.25, labels, labels=2.0)
    batch, taught = batch_of(), taught_of()
    total, losses = pupil(batch, taught, 1.0, seed=0)
    assert learner.extras.lessons == []
    assert losses["student.notes"] == 0
    torch.manual_seed(0)
    logits = see(learner, batch, taught, progress=1.0).lesson.student_logits
    order = torch.arange(6).roll(1)
    (said,) = taught.logits
    soft = (logits - said).square().mean(), (logits - said[order]).square().mean()
    torch.testing.assert_close(losses["student.soft"], 0.25 * soft[0] + 0.75 * soft[1])
    cross = [
        nn.functional.cross_entropy(logits, each, ignore_index=-1)
        for each in (labels, labels[order])
    ]
    torch.testing.assert_close(losses["student.labels"], 0.25 * cross[0] + 0.75 * cross[1])
    torch.testing.assert_close(total, losses["student.soft"] + 2 * losses["student.labels"])


def test_a_share_of_one_is_nobody_elses_loss():
    pupil, _ = mixing_pupil(1.0)
    plain, learner = mixing_pupil(1.0)
    plain.learners["student"] = replace(learner, augmenter=None)
    mixed, whole = (each(batch_of(), taught_of(), 1.0, seed=0)[1] for each in (pupil, plain))
    torch.testing.assert_close(mixed["student.soft"], whole["student.soft"])


def test_a_batch_that_every_method_leaves_out_moves_nothing():
    pupil, learner = mixing_pupil(0.5)
    pupil.learners["student"] = replace(learner, weights={"notes": 1.0})
    total, losses = pupil(batch_of(), taught_of(), 1.0, seed=0)
    total.backward()
    assert losses["student.notes"] == total == 0
    grads = [each.grad for each in pupil.parameters() if each.grad is not None]
    assert not any(each.any() for each in grads)


def labels_pupil(labels, rows=range(6)):
    learner = Learner(network=student_of(), weights={"labels": 1.0})
    return Pupil({"student": learner}, None, rows=rows, labels=torch.tensor(labels)), learner


def test_a_label_that_is_not_known_teaches_nothing():
    pupil, learner = labels_pupil([0, -1, 2, -1, -1, 1])
    total, losses = pupil(batch_of(), taught_of(), 1.0)
    logits = see(learner, batch_of(), taught_of(), progress=1.0).lesson.student_logits
    wanted = nn.functional.cross_entropy(logits[[0, 2, 5]], torch.tensor([0, 2, 1]))
    torch.testing.assert_close(losses["student.labels"], wanted.detach())
    torch.testing.assert_close(total, wanted)


def test_a_batch_without_any_label_costs_nothing_and_moves_nothing():
    pupil, learner = labels_pupil([-1] * 6)
    total, losses = pupil(batch_of(), taught_of(), 1.0)
    assert losses["student.labels"] == 0
    total.backward()
    assert all(each.grad.abs().sum() == 0 for each in learner.network.module.parameters())


def test_a_student_without_a_head_has_no_labels_to_learn():
    learner = Learner(network=student_of(0), weights={"labels": 1.0})
    pupil = Pupil({"student": learner}, None, rows=range(6), labels=torch.zeros(6).long())
    with pytest.raises(PluginError, match="student has no logits"):
        pupil(batch_of(), taught_of(), 1.0)


def test_rows_are_places_among_the_samples_that_are_trained_on():
    network = student_of()
    notes = Notes()
    learner = Learner(
        network=network, stages=stages_of(network), extras=notes, weights={"notes": 1.0}
    )
    labels = torch.arange(10) % 3
    pupil = Pupil({"student": learner}, None, rows=(9, 2, 4, 7), labels=labels)
    batch = replace(batch_of(4), rows=torch.tensor([2, 9, 7, 4]))
    pupil(batch, taught_of(4), 1.0)
    (lesson,) = notes.lessons
    assert lesson.rows.tolist() == [1, 0, 3, 2]
    assert lesson.labels.tolist() == [2, 0, 1, 1]  # of the samples themselves


def test_the_part_of_an_image_is_a_smaller_image_and_always_the_same():
    image = Image.effect_noise((60, 40), 90).convert("RGB")
    parts = [part_of(image, seed=1, row=2, view=view) for view in range(20)]
    for view, each in enumerate(parts):
        share = each.width * each.height / 2400
        assert 0.13 < share < 0.43
        assert each.tobytes() == part_of(image, seed=1, row=2, view=view).tobytes()
    assert len({each.tobytes() for each in parts}) == 20


@pytest.mark.parametrize(
    ("text", "count"), [("a b c d e f", 3), ("a b c", 2), ("one", 1), ("", 0), ("  ", 0)]
)
def test_the_part_of_a_text_is_half_of_its_words_in_their_order(text, count):
    found = part_of(text, seed=0, row=0, view=0)
    assert len(found.split()) == count
    assert found in " ".join(text.split())


def test_the_part_of_a_pair_is_a_part_of_both():
    found = part_of(("a b c d", "x y"), seed=0, row=0, view=0)
    assert isinstance(found, tuple)
    assert [len(each.split()) for each in found] == [2, 1]


def test_texts_are_seen_in_part_too():
    network = open_words(3, trained=True)
    words = network.reader.collate(["abc", "def"])
    rows = torch.arange(2)
    batch = Batch(rows=rows, views=rows, inputs={"words": words}, partial={"words": words})
    (shape,) = network.layers
    stage = Stage(student=shape, teachers=(FeatureShape(tap="t", width=7),))
    learner = Learner(network=network, stages=(stage,), partial=True)
    (meeting,) = see(learner, batch, taught_of(2, 1), progress=0.1).lesson.meetings
    torch.testing.assert_close(meeting.partial, meeting.student)
