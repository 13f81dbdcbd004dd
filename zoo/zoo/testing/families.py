"""Whether a family keeps its promises, found out by growing tiny networks of its architectures.

:data:`KIT` has them as checks with names, which ``zoo plugins check`` asks too;
``assert not check_family(spec)`` asks all at once.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import torch

from zoo.catalogue import build
from zoo.errors import InputError
from zoo.growing.choosing import exact_maps
from zoo.growing.filling import fill
from zoo.growing.work import carry_out, draw
from zoo.testing.findings import (
    METHODS,
    Found,
    among,
    broken_promises,
    named,
    promised,
    under,
    until_broken,
)
from zoo.testing.growth import HeldNetwork, randomise, try_growth
from zoo.testing.kit import Kit
from zoo.testing.promises import NotTriedError, asking, lacking
from zoo.types.growers import Family
from zoo.types.growing import Deepen, Widen

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from torch import Tensor

    from zoo.testing.growth import Trial as Growing
    from zoo.testing.kit import Trial
    from zoo.types.growers import Growth
    from zoo.types.growing import AxisMap, Blueprint
    from zoo.types.specs import FamilySpec


class ExactGrower:
    """The plainest grower that keeps the function; implements :class:`zoo.types.growers.Grower`."""

    def choose(self, blueprint: Blueprint, seed: int) -> Mapping[str, AxisMap]:
        """Choose the exact map of every axis."""
        return exact_maps(blueprint.axes, seed)

    def fill(self, growth: Growth) -> Sequence[str]:
        """Set the weights by the rules of the family."""
        state = growth.old.module.state_dict()
        fill(growth.new.module, state, growth.blueprint, growth.maps, seed=growth.seed)
        return ()


def check_family(spec: FamilySpec, method: object = None) -> list[str]:
    """Find out which promises a family breaks.

    Tiny networks of the architectures that Zoo has recipes for are drawn, made twice as wide and
    one layer deeper, and compared in float64 and float32. A configuration must stay as it is when
    a larger one is made of it, and a smaller one must be refused with an
    :class:`zoo.errors.InputError`. Architectures without a recipe are for the author's own tests:
    :func:`zoo.testing.growth.try_growth`.

    Args:
        spec: what the plugin advertises.
        method: its object; None makes one with the default options.

    Returns:
        One sentence a broken promise, of the first architecture with which one is broken.
    """
    return broken_promises(_found, spec, method)


def _found(spec: FamilySpec, method: Any) -> Iterator[Found]:
    with asking("making it with its default options"):
        tried = build(spec) if method is None else method
    if missing := lacking(tried, Family):
        yield Found(METHODS, f"it {missing}")
        return
    yield Found(METHODS)
    if known := _known(spec):
        yield from among(
            known,
            lambda kind, _: until_broken(_growing(spec, tried, kind), spec.expected_failures),
            words="with a tiny {}, ",
            refused=Found("grown", "it refuses every growth"),
            expected=spec.expected_failures,
        )


def _growing(spec: FamilySpec, family: Any, kind: str) -> Iterator[Found]:
    module, inputs = _tiny(kind)
    before = module.config.to_dict()
    steps: list[Widen | Deepen] = [Widen(width="2x")]
    if "depth" in spec.sizes:
        steps.append(Deepen(depth="+1"))
    for step in steps:
        with promised("grown"), asking(f"grown with {step}"):
            larger = family.grown(copy.deepcopy(module.config), [step])
            same = larger.to_dict() == before
        yield from under("grown", [f"grown with {step} changes nothing"] if same else ())
        with promised("exact"), asking(f"growing by {step}"):
            trial = try_growth(copy.deepcopy(module), inputs, family, ExactGrower(), [step])
        yield from under("exact", _inexact(trial))
    yield from under("untouched-input", _changed(module, family))
    yield from under("refuses-shrinking", _shrunk(module, family))


def _inexact(trial: Growing) -> Iterator[str]:
    worst = max(trial.fp64.largest, trial.fp32.largest)
    if not trial.passed and not trial.grown.drawing.reasons:
        yield f"the larger network differs by {worst:.1e}, and no axis or layer says why"


def _changed(module: Any, family: Any) -> Iterator[str]:
    kept = copy.deepcopy(module.config)
    with asking("grown"):
        family.grown(kept, [Widen(width="2x")])
    if kept.to_dict() != module.config.to_dict():
        yield "grown changes the configuration that it is given"


def _shrunk(module: Any, family: Any) -> Iterator[str]:
    with asking("grown with a width of 0.5x"):
        try:
            family.grown(copy.deepcopy(module.config), [Widen(width="0.5x")])
        except InputError:
            return
    yield "a width of 0.5x is not refused with an InputError"


def _known(spec: FamilySpec) -> list[str]:
    """List its architectures for which there is a recipe."""
    from zoo.testing.tiny_recipes import IMAGE, TEXT

    return [each for each in spec.model_types if each in {**IMAGE, **TEXT}]


def _tiny(kind: str) -> tuple[Any, Mapping[str, Tensor]]:
    """A tiny classifier of an architecture, and inputs."""
    import transformers

    from zoo.testing.tiny_checkpoints import CLASSES
    from zoo.testing.tiny_recipes import IMAGE, TEXT

    prefix, settings = {**IMAGE, **TEXT}[kind]
    task = "ImageClassification" if kind in IMAGE else "SequenceClassification"
    cls = getattr(transformers, f"{prefix}For{task}")
    config = cls.config_class(**settings, num_labels=CLASSES)
    generator = torch.Generator().manual_seed(0)
    with torch.random.fork_rng(devices=[]):
        module = cls(config)
    if kind in IMAGE:
        side = settings.get("image_size", 64)
        return module, {"pixel_values": torch.randn(4, 3, side, side, generator=generator)}
    module.config.pad_token_id = module.config.pad_token_id or 0
    ids = torch.randint(4, settings["vocab_size"], (4, 9), generator=generator)
    return module, {"input_ids": ids, "attention_mask": torch.ones_like(ids)}


def _exercise(trial: Trial) -> Any:
    """Make one tiny network twice as wide."""
    known = _known(trial.spec)
    if not known:
        raise NotTriedError("there is no recipe for a tiny network of its architectures")
    module, inputs = _tiny(known[0])
    randomise(module)
    old, family, grower = HeldNetwork(module, inputs), trial.make(), ExactGrower()
    with torch.random.fork_rng(devices=[]), asking("growing to twice the width"):
        config = family.grown(old.config, [Widen(width="2x")])
        drawing = draw(old, family, grower, config, seed=0, place="end")
        grown = carry_out(old, drawing, grower, seed=0)
    return dict(grown.network.module.state_dict())


_PROMISES = (
    (METHODS, "it can be made, and has the methods of its kind"),
    ("grown", "a growth that is asked for gives a larger configuration"),
    ("exact", "exact growth: the larger network computes the same, or the blueprint says why not"),
    ("untouched-input", "the configuration that it is given stays as it is"),
    ("refuses-shrinking", "a smaller size is refused with an InputError"),
)
KIT = Kit(exercise=_exercise, checks=tuple(named(_found, *each) for each in _PROMISES))
