"""Whether a grower keeps its promises, found out by growing a small network with it.

:data:`KIT` has them as checks with names, which ``zoo plugins check`` asks too;
``assert not check_grower(spec)`` asks all at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from zoo.catalogue import build
from zoo.growing.proof import compare
from zoo.growing.work import Drawing, carry_out
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
from zoo.testing.growing_trials import Config, Layered, blueprint_of
from zoo.testing.growth import HeldNetwork, randomise
from zoo.testing.kit import Kit
from zoo.testing.promises import asking, lacking
from zoo.types.growers import Grower, Learned

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from torch import Tensor

    from zoo.testing.kit import Trial
    from zoo.types.growing import AxisMap, Blueprint
    from zoo.types.specs import GrowerSpec

_OLD = Config(width=6, hidden=10, layers=3)


_ALL_LARGER = Config(width=12, hidden=20, layers=4)
_SIZES = {
    "more hidden units": Config(width=6, hidden=17, layers=3),
    "a stream twice as wide": Config(width=12, hidden=10, layers=3),
    "a stream of another width": Config(width=8, hidden=10, layers=3),
    "two more layers": Config(width=6, hidden=10, layers=5),
    "everything larger": _ALL_LARGER,
}


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
    return broken_promises(_found, spec, method)


def _found(spec: GrowerSpec, method: Any) -> Iterator[Found]:
    with asking("making it with its default options"):
        tried = build(spec) if method is None else method
    if missing := lacking(tried, Grower):
        yield Found(METHODS, f"it {missing}")
        return
    yield Found(METHODS)
    expected = spec.expected_failures
    yield from among(
        _SIZES,
        lambda size, _: until_broken(_growing(spec, tried, _SIZES[size]), expected),
        words="with {}, ",
        refused=Found("maps", "choose refuses every growth"),
        expected=expected,
    )


def _growing(spec: GrowerSpec, method: Any, new: Config) -> Iterator[Found]:
    blueprint = blueprint_of(_OLD, new)
    with promised("maps"), asking("choose"):
        maps = method.choose(blueprint, 3)
    yield from under("maps", _wrong_maps(blueprint, maps))
    old = _small()
    before = {name: value.clone() for name, value in old.module.state_dict().items()}
    state, drawing = torch.get_rng_state(), Drawing(config=new, blueprint=blueprint, maps=maps)
    first = _grown(spec, method, old, drawing)
    yield Found("seeded")
    if not torch.equal(torch.get_rng_state(), state):
        yield Found("seeded", "it draws from the process's own random numbers")
    yield from under("untouched-input", _changed(old, before))
    found = first.module.state_dict()
    unset = [f"{name} is not set" for name, value in found.items() if value.isnan().any()]
    yield from under("complete", unset[:1])
    with asking("choose"):
        again = method.choose(blueprint, 3)
    second = _grown(spec, method, old, Drawing(config=new, blueprint=blueprint, maps=again))
    if any(
        not torch.equal(value, found[name]) for name, value in second.module.state_dict().items()
    ):
        yield Found("seeded", "one seed gives two networks")
    if spec.preserving and not any(each.reason for each in maps.values()):
        yield from under("exact", _inexact(old, first, drawing))


def _small() -> HeldNetwork:
    """Draw the smaller network, and a batch."""
    generator = torch.Generator().manual_seed(5)
    inputs = {"values": torch.randn(8, 4, generator=generator, dtype=torch.float64)}
    with torch.random.fork_rng(devices=[]):
        module = Layered(_OLD).double()
    randomise(module, 7)
    return HeldNetwork(module, inputs)


def _changed(old: HeldNetwork, before: Mapping[str, Tensor]) -> Iterator[str]:
    now = old.module.state_dict()
    if any(not torch.equal(value, before[name]) for name, value in now.items()):
        yield "it changes the smaller network"


def _inexact(old: HeldNetwork, larger: HeldNetwork, drawing: Drawing) -> Iterator[str]:
    difference = compare(old, larger, drawing, old.inputs(0, 0), "fp64")
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


def _exercise(trial: Trial) -> Any:
    """Make the small network larger everywhere."""
    method, blueprint = trial.make(), blueprint_of(_OLD, _ALL_LARGER)
    with asking("choose"):
        maps = method.choose(blueprint, 3)
    drawing = Drawing(config=_ALL_LARGER, blueprint=blueprint, maps=maps)
    return dict(_grown(trial.spec, method, _small(), drawing).module.state_dict())


def _preserves(trial: Trial) -> bool:
    return bool(trial.spec.preserving)


KIT = Kit(
    exercise=_exercise,
    checks=(
        named(_found, METHODS, "it can be made, and has the methods of its kind"),
        named(_found, "maps", "choose gives a map of the right length for every axis"),
        named(_found, "complete", "every weight of the larger network is set"),
        named(_found, "untouched-input", "the smaller network stays as it is"),
        named(_found, "seeded", "one seed gives one network"),
        named(_found, "exact", "exact growth: the larger network computes the same", _preserves),
    ),
)
