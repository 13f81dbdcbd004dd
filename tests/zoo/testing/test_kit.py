"""What is found about a spec, whatever its kind: a made-up one keeps or breaks each promise."""

from __future__ import annotations

import os
import random
import socket
import sys
import tempfile
import types
from pathlib import Path

import pytest

from zoo.errors import PluginError
from zoo.testing import parametrize_with_checks
from zoo.testing.kit import KITS, Check, Kit, Trial, checks_of, run_check, trials_of
from zoo.testing.promises import NotTriedError
from zoo.types import LabelEncoderSpec, SourceSpec


class Plain:
    def __init__(self, *, size: int = 3):
        self.size = size

    def use(self):
        return [1.0, self.size]


class Needs(Plain):
    def __init__(self, *, size: int): ...


class Draws(Plain):
    def use(self):
        return random.random()


class Stirs(Plain):
    def use(self):
        random.random()
        return 1.0


class Prints(Plain):
    def use(self):
        print("hello")


class PrintsBelow(Plain):
    def use(self):
        os.write(1, b"from below\n")


class Writes(Plain):
    def use(self):
        with Path("left_behind.txt").open("w") as file:
            file.write("here")


class Keeps(Plain):
    """It writes where it may: its store and a temporary file."""

    def use(self):
        Path(os.environ["ZOO_HOME"], "mine").mkdir()
        with tempfile.NamedTemporaryFile("w") as file:
            file.write("x")


class Forgets(Plain):
    """It takes a variable away that is put back afterwards."""

    def use(self):
        os.environ.pop("TMPDIR")
        return 1.0


class Asks(Plain):
    def use(self):
        with socket.socket() as one:
            one.settimeout(0.01)
            try:
                one.connect(("192.0.2.1", 80))
            except OSError:
                return "nobody"


class Leaves(Plain):
    def use(self):
        sys.exit("no")


def even(trial):
    if trial.example is None:
        raise NotTriedError("it needs an example")
    if trial.example % 2:
        yield f"{trial.example} is odd"


@pytest.fixture(autouse=True)
def _own_kit(monkeypatch):
    """Label encoders are tried with the kit of this module for a while."""
    module = types.ModuleType("zoo_test_kit")
    module.KIT = Kit(
        exercise=lambda trial: trial.make().use(), checks=(Check("even", "it is", even),)
    )
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setitem(KITS, "label_encoder", module.__name__)


def trial_of(made, example=2, **facts):
    spec = LabelEncoderSpec(name="mine", target=f"{__name__}:{made}", summary="", **facts)
    return Trial(noun="label_encoder", spec=spec, example=example)


@pytest.fixture(autouse=True)
def _importable(monkeypatch):
    monkeypatch.setitem(sys.modules, __name__, sys.modules[__name__])


def outcomes(trial):
    return {each.name: run_check(each, trial) for each in checks_of(trial)}


@pytest.mark.parametrize("made", ["Plain", "Keeps", "Forgets"])
def test_what_keeps_every_promise_passes(made):
    found = outcomes(trial_of(made))
    assert list(found) == ["target", "reproducible", "quiet", "no-writes", "no-network", "even"]
    assert {name: each.broken for name, each in found.items() if each.broken} == {}


@pytest.mark.parametrize(
    ("made", "check", "words"),
    [
        ("Absent", "target", "has no attribute 'Absent'"),
        ("Needs", "target", "its option 'size' has no default"),
        ("Draws", "reproducible", "give different results"),
        ("Stirs", "reproducible", "the random numbers of the whole process"),
        ("Prints", "quiet", "it prints 'hello'"),
        ("PrintsBelow", "quiet", "it prints 'from below'"),
        ("Writes", "no-writes", "left_behind.txt"),
        ("Asks", "no-network", "it asks 192.0.2.1"),
        ("Leaves", "quiet", "it raises SystemExit: no"),
    ],
)
def test_a_broken_promise_is_found_under_its_name(made, check, words):
    assert words in " ".join(outcomes(trial_of(made))[check].broken)


