"""The Laplace approximation over a subnetwork against laplace-torch, from the network on."""

from __future__ import annotations

from itertools import pairwise
from types import SimpleNamespace

import pytest
import torch

from zoo_distillation.laplace_curvature import (
    classification_likelihood,
    curvature,
    largest,
    log_evidence,
    logit_covariance,
    logit_variances,
    marginal_variance,
    posterior_covariance,
    posterior_precision,
    probit,
    regression_likelihood,
)
from zoo_distillation.sample_gradients import layers_of, recording

pytestmark = pytest.mark.golden("subnet_laplace")


@pytest.fixture
def case(golden_case):
    """The network of a file, and everything that is computed of it."""
    config = golden_case.meta["config"]
    sizes, act = config["layers"], getattr(torch.nn, config["activation"].title())
    layers = []
    for inside, outside in pairwise(sizes):
        layers += [torch.nn.Linear(inside, outside), act()]
    module = torch.nn.Sequential(*layers[:-1]).double().requires_grad_(False)
    module.load_state_dict(golden_case.tensors("param_"))
    names = [name for name, _ in module.named_parameters()]
    network = SimpleNamespace(
        module=module, observe=lambda inputs, taps: SimpleNamespace(logits=module(inputs["x"]))
    )

    def jacobians(inputs):
        rows = []
        with recording(network, layers_of(module)) as record:
            seen = record({"x": inputs})
            for column in range(seen.logits.shape[1]):
                cotangent = torch.zeros_like(seen.logits)
                cotangent[:, column] = 1
                found = dict(seen.gradients(cotangent, dict.fromkeys(names)))
                rows.append(torch.cat([found[name] for name in names], dim=1))
        return torch.stack(rows, dim=1), seen.logits.detach()

    return SimpleNamespace(
        golden=golden_case,
        classes=config["likelihood"] == "classification",
        prior=config["prior_precision"],
        noise=config["sigma_noise"],
        size=config["n_subnet"],
        weights=torch.cat([module.state_dict()[name].flatten() for name in names]),
        train=jacobians(golden_case.tensor("in_X")),
        test=jacobians(golden_case.tensor("in_X_test")),
    )


def whole(case):
    jacobians, logits = case.train
    return curvature(jacobians, logits if case.classes else None)


def posterior(case):
    places = case.golden.tensor("out_subnet_indices")
    matrix = whole(case)[places][:, places]
    return places, matrix, posterior_precision(matrix, case.prior, noise=case.noise)


def test_golden_subnetworks_of_the_largest_variance_and_of_the_largest_weights(case):
    diagonal = whole(case).diagonal()
    case.golden.close(diagonal, "out_diag_H")
    variance = marginal_variance(diagonal, case.prior, noise=case.noise)
    case.golden.close(variance, "out_diag_posterior_variance")
    found = largest(variance, case.size)
    assert found.tolist() == case.golden.arrays["out_subnet_indices"].tolist()
    found = largest(case.weights.abs(), case.size)
    assert found.tolist() == case.golden.arrays["out_magnitude_indices"].tolist()


def test_golden_curvature_and_posterior(case):
    _, matrix, precision = posterior(case)
    case.golden.close(matrix, "out_H")
    case.golden.close(posterior_covariance(precision), "out_posterior_covariance")


def test_golden_predictions(case):
    places, _, precision = posterior(case)
    jacobians, logits = case.test
    cholesky = torch.linalg.cholesky(precision)
    covariance = logit_covariance(jacobians[:, :, places], cholesky)
    variances = logit_variances(jacobians[:, :, places], cholesky)
    case.golden.close(logits, "out_f_mu")
    case.golden.close(covariance, "out_f_var")
    case.golden.close(variances, covariance.diagonal(dim1=1, dim2=2))
    if case.classes:
        case.golden.close(probit(logits, variances), "out_probit")
        case.golden.close(probit(logits, torch.zeros_like(variances)), "out_map_softmax")
    else:
        case.golden.close(logits, "out_pred_mean")
        case.golden.close(covariance, "out_pred_f_var")


def test_golden_marginal_likelihood(case):
    places, matrix, _ = posterior(case)
    logits, labels = case.train[1], case.golden.tensor("in_Y")
    likelihood = (
        classification_likelihood(logits, labels)
        if case.classes
        else regression_likelihood(logits, labels, case.noise)
    )
    eigenvalues = torch.linalg.eigvalsh(matrix) / case.noise**2
    found = log_evidence(likelihood, eigenvalues, case.weights[places], case.prior)
    case.golden.close(found, "out_log_marglik")
