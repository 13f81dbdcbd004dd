"""Names -> specs -> objects: what the installed plugins provide, and how to get at it."""

from __future__ import annotations

import importlib
import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_type_hints

import msgspec

from zoo.distributions import OURS
from zoo.errors import InputError, PluginError, unknown_name
from zoo.running import running
from zoo.types.specs import (
    AmalgamatorSpec,
    AugmenterSpec,
    CalibratorSpec,
    CommandSpec,
    CompleterSpec,
    DistillerSpec,
    EstimatorSpec,
    FamilySpec,
    GraphSourceSpec,
    GrowerSpec,
    LabelEncoderSpec,
    ObjectiveSpec,
    PretextSpec,
    ProbeSpec,
    RegulariserSpec,
    ReporterSpec,
    RuntimeSpec,
    SourceSpec,
    Spec,
)

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping

    from zoo.host import PluginHost
    from zoo.types.failure import Failure


#: In place of an estimator's name: every one that does the task.
EVERY = "all"


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of thing a plugin provides."""

    noun: str
    hook: str
    spec: type[Spec]


KINDS = (
    Kind("source", "zoo_sources", SourceSpec),
    Kind("runtime", "zoo_runtimes", RuntimeSpec),
    Kind("probe", "zoo_probes", ProbeSpec),
    Kind("estimator", "zoo_estimators", EstimatorSpec),
    Kind("label_encoder", "zoo_label_encoders", LabelEncoderSpec),
    Kind("amalgamator", "zoo_amalgamators", AmalgamatorSpec),
    Kind("distiller", "zoo_distillers", DistillerSpec),
    Kind("regulariser", "zoo_regularisers", RegulariserSpec),
    Kind("augmenter", "zoo_augmenters", AugmenterSpec),
    Kind("objective", "zoo_objectives", ObjectiveSpec),
    Kind("pretext", "zoo_pretexts", PretextSpec),
    Kind("calibrator", "zoo_calibrators", CalibratorSpec),
    Kind("grower", "zoo_growers", GrowerSpec),
    Kind("family", "zoo_families", FamilySpec),
    Kind("reporter", "zoo_reporters", ReporterSpec),
    Kind("graph_source", "zoo_graph_sources", GraphSourceSpec),
    Kind("completer", "zoo_completers", CompleterSpec),
    Kind("command", "zoo_commands", CommandSpec),
)


@dataclass(frozen=True, slots=True)
class Provided:
    """A spec, and the plugin that it came from."""

    spec: Any
    plugin: str


class Catalogue:
    """Everything the host's plugins provide, by kind and name.

    The first plugin to claim a name keeps it, ours before a stranger's; a later claim is a
    recorded failure, never a silent replacement.

    Args:
        host: the plugins.
        reserved: kind -> names that nobody may take, such as Zoo's own commands.
    """

    def __init__(
        self, host: PluginHost, *, reserved: Mapping[str, Container[str]] | None = None
    ) -> None:
        self.host = host
        self._reserved = reserved or {}
        self._found: dict[str, dict[str, Provided]] = {}

    def provided(self, noun: str) -> Mapping[str, Provided]:
        """Map each name of one kind to what provides it."""
        if noun not in self._found:
            kind = next(each for each in KINDS if each.noun == noun)
            found = self._found[noun] = {}
            for plugin, spec in sorted(self.host.collect(kind.hook), key=_ours_first):
                problem = _problem(kind, spec) or self._taken(kind, spec.name, found)
                if problem:
                    self.host.refuse(problem, plugin=plugin, stage=kind.hook)
                else:
                    found[spec.name] = Provided(spec, plugin)
        return self._found[noun]

    def _taken(self, kind: Kind, name: str, found: Mapping[str, Provided]) -> str:
        owner = found[name].plugin if name in found else ""
        if name in self._reserved.get(kind.noun, ()):
            owner = OURS
        if not owner:
            return ""
        words = kind.noun.replace("_", " ")
        return f"the {words} {name!r} is already provided by {owner}, which keeps the name."

    def stranger(self, noun: str, name: str) -> dict[str, str]:
        """Name the plugin of a spec and its version, as a failure does; nothing where it is ours.

        What fails in Zoo's own objects is mostly the fault of what they were given.
        """
        known = self.provided(noun)
        if name not in known or known[name].plugin.startswith(f"{OURS}:"):
            return {}
        plugin = known[name].plugin
        return {"plugin": plugin, "version": self.host.version_of(plugin)}

    def blamed(self, failure: Failure, noun: str, name: str) -> Failure:
        """Name the stranger whose object failed, unless the failure names a plugin already."""
        owner = {} if failure.plugin else self.stranger(noun, name)
        if not owner:
            return failure
        hint = f"zoo plugins check {owner['plugin'].partition(':')[0]}"
        return msgspec.structs.replace(failure, hint=failure.hint or hint, **owner)

    def specs(self, noun: str) -> dict[str, Any]:
        """Map each name of one kind to its spec."""
        return {name: each.spec for name, each in self.provided(noun).items()}

    def spec(self, noun: str, name: str) -> Any:
        """Give one spec.

        Raises:
            UnknownNameError: with the nearest name and the list of all.
        """
        known = self.provided(noun)
        if name not in known:
            words = noun.replace("_", " ")
            raise unknown_name(words, name, known, f"zoo plugins list --hook {_hook(noun)}")
        return known[name].spec

    def preferred(self, noun: str, name: str = "") -> Any:
        """Give the spec of a name; without one, the first that is a default, or the first.

        Raises:
            UnknownNameError: nobody provides it.
            InputError: nobody provides any.
        """
        if name:
            return self.spec(noun, name)
        specs = self.specs(noun)
        if not specs:
            raise InputError(
                f"no plugin provides a {noun}.", f"zoo plugins list --hook {_hook(noun)}"
            )
        return next((each for each in specs.values() if each.default), next(iter(specs.values())))

    def create(self, noun: str, name: str, options: Mapping[str, Any] | None = None) -> Any:
        """Import what a spec points at and build it with the person's options."""
        spec = self.spec(noun, name)
        with running(self.provided(noun)[name].plugin):
            return build(spec, options)