def test_one_spec_may_be_tried_with_another_example(monkeypatch):
    spoken = Kit(exercise=lambda trial: print(trial.example, end=""))
    monkeypatch.setattr(sys.modules["zoo_test_kit"], "KIT", spoken)
    silent = trial_of("Plain", "")
    loud = Trial(noun=silent.noun, spec=silent.spec, example="hello")
    assert outcomes(silent)["quiet"].broken == ()
    assert outcomes(loud)["quiet"].broken == ("it prints 'hello'",)


def test_what_cannot_be_tried_says_what_is_missing():
    outcome = outcomes(trial_of("Plain", example=None))["even"]
    assert (outcome.not_tried, outcome.problems) == ("it needs an example", ())


def test_an_expected_failure_is_no_problem_and_a_kept_promise_that_was_expected_to_fail_is():
    odd = {"even": "three is what it makes"}
    assert outcomes(trial_of("Plain", 3, expected_failures=odd))["even"].problems == ()
    (problem,) = outcomes(trial_of("Plain", 2, expected_failures=odd))["even"].problems
    assert problem.startswith("it was expected to fail (three is what it makes), and passes")


@pytest.mark.parametrize(
    ("expected", "words"),
    [({"odd": "so"}, "names 'odd', which is no check"), ({"even": " "}, "no reason for 'even'")],
)
def test_an_expectation_needs_a_check_and_a_reason(expected, words):
    assert words in outcomes(trial_of("Plain", expected_failures=expected))["target"].broken[0]


def plugin_of(*specs, hook="zoo_label_encoders"):
    return types.SimpleNamespace(**{hook: lambda: specs})


def test_a_plugin_is_asked_for_everything_it_advertises_and_given_examples():
    spec = trial_of("Plain").spec
    (trial,) = trials_of(plugin_of(spec), {"label_encoder mine": 4})
    assert (trial.name, trial.example) == ("label_encoder mine", 4)


@pytest.mark.parametrize(
    ("plugin", "words"),
    [
        (plugin_of(SourceSpec(name="s", target="a:b", summary="")), "is no LabelEncoderSpec"),
        (types.SimpleNamespace(zoo_probes=lambda: (each for each in ())), "a list or a tuple"),
    ],
)
def test_a_hook_that_gives_something_else_is_refused(plugin, words):
    with pytest.raises(PluginError, match=words):
        trials_of(plugin)


def test_an_example_for_nobody_is_refused():
    with pytest.raises(PluginError, match="does not provide"):
        trials_of(plugin_of(trial_of("Plain").spec), {"label_encoder yours": 4})


def asked_by(made, example, **facts):
    mark = parametrize_with_checks(
        plugin_of(trial_of(made, **facts).spec), examples={"label_encoder mine": example}
    )
    names, parameters = mark.args
    assert names == "check"
    return {each.id: each.values[0] for each in parameters}


def test_an_author_gets_one_test_a_promise():
    asked = asked_by("Plain", 2)
    assert "label_encoder mine: even" in asked
    for check in asked.values():
        check()


def test_a_broken_promise_fails_with_the_promise_and_what_was_seen():
    with pytest.raises(pytest.fail.Exception, match=r"promises: it is\.\n  But 3 is odd\."):
        asked_by("Plain", 3)["label_encoder mine: even"]()


def test_what_cannot_be_tried_is_skipped_and_an_expected_failure_is_given_with_its_reason():
    with pytest.raises(pytest.skip.Exception, match="it needs an example"):
        asked_by("Plain", None)["label_encoder mine: even"]()
    check = asked_by("Plain", 3, expected_failures={"even": "so it is"})["label_encoder mine: even"]
    with pytest.raises(pytest.xfail.Exception, match="so it is: 3 is odd"):
        check()
