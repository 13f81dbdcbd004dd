"""Whether a pretext keeps its promises, found out on pictures of noise.

:data:`KIT` has them as checks with names, which ``zoo plugins check`` asks too;
``assert not check_pretext(spec)`` asks all at once.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import torch

from zoo.catalogue import build
from zoo.testing.findings import METHODS, Found, broken_promises, named, promised, stopped, under
from zoo.testing.kit import Kit
from zoo.testing.modules import (
    built,
    copy_through_a_file,
    learn,
    made,
    no_losses,
    same,
    step,
    unreached,
)
from zoo.testing.promises import BrokenPromiseError, asking, lacking
from zoo.types.distilling import Pretext

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from PIL.Image import Image
    from torch import Tensor, nn

    from zoo.testing.kit import Trial
    from zoo.types.specs import PretextSpec

#: Of the features, of the seeds, and of a batch.
_WIDTH, _SEEDS, _SAMPLES = 6, 4, 6


def check_pretext(spec: PretextSpec, method: object = None) -> list[str]:
    """Find out which promises a pretext breaks.

    Args:
        spec: what the plugin advertises.
        method: its object; None makes one with the default options.

    Returns:
        One sentence a broken promise, of the first picture with which one is broken.
    """
    return broken_promises(_found, spec, method)


def _found(spec: PretextSpec, method: Any) -> Iterator[Found]:
    with asking("making it with its default options"):
        tried = build(spec) if method is None else method
    if missing := lacking(tried, Pretext):
        yield Found(METHODS, f"it {missing}")
        return
    yield Found(METHODS)
    with torch.random.fork_rng(devices=[]):
        for part in (
            under("seeds", _miscounted(tried)),
            *(_pictured(tried, _image(*side)) for side in ((48, 40), (9, 70))),
            _headed(tried),
        ):
            found = list(part)
            yield from found
            if stopped(found, spec.expected_failures):
                return


def _miscounted(method: Pretext) -> Iterator[str]:
    for samples in (2, 40, 1_000_000):
        with asking(f"seeds of {samples} images"):
            seeds = method.seeds(samples)
        if not isinstance(seeds, int) or not 1 <= seeds <= samples:
            yield f"seeds of {samples} images must be from 1 to {samples}, and are {seeds!r}"
            return


def _pictured(method: Pretext, image: Image) -> Iterator[Found]:
    """Cut a seed and alter it: the same draw gives the same picture."""
    what = f"an image of {image.width}x{image.height}"
    with promised("pictures"):
        patch, again = (_picture("patch", method.patch, image, what, draw=0) for _ in range(2))
        twice = "must draw from the draw that it is given: one seed, two pictures"
        yield Found("seeded")
        if patch.tobytes() != again.tobytes() or patch.size != again.size:
            yield Found("seeded", f"patch {twice}")
            return
        altered = [
            _picture("alter", method.alter, patch, what, draw=draw) for draw in (0, 0, 1, 2, 3)
        ]
    yield Found("untouched-input")
    yield Found("pictures")
    if altered[0].tobytes() != altered[1].tobytes() or altered[0].size != altered[1].size:
        yield Found("seeded", f"alter {twice}")
    elif len({each.tobytes() for each in altered}) == 1:
        yield Found("pictures", f"alter gives the same picture of {what} for every draw")


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
        with promised("untouched-input"):
            raise BrokenPromiseError(f"{name} changes the image that it is given")
    return made


def _image(width: int, height: int) -> Image:
    from PIL import Image as Pillow

    generator = random.Random(0)
    return Pillow.frombytes("RGB", (width, height), generator.randbytes(3 * width * height))


def _headed(method: Pretext) -> Iterator[Found]:
    """Train the head for a step."""
    with promised("build"):
        module = made(lambda: method.build(_WIDTH, _SEEDS))
    yield Found("build")
    for batch in (_SAMPLES, 1):
        features = _drawn(batch).requires_grad_()
        with promised("losses"):
            loss = _loss(module, features)
        wrong = list(under("losses", no_losses({"pretext": loss})))
        yield from wrong
        if wrong[1:]:
            return
        with promised("gradients"):
            learn(module, {"pretext": loss})
        if batch > 1:
            yield from under("gradients", _unreached(module, features))
    yield from under("resumable", _resumed(method, module))


def _drawn(batch: int, seed: int = 0) -> Tensor:
    return torch.randn(batch, _WIDTH, generator=torch.Generator().manual_seed(seed))


def _loss(module: nn.Module, features: Tensor) -> Tensor:
    classes = torch.arange(len(features)) % _SEEDS
    torch.manual_seed(0)
    with asking(f"forward of a batch of {len(features)}"):
        loss: Tensor = module(features, classes)
    return loss


def _unreached(module: nn.Module, features: Tensor) -> Iterator[str]:
    if features.grad is None or not features.grad.any():
        yield "no gradient reaches the student's features"
    yield from (f"no gradient reaches its parameter {each!r}" for each in unreached(module))


def _resumed(method: Pretext, module: nn.Module) -> Iterator[str]:
    step(module)
    fresh = built(lambda: method.build(_WIDTH, _SEEDS), seed=1)
    copy_through_a_file(module, fresh)
    known = _drawn(_SAMPLES, seed=1)
    if not same(_loss(module, known), _loss(fresh, known)):
        yield "its loss is another one after saving and loading"


def _exercise(trial: Trial) -> Any:
    """Cut a seed, alter it, and ask the head once."""
    method: Pretext = trial.make()
    image = _image(48, 40)
    patch = _picture("patch", method.patch, image, "an image", draw=0)
    altered = _picture("alter", method.alter, patch, "a seed", draw=1)
    with torch.random.fork_rng(devices=[]):
        module = built(lambda: method.build(_WIDTH, _SEEDS), seed=0)
        loss = _loss(module, _drawn(_SAMPLES)).detach()
    return patch.tobytes(), altered.tobytes(), loss


_PROMISES = (
    (METHODS, "it can be made, and has the methods of its kind"),
    ("seeds", "there are as many seeds as images at most"),
    ("pictures", "patch and alter give RGB images, which differ from draw to draw"),
    ("untouched-input", "the images that it is given stay as they are"),
    ("seeded", "it draws from the draw that it is given: one seed, one picture"),
    ("build", "build gives a torch module: one seed, one module, which can be counted"),
    ("losses", "its loss is one finite number"),
    ("gradients", "gradients reach the student's features and every parameter"),
    ("resumable", "its module, saved and loaded in the middle of a training, goes on alike"),
)
KIT = Kit(exercise=_exercise, checks=tuple(named(_found, *each) for each in _PROMISES))
