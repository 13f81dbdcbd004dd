"""Copies must part in training, although the function at the start does not see how."""

from __future__ import annotations

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional as F

import zoo


def digits():
    images, labels = load_digits(return_X_y=True)
    return torch.tensor(images / 16.0, dtype=torch.float32), torch.tensor(labels)


def trained(module, steps):
    x, y = digits()
    optimiser = torch.optim.Adam(module.parameters(), lr=1e-2)
    for step in range(steps):
        rows = torch.arange(step * 64, step * 64 + 64) % len(x)
        optimiser.zero_grad()
        F.cross_entropy(module(x[rows]), y[rows]).backward()
        optimiser.step()
    return module


def ranks_and_gap(options):
    torch.manual_seed(0)
    small = trained(nn.Sequential(nn.Linear(64, 12), nn.ReLU(), nn.Linear(12, 10)), 50)
    x, _ = digits()
    step = zoo.Widen(width="4x")
    larger, proof = zoo.grow_module(small, x[:64], [step], seed=1, options=options)
    assert proof.passed
    weight = larger[0].weight.detach().clone()
    after = trained(larger, 50)[0].weight.detach()
    same = torch.cdist(weight, weight) == 0  # copies of one unit, as they were born
    gap = float(torch.cdist(after, after, compute_mode="donot_use_mm_for_euclid_dist")[same].max())
    rank = [int(torch.linalg.matrix_rank(each, rtol=1e-4)) for each in (weight, after)]
    return (*rank, gap)


def test_copies_part_within_fifty_steps():
    born, grown, gap = ranks_and_gap({})
    assert born == 12
    assert grown > 30
    assert gap > 1e-2


def test_without_noise_they_never_do():
    born, grown, gap = ranks_and_gap({"noise": 0.0, "symmetric": True})
    assert (born, grown) == (12, 12)
    assert gap < 1e-5
