"""Whether what helps a student without a teacher keeps its promises, found out by running it.

A regulariser, an augmenter and the task of a pretext; each ``check_`` gives one sentence a broken
promise, and ``zoo plugins check`` asks the same.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from zoo.catalogue import build
from zoo.errors import InputError
from zoo.testing.classrooms import Study
from zoo.testing.lessons import Networks
from zoo.testing.modules import (
    absent,
    built,
    copy_through_a_file,
    is_number,
    kind_of,
    learn,
    losses_of,
    made,
    misshown,
    no_losses,
    otherwise,
    same,
    step,
    unnamed,
    unreached,
    weights_of,
)
from zoo.testing.promises import BrokenPromiseError, asking, described, lacking
from zoo.types.distilling import Augmenter, Mixed, Pretext, Regulariser

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from PIL.Image import Image
    from torch import Tensor, nn

    from zoo.testing.lessons import Layout
    from zoo.types.specs import AugmenterSpec, PretextSpec, RegulariserSpec, Spec
    from zoo.types.training import FeatureShape

#: Layers that a student may have: those of a teacher say nothing here.
_STUDENTS: tuple[Layout, ...] = ("maps", "tokens", "vectors")
#: Samples beyond the smallest batch.
_MORE = 6
_WIDTH, _SEEDS = 6, 4


def check_regulariser(spec: RegulariserSpec, method: object = None) -> list[str]:
    """Find out which promises a regulariser breaks.

    Students that ``watch`` refuses with an :class:`zoo.errors.InputError` are left out, unless it
    refuses all.

    Args:
        spec: what the plugin advertises.
        method: its object; None makes one with the default options.

    Returns:
        One sentence a broken promise, of the first student with which one is broken.
    """
    return _checked(spec, method, Regulariser, lambda tried: _regularised(spec, tried))


def check_augmenter(spec: AugmenterSpec, method: object = None) -> list[str]:
    """Find out which promises an augmenter breaks; see :func:`check_regulariser`."""
    return _checked(spec, method, Augmenter, _augmented)


def check_pretext(spec: PretextSpec, method: object = None) -> list[str]:
    """Find out which promises a pretext breaks; see :func:`check_regulariser`."""
    return _checked(spec, method, Pretext, _posed)


def _checked(
    spec: Spec, method: object, protocol: type, broken: Callable[[Any], Iterator[str]]
) -> list[str]:
    try:
        with asking(f"{spec.name}: making it with its default options"):
            tried = build(spec) if method is None else method
        if missing := lacking(tried, protocol):
            return [f"{spec.name}: it {missing}."]
    except BrokenPromiseError as unmade:
        return [f"{unmade}."]
    try:
        with torch.random.fork_rng(devices=[]):
            return [f"{spec.name}: {each}." for each in broken(tried)]
    except BrokenPromiseError as found:
        return [f"{spec.name}: {found}."]


def _among_students(
    asked: str, broken: Callable[[Sequence[FeatureShape], Layout], Iterator[str]]
) -> Iterator[str]:
    """Try every kind of student; one that is refused is left out."""
    refusal, tried = None, 0
    for layout in _STUDENTS:
        networks = Networks(layout=layout, count=1)
        try:
            found = list(broken(networks.student, layout))
        except InputError as error:
            refusal = error
            continue
        except BrokenPromiseError as promise:
            found = [str(promise)]
        tried += 1
        if found:
            yield from (f"with a student of {layout}, {each}" for each in found)
            return
    if not tried:
        yield f"{asked} refuses all students: {str(refusal).rstrip('.')}"


def _taps(asked: str, ask: Callable[[], Any], student: Sequence[FeatureShape]) -> list[str]:
    """Ask which layers are looked at.

    Raises:
        InputError: a student without such a layer, says the method.
        BrokenPromiseError: what it says makes no sense.
    """
    try:
        given = ask()
        taps = [given] if asked == "tap" else list(given)
    except InputError:
        raise
    except Exception as error:
        raise BrokenPromiseError(f"{asked} raises {described(error)}") from error
    known = {each.tap for each in student}
    if strange := [each for each in taps if each not in known]:
        raise BrokenPromiseError(f"{asked} names {strange[0]!r}, which is no layer of the student")
    return taps


def _regularised(spec: RegulariserSpec, method: Regulariser) -> Iterator[str]:
    if spec.smallest_batch < 1:
        yield f"smallest_batch must be 1 or more, and is {spec.smallest_batch}"
        return
    weights = weights_of(method.weights)
    if not weights:
        yield "it has no losses"
        return

    def broken(student: Sequence[FeatureShape], layout: Layout) -> Iterator[str]:
        taps = _taps("watch", lambda: method.watch(student), student)
        if not taps:
            raise BrokenPromiseError("watch names no layer, and refuses nothing either")
        known = {each.tap: each for each in student}
        study = Study(
            networks=Networks(layout=layout, count=1),
            watched=tuple(known[tap] for tap in taps),
            batch=spec.smallest_batch,
        )
        yield from _Watching(method, study, weights).broken()

    yield from _among_students("watch", broken)


@dataclass(frozen=True, slots=True)
class _Watching:
    """A regulariser with a student."""

    method: Regulariser
    study: Study
    weights: dict[str, float]

    def broken(self) -> Iterator[str]:
        module = made(self._build)
        given: set[str] = set()
        for batch in (self.study.batch + _MORE, self.study.batch):
            drawn = self.study.sized(batch).lesson()
            losses = losses_of(module, drawn.lesson)
            wrong = [*unnamed(losses, self.weights), *no_losses(losses)]
            wrong = wrong or list(misshown(module, losses, batch))
            if wrong:
                yield from wrong
                return
            learn(module, losses)
            if batch > self.study.batch and not drawn.reached():
                yield "no gradient reaches the student's features"
            given |= losses.keys()
        yield from absent(given, self.weights)
        yield from (f"no gradient reaches its parameter {each!r}" for each in unreached(module))
        step(module)
        fresh = built(self._build, seed=1)
        copy_through_a_file(module, fresh)
        yield from otherwise(module, fresh, self.study.sized(_MORE + 1).lesson(seed=1).lesson)

    def _build(self) -> nn.Module:
        return self.method.build(self.study.classroom())


def _augmented(method: Augmenter) -> Iterator[str]:
    probability = method.probability
    if not is_number(probability) or not 0 <= probability <= 1:
        yield f"probability must be between 0 and 1, and is {probability!r}"
        return

    def broken(student: Sequence[FeatureShape], layout: Layout) -> Iterator[str]:
        del layout
        (tap,) = _taps("tap", lambda: method.tap(student), student)
        shape = next(each for each in student if each.tap == tap)
        for batch in (_MORE, 1):
            found = list(_mixed(method, shape, batch))
            yield from found
            if found:
                return

    yield from _among_students("tap", broken)


def _mixed(method: Augmenter, shape: FeatureShape, batch: int) -> Iterator[str]:
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(batch, shape.width, *(shape.grid or ()), generator=generator)
    features.requires_grad_()
    mixed = _mix(method, features * 1.0)
    wrong = list(_mistaken(mixed, features, batch))
    yield from wrong
    if wrong:
        return
    again = _mix(method, features * 1.0)
    if not (same(mixed.features, again.features) and same(mixed.order, again.order)):
        yield "mix must draw from torch's own generator: one seed, two results"
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
        raise BrokenPromiseError("mix changes the features that it is given in place")
    return mixed


def _mistaken(mixed: Mixed, features: Tensor, batch: int) -> Iterator[str]:
    values, order = mixed.features, mixed.order
    if values.shape != features.shape or values.dtype != features.dtype:
        kept = f"{tuple(features.shape)} {features.dtype}"
        yield f"mix must keep the shape {kept}, and gives {tuple(values.shape)} {values.dtype}"
    elif not bool(torch.isfinite(values).all()):
        yield f"mix must give finite features, and does not for a batch of {batch}"
    elif not values.requires_grad:
        yield "no gradient flows through what mix gives"
    if order.dtype != torch.int64 or order.shape != (batch,):
        yield f"order must be ({batch},) int64, and is {tuple(order.shape)} {order.dtype}"
    elif not bool(((order >= 0) & (order < batch)).all()):
        yield f"order must name samples of the batch, 0 to {batch - 1}, and is {order.tolist()}"
    if not is_number(mixed.share) or not 0 <= mixed.share <= 1:
        yield f"share must be between 0 and 1, and is {mixed.share!r}"


def _posed(method: Pretext) -> Iterator[str]:
    for samples in (2, 40, 1_000_000):
        with asking(f"seeds of {samples} images"):
            seeds = method.seeds(samples)
        if not isinstance(seeds, int) or not 1 <= seeds <= samples:
            yield f"seeds of {samples} images must be from 1 to {samples}, and are {seeds!r}"
            return
    for side in ((48, 40), (9, 70)):
        found = list(_pictured(method, _image(*side)))
        yield from found
        if found:
            return
    yield from _headed(method)


def _pictured(method: Pretext, image: Image) -> Iterator[str]:
    """Cut a seed and alter it: the same draw gives the same picture."""
    what = f"an image of {image.width}x{image.height}"
    patch, again = (_picture("patch", method.patch, image, what, draw=0) for _ in range(2))
    if patch.tobytes() != again.tobytes() or patch.size != again.size:
        yield "patch must draw from the draw that it is given: one seed, two pictures"
        return
    altered = [_picture("alter", method.alter, patch, what, draw=draw) for draw in (0, 0, 1, 2, 3)]
    if altered[0].tobytes() != altered[1].tobytes() or altered[0].size != altered[1].size:
        yield "alter must draw from the draw that it is given: one seed, two pictures"
    elif len({each.tobytes() for each in altered}) == 1:
        yield f"alter gives the same picture of {what} for every draw"


def _picture(
    name: str, make: Callable[[Image, random.Random], Image], image: Image, what: str, *, draw: int
) -> Image:
    from PIL import Image as Pillow

    before = image.tobytes()
    with asking(f"{name} of {what}"):
        made = make(image, random.Random(draw))
    if not isinstance(made, Pillow.Image) or made.mode != "RGB" or not all(made.size):
        raise BrokenPromiseError(f"{name} of {what} must give an RGB image, and gives {made!r}")
    if image.tobytes() != before:
        raise BrokenPromiseError(f"{name} changes the image that it is given")
    return made


def _image(width: int, height: int) -> Image:
    from PIL import Image as Pillow

    generator = random.Random(0)
    return Pillow.frombytes("RGB", (width, height), generator.randbytes(3 * width * height))


def _headed(method: Pretext) -> Iterator[str]:
    """Train the head for a step."""
    module = made(lambda: method.build(_WIDTH, _SEEDS))
    generator = torch.Generator().manual_seed(0)
    classes = torch.arange(_MORE) % _SEEDS
    for batch in (_MORE, 1):
        features = torch.randn(batch, _WIDTH, generator=generator).requires_grad_()
        with asking(f"forward of a batch of {batch}"):
            loss = module(features, classes[:batch])
        wrong = list(no_losses({"pretext": loss}))
        yield from wrong
        if wrong:
            return
        learn(module, {"pretext": loss})
        if batch > 1 and (features.grad is None or not features.grad.any()):
            yield "no gradient reaches the student's features"
        if batch > 1:
            yield from (f"no gradient reaches its parameter {each!r}" for each in unreached(module))
    step(module)
    fresh = built(lambda: method.build(_WIDTH, _SEEDS), seed=1)
    copy_through_a_file(module, fresh)
    known = torch.randn(_MORE, _WIDTH, generator=generator)
    if not same(module(known, classes), fresh(known, classes)):
        yield "its loss is another one after saving and loading"
