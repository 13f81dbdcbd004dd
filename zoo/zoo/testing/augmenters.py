"""Whether an augmenter keeps its promises, found out by running it.

:data:`KIT` has them as checks with names, which ``zoo plugins check`` asks too;
``assert not check_augmenter(spec)`` asks all at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from zoo.catalogue import build
from zoo.testing.findings import METHODS, Found, broken_promises, named, promised, stopped, under
from zoo.testing.kit import Kit
from zoo.testing.modules import is_number, kind_of, same
from zoo.testing.promises import BrokenPromiseError, asking, lacking
from zoo.testing.student_trials import MORE, among_students, first_student, tapped
from zoo.types.distilling import Augmenter, Mixed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from zoo.testing.kit import Trial
    from zoo.testing.lessons import Networks
    from zoo.types.specs import AugmenterSpec
    from zoo.types.training import FeatureShape


def check_augmenter(spec: AugmenterSpec, method: object = None) -> list[str]:
    """Find out which promises an augmenter breaks.

    Students that ``tap`` refuses with an :class:`zoo.errors.InputError` are left out, unless it
    refuses all.

    Args:
        spec: what the plugin advertises.
        method: its object; None makes one with the default options.

    Returns:
        One sentence a broken promise, of the first student with which one is broken.
    """
    return broken_promises(_found, spec, method)


def _found(spec: AugmenterSpec, method: Any) -> Iterator[Found]:
    with asking("making it with its default options"):
        tried = build(spec) if method is None else method
    if missing := lacking(tried, Augmenter):
        yield Found(METHODS, f"it {missing}")
        return
    yield Found(METHODS)
    probability = tried.probability
    if not is_number(probability) or not 0 <= probability <= 1:
        wrong = f"probability must be between 0 and 1, and is {probability!r}"
        yield Found("probability", wrong)
        return
    yield Found("probability")

    def ask(networks: Networks) -> Iterator[Found]:
        shape = _tapped(tried, networks)
        yield Found("layers")
        for batch in (MORE, 1):
            found = list(_mixed(tried, shape, batch))
            yield from found
            if stopped(found, spec.expected_failures):
                return

    with torch.random.fork_rng(devices=[]):
        yield from among_students("tap", ask, spec.expected_failures)


def _tapped(method: Augmenter, networks: Networks) -> FeatureShape:
    student = networks.student
    with promised("layers"):
        (shape,) = tapped("tap", lambda: method.tap(student), student)
    return shape


def _drawn(shape: FeatureShape, batch: int) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(batch, shape.width, *(shape.grid or ()), generator=generator)
    return features.requires_grad_()


def _mixed(method: Augmenter, shape: FeatureShape, batch: int) -> Iterator[Found]:
    features = _drawn(shape, batch)
    with promised("mixed"):
        mixed = _mix(method, features * 1.0)
    yield Found("untouched-input")
    wrong = list(_mistaken(mixed, features, batch))
    yield from under("mixed", wrong)
    if wrong:
        return
    yield Found("seeded")
    again = _mix(method, features * 1.0)
    if not (same(mixed.features, again.features) and same(mixed.order, again.order)):
        yield Found("seeded", "mix must draw from torch's own generator: one seed, two results")
    yield from under("gradients", _unreached(mixed, features))


def _unreached(mixed: Mixed, features: Tensor) -> Iterator[str]:
    if mixed.features.requires_grad:
        with asking("the backward pass"):
            torch.autograd.backward(mixed.features.square().sum())
    if features.grad is None or not features.grad.any():
        yield "no gradient flows through what mix gives"


def _mix(method: Augmenter, features: Tensor) -> Mixed:
    torch.manual_seed(0)
    before = features.detach().clone()
    with asking(f"mix of {tuple(features.shape)} features"):
        mixed = method.mix(features)
    if not isinstance(mixed, Mixed):
        raise BrokenPromiseError(f"mix must give zoo.types.Mixed, and gives {kind_of(mixed)}")
    if not same(features.detach(), before):
        with promised("untouched-input"):
            raise BrokenPromiseError("mix changes the features that it is given in place")
    return mixed


def _mistaken(mixed: Mixed, features: Tensor, batch: int) -> Iterator[str]:
    values, order = mixed.features, mixed.order
    if values.shape != features.shape or values.dtype != features.dtype:
        kept = f"{tuple(features.shape)} {features.dtype}"
        yield f"mix must keep the shape {kept}, and gives {tuple(values.shape)} {values.dtype}"
    elif not bool(torch.isfinite(values).all()):
        yield f"mix must give finite features, and does not for a batch of {batch}"
    if order.dtype != torch.int64 or order.shape != (batch,):
        yield f"order must be ({batch},) int64, and is {tuple(order.shape)} {order.dtype}"
    elif not bool(((order >= 0) & (order < batch)).all()):
        yield f"order must name samples of the batch, 0 to {batch - 1}, and is {order.tolist()}"
    if not is_number(mixed.share) or not 0 <= mixed.share <= 1:
        yield f"share must be between 0 and 1, and is {mixed.share!r}"


def _exercise(trial: Trial) -> Any:
    """Mix the features of a batch."""
    method = trial.make()

    def ask(networks: Networks) -> Any:
        shape = _tapped(method, networks)
        with torch.random.fork_rng(devices=[]):
            mixed = _mix(method, _drawn(shape, MORE) * 1.0)
        return mixed.features.detach(), mixed.order, float(mixed.share)

    return first_student(ask)


_PROMISES = (
    (METHODS, "it can be made, and has the methods of its kind"),
    ("probability", "its probability is one"),
    ("layers", "tap names a layer that there is, of some students at least"),
    ("mixed", "mix gives finite features of the same shape, and whose share each sample has"),
    ("untouched-input", "the features that it is given stay as they are"),
    ("seeded", "it draws from torch's own generator: one seed, one result"),
    ("gradients", "gradients flow through what it mixes"),
)
KIT = Kit(exercise=_exercise, checks=tuple(named(_found, *each) for each in _PROMISES))
