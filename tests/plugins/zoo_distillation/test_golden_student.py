"""Moment exchange and graph self-distillation against the reference numbers."""

from __future__ import annotations

import pytest
import torch

from zoo_distillation.gnnsd import connected, neighbourhood_discrepancy, retention_loss
from zoo_distillation.moex import exchange_moments


@pytest.mark.golden("moex_")
def test_golden_moments_are_exchanged(golden_case):
    features = golden_case.tensor("in_x").requires_grad_()
    config = golden_case.meta["config"]
    order = golden_case.tensor("in_swap_index")
    mixed = exchange_moments(features, order, config["norm_type"], config["epsilon"])
    mixed.backward(golden_case.tensor("in_upstream"))
    golden_case.close(mixed, "out_y")
    golden_case.close(features.grad, "grad_x")


@pytest.mark.golden("gnnsd_")
def test_golden_discrepancies_are_retained(golden_case):
    edges = golden_case.tensor("in_A").T.nonzero().T
    layers = [each.requires_grad_() for each in golden_case.tensors("in_X_").values()]
    rates = [neighbourhood_discrepancy(each, edges) for each in layers]
    loss = retention_loss(rates, connected(edges, len(layers[0])))
    loss.backward()
    for number, each in enumerate(rates):
        golden_case.close(each, f"out_ndr_{number}")
    golden_case.close(torch.stack([each.norm() for each in rates]), "out_norms")
    golden_case.close(loss, "out_adr")
    golden_case.close(layers[-1].grad, "grad_X_last")
