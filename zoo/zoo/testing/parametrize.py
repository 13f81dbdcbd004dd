"""One pytest test for every promise of a plugin."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import pytest

from zoo.testing.kit import Check, Outcome, Trial, checks_of, run_check, trials_of

if TYPE_CHECKING:
    from collections.abc import Mapping


def parametrize_with_checks(
    plugin: object, *, examples: Mapping[str, Any] | None = None
) -> pytest.MarkDecorator:
    """Parametrise a test with everything that a plugin promises.

    ::

        @parametrize_with_checks(zoo_margin)
        def test_promise(check):
            check()

    ``check()`` fails with one sentence a broken promise, and skips where it cannot be tried here.
    What a spec lists in ``expected_failures`` must fail: its reason is given with the test, and a
    promise that is kept after all fails, so that the list stays true.

    Args:
        plugin: the module with the hooks.
        examples: ``"kind name"`` -> something that is known to work: the reference of a checkpoint
            for a source, a path for a probe, words of the command line for a command.

    Raises:
        PluginError: a hook gives no sequence of its specs, or an example is for nobody.
    """
    asked = [
        pytest.param(functools.partial(_ask, check, trial), id=f"{trial.name}: {check.name}")
        for trial in trials_of(plugin, examples)
        for check in checks_of(trial)
    ]
    return pytest.mark.parametrize("check", asked)


def _ask(check: Check, trial: Trial) -> None:
    outcome = run_check(check, trial)
    if outcome.not_tried:
        pytest.skip(f"{trial.name}, {check.name}: {outcome.not_tried}")
    if outcome.problems:
        pytest.fail(_failure(trial, outcome), pytrace=False)
    if outcome.expected:
        pytest.xfail(f"{outcome.expected}: {outcome.broken[0]}")


def _failure(trial: Trial, outcome: Outcome) -> str:
    lines = [f"{trial.name} promises: {outcome.check.promise}."]
    return "\n".join([*lines, *(f"  But {each}." for each in outcome.problems)])
