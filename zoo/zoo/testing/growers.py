"""Whether a grower keeps its promises, found out by growing a small network with it.

``assert not check_grower(spec)`` is a test of its own; ``zoo plugins check`` asks the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from zoo.catalogue import build
from zoo.growing.proof import compare
from zoo.growing.work import Drawing, carry_out
from zoo.testing.growing_trials import Config, Layered, blueprint_of
from zoo.testing.growth import HeldNetwork, randomise
from zoo.testing.promises import BrokenPromiseError, asking, lacking
from zoo.types.growers import Grower, Learned

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from torch import Tensor

    from zoo.types.growing import AxisMap, Blueprint
    from zoo.types.specs import GrowerSpec

_OLD = Config(width=6, hidden=10, layers=3)


@dataclass(frozen=True)
class _Trial:
    """A growth to try, in words and numbers."""

    what: str
    new: Config


_TRIALS = (
    _Trial("more hidden units", Config(width=6, hidden=17, layers=3)),
    _Trial("a stream twice as wide", Config(width=12, hidden=10, layers=3)),
    _Trial("a stream of another width", Config(width=8, hidden=10, layers=3)),
    _Trial("two more layers", Config(width=6, hidden=10, layers=5)),
    _Trial("everything larger", Config(width=12, hidden=20, layers=4)),
)


def check_grower(spec: GrowerSpec, method: object = None) -> list[str]:
    """Find out which promises a grower breaks.

    A small pre-norm network with drawn weights is made wider and deeper in float64. Every axis must
    get a map of the right length; every weight must be set; the smaller network and the process's
    random numbers must stay as they were; one seed must give one network. What calls itself
    preserving must compute the same function, except where its maps say why not.

    Args:
        spec: what the plugin advertises.
        method: its object; None makes one with the default options.

    Returns:
        One sentence a broken promise, of the first growth with which one is broken.
    """
    try:
        with asking("making it with its default options"):
            tried = build(spec) if method is None else method
        if missing := lacking(tried, Grower):
            return [f"{spec.name}: it {missing}."]
        for trial in _TRIALS:
            for sentence in _broken(spec, tried, trial.new):
                return [f"{spec.name}: with {trial.what}, {sentence}."]
    except BrokenPromiseError as broken:
        return [f"{spec.name}: {broken}."]
    return []


def _broken(spec: GrowerSpec, method: Any, new: Config) -> Iterator[str]:
    blueprint = blueprint_of(_OLD, new)
    with asking("choose"):
        maps = method.choose(blueprint, 3)
    yield from _wrong_maps(blueprint, maps)
    generator = torch.Generator().manual_seed(5)
    inputs = {"values": torch.randn(8, 4, generator=generator, dtype=torch.float64)}
    module = Layered(_OLD).double()
    randomise(module, 7)
    before = {name: value.clone() for name, value in module.state_dict().items()}
    old, state = HeldNetwork(module, inputs), torch.get_rng_state()
    first = _grown(spec, method, old, Drawing(config=new, blueprint=blueprint, maps=maps))
    if not torch.equal(torch.get_rng_state(), state):
        yield "it draws from the process's own random numbers"
    if any(not torch.equal(value, before[name]) for name, value in module.state_dict().items()):
        yield "it changes the smaller network"
    found = first.module.state_dict()
    if unset := [name for name, value in found.items() if value.isnan().any()]:
        yield f"{unset[0]} is not set"
    again = method.choose(blueprint, 3)
    second = _grown(spec, method, old, Drawing(config=new, blueprint=blueprint, maps=again))
    if any(
        not torch.equal(value, found[name]) for name, value in second.module.state_dict().items()
    ):
        yield "one seed gives two networks"
    if spec.preserving and not any(each.reason for each in maps.values()):
        drawing = Drawing(config=new, blueprint=blueprint, maps=maps)
        difference = compare(old, first, drawing, inputs, "fp64")
        if not difference.passed:
            yield f"the larger network differs by {difference.largest:.1e}, and it is preserving"


def _grown(spec: GrowerSpec, method: Any, old: HeldNetwork, drawing: Drawing) -> HeldNetwork:
    with asking("fill"):
        grown = carry_out(
            _Unset(old.module, old.inputs(0, 0)),
            drawing,
            method,
            seed=3,
            learn=_learn_nothing if spec.needs else None,
        )
    return HeldNetwork(grown.network.module, old.inputs(0, 0))


class _Unset(HeldNetwork):
    """Makes larger networks of which every weight that nobody sets is no number."""

    def enlarged(self, config: Any) -> HeldNetwork:
        """Give one."""
        with torch.random.fork_rng(devices=[]):
            larger = super().enlarged(config)
        with torch.no_grad():
            for value in larger.module.state_dict().values():
                value.fill_(torch.nan)
        return larger


def _learn_nothing(
    module: torch.nn.Module, *, steps: int = 100, batch: int = 16, rate: float = 2e-4
) -> Learned:
    """A training of no steps."""
    del module, steps, batch, rate
    return Learned(steps=0, before=1.0, after=1.0, task="answers")


def _wrong_maps(blueprint: Blueprint, maps: Mapping[str, AxisMap]) -> Iterator[str]:
    for name, axis in blueprint.axes.items():
        if name not in maps:
            yield f"choose says nothing of the axis {name!r}"
            continue
        index: Tensor = maps[name].index
        share = maps[name].share
        if len(index) != axis.new:
            yield f"the map of {name!r} has {len(index)} channels instead of {axis.new}"
        elif len(share) != axis.new:
            yield f"the map of {name!r} has {len(share)} shares instead of {axis.new}"
        elif int(index.max()) >= axis.old or int(index.min()) < -1:
            yield f"the map of {name!r} repeats a channel that there is not"
