"""Batch norms of students whose stored statistics or momentum would spoil a training."""

from __future__ import annotations

import torch

_CLOSE = 0.01
_MOST = 0.5
_USUAL = 0.1


class _Folded1d(torch.nn.BatchNorm1d):
    def train(self, mode: bool = True) -> _Folded1d:
        del mode
        return super().train(mode=False)


class _Folded2d(torch.nn.BatchNorm2d):
    def train(self, mode: bool = True) -> _Folded2d:
        del mode
        return super().train(mode=False)


_FOLDED: dict[type, type] = {
    torch.nn.BatchNorm1d: _Folded1d,
    torch.nn.BatchNorm2d: _Folded2d,
}


def keep_folded(module: torch.nn.Module) -> int:
    """Keep batch norms in eval mode whose statistics were folded into the weights before them.

    Converted checkpoints often have mean 0 and variance 1 (or 1 - epsilon) stored: the division
    by the real statistics is part of their convolutions. In training mode such a norm would
    divide a second time, by the statistics of a batch, and the pretrained body would be ruined.
    Its own weight and bias are trained as ever.

    Returns:
        How many there are.
    """
    folded = [part for part in module.modules() if type(part) in _FOLDED and _is_folded(part)]
    for part in folded:
        part.__class__ = _FOLDED[type(part)]
        part.eval()
    return len(folded)


def _is_folded(norm: torch.nn.Module) -> bool:
    mean, variance = norm.running_mean, norm.running_var
    if not isinstance(mean, torch.Tensor) or not isinstance(variance, torch.Tensor):
        return False
    return not bool(mean.any()) and float((variance - 1).abs().max()) <= _CLOSE


def tame_momentum(module: torch.nn.Module) -> None:
    """Give norms the usual momentum that would remember nothing but the last batch.

    transformers builds the MobileNets and EfficientNets with TensorFlow's number (0.9997), which
    means the opposite here: the share of the *new* batch. It is no part of a saved checkpoint.
    """
    for part in module.modules():
        if isinstance(part, torch.nn.modules.batchnorm._BatchNorm) and (  # noqa: SLF001
            part.momentum is not None and part.momentum > _MOST
        ):
            part.momentum = _USUAL
