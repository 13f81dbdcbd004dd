"""Whether a family keeps its promises, found out by growing tiny networks of its architectures.

``assert not check_family(spec)`` is a test of its own; ``zoo plugins check`` asks the same.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from zoo.catalogue import build
from zoo.errors import InputError
from zoo.growing.choosing import exact_maps
from zoo.growing.filling import fill
from zoo.testing.growth import try_growth
from zoo.testing.promises import BrokenPromiseError, asking, lacking
from zoo.types.growers import Family
from zoo.types.growing import Deepen, Widen

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from torch import Tensor

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
    try:
        with asking("making it with its default options"):
            tried = build(spec) if method is None else method
        if missing := lacking(tried, Family):
            return [f"{spec.name}: it {missing}."]
        for kind in spec.model_types:
            for sentence in _broken(spec, tried, kind):
                return [f"{spec.name}: with a tiny {kind}, {sentence}."]
    except BrokenPromiseError as broken:
        return [f"{spec.name}: {broken}."]
    return []


def _broken(spec: FamilySpec, family: Any, kind: str) -> Iterator[str]:
    made = _tiny(kind)
    if made is None:
        return
    module, inputs = made
    before = module.config.to_dict()
    steps: list[Widen | Deepen] = [Widen(width="2x")]
    if "depth" in spec.sizes:
        steps.append(Deepen(depth="+1"))
    for step in steps:
        with asking(f"grown with {step}"):
            larger = family.grown(copy.deepcopy(module.config), [step])
            if larger.to_dict() == before:
                yield f"grown with {step} changes nothing"
        with asking(f"growing by {step}"):
            trial = try_growth(copy.deepcopy(module), inputs, family, ExactGrower(), [step])
        worst = max(trial.fp64.largest, trial.fp32.largest)
        if not trial.passed and not trial.grown.drawing.reasons:
            yield f"the larger network differs by {worst:.1e}, and no axis or layer says why"
    kept = copy.deepcopy(module.config)
    family.grown(kept, [Widen(width="2x")])
    if kept.to_dict() != before:
        yield "grown changes the configuration that it is given"
    try:
        family.grown(copy.deepcopy(module.config), [Widen(width="0.5x")])
    except InputError:
        return
    yield "a width of 0.5x is not refused with an InputError"


def _tiny(kind: str) -> tuple[Any, Mapping[str, Tensor]] | None:
    """A tiny classifier of an architecture, and inputs; None where there is no recipe."""
    import torch
    import transformers

    from zoo.testing.tiny_checkpoints import CLASSES
    from zoo.testing.tiny_recipes import IMAGE, TEXT

    recipes = {**IMAGE, **TEXT}
    if kind not in recipes:
        return None
    prefix, settings = recipes[kind]
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
