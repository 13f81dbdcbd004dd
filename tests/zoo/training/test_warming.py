"""Students that are warmed up by telling altered seeds apart."""

from __future__ import annotations

import os
import signal

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_networks import open_cnn, open_vit

from zoo.building.recipe import Schedule
from zoo.errors import InputError
from zoo.probes.decoding import decode
from zoo.probes.surrogate import Altering, cut_seeds
from zoo.training.journal import read_journal
from zoo.training.warming import warm_up
from zoo.types import ImageInput
from zoo_distillation.exemplar import ExemplarTask


class Kept(ExemplarTask):
    """Keeps the head that the training throws away; something happens at its n-th batch."""

    batches = 0
    act = (0, None)

    def build(self, width, classes):
        self.head = super().build(width, classes)
        self.head.register_forward_hook(self._seen)
        return self.head

    def _seen(self, *unused):
        self.batches += 1
        if self.batches == self.act[0]:
            self.act[1]()


@pytest.fixture(scope="module")
def colourful(tmp_path_factory):
    """Twelve pictures of one texture and colour each, which a tiny network can tell apart."""
    folder = tmp_path_factory.mktemp("colourful")
    found = []
    for number in range(12):
        draw = np.random.default_rng(number)
        pixels = np.kron(draw.integers(0, 256, (6, 6, 3)), np.ones((4, 4, 1)))
        path = folder / f"{number:02}.png"
        Image.fromarray(pixels.astype(np.uint8)).save(path)
        found.append(ImageInput(name=path.name, path=str(path)))
    return found


def warm(network, samples, folder, *, pretext=None, rows=None, share=0.5, **changes):
    resume = changes.pop("resume", True)
    values = {"epochs": 4, "batch": 4, "learning_rate": 0.01, **changes}
    return warm_up(
        network,
        pretext or ExemplarTask(size=16),
        samples=samples,
        rows=range(len(samples)) if rows is None else rows,
        schedule=Schedule(**values),
        share=share,
        seed=0,
        folder=folder,
        device=torch.device("cpu"),
        precision="fp32",
        modality="image",
        resume=resume,
    )


def weights(network):
    return {name: each.clone() for name, each in network.module.state_dict().items()}


def same(one, two):
    return one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)


def losses(folder):
    return [line.losses for line in read_journal(folder / "training.jsonl")]


def accuracy(network, pretext, samples):
    """Share of fresh alterations that are told by their seed, after the training."""
    seeds = cut_seeds(pretext, samples, range(len(samples)), len(samples), 0).images
    alter, right = Altering(pretext, 99), 0
    for number, seed in enumerate(seeds):
        seen = [network.reader.prepare(alter(decode(seed), number, view)) for view in range(20)]
        with torch.no_grad():
            features = network.observe(network.reader.collate(seen), ["stage.1"]).features
            logits = pretext.head.linear(features["stage.1"].mean((2, 3)))
        right += int((logits.argmax(1) == number).sum())
    return right / (20 * len(seeds))


def test_a_student_learns_to_tell_seeds_apart(colourful, tmp_path):
    pretext = Kept(size=16)
    network = open_cnn(3, width=16, trained=True)
    warm(network, colourful, tmp_path, pretext=pretext, epochs=60, share=1.0, batch=12)
    found = losses(tmp_path)
    assert set(found[0]) == {"student.pretext"}
    assert found[-1]["student.pretext"] < 0.85 * found[0]["student.pretext"]
    chance = 1 / len(colourful)
    assert accuracy(network, pretext, colourful) > 2 * chance


def test_the_body_learns_and_the_head_of_the_student_stays(colourful, tmp_path):
    network = open_cnn(3, trained=True)
    before = weights(network)
    result = warm(network, colourful, tmp_path)
    after = weights(network)
    for name in before:
        assert torch.equal(before[name], after[name]) == name.startswith("classifier"), name
    assert not result.interrupted
    assert not network.module.training
    assert all(each.requires_grad for each in network.module.parameters())