def _problem(kind: Kind, spec: Any) -> str:
    """Say why something that a hook gave is no spec of its kind."""
    if not isinstance(spec, kind.spec):
        return f"{kind.hook} gives {spec!r}, which is no {kind.spec.__name__}."
    for field in ("name", "target", "summary"):
        if not isinstance(getattr(spec, field), str):
            return f"{kind.hook} gives a spec whose {field} is {getattr(spec, field)!r}, no text."
    if not isinstance(spec.expected_failures, dict):  # it travels to other processes, and into JSON
        given = repr(spec.expected_failures)
        return f"{kind.hook} gives a spec whose expected_failures is {given}, no dictionary."
    return ""


def _hook(noun: str) -> str:
    return next(each.hook for each in KINDS if each.noun == noun)


def expand_names(names: Iterable[str], specs: Mapping[str, EstimatorSpec], task: str) -> list[str]:
    """Replace ``all`` by every estimator that reads features and does the task; each name once."""
    every = [name for name, spec in specs.items() if spec.reads_features and task in spec.tasks]
    expanded = (own for name in names for own in (every if name == EVERY else [name]))
    return list(dict.fromkeys(expanded))


def build(spec: Spec, options: Mapping[str, Any] | None = None) -> Any:
    """Import a spec's target and call it with options, which are checked by name and type first.

    Raises:
        PluginError: the target cannot be imported.
        InputError: an option it does not have, or a value that is none of its.
    """
    target = load_target(spec)
    known = options_of(target)
    for name, value in (options or {}).items():
        if name in known:
            _check_value(spec, target, name, value)
        else:
            listed = ", ".join(sorted(known)) or "none"
            raise InputError(
                f"{spec.name!r} has no option {name!r}. Options: {listed}.",
                f"zoo plugins show {spec.name}",
            )
    return target(**(options or {}))


def load_target(spec: Spec) -> Any:
    """Import what a spec points at.

    Raises:
        PluginError: it cannot be imported.
    """
    module, _, attribute = spec.target.partition(":")
    try:
        return getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise PluginError(f"{spec.name!r} cannot be loaded from {spec.target}: {error}.") from error


def options_of(target: Any) -> dict[str, inspect.Parameter]:
    """Read the options of a spec's object: the keyword parameters of its ``__init__``."""
    parameters = inspect.signature(target).parameters.values()
    return {each.name: each for each in parameters if each.kind is each.KEYWORD_ONLY}


def _check_value(spec: Spec, target: Any, name: str, value: Any) -> None:
    """Refuse a plain value that the annotation rules out; other annotations are the plugin's."""
    try:
        kinds = get_type_hints(target.__init__ if inspect.isclass(target) else target)
        msgspec.convert(value, kinds.get(name, Any))
    except msgspec.ValidationError as error:
        if type(value) in {str, int, float, bool, list, dict}:
            raise InputError(
                f"{spec.name}.{name} = {value!r}: {error}.", f"zoo plugins show {spec.name}"
            ) from error
    except (NameError, TypeError):  # known to type checkers only, or not to msgspec
        return


def _ours_first(claim: tuple[str, Any]) -> bool:
    return not claim[0].startswith(f"{OURS}:")
