"""The examinations of ``zoo doctor``.

What loads a framework, a native library or a stranger's code is examined in another process.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from zoo_cli.diagnosis import libraries, providers, storage, surroundings, trials
from zoo_cli.diagnosis.apart import Apart
from zoo_cli.diagnosis.environment import examine_environment
from zoo_cli.diagnosis.finding import Diagnosis, Status, attempt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from zoo_cli.context import Context

__all__ = ["Diagnosis", "Status", "examine"]

_HERE: dict[str, Callable[[str, Context], Diagnosis]] = {
    "environment": examine_environment,
    **storage.EXAMINATIONS,
    **surroundings.EXAMINATIONS,
}
_PACKAGES = {
    "cuda": "torch",
    "onnx export": "'zoo-reuse[onnx]'",
    "cuda libraries": "onnxruntime-gpu",
}
_FIRST = ("zoo", "python", "machine", "environment")


def examine(context: Context) -> Iterator[Diagnosis]:
    """Look at everything; the two groups that run apart share imports, which are most of it."""
    from zoo.engine.process import worker_environment

    runtimes = _runtimes(context)
    environment = worker_environment(context.settings.threads)
    with Apart(context.settings, environment) as apart:
        frameworks = apart.examine((*libraries.EXAMINATIONS, *runtimes))
        native = apart.examine(tuple(providers.EXAMINATIONS))
        yield from (_look(check, context) for check in _FIRST)
        found = [_hinted(each) for each in frameworks.result()]
        yield from (each for each in found if each.check not in runtimes)
        yield from map(_hinted, native.result())
        yield from (_look(check, context) for check in _HERE if check not in _FIRST)
        tried = [each for each in found if each.check in runtimes]
        yield from trials.settle(tried, context.settings.runtime)


def _look(check: str, context: Context) -> Diagnosis:
    return attempt(check, lambda: _HERE[check](check, context))


def _hinted(found: Diagnosis) -> Diagnosis:
    """Say what to try where an examination died, hung or broke and could not say it itself."""
    if found.status == "ok" or found.hint:
        return found
    if found.check.startswith(trials.PREFIX):
        name = found.check.removeprefix(trials.PREFIX)
        return replace(found, hint=f"zoo recommend --demo --runtime {name} -v says more")
    package = _PACKAGES.get(found.check, found.check)
    return replace(found, hint=f"pip install --force-reinstall {package}")


def _runtimes(context: Context) -> list[str]:
    try:
        return [f"{trials.PREFIX}{name}" for name in context.catalogue.specs("runtime")]
    except Exception:  # noqa: BLE001 -- the examination of the plugins says why
        return []
