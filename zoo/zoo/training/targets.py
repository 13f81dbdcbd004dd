"""Soft targets: what the student's logits should become, given those of its teachers.

Logits that a teacher's label space leaves out take no part in its softmax: what is left sums to
one. Nothing here sends a gradient to a teacher.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional

from zoo.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zoo.building.recipe import SoftTargets
    from zoo.training.moments import Spread, Statistics

#: A logit whose deviation is this share of its teacher's mean deviation says nothing.
_FLAT = 1e-2


def cross_entropy(student: Tensor, log_target: Tensor, temperature: float) -> Tensor:
    """Give T^2 times the mean cross-entropy of the student's softmax under the target.

    Its gradients are those of the divergence (Hinton et al. 2015; Luo et al., IJCAI 2019).

    Args:
        student: (B, C) logits.
        log_target: (B, C) logarithms of probabilities.
        temperature: T, that the target was made with.
    """
    log_student = functional.log_softmax(student / temperature, dim=1)
    return -(temperature**2) * (log_target.exp() * log_student).sum(dim=1).mean()


def divergence(student: Tensor, log_target: Tensor, temperature: float) -> Tensor:
    """Give T^2 times the mean Kullback-Leibler divergence from the target to the student.

    Args:
        student: (B, C) logits.
        log_target: (B, C) logarithms of probabilities.
        temperature: T, that the target was made with.
    """
    log_student = functional.log_softmax(student / temperature, dim=1)
    apart = functional.kl_div(log_student, log_target, reduction="batchmean", log_target=True)
    return temperature**2 * apart


@dataclass(frozen=True, eq=False)
class Layout:
    """Where the logits of each teacher go.

    Attributes:
        kept: for each teacher the logits that the student has a column for.
        columns: for each teacher the columns of these.
        moments: (mean, std in units of the common scale) of these; for ``standardised``.
    """

    kept: tuple[Tensor, ...]
    columns: tuple[Tensor, ...]
    moments: tuple[tuple[Tensor, Tensor], ...] = ()

    def like(self, device: torch.device, dtype: torch.dtype) -> Layout:
        """Give the same on a device."""
        return Layout(
            kept=tuple(each.to(device) for each in self.kept),
            columns=tuple(each.to(device) for each in self.columns),
            moments=tuple((a.to(device, dtype), b.to(device, dtype)) for a, b in self.moments),
        )


@dataclass(frozen=True, eq=False)
class SoftTargetLoss:
    """One kind of soft targets, made by :func:`make_targets`.

    Attributes:
        settings: the kind and its numbers.
        layout: where the logits of each teacher go.
        sizes: logits of each teacher.
        width: columns of the student.
    """

    settings: SoftTargets
    layout: Layout
    sizes: tuple[int, ...]
    width: int
    _copies: dict[tuple[torch.device, torch.dtype], Layout] = field(
        default_factory=dict, repr=False
    )

    def loss(self, student: Tensor, teachers: Sequence[Tensor]) -> Tensor:
        """Scalar loss of (B, C) logits against one (B, C_i) a teacher; gradients to the student.

        The cross-entropy against one joint target, or the sum of the teachers' divergences.
        """
        student, temperature = _exact(student), self.settings.temperature
        taught, layout = self._read(teachers)
        if self.joint:
            target = self._joint(taught, layout, temperature)
            return cross_entropy(student, target, temperature)
        total = student.new_zeros(())
        for logits, columns in zip(taught, layout.columns, strict=True):
            block = functional.log_softmax(logits / temperature, dim=1)
            total = total + divergence(student.index_select(1, columns), block, temperature)
        return total

    def ensemble(self, teachers: Sequence[Tensor]) -> Tensor:
        """Say what the teachers say together, (B, C) probabilities at a temperature of one.

        Where they have no joint target, a column gets the mean of the teachers that know it, and
        nothing where none does.
        """
        taught, layout = self._read(teachers)
        if self.joint:
            return self._joint(taught, layout, 1.0).exp()
        total = taught[0].new_zeros((len(taught[0]), self.width))
        known = taught[0].new_zeros(self.width)
        for logits, columns in zip(taught, layout.columns, strict=True):
            total = total.index_add(1, columns, logits.softmax(dim=1))
            known = known.index_add(0, columns, torch.ones_like(columns, dtype=known.dtype))
        mean = total / known.clamp(min=1)
        return mean / mean.sum(dim=1, keepdim=True)

    def gates(self, teachers: Sequence[Tensor]) -> Tensor:
        """Say how sure the teachers are against one another, (B, N), rows sum to one.

        Only ``gated`` targets are weighted by it; for the others it says whose sample it is.
        """
        return _log_gates(self._read(teachers)[0], self.settings).exp()

    @property
    def joint(self) -> bool:
        """Whether the target is one distribution over all columns."""
        return self.settings.kind in ("concat", "standardised", "gated")

    def _joint(self, taught: Sequence[Tensor], layout: Layout, temperature: float) -> Tensor:
        """Give log-probabilities (B, C) in the order of the student's columns."""
        if self.settings.kind == "gated":
            gates = _log_gates(taught, self.settings)
            blocks = [
                functional.log_softmax(each / temperature, dim=1) + gates[:, i : i + 1]
                for i, each in enumerate(taught)
            ]
            logs = torch.cat(blocks, dim=1)
        else:
            values = list(taught)
            if self.settings.kind == "standardised":
                pairs = zip(taught, layout.moments, strict=True)
                values = [(logits - mean) / std for logits, (mean, std) in pairs]
            logs = functional.log_softmax(torch.cat(values, dim=1) / temperature, dim=1)
        return logs.index_select(1, torch.cat(layout.columns).argsort())

    def _read(self, teachers: Sequence[Tensor]) -> tuple[list[Tensor], Layout]:
        """Give the kept logits of each teacher, and the layout where they are."""
        given = tuple(each.shape[1] for each in teachers)
        if given != self.sizes:
            raise InputError(
                f"the teachers give {given} logits, and their label spaces have {self.sizes}.",
                "Take checkpoints whose configuration names every class of their head.",
            )
        exact = [_exact(each.detach()) for each in teachers]
        key = exact[0].device, exact[0].dtype
        if key not in self._copies:
            self._copies[key] = self.layout.like(*key)
        layout = self._copies[key]
        return [a.index_select(1, b) for a, b in zip(exact, layout.kept, strict=True)], layout


