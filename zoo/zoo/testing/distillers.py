"""Whether a distiller or an objective keeps its promises, found out by running it.

``assert not check_distiller(spec)`` is a test of its own; ``zoo plugins check`` asks the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

import torch

from zoo.building.stages import make_stages
from zoo.catalogue import build
from zoo.errors import InputError
from zoo.testing.distilling_trials import Trial
from zoo.testing.golden import broken_golden
from zoo.testing.lessons import LAYOUTS, Networks
from zoo.testing.modules import is_number
from zoo.testing.promises import BrokenPromiseError, asking, described, lacking
from zoo.types.distilling import Distiller, Pair
from zoo.types.specs import Knowledge

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zoo.types.specs import DistillerSpec
    from zoo.types.training import FeatureShape, Stage


def check_distiller(spec: DistillerSpec, method: object = None) -> list[str]:
    """Find out which promises a distiller or an objective breaks.

    It is asked about networks of maps, tokens and vectors, one teacher or several as its spec says,
    and its module is run on random features: with everything that it reads, with no more than it
    needs, at several shares of a training. Networks that ``pair`` refuses with an
    :class:`zoo.errors.InputError` are left out, unless it refuses all. The numbers of its own
    ``golden()`` are compared, see :class:`zoo.types.distilling.Golden`.

    Args:
        spec: what the plugin advertises.
        method: its object; None makes one with the default options, and one with the published.

    Returns:
        One sentence a broken promise, of the first networks with which one is broken.
    """
    try:
        with asking("making it with its default options"):
            tried = build(spec) if method is None else method
        if method is None and spec.published:
            with asking("making it with its published options"):
                build(spec, spec.published)
        with torch.random.fork_rng(devices=[]):
            return [f"{spec.name}: {each}." for each in _broken(spec, tried)]
    except BrokenPromiseError as broken:
        return [f"{spec.name}: {broken}."]


def _broken(spec: DistillerSpec, method: Any) -> list[str]:
    if missing := lacking(method, Distiller):
        return [f"it {missing}"]
    if wrong := list(_misspoken(spec)):
        return wrong
    return _broken_somewhere(spec, method) or list(broken_golden(method))


def _misspoken(spec: DistillerSpec) -> Iterator[str]:
    """Say what a spec cannot mean."""
    known = get_args(Knowledge)
    for which in ("needs", "wants"):
        for each in getattr(spec, which):
            if each not in known:
                yield f"its {which} has {each!r}, which is none of {', '.join(known)}"
    if not 1 <= spec.smallest_batch <= max(spec.smallest_batch, spec.advised_batch):
        yield f"smallest_batch must be 1 or more, and is {spec.smallest_batch}"
    if not is_number(spec.weight) or spec.weight < 0:
        yield f"its weight must be 0 or more, and is {spec.weight!r}"


def _broken_somewhere(spec: DistillerSpec, method: Distiller) -> list[str]:
    refusal, tried = None, 0
    for networks in _who(spec):
        try:
            stages, watched = _places(method, networks)
            trial = Trial(
                spec=spec,
                method=method,
                networks=networks,
                stages=stages,
                watched=watched,
                first=not tried,
            )
            found = list(trial.broken())
        except InputError as error:
            refusal = error
            continue
        except BrokenPromiseError as broken:
            found = [str(broken)]
        tried += 1
        if found:
            return [f"with {networks}, {each}" for each in found]
    return [] if tried else [f"pair refuses all networks: {str(refusal).rstrip('.')}"]


def _who(spec: DistillerSpec) -> list[Networks]:
    """List made-up networks; whoever sees one teacher at a time is never shown two."""
    if spec.teachers != "several":
        return [Networks(layout=layout, count=1) for layout in LAYOUTS]
    two = [Networks(layout=layout, count=2) for layout in LAYOUTS]
    return [*two, Networks(layout=LAYOUTS[0], count=3)]


def _places(
    method: Distiller, networks: Networks
) -> tuple[tuple[Stage, ...], tuple[FeatureShape, ...]]:
    """Ask where to compare and where to look, as preflight does.

    Raises:
        InputError: these networks cannot be paired, says the method.
        BrokenPromiseError: what it says makes no sense.
    """
    try:
        pairs = list(method.pair(networks.teachers, networks.student))
    except InputError:
        raise
    except Exception as error:
        raise BrokenPromiseError(f"pair raises {described(error)}") from error
    for each in pairs:
        if not isinstance(each, Pair):
            raise BrokenPromiseError(f"pair must give zoo.types.Pair, and gives {each!r}")
    known = {each.tap: each for each in networks.student}
    alone = [each.student for each in pairs if not each.teachers]
    if strange := [tap for tap in alone if tap not in known]:
        raise BrokenPromiseError(f"pair looks at {strange[0]!r}, which is no layer of the student")
    with asking(f"pair gives {pairs!r}, of which the core can make no stages: that"):
        stages = make_stages(
            networks.teachers, networks.student, [each for each in pairs if each.teachers]
        )
    return stages, tuple(known[tap] for tap in alone)
