"""Whether the checks of commands find what is wrong with them."""

from __future__ import annotations

import sys

import click
import pytest

from zoo.errors import InputError
from zoo.testing.commands import KIT, check_command
from zoo.testing.kit import Trial, run_check
from zoo.types import CommandSpec


@click.command()
@click.option("--count", default=1, help="How often.")
def greet(count):
    """Greet."""
    if count > 5:
        raise InputError("that is too often.")
    click.echo("hello " * count)


@click.command("greet")
@click.option("--count", default=1)
def wordless(count):
    click.echo(count)


@click.command("other")
def misnamed():
    """Greet."""


@click.command("greet")
@click.pass_context
def crashing(context):
    """Greet."""
    del context
    raise ZeroDivisionError("no reason")


@click.command("greet", context_settings={"ignore_unknown_options": True})
@click.argument("words", nargs=-1)
def greedy(words):
    """Greet."""


class Sudden(click.Command):
    def parse_args(self, context, args):
        sys.exit(7)


sudden = Sudden("greet", help="Greet.")
plain = len


def spec_of(name, **changes):
    facts = {"name": "greet", "summary": "Greet."} | changes
    return CommandSpec(target=f"{__name__}:{name}", **facts)


@pytest.fixture(autouse=True)
def _importable(monkeypatch):
    monkeypatch.setitem(sys.modules, __name__, sys.modules.get(__name__, _here()))


def _here():
    import types

    module = types.ModuleType(__name__)
    module.__dict__.update(globals())
    return module


def test_a_good_command_keeps_every_promise():
    assert check_command(spec_of("greet"), ["--count", "3"]) == []
    assert check_command(spec_of("greet"), "--count 3") == []


def test_without_words_it_is_not_really_called():
    outcomes = [
        run_check(each, Trial(noun="command", spec=spec_of("crashing"))) for each in KIT.checks
    ]
    assert [each.check.name for each in outcomes if each.not_tried] == ["works"]
    assert not [each.problems for each in outcomes if each.problems]


@pytest.mark.parametrize(
    ("name", "words", "complaint"),
    [
        ("wordless", None, "--help does not say what it does"),
        ("wordless", None, "--help does not say what --count does"),
        ("misnamed", None, "it is called 'other', and its spec says 'greet'"),
        ("crashing", [], "with '' it raises ZeroDivisionError: no reason"),
        ("greet", ["--count", "9"], "its example ends with 1 and says 'that is too often.'"),
        ("greet", ["--often"], "its example ends with 2"),
        ("sudden", None, "--help ends with 7"),
        ("sudden", None, "an option that it does not have ends with 7"),
        ("plain", None, "must be a click command, and is <built-in function len>"),
    ],
)
def test_what_is_wrong_is_found(name, words, complaint):
    found = check_command(spec_of(name), words)
    assert any(complaint in each for each in found), found


def test_a_summary_is_one_short_line():
    found = check_command(spec_of("greet", summary="Greet.\nOften."))
    assert found == ["greet: its summary must be one short line, and is 'Greet.\\nOften.'."]


def test_options_for_others_are_no_mistake():
    assert check_command(spec_of("greedy")) == []
