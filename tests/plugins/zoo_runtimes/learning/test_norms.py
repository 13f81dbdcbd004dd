"""Batch norms whose stored statistics or momentum would spoil a training."""

from __future__ import annotations

import copy
import pickle

import torch
from torch import nn

from zoo_runtimes.learning.norms import keep_folded, tame_momentum


def body():
    """A trained norm between two whose statistics were folded away."""
    network = nn.Sequential(nn.BatchNorm2d(3), nn.BatchNorm2d(3, eps=1e-3), nn.BatchNorm2d(3))
    network[0].running_mean.fill_(0.2)
    network[1].running_var.fill_(1 - 1e-3)
    return network


def test_folded_norms_stay_in_eval_mode_and_learn_their_weights():
    network = body()
    before = [key for key, _ in network.named_parameters()]
    assert keep_folded(network) == 2
    network.eval()
    network.train()
    assert [part.training for part in network] == [True, False, False]
    statistics = {key: value.clone() for key, value in network.state_dict().items()}
    network(torch.randn(8, 3, 4, 4)).square().sum().backward()
    after = network.state_dict()
    same = [torch.equal(after[key], value) for key, value in statistics.items()]
    assert [key for key, equal in zip(statistics, same, strict=True) if not equal] == [
        "0.running_mean",
        "0.running_var",
        "0.num_batches_tracked",
    ]
    assert [key for key, _ in network.named_parameters()] == before
    assert all(part.weight.grad is not None for part in network)


def test_a_folded_norm_survives_copies():
    network = body()
    keep_folded(network)
    for other in (copy.deepcopy(network), pickle.loads(pickle.dumps(network))):
        assert [part.training for part in other.train()] == [True, False, False]


def test_norms_of_vectors_and_of_instances_are_told_apart():
    network = nn.Sequential(nn.BatchNorm1d(2), nn.LayerNorm(2), nn.BatchNorm1d(2, affine=False))
    network.append(nn.BatchNorm1d(2, track_running_stats=False))
    assert keep_folded(network) == 2
    assert [part.training for part in network.train()] == [False, True, False, True]


def test_a_momentum_that_remembers_one_batch_becomes_the_usual_one():
    network = nn.Sequential(nn.BatchNorm2d(3, momentum=0.9997), nn.BatchNorm2d(3, momentum=0.01))
    network.append(nn.BatchNorm2d(3, momentum=None))
    tame_momentum(network)
    assert [part.momentum for part in network] == [0.1, 0.01, None]
