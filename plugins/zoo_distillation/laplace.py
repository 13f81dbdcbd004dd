"""Calibration by a linearised Laplace posterior over the weights that matter most.

Daxberger et al., ICML 2021, arXiv 2010.14689. The network is linearised in a subnetwork of its
weights; what the data leave open about these widens the logits, and the probabilities are averaged
over that. Probabilities can only become less sure: a network that is too modest stays so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor

from zoo.errors import InputError
from zoo_distillation.laplace_curvature import (
    curvature,
    grid_variances,
    largest,
    likelihood_root,
    logit_variances,
    marginal_variance,
    posterior_precision,
    prior_by_evidence,
    prior_by_labels,
    probit,
)
from zoo_distillation.sample_gradients import recording, trusted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from zoo.types.distilling import Studied
    from zoo.types.training import TrainableNetwork
    from zoo_distillation.sample_gradients import Recording

    Batches = Callable[[], Iterable[Studied]]

Subnet = Literal["last", "variance", "magnitude"]
_SUBNETS = ("last", "variance", "magnitude")
_USUAL, _LARGEST = 1000, 5000
#: Up to so many classes the diagonal of the curvature is exact; beyond, it is drawn.
_EXACT = 16
_PLACES = "places/"
_CHOLESKY, _PRIOR = "cholesky", "prior_precision"


class SubnetworkLaplace:
    """Implements :class:`zoo.types.distilling.Calibrator` for heads of one label of many.

    Batches without labels give the curvature, or all where none is without. Where some have labels
    and no prior precision is given, it is the one under which these labels are most probable; else
    the one of the largest marginal likelihood, which needs no labels.

    Args:
        subnet: which weights: those of the head (``last``), which costs least; those that the
            data leave most open (``variance``, the paper's choice); or the largest
            (``magnitude``). Of a head with more weights, those of the largest variance are taken.
        size: how many of them; 1000, or all where there are fewer, by default.
        prior_precision: of every weight, around 0; chosen by default.

    Raises:
        InputError: an option that cannot be.
    """

    def __init__(
        self,
        *,
        subnet: Subnet = "last",
        size: int | None = None,
        prior_precision: float | None = None,
    ) -> None:
        if subnet not in _SUBNETS:
            raise InputError(f"laplace.subnet = {subnet!r} is none of {', '.join(_SUBNETS)}.")
        if size is not None and not 1 <= size <= _LARGEST:
            raise InputError(
                f"laplace.size = {size}: a subnetwork has 1 to {_LARGEST} weights.",
                "--set size=1000",
            )
        if prior_precision is not None and not 0 < prior_precision < float("inf"):
            raise InputError(
                f"laplace.prior_precision = {prior_precision} is no positive number.",
                "Leave it out, and it is chosen.",
            )
        self.subnet, self.size, self.prior_precision = subnet, size, prior_precision

    def fit(self, network: TrainableNetwork, batches: Batches) -> Mapping[str, Tensor]:
        """Choose weights and prior, and factor the posterior's precision.

        Args:
            network: frozen, in eval mode.
            batches: gives the data from the start, as often as it is called.

        Returns:
            ``places/PARAMETER``: int64 places in it; ``cholesky``: (S, S) float64 lower factor of
            the precision; ``prior_precision``: a scalar.

        Raises:
            InputError: another head, a network without layers that are understood, or fewer
                weights than were asked for.
        """
        _require_classes(network)
        places = self._places(network, batches)
        weights = _weights(network, places)
        matrix = torch.zeros(len(weights), len(weights), dtype=torch.float64, device=weights.device)
        with recording(network, _layers(places)) as record:
            for seen in _seen(record, _unlabelled(batches)):
                matrix += curvature(_jacobians(seen, places), seen.logits.detach())
            prior = self.prior_precision or _best_prior(record, places, matrix, weights, batches)
        cholesky = torch.linalg.cholesky(posterior_precision(matrix, prior))
        found = {f"{_PLACES}{name}": where for name, where in places.items()}
        scalar = torch.tensor(prior, dtype=torch.float64)
        return {**found, _CHOLESKY: cholesky, _PRIOR: scalar}

    def probabilities(
        self,
        network: TrainableNetwork,
        fitted: Mapping[str, Tensor],
        inputs: Mapping[str, Tensor],
    ) -> Tensor:
        """Give (B, C) float64 probabilities, averaged over the posterior by the probit formula."""
        device = next(network.module.parameters()).device
        # In the order of the factor's rows, which a file does not keep.
        places = {
            name: fitted[f"{_PLACES}{name}"].to(device)
            for name, _ in network.module.named_parameters()
            if f"{_PLACES}{name}" in fitted
        }
        cholesky = fitted[_CHOLESKY].to(device)
        rows, parts = [], []
        with recording(network, _layers(places)) as record:
            for row, piece in _pieces(inputs):
                seen: Recording = record(piece)
                variances = logit_variances(_jacobians(seen, places), cholesky)
                parts.append(probit(seen.logits.detach().double(), variances))
                rows.append(row)
        return torch.cat(parts)[torch.cat(rows).argsort().to(device)]

    def _places(self, network: TrainableNetwork, batches: Batches) -> dict[str, Tensor]:
        """Choose the weights: parameter -> places in it, in the order of the parameters."""
        names = _candidates(network, batches, head=self.subnet == "last")
        parameters = dict(network.module.named_parameters())
        counts = [parameters[name].numel() for name in names]
        if self.size is not None and self.size > sum(counts):
            what = "head" if self.subnet == "last" else "network"
            raise InputError(
                f"laplace.size = {self.size}, but the {what} has only {sum(counts)} weights that "
                "can be taken.",
                f"--set size={min(sum(counts), _USUAL)}",
            )
        size = min(self.size or _USUAL, sum(counts))
        if size == sum(counts):
            scores = torch.ones(size)
        elif self.subnet == "magnitude":
            scores = torch.cat([parameters[name].detach().abs().flatten() for name in names])
        else:
            diagonal = _diagonal(network, names, batches)
            # A weight that nothing depends on has the largest variance of all, and no effect.
            scores = marginal_variance(diagonal, self.prior_precision or 1.0) * (diagonal > 0)
            size = min(size, max(1, int((diagonal > 0).sum())))
        taken = torch.zeros(sum(counts), dtype=torch.bool, device=scores.device)
        taken[largest(scores, size)] = True
        parts = zip(names, torch.split(taken, counts), strict=True)
        found = {name: part.nonzero()[:, 0] for name, part in parts}
        return {name: where for name, where in found.items() if len(where)}


def _require_classes(network: TrainableNetwork) -> None:
    kind = network.head.kind if network.head else None
    if kind != "classification":
        said = "has no head" if kind is None else f"has a {kind} head"
        raise InputError(f"laplace calibrates heads of one label of many, and this network {said}.")


def _candidates(network: TrainableNetwork, batches: Batches, *, head: bool) -> list[str]:
    """Name the parameters to choose from, in the network's own order."""
    first = next(iter(batches()), None)
    if first is None:
        raise InputError("there is no sample to calibrate with.")
    _, piece = next(_pieces(first.inputs))
    found = trusted(network, piece)
    if head and found:
        width = len(network.head.labels) if network.head else 0
        parameters = dict(network.module.named_parameters())
        last = next((name for name in reversed(found) if len(parameters[name]) == width), "")
        found = [name for name in found if name.rpartition(".")[0] == last.rpartition(".")[0]]
    if not found:
        raise InputError(
            f"laplace understands no {'layer before the logits' if head else 'layer'} of this "
            "network: linear and convolutional layers and norms of their own weights.",
            "--set subnet=variance" if head else "",
        )
    known = set(found)
    return [name for name, _ in network.module.named_parameters() if name in known]


def _diagonal(network: TrainableNetwork, names: list[str], batches: Batches) -> Tensor:
    """Sum the diagonal of the generalised Gauss-Newton matrix: (P,), in the order of the names."""
    parameters = dict(network.module.named_parameters())
    found = {name: torch.zeros_like(parameters[name]).flatten() for name in names}
    every = dict.fromkeys(names)
    with recording(network, _layers(every)) as record:
        for seen in _seen(record, _unlabelled(batches)):
            for cotangent in _roots(seen.logits.detach()):
                for name, gradients in seen.gradients(cotangent, every):
                    found[name] += gradients.square().sum(0)
    return torch.cat([found[name] for name in names])


def _roots(logits: Tensor) -> Iterator[Tensor]:
    """Give (B, C) vectors whose outer products add up to the likelihood's curvature.

    With many classes that holds on average: p - y for labels y that the network itself draws.
    """
    if logits.shape[1] <= _EXACT:
        yield from likelihood_root(logits).unbind(-1)
        return
    probabilities = logits.softmax(-1)
    for drawn in torch.multinomial(probabilities, _EXACT, replacement=True).T:
        right = torch.nn.functional.one_hot(drawn, logits.shape[1]).to(logits)
        yield (probabilities - right) / _EXACT**0.5


def _best_prior(
    record: Callable[[Mapping[str, Tensor]], Recording],
    places: Mapping[str, Tensor],
    matrix: Tensor,
    weights: Tensor,
    batches: Batches,
) -> float:
    """Choose the prior precision by labels where there are any, else by the evidence."""
    eigenvalues, vectors = torch.linalg.eigh(matrix)
    logits, variances, labels = [], [], []
    for each in batches():
        if each.labels is None or not bool((each.labels >= 0).any()):
            continue
        for rows, piece in _pieces(each.inputs):
            seen = record(piece)
            known = each.labels[rows] >= 0
            spread = grid_variances(_jacobians(seen, places), eigenvalues, vectors)
            variances.append(spread[:, known].cpu())
            logits.append(seen.logits.detach()[known].cpu())
            labels.append(each.labels[rows][known].cpu())
    if not labels:
        return prior_by_evidence(matrix, weights)
    return prior_by_labels(torch.cat(logits), torch.cat(variances, dim=1), torch.cat(labels))


def _unlabelled(batches: Batches) -> Iterator[Studied]:
    """Give the batches without labels, or all where there is none."""
    some = False
    for each in batches():
        if each.labels is None:
            some = True
            yield each
    if not some:
        yield from batches()


def _seen(
    record: Callable[[Mapping[str, Tensor]], Recording], batches: Iterable[Studied]
) -> Iterator[Recording]:
    for each in batches:
        for _, piece in _pieces(each.inputs):
            yield record(piece)


def _pieces(inputs: Mapping[str, Tensor]) -> Iterator[tuple[Tensor, Mapping[str, Tensor]]]:
    """Give (rows, inputs) of texts of like length; a runtime may read others in several passes.

    None is less than half as long as another of its piece, padding aside.
    """
    count = len(next(iter(inputs.values())))
    mask = inputs.get("attention_mask")
    if mask is None:
        yield torch.arange(count), inputs
        return
    lengths = mask.sum(1).clamp_min(1).cpu()
    halvings = (lengths.max() / lengths).log2().floor()
    for number in torch.unique(halvings):
        rows = (halvings == number).nonzero()[:, 0]
        yield rows, {name: values[rows.to(values.device)] for name, values in inputs.items()}


def _jacobians(seen: Recording, places: Mapping[str, Tensor]) -> Tensor:
    """(B, C, S): gradient of every logit of every sample, in the order of the places."""
    rows = []
    for column in range(seen.logits.shape[1]):
        cotangent = torch.zeros_like(seen.logits)
        cotangent[:, column] = 1
        found = dict(seen.gradients(cotangent, places))
        rows.append(torch.cat([found[name] for name in places], dim=1))
    return torch.stack(rows, dim=1)


def _layers(places: Iterable[str]) -> set[str]:
    return {name.rpartition(".")[0] for name in places}


def _weights(network: TrainableNetwork, places: Mapping[str, Tensor]) -> Tensor:
    parameters = dict(network.module.named_parameters())
    return torch.cat([parameters[name].detach().flatten()[at] for name, at in places.items()])
