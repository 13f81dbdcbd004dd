"""Whether a distiller or an objective keeps its promises, found out by running it.

:data:`KIT` has them as checks with names, which ``zoo plugins check`` asks too;
``assert not check_distiller(spec)`` asks all at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

import torch

from zoo.building.stages import make_stages
from zoo.catalogue import build
from zoo.errors import InputError
from zoo.testing.distilling_trials import Distillation
from zoo.testing.findings import (
    METHODS,
    Found,
    among,
    broken_promises,
    named,
    promised,
    stopped,
    under,
)
from zoo.testing.golden import broken_golden
from zoo.testing.kit import Check, Kit
from zoo.testing.lessons import LAYOUTS, Networks
from zoo.testing.modules import is_number
from zoo.testing.promises import BrokenPromiseError, asking, described, lacking
from zoo.types.distilling import Distiller, Pair
from zoo.types.specs import Knowledge

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zoo.testing.kit import Trial
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
    return broken_promises(_found, spec, method)


def _found(spec: DistillerSpec, method: Any) -> Iterator[Found]:
    with asking("making it with its default options"):
        tried = build(spec) if method is None else method
    if method is None and spec.published:
        with asking("making it with its published options"):
            build(spec, spec.published)
    if missing := lacking(tried, Distiller):
        yield Found(METHODS, f"it {missing}")
        return
    yield Found(METHODS)
    wrong = list(under("spec", _misspoken(spec)))
    yield from wrong
    if wrong[1:]:
        return
    with torch.random.fork_rng(devices=[]):
        found = list(_found_somewhere(spec, tried))
        yield from found
        if not stopped(found, spec.expected_failures):
            yield from under("golden", broken_golden(tried))


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


def _found_somewhere(spec: DistillerSpec, method: Distiller) -> Iterator[Found]:
    def ask(networks: Networks, first: bool) -> Iterator[Found]:
        yield from _among(spec, method, networks, first=first).found()

    refused = Found("pairs", "pair refuses all networks")
    yield from among(
        _who(spec), ask, words="with {}, ", refused=refused, expected=spec.expected_failures
    )
    yield Found("pairs")


def _among(
    spec: DistillerSpec, method: Distiller, networks: Networks, *, first: bool = True
) -> Distillation:
    """Pair some networks.

    Raises:
        InputError: they cannot be paired, says the method.
    """
    with promised("pairs"):
        stages, watched = _places(method, networks)
    return Distillation(
        spec=spec, method=method, networks=networks, stages=stages, watched=watched, first=first
    )


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


def _exercise(trial: Trial) -> Any:
    """Go one step with the first networks that it takes."""
    method = trial.make()
    for networks in _who(trial.spec):
        try:
            distillation = _among(trial.spec, method, networks)
        except InputError:
            continue
        return distillation.losses_and_gradients()
    raise BrokenPromiseError("pair refuses all networks")


def _reads_labels(trial: Trial) -> bool:
    return bool(trial.spec.reads("labels"))


def _only_wants(trial: Trial) -> bool:
    return bool(set(trial.spec.wants) - set(trial.spec.needs))


def _checks() -> Iterator[Check]:
    for name, promise, applies in (
        (METHODS, "it can be made, and has the methods of its kind", None),
        ("spec", "its spec says what there is", None),
        ("pairs", "pair names layers that there are, of some networks at least", None),
        ("smallest-batch", "what its spec calls the smallest batch is enough", None),
        ("build", "build gives a torch module: one seed, one module, which can be counted", None),
        ("losses", "every loss is one finite number with a name and a weight", None),
        ("gradients", "gradients reach the student and every parameter", None),
        ("untouched-input", "what the teachers say stays as it is", None),
        ("unknown-labels", "a batch of which no label is known is no trouble", _reads_labels),
        ("only-wanted", "it does without what it only wants", _only_wants),
        ("declared-knowledge", "it reads what its spec names, and nothing else", None),
        ("resumable", "its module, saved and loaded in the middle of a training, goes on", None),
        ("golden", "it gives the numbers of its golden cases, where it has some", None),
    ):
        yield named(_found, name, promise, applies)


KIT = Kit(exercise=_exercise, checks=tuple(_checks()))
