"""What makes a plugin a good one: it loads, it is light, and it keeps its promises."""

from __future__ import annotations

import contextlib
import io
import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any, Literal

from zoo.catalogue import KINDS
from zoo.host import PLUGIN_ERRORS
from zoo.testing.kit import FIRST, Outcome, Trial, checks_of, run_check
from zoo.testing.promises import described
from zoo_cli.documents.plugin_checks import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from zoo.catalogue import Catalogue, Kind
    from zoo.host import InstalledPlugin, PluginHost

#: What a module of hooks must not import: the specs are there so that it need not.
HEAVY: tuple[str, ...]
HEAVY = ("torch", "transformers", "onnxruntime", "numpy", "scipy", "sklearn", "datasets", "pyarrow")
HEAVY += ("pandas", "tensorflow", "jax", "huggingface_hub", "matplotlib", "rich", "mlflow")
#: A module of hooks that takes longer makes every command wait.
SLOW = 0.5
#: Zoo's own part is imported first: it is not the plugin's cost.
_PROBE = """
import contextlib, importlib, io, json, sys, time
import zoo.types
words = io.StringIO()
started = time.perf_counter()
with contextlib.redirect_stdout(words):
    importlib.import_module(sys.argv[1])
seconds = time.perf_counter() - started
found = [name for name in sys.argv[2:] if name in sys.modules]
seen = {"heavy": found, "seconds": seconds, "printed": words.getvalue()[:200]}
print("\\n" + json.dumps(seen))
"""
#: How a check begins that only an example of the author's can make.
EXAMPLE = "it takes an example"
_PROMISES = "docs/plugins.md says what it promises; zoo.testing has the checks for your own tests"


def check_plugin(
    plugin: InstalledPlugin, catalogue: Catalogue, examples: Mapping[str, str]
) -> Iterator[Finding]:
    """Check one plugin that the host has tried to load.

    Args:
        plugin: it.
        catalogue: of everything that is provided.
        examples: ``name`` or ``kind name`` -> something that is known to work with it.
    """
    if plugin.status == "disabled":
        yield _finding(plugin, "load", detail=plugin.error or "disabled")
        return
    if plugin.status != "ok":
        hint = f"zoo plugins uninstall {plugin.distribution}"
        yield _finding(plugin, "load", broken=plugin.error, hint=hint)
        return
    yield _finding(plugin, "load")
    yield from _light(plugin)
    for kind in KINDS:
        found = _advertised(plugin, kind, catalogue.host)
        if isinstance(found, str):
            yield _finding(plugin, kind.hook, broken=found, hint=_PROMISES)
            continue
        for spec in found:
            name = f"{kind.noun} {spec.name}"
            provided = catalogue.provided(kind.noun).get(spec.name)
            if provided is None or provided.plugin != plugin.name:
                taken = f"the name is taken by {provided.plugin if provided else 'Zoo itself'}"
                yield _finding(plugin, name, broken=taken, hint="choose another name in the spec")
                continue
            example = examples.get(name, examples.get(spec.name))
            yield from _kept(plugin, Trial(noun=kind.noun, spec=spec, example=example))


def _kept(plugin: InstalledPlugin, trial: Trial) -> Iterator[Finding]:
    """Ask every promise; where the object cannot be had or used, nothing else is asked."""
    for check in checks_of(trial):
        with contextlib.redirect_stdout(io.StringIO()):  # the check called quiet sees for itself
            outcome = run_check(check, trial)
        yield _found(plugin, trial, outcome)
        if check.name in FIRST and outcome.broken:
            return


def _found(plugin: InstalledPlugin, trial: Trial, outcome: Outcome) -> Finding:
    state: Literal["kept", "broken", "expected", "not-tried"]
    if outcome.not_tried:
        state, detail = "not-tried", outcome.not_tried
    elif outcome.problems:
        state, detail = "broken", "; ".join(outcome.problems)
    elif outcome.expected:
        state, detail = "expected", outcome.expected
    else:
        state, detail = "kept", outcome.check.promise
    return Finding(
        plugin=plugin.name,
        version=plugin.version,
        check=trial.name,
        promise=outcome.check.name,
        ok=state != "broken",
        state=state,
        detail=detail,
        hint=_PROMISES if state == "broken" else "",
        seconds=outcome.seconds,
    )


def _advertised(plugin: InstalledPlugin, kind: Kind, host: PluginHost) -> Any:
    """Call one hook of one plugin twice; what is wrong comes back as a sentence."""
    hook = getattr(host.manager.get_plugin(plugin.name), kind.hook, None)
    if hook is None:
        return ()
    try:
        specs, again = hook(), hook()
    except PLUGIN_ERRORS as error:
        return f"it raises {described(error)}"
    if not isinstance(specs, list | tuple):
        return f"it gives a {type(specs).__name__}, and must give a list or a tuple"
    wrong = [spec for spec in specs if not isinstance(spec, kind.spec)]
    if wrong:
        return f"it gives {wrong[0]!r}, which is no {kind.spec.__name__}"
    if list(specs) != list(again):
        return "it gives other specs when it is asked again"
    return specs


def _light(plugin: InstalledPlugin) -> Iterator[Finding]:
    """Import the module of hooks in a process of its own, where nothing else has been imported."""
    module = plugin.module.partition(":")[0]
    command = [sys.executable, "-c", _PROBE, module, *HEAVY]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=120, check=False
        )
    except subprocess.TimeoutExpired:
        yield _finding(plugin, "light import", broken="it takes more than two minutes")
        return
    # Beside it stands what the plugin says at the end, or past Python.
    told = [line for line in done.stdout.splitlines() if line.startswith('{"heavy"')]
    if done.returncode or not told:
        last = done.stderr.strip().splitlines()[-1:] or ["it ends the process without a word"]
        yield _finding(plugin, "light import", broken=last[0])
        return
    seen = json.loads(told[-1])
    seconds: float = seen["seconds"]
    inside = "import it inside the module that a spec's target names"
    if seen["heavy"]:
        heavy = f"it imports {', '.join(seen['heavy'])}"
        yield _finding(plugin, "light import", broken=heavy, hint=inside, seconds=seconds)
    elif seconds > SLOW:
        slow = f"it takes {seconds:.1f} s, and every command waits for it"
        yield _finding(plugin, "light import", broken=slow, hint=inside, seconds=seconds)
    elif seen["printed"]:
        printed = f"it prints {seen['printed'].splitlines()[0]!r}"
        yield _finding(plugin, "light import", broken=printed, hint="use logging", seconds=seconds)
    else:
        took = f"{seconds * 1000:.0f} ms"
        yield _finding(plugin, "light import", detail=took, seconds=seconds)


def _finding(
    plugin: InstalledPlugin,
    check: str,
    *,
    broken: str = "",
    detail: str = "",
    hint: str = "",
    seconds: float = 0.0,
) -> Finding:
    return Finding(
        plugin=plugin.name,
        version=plugin.version,
        check=check,
        ok=not broken,
        state="broken" if broken else "kept",
        detail=broken or detail,
        hint=hint if broken else "",
        seconds=seconds,
    )
