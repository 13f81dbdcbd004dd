"""Running statistics are those of all the data, and nothing else of a network changes."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import nn

from zoo.errors import InputError
from zoo.training.norms import reestimate_norms


def images(count=23, channels=3):
    return torch.randn(count, channels, 5, 4, generator=torch.Generator().manual_seed(0)) * 3 + 2


def net():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 6, 3),
        nn.BatchNorm2d(6),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Flatten(),
        nn.Linear(36, 4),
        nn.BatchNorm1d(4),
    ).eval()


@pytest.mark.parametrize("batch", [23, 7, 11])
def test_statistics_of_the_first_norm_are_those_of_numpy_over_all_samples(batch):
    network, data = net(), images()
    with torch.no_grad():
        reaching = network[0](data).double().numpy().transpose(1, 0, 2, 3).reshape(6, -1)
    assert reestimate_norms(network, data.split(batch)) == 2
    norm = network[1]
    np.testing.assert_allclose(norm.running_mean, reaching.mean(axis=1), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(norm.running_var, reaching.var(axis=1, ddof=1), rtol=1e-5)
    assert norm.num_batches_tracked == len(data.split(batch))


def test_deeper_norms_see_what_they_saw_in_training():
    network, data = net(), images()
    reference = copy.deepcopy(network)
    for part in reference:
        if isinstance(part, nn.BatchNorm1d | nn.BatchNorm2d):
            part.train()
            part.momentum = 1.0
    with torch.no_grad():
        reference(data)
    reestimate_norms(network, [data])
    for name, value in reference.named_buffers():
        if "running" in name:
            torch.testing.assert_close(network.get_buffer(name), value)


def test_one_batch_of_all_samples_makes_eval_give_what_training_gave():
    network, data = net(), images(200)
    reestimate_norms(network, [data])
    with torch.no_grad():
        settled = network[:2](data)
        trained = network[:2].train()(data)
    torch.testing.assert_close(settled, trained, rtol=2e-3, atol=2e-3)


def test_modes_rates_weights_and_gradients_are_left_as_they_were():
    network, data = net(), images()
    network[1].train()
    network[6].momentum = 0.3
    before = {name: value.clone() for name, value in network.named_parameters()}
    modes = [part.training for part in network.modules()]
    state = torch.random.get_rng_state()
    reestimate_norms(network, data.split(9))
    assert [part.training for part in network.modules()] == modes
    assert (network[1].momentum, network[6].momentum) == (0.1, 0.3)
    assert all(torch.equal(before[name], value) for name, value in network.named_parameters())
    assert all(value.grad is None for value in network.parameters())
    assert not network[1]._forward_pre_hooks
    assert torch.equal(torch.random.get_rng_state(), state)


def test_a_last_batch_of_one_sample_counts_and_a_first_one_is_refused():
    network = nn.Sequential(nn.BatchNorm1d(3))
    data = images()[:, :, 0, 0]
    assert reestimate_norms(network, data.split(11)) == 1
    np.testing.assert_allclose(network[0].running_mean, data.mean(dim=0), rtol=1e-5)
    np.testing.assert_allclose(network[0].running_var, data.var(dim=0), rtol=1e-5)
    with pytest.raises(InputError, match="single value"):
        reestimate_norms(network, data.split(1))


def test_a_momentum_gives_the_average_of_training():
    network, data = net(), images()
    reference = copy.deepcopy(network)
    with torch.no_grad():
        for part in (network[1], reference[1]):
            part.running_mean.fill_(1)
        reference[1].train()
        reference[1].momentum = 0.5
        for batch in data.split(8):
            reference[:2](batch)
    reestimate_norms(network, data.split(8), momentum=0.5)
    torch.testing.assert_close(network[1].running_mean, reference[1].running_mean)


def test_networks_without_running_statistics_are_untouched_and_read_nothing():
    network = nn.Sequential(
        nn.LayerNorm(4), nn.GroupNorm(2, 4), nn.BatchNorm1d(4, track_running_stats=False)
    )
    before = copy.deepcopy(network.state_dict())

    def never():
        raise AssertionError
        yield

    assert reestimate_norms(network, never()) == 0
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


def test_norms_that_nothing_reaches_keep_their_statistics():
    network = nn.ModuleDict({"used": nn.BatchNorm1d(3), "idle": nn.BatchNorm1d(3)})
    network["idle"].running_mean.fill_(7)
    data = images()[:, :, 0, 0]
    assert reestimate_norms(network, [data], forward=network["used"]) == 1
    assert network["idle"].running_mean.tolist() == [7, 7, 7]
    assert network["idle"].num_batches_tracked == 0


def test_batches_by_name_become_keyword_arguments():
    class Named(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm = nn.BatchNorm2d(3)

        def forward(self, *, pixel_values):
            return self.norm(pixel_values)

    network = Named()
    assert reestimate_norms(network, [{"pixel_values": images()}]) == 1


@pytest.mark.parametrize("failure", [KeyboardInterrupt, ValueError])
def test_a_failure_or_an_interruption_puts_the_statistics_back(failure):
    network = net()
    before = copy.deepcopy(network.state_dict())

    def broken():
        yield images()
        raise failure

    with pytest.raises(failure):
        reestimate_norms(network, broken())
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    assert not any(part.training for part in network.modules())
    with pytest.raises(InputError, match="without any sample"):
        reestimate_norms(network, [])


def test_folded_norms_are_left_alone_and_fresh_ones_are_not():
    network = net()
    folded, fresh = network[1], network[6]
    folded.running_var.fill_(1 - folded.eps)
    assert reestimate_norms(network, [images()]) == 1
    assert not folded.running_mean.any()
    assert (folded.running_var == 1 - folded.eps).all()
    assert (fresh.running_var != 1).all()
