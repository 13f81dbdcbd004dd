"""What every kind of plugin promises, as checks with names: one list for everybody.

``zoo plugins check`` and an author's own tests, through
:func:`zoo.testing.parametrize_with_checks`, ask the same checks. A kind's own stand in the module
that :data:`KITS` names, as its ``KIT``; what all kinds promise stands in
:mod:`zoo.testing.manners`.
"""

from __future__ import annotations

import importlib
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zoo.catalogue import KINDS, build
from zoo.errors import PluginError
from zoo.host import PLUGIN_ERRORS
from zoo.testing.promises import BrokenPromiseError, NotTriedError, asking, described

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from zoo.types.specs import Spec

#: Kind -> the module whose ``KIT`` tries it; imported when it is asked for, as most import torch.
KITS: Mapping[str, str] = {
    "source": "zoo.testing.sources",
    "runtime": "zoo.testing.runtimes",
    "probe": "zoo.testing.probes",
    "estimator": "zoo.testing.estimators",
    "label_encoder": "zoo.testing.label_encoders",
    "amalgamator": "zoo.testing.amalgamators",
    "distiller": "zoo.testing.distillers",
    "regulariser": "zoo.testing.students",
    "augmenter": "zoo.testing.augmenters",
    "objective": "zoo.testing.distillers",
    "pretext": "zoo.testing.pretexts",
    "calibrator": "zoo.testing.calibrators",
    "grower": "zoo.testing.growers",
    "family": "zoo.testing.families",
    "reporter": "zoo.testing.reporters",
    "graph_source": "zoo.testing.graph_sources",
    "completer": "zoo.testing.completers",
    "command": "zoo.testing.commands",
}


#: Where one of these is broken, nothing else can be asked.
FIRST = ("target", "methods", "score")


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One spec that is tried.

    Attributes:
        noun: its kind, as in :data:`zoo.catalogue.KINDS`.
        spec: what the plugin advertises.
        example: something that its author knows to work: the reference of a checkpoint for a
            source, a path or an id for a probe, words for a command; None: nothing is known.
    """

    noun: str
    spec: Any
    example: Any = None

    @property
    def name(self) -> str:
        """The kind and the name, for people."""
        return f"{self.noun} {self.spec.name}"

    def make(self) -> Any:
        """Make the object with its default options.

        Raises:
            BrokenPromiseError: it cannot be made.
        """
        with asking("making it with its default options"):
            return build(self.spec)


def _always(_: Trial) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Check:
    """One promise, and how it is found broken.

    Attributes:
        name: a few letters for people and for :attr:`zoo.types.Spec.expected_failures`.
        promise: what is promised, as a sentence without a full stop.
        broken: gives one sentence, without a full stop, a way in which it is broken. Raises
            :class:`NotTriedError` where it cannot be tried.
        applies: whether this spec promises it, where not all of its kind do.
    """

    name: str
    promise: str
    broken: Callable[[Trial], Iterable[str]]
    applies: Callable[[Trial], bool] = _always


@dataclass(frozen=True, slots=True, kw_only=True)
class Kit:
    """How one kind is tried.

    Attributes:
        exercise: makes the object and uses it once as Zoo would, on made-up input; what it gives
            is compared between two uses. None: it needs what only its author has.
        checks: what this kind promises beside what every kind does.
    """

    exercise: Callable[[Trial], Any] | None = None
    checks: tuple[Check, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How one check ended.

    Attributes:
        check: the check.
        broken: sentences, each a way in which the promise is broken.
        expected: why its author expects it to be broken; empty: it is to be kept.
        not_tried: what was missing to try it; empty: it was tried.
        seconds: how long it took.
    """

    check: Check
    broken: tuple[str, ...] = ()
    expected: str = ""
    not_tried: str = ""
    seconds: float = 0.0

    @property
    def problems(self) -> tuple[str, ...]:
        """What is wrong: a broken promise, or a kept one that was expected to be broken."""
        if self.not_tried:
            return ()
        if not self.expected:
            return self.broken
        if self.broken:
            return ()
        return (f"it was expected to fail ({self.expected}), and passes: expect it no longer",)


def kit_of(noun: str) -> Kit:
    """Give the kit of a kind."""
    kit: Kit = importlib.import_module(KITS[noun]).KIT
    return kit


def checks_of(trial: Trial) -> tuple[Check, ...]:
    """Give every check of one spec: those of :data:`FIRST`, those of all kinds, its kind's own."""
    from zoo.testing.manners import MANNERS, TARGET

    kit = kit_of(trial.noun)
    own = [each for each in kit.checks if each.applies(trial)]
    first = [each for each in own if each.name in FIRST]
    rest = [each for each in own if each.name not in FIRST]
    return (TARGET, *first, *(MANNERS if kit.exercise else ()), *rest)


def run_check(check: Check, trial: Trial) -> Outcome:
    """Ask one check; whatever the plugin raises is a broken promise."""
    expected = trial.spec.expected_failures.get(check.name, "")
    started = time.perf_counter()
    broken: list[str] = []
    not_tried = ""
    try:
        broken += check.broken(trial)
    except NotTriedError as missing:
        not_tried = str(missing)
    except BrokenPromiseError as promise:
        broken.append(str(promise))
    except PLUGIN_ERRORS as error:
        broken.append(f"it raises {described(error)}")
    return Outcome(
        check=check,
        broken=tuple(broken),
        expected=expected,
        not_tried=not_tried,
        seconds=time.perf_counter() - started,
    )


def trials_of(plugin: object, examples: Mapping[str, Any] | None = None) -> tuple[Trial, ...]:
    """Ask a plugin for everything that it advertises.

    Args:
        plugin: the module (or object) with the hooks.
        examples: ``"kind name"`` -> something that is known to work, see :class:`Trial`.

    Raises:
        PluginError: a hook gives no sequence of its specs, or an example is for nobody.
    """
    found = []
    for kind in KINDS:
        hook = getattr(plugin, kind.hook, None)
        if hook is None:
            continue
        specs: Iterable[Spec] = hook()
        if not isinstance(specs, list | tuple):
            raise PluginError(f"{kind.hook} must give a list or a tuple, and gives {specs!r}.")
        for spec in specs:
            if not isinstance(spec, kind.spec):
                raise PluginError(f"{kind.hook} gives {spec!r}, which is no {kind.spec.__name__}.")
            example = (examples or {}).get(f"{kind.noun} {spec.name}")
            found.append(Trial(noun=kind.noun, spec=spec, example=example))
    if unknown := set(examples or ()) - {each.name for each in found}:
        raise PluginError(
            f"there is an example for {min(unknown)!r}, which the plugin does not provide.",
            f"It provides: {', '.join(each.name for each in found) or 'nothing'}.",
        )
    return tuple(found)
