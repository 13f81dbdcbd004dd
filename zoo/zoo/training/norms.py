"""Re-estimate the running statistics of batch norms, which merged weights no longer produce."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch.nn.modules.batchnorm import _BatchNorm

from zoo.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from torch import Tensor, nn

#: How far from 1 the variance of a folded norm is: 1 - epsilon is what converters store.
_CLOSE = 0.01


@dataclass(eq=False)
class _Moments:
    """Count, mean and summed squared deviations of each channel, in float64.

    Chan, Golub and LeVeque, 1979: batches are joined without the loss of digits of plain sums.
    """

    count: int
    mean: Tensor
    squares: Tensor

    def add(self, values: Tensor) -> None:
        """Join the values of a batch (B, C, ...)."""
        # Apple's GPUs have no float64.
        working = torch.float32 if values.device.type == "mps" else torch.float64
        flat = values.detach().to(working).transpose(0, 1).flatten(1)
        moments = torch.var_mean(flat, dim=1, correction=0)
        variance, mean = (each.cpu().double() for each in moments)
        count, shift = flat.shape[1], mean - self.mean
        total = self.count + count
        self.squares += variance * count + shift.square() * (self.count * count / total)
        self.mean += shift * (count / total)
        self.count = total

    def write(self, norm: _BatchNorm) -> None:
        """Make them the running statistics, the variance without bias as everywhere in torch."""
        assert norm.running_mean is not None
        assert norm.running_var is not None
        norm.running_mean.copy_(self.mean)
        norm.running_var.copy_(self.squares / max(1, self.count - 1))


def reestimate_norms(
    module: nn.Module,
    batches: Iterable[Any],
    *,
    momentum: float | None = None,
    forward: Callable[[Any], object] | None = None,
) -> int:
    """Set the running statistics of all batch norms to those of unlabelled data; in one pass.

    In the pass each norm divides by the statistics of its batch, so that what reaches the next
    one is as it was in training; everything else, such as dropout, is in eval mode. What is kept
    is exact whatever the sizes of the batches: mean and unbiased variance over all values that
    came by. Norms without running statistics, folded ones and those of other kinds are left alone.

    Args:
        module: changed in place; its modes are restored, and its statistics after a failure.
        batches: inputs, on the device of the module: mappings become keyword arguments.
        momentum: of an exponential average instead, as in training.
        forward: what to call with a batch instead of the module.

    Returns:
        How many norms have new statistics; 0 without any, and then no batch is read.

    Raises:
        InputError: there is no batch, or the first one gives a norm a single value to judge by.
    """
    norms = [
        each
        for each in module.modules()
        if isinstance(each, _BatchNorm) and each.running_mean is not None and not _is_folded(each)
    ]
    if not norms:
        return 0
    with _estimating(module, norms, momentum) as moments, torch.no_grad():
        seen = 0
        for batch in batches:
            if forward:
                forward(batch)
            else:
                module(**batch) if isinstance(batch, Mapping) else module(batch)
            seen += 1
        if not seen:
            raise InputError(
                "the statistics of batch norms cannot be re-estimated without any sample."
            )
        reached = [norm for norm in norms if moments[norm].count]
        for norm in reached:
            if momentum is None:
                moments[norm].write(norm)
            if norm.num_batches_tracked is not None:
                norm.get_buffer("num_batches_tracked").fill_(seen)
    return len(reached)


@contextmanager
def _estimating(
    module: nn.Module, norms: list[_BatchNorm], momentum: float | None
) -> Iterator[dict[_BatchNorm, _Moments]]:
    """Let the norms, and nothing else, train; put back the modes, and all after a failure."""
    modes = [(each, each.training) for each in module.modules()]
    rates = [(norm, norm.momentum) for norm in norms]
    saved = [{k: v.clone() for k, v in norm.named_buffers(recurse=False)} for norm in norms]
    moments = {norm: _nothing_yet(norm) for norm in norms}
    hooks = [
        norm.register_forward_pre_hook(_Watch(moments[norm], momentum is None)) for norm in norms
    ]
    module.eval()
    for norm in norms:
        norm.momentum = momentum
    try:
        yield moments
    except BaseException:
        for norm, buffers in zip(norms, saved, strict=True):
            for name, value in buffers.items():
                norm.get_buffer(name).copy_(value)
        raise
    finally:
        for hook in hooks:
            hook.remove()
        for norm, rate in rates:
            norm.momentum = rate
        for each, training in modes:
            each.training = training


def _is_folded(norm: _BatchNorm) -> bool:
    """Whether its statistics went into the weights before it; a fresh norm has exactly 1."""
    mean, variance = norm.running_mean, norm.running_var
    assert mean is not None
    assert variance is not None
    off = (variance - 1).abs().max()
    return not mean.any() and 0 < float(off) <= _CLOSE


def _nothing_yet(norm: _BatchNorm) -> _Moments:
    assert norm.running_mean is not None
    zero = torch.zeros(len(norm.running_mean), dtype=torch.float64)
    return _Moments(0, zero, zero.clone())


@dataclass(eq=False)
class _Watch:
    """Counts what comes to a norm, before the norm sees it."""

    moments: _Moments
    exact: bool

    def __call__(self, norm: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        assert isinstance(norm, _BatchNorm)
        values = inputs[0]
        single = values.shape[0] * values[0, 0].numel() < 2
        if single and not self.moments.count:
            raise InputError(
                "a batch norm cannot learn its statistics from a single value.",
                "Use batches of at least 2 samples.",
            )
        self.moments.add(values)
        norm.train(not single)
        if single and self.exact:
            # The last sample of the data alone has no variance: it is divided by that so far.
            self.moments.write(norm)
