"""What makes a plugin a good one: it loads, it is light, and it keeps the contract."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zoo.catalogue import KINDS, Kind, build, options_of
from zoo.host import PLUGIN_ERRORS, InstalledPlugin, PluginHost
from zoo.testing.promises import described
from zoo.types import distilling, growers, protocols, reporting, runtimes
from zoo.types.specs import (
    AmalgamatorSpec,
    AugmenterSpec,
    CalibratorSpec,
    CompleterSpec,
    DistillerSpec,
    EstimatorSpec,
    FamilySpec,
    GrowerSpec,
    PretextSpec,
    RegulariserSpec,
    ReporterSpec,
    RuntimeSpec,
    Spec,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

#: What a module of hooks must not import: the specs are there so that it need not.
HEAVY: tuple[str, ...]
HEAVY = ("torch", "transformers", "onnxruntime", "numpy", "scipy", "sklearn", "datasets", "pyarrow")
HEAVY += ("pandas", "tensorflow", "jax", "huggingface_hub", "matplotlib", "rich")

_PROTOCOLS = {
    "source": protocols.Source,
    "runtime": runtimes.Runtime,
    "probe": protocols.ProbeLoader,
    "estimator": protocols.Estimator,
    "label_encoder": protocols.LabelEncoder,
    "regulariser": distilling.Regulariser,
    "augmenter": distilling.Augmenter,
    "pretext": distilling.Pretext,
    "calibrator": distilling.Calibrator,
    "grower": growers.Grower,
    "family": growers.Family,
    "reporter": reporting.Reporter,
    "graph_source": reporting.GraphSource,
    "completer": reporting.Completer,
}
#: What runs the object of a spec; imported when it is asked for, as it imports torch.
_CHECKS: dict[type[Spec], str] = {
    AmalgamatorSpec: "zoo.testing.amalgamators:check_amalgamator",
    DistillerSpec: "zoo.testing.distillers:check_distiller",
    RegulariserSpec: "zoo.testing.students:check_regulariser",
    AugmenterSpec: "zoo.testing.students:check_augmenter",
    PretextSpec: "zoo.testing.students:check_pretext",
    CalibratorSpec: "zoo.testing.calibrators:check_calibrator",
    GrowerSpec: "zoo.testing.growers:check_grower",
    FamilySpec: "zoo.testing.families:check_family",
    CompleterSpec: "zoo.testing.completers:check_completer",
    ReporterSpec: "zoo.testing.reporters:check_reporter",
}
_PROBE = """
import importlib, json, sys
importlib.import_module(sys.argv[1])
print(json.dumps([name for name in sys.argv[2:] if name in sys.modules]))
"""


@dataclass(frozen=True, slots=True)
class Finding:
    """The outcome of one check of one plugin."""

    plugin: str
    check: str
    ok: bool
    detail: str = ""
    hint: str = ""


def check_plugin(plugin: InstalledPlugin, host: PluginHost) -> Iterator[Finding]:
    """Check one plugin that the host has tried to load."""
    if plugin.status == "disabled":
        yield Finding(plugin.name, "load", ok=True, detail=plugin.error or "disabled")
        return
    hint = f"zoo plugins uninstall {plugin.distribution}"
    yield Finding(plugin.name, "load", plugin.status == "ok", plugin.error, hint)
    if plugin.status != "ok":
        return
    yield _is_light(plugin)
    for kind in KINDS:
        for spec in _collected(plugin, kind, host):
            if isinstance(spec, Finding):
                yield spec
                continue
            found = check_spec(plugin.name, kind, spec)
            broken = [*_broken_promises(plugin.name, kind, spec)] if found.ok else []
            yield from broken or [found]


def check_spec(plugin: str, kind: Kind, spec: Spec) -> Finding:
    """Check that a spec's object can be had, takes options by name, and has its methods."""
    name = f"{kind.noun} {spec.name}"
    module, _, attribute = spec.target.partition(":")
    try:
        target = getattr(importlib.import_module(module), attribute)
        if kind.noun == "command":
            return _command(plugin, name, target)
        options_of(target)
        # A function that makes the object is as good as its class.
        made = target if isinstance(target, type) else target()
    except PLUGIN_ERRORS as error:
        reason = f"{spec.target}: {type(error).__name__}: {error}"
        return Finding(plugin, name, ok=False, detail=reason, hint=f"see {module}")
    missing = [each for each in _methods(kind, spec) if not callable(getattr(made, each, None))]
    if missing:
        return Finding(plugin, name, ok=False, detail=f"{attribute} lacks {', '.join(missing)}")
    return Finding(plugin, name, ok=True, detail=spec.target)


def _broken_promises(plugin: str, kind: Kind, spec: Spec) -> Iterator[Finding]:
    """Run what can be tried without a checkpoint: one finding a broken promise."""
    name = f"{kind.noun} {spec.name}"
    hint = "docs/plugins.md says what it promises; zoo.testing has the checks for your own tests"
    try:
        sentences = _tried(spec)
    except PLUGIN_ERRORS as error:
        sentences = [f"{spec.name}: {described(error)}."]
    for sentence in sentences:
        yield Finding(plugin, name, ok=False, detail=sentence, hint=hint)


def _tried(spec: Spec) -> list[str]:
    if isinstance(spec, RuntimeSpec):
        from zoo.testing.runtimes import check_trains

        return check_trains(build(spec), spec.name)
    for kind, check in _CHECKS.items():
        if isinstance(spec, kind):
            module, _, name = check.partition(":")
            found: list[str] = getattr(importlib.import_module(module), name)(spec)
            return found
    return []


def _collected(plugin: InstalledPlugin, kind: Kind, host: PluginHost) -> list[Any]:
    """Call one hook of one plugin; what is wrong comes back as a finding."""
    module = host.manager.get_plugin(plugin.name)
    hook = getattr(module, kind.hook, None)
    if hook is None:
        return []
    try:
        specs = list(hook())
    except PLUGIN_ERRORS as error:
        reason = f"{type(error).__name__}: {error}"
        return [Finding(plugin.name, kind.hook, ok=False, detail=reason)]
    wrong = [spec for spec in specs if not isinstance(spec, kind.spec)]
    if wrong:
        detail = f"{wrong[0]!r} is no {kind.spec.__name__}"
        return [Finding(plugin.name, kind.hook, ok=False, detail=detail)]
    return specs


def _is_light(plugin: InstalledPlugin) -> Finding:
    module = plugin.module.partition(":")[0]
    command = [sys.executable, "-c", _PROBE, module, *HEAVY]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or ["it ended without a word"]
        return Finding(plugin.name, "light import", ok=False, detail=last[0])
    imported = json.loads(done.stdout.strip().splitlines()[-1])
    detail = f"imports {', '.join(imported)}" if imported else ""
    hint = "import it inside the module that a spec's target names" if imported else ""
    return Finding(plugin.name, "light import", not imported, detail, hint)


def _methods(kind: Kind, spec: Spec) -> list[str]:
    if isinstance(spec, EstimatorSpec) and spec.data_free:
        protocol: type = protocols.Prior
    elif isinstance(spec, EstimatorSpec) and spec.combines:
        protocol = protocols.Combiner
    elif kind.noun in _PROTOCOLS:
        protocol = _PROTOCOLS[kind.noun]
    else:
        return []
    return [
        name
        for name, member in vars(protocol).items()
        if not name.startswith("_") and callable(member)
    ]


def _command(plugin: str, name: str, target: object) -> Finding:
    import click

    good = isinstance(target, click.Command)
    return Finding(plugin, name, good, "" if good else "the target is no click command")
