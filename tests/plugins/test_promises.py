"""What our own plugins advertise keeps the promises that a stranger's is asked for.

The other kinds are asked beside their own kits, in tests/zoo/testing.
"""

from __future__ import annotations

from types import SimpleNamespace

import pytest

import zoo_amalgamation
import zoo_distillation
import zoo_explanation
import zoo_growth
from zoo.testing import parametrize_with_checks

PLUGINS = (zoo_amalgamation, zoo_distillation, zoo_growth, zoo_explanation)
#: They take the most: large families, whose growth has tests of its own, and reporters that learn.
SLOW = {
    "zoo_calibrators": {"laplace"},
    "zoo_completers": {"convtranse"},
    "zoo_distillers": {"dfa"},
    "zoo_families": {"bert", "convnext", "efficientnet", "mobilenet", "regnet", "swin"},
    "zoo_reporters": {"classes", "overlap", "maps", "contexts", "prototypes", "unseen"},
}
ELSEWHERE = {"zoo_graph_sources", "zoo_graph_changed"}
HOOKS = {
    name: getattr(plugin, name)
    for plugin in PLUGINS
    for name in vars(plugin)
    if name.startswith("zoo_") and name not in ELSEWHERE
}


def only(*, slow):
    """Give a plugin with the slow specs, or with all others."""

    def hook(name):
        return lambda: [each for each in HOOKS[name]() if (each.name in SLOW.get(name, ())) == slow]

    return SimpleNamespace(**{name: hook(name) for name in HOOKS})


@parametrize_with_checks(only(slow=False))
def test_our_own_keep_their_promises(check):
    check()


@pytest.mark.exhaustive
@parametrize_with_checks(only(slow=True))
def test_our_own_slow_ones_keep_them_too(check):
    check()


def test_what_is_called_slow_is_advertised():
    for name, slow in SLOW.items():
        assert slow <= {each.name for each in HOOKS[name]()}
