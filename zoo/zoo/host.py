"""Discovers plugins and calls their hooks one at a time, so that failures stay local.

Three limits of pluggy are designed around: the first exception ends a hook call for everyone
(pluggy #419); ``load_setuptools_entrypoints`` lets one missing import stop the host; and it skips
an entry point whose name is taken, so that a stranger's plugin could silently replace ours.
"""

from __future__ import annotations

from importlib import metadata
from typing import TYPE_CHECKING, Any

import msgspec
import pluggy

from zoo import hookspecs
from zoo.errors import PluginError
from zoo.types.failure import Failure

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

#: What a plugin may do wrong without stopping the others. ``SystemExit`` is a plugin calling
#: ``sys.exit()``; ``KeyboardInterrupt`` is the person, and always gets through.
PLUGIN_ERRORS = (Exception, SystemExit)


class InstalledPlugin(msgspec.Struct, frozen=True, kw_only=True):
    """One entry point of the group, loaded or not.

    Attributes:
        name: ``distribution:entry-point``, which nobody else can claim.
        module: the module it names.
        status: ``ok``, ``disabled`` or ``failed``.
        error: why it could not be loaded.
    """

    name: str
    module: str
    distribution: str
    version: str
    status: str = "ok"
    error: str = ""


class PluginHost:
    """A plugin manager that keeps working, and says so, when a plugin is broken."""

    def __init__(self, *, strict: bool = False, disabled: Iterable[str] = ()) -> None:
        self.manager = pluggy.PluginManager("zoo")
        self.manager.add_hookspecs(hookspecs)
        self.strict = strict
        self.disabled = frozenset(disabled)
        self.failures: list[Failure] = []
        self.installed: list[InstalledPlugin] = []

    def discover(self) -> PluginHost:
        """Register every installed plugin that speaks our hook version, each on its own."""
        for point in metadata.entry_points(group=hookspecs.GROUP):
            distribution = point.dist.name if point.dist else "unknown"
            plugin = InstalledPlugin(
                name=f"{distribution}:{point.name}",
                module=point.value,
                distribution=distribution,
                version=point.dist.version if point.dist else "",
            )
            names = {plugin.name, point.name, distribution}
            if self.disabled & names:
                self.installed.append(msgspec.structs.replace(plugin, status="disabled"))
            else:
                self.installed.append(self._load(point, plugin))
        return self

    def _load(self, point: metadata.EntryPoint, plugin: InstalledPlugin) -> InstalledPlugin:
        if self.manager.has_plugin(plugin.name):
            # The same distribution is visible twice on sys.path; the first one won the import.
            return msgspec.structs.replace(plugin, status="disabled", error="installed twice")
        try:
            self.register(point.load(), name=plugin.name)
        except PLUGIN_ERRORS as error:
            failure = self._record(error, plugin=plugin.name, stage="plugin")
            return msgspec.structs.replace(plugin, status="failed", error=failure.error)
        return plugin

    def register(self, plugin: object, name: str) -> None:
        """Register one plugin, or raise and leave the others as they were."""
        self.manager.register(plugin, name=name)
        try:
            self.manager.check_pending()
        except pluggy.PluginValidationError:
            self.manager.unregister(name=name)
            raise

    def call(self, hook: str, **arguments: Any) -> Iterator[tuple[str, Any]]:
        """Yield ``(plugin name, result)`` for every implementation that did not fail."""
        for implementation in reversed(getattr(self.manager.hook, hook).get_hookimpls()):
            plugin = implementation.plugin
            others = [each for each in self.manager.get_plugins() if each is not plugin]
            caller = self.manager.subset_hook_caller(hook, others)
            try:
                answer = caller(**arguments)
            except PLUGIN_ERRORS as error:
                self._record(error, plugin=implementation.plugin_name, stage=hook)
                continue
            for result in answer if isinstance(answer, list) else [answer]:
                if result is not None:
                    yield implementation.plugin_name, result

    def first(self, hook: str, **arguments: Any) -> Any:
        """Give the first answer that is not None, asking the newest plugin first."""
        return next((result for _, result in self.call(hook, **arguments)), None)

    def collect(self, hook: str) -> Iterator[tuple[str, Any]]:
        """Yield ``(plugin name, spec)``; a hook that returns no sequence is a recorded failure."""
        for plugin, specs in self.call(hook):
            try:
                yield from [(plugin, spec) for spec in specs]
            except PLUGIN_ERRORS as error:
                self._record(error, plugin=plugin, stage=hook)

    def _record(self, error: BaseException, *, plugin: str, stage: str) -> Failure:
        if self.strict:
            raise error
        failure = Failure.of(
            error, stage=stage, plugin=plugin, hint=f"zoo plugins check {plugin.partition(':')[0]}"
        )
        if failure not in self.failures:
            self.failures.append(failure)
        return failure

    def refuse(self, message: str, *, plugin: str, stage: str) -> None:
        """Record that a plugin broke its side of the contract."""
        self._record(PluginError(message), plugin=plugin, stage=stage)
