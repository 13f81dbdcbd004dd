"""Discovers plugins and calls their hooks one at a time, so that failures stay local.

Three limits of pluggy are designed around: the first exception ends a hook call for everyone
(pluggy #419); ``load_setuptools_entrypoints`` lets one missing import stop the host; and it skips
an entry point whose name is taken, so that a stranger's plugin could silently replace ours.
"""

from __future__ import annotations

import copy
import importlib
import inspect
import re
import time
import warnings
from typing import TYPE_CHECKING, Any

import msgspec
import pluggy

from zoo import hookspecs
from zoo.distributions import OURS, Advertised, advertised, zoo_needed
from zoo.errors import PluginError, unknown_name
from zoo.running import running
from zoo.types.failure import Failure

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

#: What a plugin may do wrong without stopping the others. ``SystemExit`` is a plugin calling
#: ``sys.exit()``; ``KeyboardInterrupt`` is the person, and always gets through.
PLUGIN_ERRORS = (Exception, SystemExit)
#: Every command pays for the import of every plugin.
SLOW_SECONDS = 1.0


class InstalledPlugin(msgspec.Struct, frozen=True, kw_only=True):
    """One entry point of the group, loaded or not.

    Attributes:
        name: ``distribution:entry-point``, which nobody else can claim.
        module: the module it names.
        status: ``ok``, ``disabled``, ``failed``, or ``other contract``: written for another Zoo.
        error: why it could not be loaded, or what it needs.
        seconds: how long its import took.
    """

    name: str
    module: str
    distribution: str
    version: str
    status: str = "ok"
    error: str = ""
    seconds: float = 0.0


class PluginHost:
    """A plugin manager that keeps working, and says so, when a plugin is broken.

    Attributes:
        failures: what plugins did wrong.
        warnings: what works, and should be done otherwise.
        installed: every plugin that is there, loaded or not.
    """

    def __init__(self, *, strict: bool = False, disabled: Iterable[str] = ()) -> None:
        self.manager = pluggy.PluginManager("zoo")
        self.manager.add_hookspecs(hookspecs)
        self.strict = strict
        self.disabled = frozenset(disabled)
        self.failures: list[Failure] = []
        self.warnings: list[Failure] = []
        self.installed: list[InstalledPlugin] = []

    def discover(self) -> PluginHost:
        """Register every installed plugin that speaks our hook version, each on its own."""
        importlib.import_module("zoo.types")  # or the first plugin would seem to cost its import
        for each in advertised():
            plugin = InstalledPlugin(
                name=each.name,
                module=each.point.value if each.point else "",
                distribution=each.distribution,
                version=each.version,
            )
            names = {plugin.name, plugin.name.partition(":")[2], each.distribution}
            if self.disabled & names:
                plugin = msgspec.structs.replace(plugin, status="disabled")
            elif each.contract != hookspecs.HOOK_API:
                plugin = _of_another_contract(plugin, each)
            else:
                plugin = self._load(each, plugin)
            self.installed.append(plugin)
        return self

    def version_of(self, plugin: str) -> str:
        """Give the version of a plugin's distribution; empty for one that was never installed."""
        return next((each.version for each in self.installed if each.name == plugin), "")

    def _load(self, found: Advertised, plugin: InstalledPlugin) -> InstalledPlugin:
        if self.manager.has_plugin(plugin.name):
            # One entry point can be written down twice; the first one won the import.
            return msgspec.structs.replace(plugin, status="disabled", error="installed twice")
        started = time.perf_counter()
        try:
            if found.point is None:
                raise PluginError(f"{found.error}.")
            with running(plugin.name):
                module = found.point.load()
            seconds = time.perf_counter() - started
            self._register(module, plugin.name, plugin.version)
        except PLUGIN_ERRORS as error:
            failure = self._record(
                _with_the_zoo_it_needs(_in_words(error), found),
                plugin=plugin.name,
                stage="plugin",
                version=plugin.version,
            )
            return msgspec.structs.replace(plugin, status="failed", error=failure.error)
        plugin = msgspec.structs.replace(plugin, seconds=seconds)
        if seconds > SLOW_SECONDS and plugin.distribution != OURS:
            self._tell_of_slowness(plugin)
        return plugin

    def _tell_of_slowness(self, plugin: InstalledPlugin) -> None:
        own = plugin.distribution
        self.warn(
            f"its import takes {plugin.seconds:.1f} s, which every command waits for.",
            plugin=plugin.name,
            stage="slow import",
            version=plugin.version,
            hint=f"zoo plugins check {own} says what it imports; --no-plugin {own} leaves it out.",
        )

    def register(self, plugin: object, name: str) -> None:
        """Register one plugin, or raise and leave the others as they were."""
        self._register(plugin, name, "")

    def _register(self, plugin: object, name: str, version: str) -> None:
        with warnings.catch_warnings():  # pluggy's do not say whose plugin it is
            warnings.simplefilter("ignore", DeprecationWarning)
            self.manager.register(plugin, name=name)
        try:
            self.manager.check_pending()
            for caller in self.manager.get_hookcallers(plugin) or ():
                self._check_use(caller, plugin, name, version)
        except (pluggy.PluginValidationError, PluginError):
            self.manager.unregister(name=name)
            raise

    def _check_use(
        self, caller: pluggy.HookCaller, plugin: object, name: str, version: str
    ) -> None:
        """Refuse what Zoo does not call, and tell of what goes."""
        for each in caller.get_hookimpls():
            if each.plugin is not plugin or caller.spec is None:
                continue
            if each.wrapper or each.hookwrapper:
                raise PluginError(
                    f"{caller.name} is a wrapper of others' hooks, which Zoo has not."
                )
            used = [caller.spec.warn_on_impl] if caller.spec.warn_on_impl else []
            by_name = caller.spec.warn_on_impl_args or {}
            used += [by_name[argument] for argument in each.argnames if argument in by_name]
            for notice in used:
                self._tell_of_deprecation(notice, name, version)

    def _tell_of_deprecation(self, notice: Warning, plugin: str, version: str) -> None:
        if self.strict:  # an author's own tests, where a warning is what is looked for
            warnings.warn(notice, stacklevel=2)
        self.warn(
            f"{notice}.",
            plugin=plugin,
            stage="deprecated",
            version=version,
            hint=f"It works as before; a newer {plugin.partition(':')[0]} may know: "
            f"zoo plugins install --upgrade {plugin.partition(':')[0]}",
        )

    def call(self, hook: str, **arguments: Any) -> Iterator[tuple[str, Any]]:
        """Yield ``(plugin name, result)`` for every implementation that did not fail."""
        return self._call(hook, arguments, own=False)

    def tell(self, hook: str, **arguments: Any) -> None:
        """Tell every listener of an event; each gets a copy, so that none changes another's."""
        for _ in self._call(hook, arguments, own=True):
            pass

    def _call(
        self, hook: str, arguments: dict[str, Any], *, own: bool
    ) -> Iterator[tuple[str, Any]]:
        for implementation in reversed(getattr(self.manager.hook, hook).get_hookimpls()):
            plugin = implementation.plugin_name
            try:
                given = [arguments[name] for name in implementation.argnames]
                with running(plugin):
                    result = implementation.function(*(copy.deepcopy(given) if own else given))
            except PLUGIN_ERRORS as error:
                self._record(error, plugin=plugin, stage=hook)
                continue
            if result is not None:
                yield plugin, result

    def first(self, hook: str, **arguments: Any) -> Any:
        """Give the first answer that is not None, asking the newest plugin first."""
        return next((result for _, result in self.call(hook, **arguments)), None)

    def collect(self, hook: str) -> Iterator[tuple[str, Any]]:
        """Yield ``(plugin name, spec)``; a hook that returns no list is a recorded failure."""
        for plugin, specs in self.call(hook):
            if isinstance(specs, list | tuple):
                yield from [(plugin, spec) for spec in specs]
            else:
                given = type(specs).__name__
                message = f"{hook} gives a {given}; it has to give a list or a tuple of specs."
                self.refuse(message, plugin=plugin, stage=hook)

    def _record(
        self, error: BaseException, *, plugin: str, stage: str, version: str = ""
    ) -> Failure:
        if self.strict:
            raise error
        own = plugin.partition(":")[0]
        failure = Failure.of(
            error,
            stage=stage,
            plugin=plugin,
            version=version or self.version_of(plugin),
            hint=f"zoo plugins check {own} says more; --no-plugin {own} leaves it out.",
        )
        if failure not in self.failures:
            self.failures.append(failure)
        return failure

    def refuse(self, message: str, *, plugin: str, stage: str) -> None:
        """Record that a plugin broke its side of the contract."""
        self._record(PluginError(message), plugin=plugin, stage=stage)

    def warn(self, message: str, *, plugin: str, stage: str, hint: str, version: str = "") -> None:
        """Note what works, and should be done otherwise."""
        version = version or self.version_of(plugin)
        warning = Failure(stage=stage, error=message, hint=hint, plugin=plugin, version=version)
        if warning not in self.warnings:
            self.warnings.append(warning)


