from __future__ import annotations

import subprocess
import sys
import textwrap

import pluggy
import pytest

from zoo import hookimpl, hookspecs
from zoo.host import PluginHost
from zoo.types import EstimatorSpec

SPEC = EstimatorSpec(name="ok", target="x:y", summary="s")


class Good:
    @hookimpl
    def zoo_estimators(self):
        return [SPEC]


class Raises:
    @hookimpl
    def zoo_estimators(self):
        raise RuntimeError("boom")


class Exits:
    @hookimpl
    def zoo_estimators(self):
        raise SystemExit(3)


class NoSequence:
    @hookimpl
    def zoo_estimators(self):
        return 7


class Interrupted:
    @hookimpl
    def zoo_estimators(self):
        raise KeyboardInterrupt


@pytest.mark.parametrize("broken", [Raises, Exits, NoSequence])
@pytest.mark.parametrize("first", [True, False])
def test_one_broken_plugin_does_not_hide_the_others(broken, first):
    host = PluginHost()
    for plugin in (broken, Good) if first else (Good, broken):
        host.register(plugin(), name=plugin.__name__)
    assert [spec for _, spec in host.collect("zoo_estimators")] == [SPEC]
    assert [failure.plugin for failure in host.failures] == [broken.__name__]
    assert host.failures[0].hint


def test_the_person_can_always_interrupt():
    host = PluginHost()
    host.register(Interrupted(), name="interrupted")
    with pytest.raises(KeyboardInterrupt):
        list(host.call("zoo_estimators"))


def test_strict_raises_the_plugin_s_own_error():
    host = PluginHost(strict=True)
    host.register(Raises(), name="raises")
    with pytest.raises(RuntimeError, match="boom"):
        list(host.call("zoo_estimators"))


def test_plain_pluggy_would_lose_everything():
    manager = pluggy.PluginManager("zoo")
    manager.add_hookspecs(hookspecs)
    manager.register(Good())
    manager.register(Raises())
    with pytest.raises(RuntimeError):
        manager.hook.zoo_estimators()


def test_an_unknown_hook_is_refused_and_undone():
    class Typo:
        @hookimpl
        def zoo_estimatorz(self): ...

    host = PluginHost()
    with pytest.raises(pluggy.PluginValidationError, match="unknown hook 'zoo_estimatorz'"):
        host.register(Typo(), name="typo")
    assert not host.manager.has_plugin("typo")
    host.register(Good(), name="good")


def test_an_unknown_argument_is_refused():
    class Typo:
        @hookimpl
        def zoo_score_recorded(self, modell): ...

    with pytest.raises(pluggy.PluginValidationError, match="modell"):
        PluginHost().register(Typo(), name="typo")


def test_an_implementation_may_ask_for_fewer_arguments():
    seen = []

    class Listener:
        @hookimpl
        def zoo_resolve(self, reference):
            seen.append(reference)

        @hookimpl
        def zoo_select_runtime(self, device):
            return f"runtime for {device}"

    host = PluginHost(strict=True)
    host.register(Listener(), name="listener")
    assert host.first("zoo_resolve", reference="x") is None
    assert seen == ["x"]
    chosen = host.first("zoo_select_runtime", entry=None, device="cpu", available=())
    assert chosen == "runtime for cpu"


def test_the_first_answer_wins_and_a_broken_one_is_passed_over():
    class Answers:
        @hookimpl
        def zoo_resolve(self, reference):
            return f"found {reference}"

    class Breaks:
        @hookimpl
        def zoo_resolve(self):
            raise ValueError("no")

    host = PluginHost()
    host.register(Answers(), name="answers")
    host.register(Breaks(), name="breaks")
    assert host.first("zoo_resolve", reference="x") == "found x"
    assert host.failures[0].error == "ValueError: no"


def test_builtins_arrive_through_the_same_group_as_everybody_else(zoo_host):
    names = {plugin.name for plugin in zoo_host.installed}
    assert {"zoo-reuse:core", "zoo-reuse:runtimes", "zoo-reuse:transferability"} <= names


@pytest.mark.parametrize("name", ["zoo-reuse", "runtimes", "zoo-reuse:runtimes"])
def test_a_plugin_is_disabled_by_any_of_its_names(name):
    host = PluginHost(disabled=[name]).discover()
    status = {plugin.name: plugin.status for plugin in host.installed}
    assert status["zoo-reuse:runtimes"] == "disabled"


def test_a_stranger_cannot_replace_ours_by_taking_its_entry_point_name(tmp_path):
    """Two distributions, the same entry-point name, one of them broken at import."""
    for name, body in (("stranger", "raise ImportError('no module')"), ("other", "x = 1")):
        (tmp_path / f"{name}_plugin.py").write_text(body)
        info = tmp_path / f"{name}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[zoo.v1]\ntransferability = {name}_plugin\n")
    script = """
        from zoo.host import PluginHost
        host = PluginHost().discover()
        status = {plugin.name: plugin.status for plugin in host.installed}
        assert status["zoo-reuse:transferability"] == "ok", status
        assert status["stranger:transferability"] == "failed", status
        assert status["other:transferability"] == "ok", status
        assert [failure.plugin for failure in host.failures] == ["stranger:transferability"]
        assert "no module" in host.failures[0].error
    """
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n" + textwrap.dedent(script)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
