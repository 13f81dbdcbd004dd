"""This installation and this machine, looked at without any framework."""

from __future__ import annotations

import importlib
import os
import platform
import sys
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.render.quantities import size_text, some
from zoo_cli.diagnosis.finding import Diagnosis
from zoo_cli.diagnosis.libraries import version_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from zoo_cli.context import Context

_PACKAGE = "zoo-reuse"
#: Either of the two will do, and another check looks at them.
_ONE_OF = frozenset({"onnxruntime", "onnxruntime-gpu"})


def _zoo(name: str, context: Context) -> Diagnosis:
    del context
    where = Path(importlib.import_module("zoo").__file__ or "").parent
    version = metadata.version(_PACKAGE)
    unmet = list(unmet_requirements(metadata.requires(_PACKAGE) or ()))
    if unmet:
        listed = ", ".join(f"{wanted} (here: {found or 'none'})" for wanted, found in unmet)
        command = "pip install " + " ".join(f"'{wanted}'" for wanted, _ in unmet)
        return Diagnosis(name, "warn", f"{version} in {where} needs {listed}", command)
    return Diagnosis(name, "ok", f"{version} in {where}", facts={"version": version})


def unmet_requirements(requirements: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Give requirements without extras that are not met, and the version that is there."""
    from packaging.requirements import Requirement

    for requirement in map(Requirement, requirements):
        if requirement.name in _ONE_OF:
            continue
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            found = version_of(requirement.name)
            if not found or not requirement.specifier.contains(found, prereleases=True):
                yield f"{requirement.name}{requirement.specifier}", found


def _python(name: str, context: Context) -> Diagnosis:
    del context
    version = platform.python_version()
    detail = f"{version} on {platform.platform()}, {sys.executable}"
    return Diagnosis(name, "ok", detail, facts={"version": version, "executable": sys.executable})


def _machine(name: str, context: Context) -> Diagnosis:
    from zoo.engine.machine import usable_cores

    cores, memory = usable_cores(), _memory()
    facts = {"cores": cores, "memory": memory}
    detail = f"{some(cores, 'core')}, {size_text(memory)} of memory"
    threads = context.settings.threads
    workers = context.settings.jobs or max(1, cores // threads)
    if workers * threads > cores:
        detail += f"; {some(workers, 'worker')} of {some(threads, 'thread')} wait for each other"
        return Diagnosis(name, "warn", detail, "--jobs 0 takes one worker a core", facts)
    return Diagnosis(name, "ok", detail, facts=facts)


def _memory() -> float | None:
    """Memory that this process may use: the container's limit where there is one."""
    try:
        physical = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None
    try:
        limit = int(Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii"))
    except (OSError, ValueError):
        return float(physical)
    return float(min(physical, limit))


def _registry(name: str, context: Context) -> Diagnosis:
    from zoo.registry import find_registry, load_registry

    path = find_registry(context.settings.registry)
    entries = load_registry(path).entries
    facts = {"path": str(path), "models": len(entries)}
    return Diagnosis(name, "ok", f"{path}, {some(len(entries), 'model')}", facts=facts)


def _plugins(name: str, context: Context) -> Diagnosis:
    installed = context.host.installed
    loaded = [each.name for each in installed if each.status == "ok"]
    failures = context.host.failures
    facts = {"loaded": loaded, "failed": [each.plugin for each in failures]}
    if failures:
        detail = "; ".join(f"{each.plugin}: {each.error}" for each in failures)
        return Diagnosis(name, "warn", detail, failures[0].hint, facts)
    return Diagnosis(name, "ok", ", ".join(loaded), facts=facts)


EXAMINATIONS: dict[str, Callable[[str, Context], Diagnosis]] = {
    "zoo": _zoo,
    "python": _python,
    "machine": _machine,
    "registry": _registry,
    "plugins": _plugins,
}