def _of_another_contract(plugin: InstalledPlugin, found: Advertised) -> InstalledPlugin:
    needs = _zoo_needed(found) or f"a Zoo that loads zoo.v{found.contract}"
    error = (
        f"written for zoo.v{found.contract}, and this Zoo loads {hookspecs.GROUP}: needs {needs}"
    )
    return msgspec.structs.replace(plugin, status="other contract", error=error)


def _in_words(error: BaseException) -> BaseException:
    """Say what pluggy refuses in one sentence."""
    if not isinstance(error, pluggy.PluginValidationError):
        return error
    text = str(error)
    name = re.search(r"unknown hook '(\w+)'", text)
    if name:
        hooks = [each for each in vars(hookspecs) if each.startswith("zoo_")]
        return PluginError(unknown_name("hook", name[1], hooks).message)
    hook = re.search(r"for hook '(\w+)'", text)
    parameters = re.search(r"Argument\(s\) \{(.+?)\}", text)
    if hook and parameters:
        known = ", ".join(inspect.signature(getattr(hookspecs, hook[1])).parameters) or "none"
        return PluginError(f"{hook[1]} has no parameter {parameters[1]}. It has: {known}.")
    return PluginError(f"{' '.join(text.split())}.")


def _with_the_zoo_it_needs(error: BaseException, found: Advertised) -> BaseException:
    """Say beside an error that the plugin asks for another Zoo, which explains it."""
    needed = _zoo_needed(found)
    if not needed:
        return error
    said = Failure.of(error, stage="").error.rstrip(".")
    told = PluginError(f"{said}; it needs {needed}, and this is {_zoo_version()}.")
    told.__cause__ = error
    return told


def _zoo_needed(found: Advertised) -> str:
    try:
        return zoo_needed(found.source)
    except Exception:  # noqa: BLE001 -- metadata that cannot be read explains nothing
        return ""


def _zoo_version() -> str:
    from zoo import __version__

    return __version__