@pytest.mark.parametrize(("share", "rows", "steps"), [(0.5, 12, 6), (0.25, 12, 3), (0.5, 8, 4)])
def test_it_takes_its_share_of_the_steps_of_the_whole_training(
    colourful, tmp_path, share, rows, steps
):
    # Batches of 4 and 4 epochs: as many steps as rows.
    result = warm(open_cnn(3, trained=True), colourful, tmp_path, rows=range(rows), share=share)
    assert result.steps == steps


def test_fewer_seeds_do_not_make_it_shorter(colourful, tmp_path):
    pretext = Kept(size=16, seeds=4)
    result = warm(open_cnn(3, trained=True), colourful, tmp_path, pretext=pretext)
    assert pretext.head.linear.out_features == 4
    assert result.steps == 6


def test_seeds_come_from_the_rows_that_are_trained_on_and_equal_ones_count_once(
    colourful, tmp_path
):
    pretext = Kept(size=16)
    samples = [None, *colourful[:5], colourful[0]]
    warm(open_cnn(3, trained=True), samples, tmp_path, pretext=pretext, rows=(1, 2, 3, 6))
    assert pretext.head.linear.out_features in {3, 4}
    whole = Kept(size=32)  # the pictures are no larger, so that two of them are the same seed
    warm(open_cnn(3, trained=True), samples, tmp_path / "two", pretext=whole, rows=(1, 2, 3, 6))
    assert whole.head.linear.out_features == 3


def test_the_same_seed_teaches_the_same(colourful, tmp_path):
    learned, heads = [], []
    for name in ("one", "two"):
        pretext, network = Kept(size=16), open_cnn(3, trained=True, dropout=0.3)
        warm(network, colourful, tmp_path / name, pretext=pretext)
        learned.append(weights(network))
        heads.append(pretext.head.state_dict())
    assert same(*learned)
    assert same(*heads)


def test_an_interrupted_warm_start_goes_on_with_equal_numbers(colourful, tmp_path):
    whole = open_cnn(3, trained=True, dropout=0.3)
    warm(whole, colourful, tmp_path / "whole", share=1.0)
    pretext = Kept(size=16)
    pretext.act = (5, lambda: os.kill(os.getpid(), signal.SIGINT))
    part = open_cnn(3, trained=True, dropout=0.3)
    result = warm(part, colourful, tmp_path / "part", pretext=pretext, share=1.0)
    assert result.interrupted
    assert result.steps == 5
    rest = open_cnn(3, trained=True, dropout=0.3)
    assert not warm(rest, colourful, tmp_path / "part", share=1.0).interrupted
    assert same(weights(rest), weights(whole))
    assert losses(tmp_path / "part") == losses(tmp_path / "whole")


def test_a_finished_warm_start_is_not_repeated(colourful, tmp_path):
    network = open_cnn(3, trained=True)
    warm(network, colourful, tmp_path)
    pretext, again = Kept(size=16), open_cnn(3, seed=9, trained=True)
    result = warm(again, colourful, tmp_path, pretext=pretext)
    assert result.steps == 6
    assert not pretext.batches
    assert same(weights(again), weights(network))
    fresh = warm(open_cnn(3, trained=True), colourful, tmp_path, resume=False)
    assert fresh.steps == 6


def test_a_transformer_is_warmed_up_as_well(colourful, tmp_path):
    network = open_vit(3, trained=True)
    before = weights(network)
    warm(network, colourful, tmp_path)
    assert not same(before, weights(network))


def test_texts_and_too_few_images_are_refused(colourful, tmp_path):
    network = open_cnn(3, trained=True)
    with pytest.raises(InputError, match="a warm start is made from images, and this data holds"):
        warm_up(
            network,
            ExemplarTask(),
            samples=["good", "bad"],
            rows=[0, 1],
            schedule=Schedule(),
            share=0.2,
            seed=0,
            folder=tmp_path,
            device=torch.device("cpu"),
            precision="fp32",
            modality="text",
        )
    with pytest.raises(InputError, match="the data gives 1 seed"):
        warm(network, colourful, tmp_path, rows=[3])
    assert not list(tmp_path.iterdir())