def make_targets(
    settings: SoftTargets,
    columns: Sequence[Sequence[int | None]],
    width: int,
    statistics: Statistics | None = None,
) -> SoftTargetLoss:
    """Make what the student learns of its teachers' logits.

    Args:
        settings: the kind and its numbers.
        columns: column of the student for each logit of each teacher; None where it is not kept.
        width: C, columns of the student.
        statistics: of the teachers' logits over the unlabelled data; for ``standardised``.

    Raises:
        InputError: a column with several teachers or with none where the kind gives each one; no
            statistics where they are needed.
    """
    kept = tuple(
        torch.tensor([n for n, each in enumerate(one) if each is not None], dtype=torch.long)
        for one in columns
    )
    taught = tuple(
        torch.tensor([each for each in one if each is not None], dtype=torch.long)
        for one in columns
    )
    sizes = tuple(map(len, columns))
    made = SoftTargetLoss(settings, Layout(kept, taught), sizes, width)
    counts = torch.bincount(torch.cat(taught), minlength=width)
    if len(counts) != width or (made.joint and not counts.all()):
        raise InputError(f"not every one of the student's {width} columns has a teacher.")
    if made.joint and (counts > 1).any():
        raise InputError(
            f"--targets {settings.kind} gives every label one teacher, and some have several.",
            "--targets union",
        )
    if settings.kind != "standardised":
        return made
    spreads = [each for each in statistics.logits if each is not None] if statistics else []
    if len(spreads) != len(columns):
        raise InputError("standardised targets need the statistics of every teacher's logits.")
    return SoftTargetLoss(settings, Layout(kept, taught, _moments(spreads, kept)), sizes, width)


def _moments(
    spreads: Sequence[Spread], kept: Sequence[Tensor]
) -> tuple[tuple[Tensor, Tensor], ...]:
    """Give (mean, std / s) of the kept logits; s is the mean over the teachers of their stds."""
    means = [_numbers(each.mean)[rows] for each, rows in zip(spreads, kept, strict=True)]
    stds = [_numbers(each.std)[rows] for each, rows in zip(spreads, kept, strict=True)]
    scale = torch.stack([each.mean() for each in stds]).mean()
    floored = [torch.where(each > _FLAT * each.mean(), each, torch.inf) for each in stds]
    return tuple((mean, std / scale) for mean, std in zip(means, floored, strict=True))


def _log_gates(taught: Sequence[Tensor], settings: SoftTargets) -> Tensor:
    """Give (B, N), by negative entropy, largest logit or energy score (Liu et al. 2020)."""
    if settings.gate == "entropy":
        scores = [(p.softmax(1) * functional.log_softmax(p, 1)).sum(1) for p in taught]
    elif settings.gate == "max_logit":
        scores = [each.amax(dim=1) for each in taught]
    else:
        scores = [each.logsumexp(dim=1) for each in taught]
    sharpness = settings.gate_temperature
    return functional.log_softmax(torch.stack(scores, dim=1) / sharpness, dim=1)


def _numbers(values: Any) -> Tensor:
    return torch.as_tensor(values, dtype=torch.float64, device="cpu")


def _exact(logits: Tensor) -> Tensor:
    """Leave half precision: a softmax over many classes needs float32."""
    return logits if logits.dtype == torch.float64 else logits.float()
