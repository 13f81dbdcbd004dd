"""Whether a command keeps its promises, found out by calling it.

``assert not check_command(spec, ["--count", "3"])`` is a test of its own.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from zoo.catalogue import load_target
from zoo.errors import ExitCode, ZooError
from zoo.testing.kit import Check, Kit, Trial, run_check
from zoo.testing.promises import BrokenPromiseError, NotTriedError, described

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import click
    from click.testing import Result

    from zoo.types.specs import CommandSpec

_UNKNOWN = "--no-such-option-anywhere"
_LONGEST = 100


def check_command(spec: CommandSpec, words: Sequence[str] | None = None) -> list[str]:
    """Find out which promises a command breaks.

    Args:
        spec: what the plugin advertises.
        words: that a person may type behind its name; without them, it is not really called.

    Returns:
        One sentence a broken promise.
    """
    trial = Trial(noun="command", spec=spec, example=words)
    asked = (run_check(check, trial) for check in KIT.checks)
    return [f"{spec.name}: {each}." for outcome in asked for each in outcome.problems]


def _command(trial: Trial) -> click.Command:
    import click

    target = load_target(trial.spec)
    if not isinstance(target, click.Command):
        raise BrokenPromiseError(f"{trial.spec.target} must be a click command, and is {target!r}")
    return target


def _called(trial: Trial, words: Sequence[str]) -> Result:
    """Call it as ``zoo NAME WORDS``; a failure that explains itself is no traceback.

    Raises:
        BrokenPromiseError: it raises something else.
    """
    from click.testing import CliRunner

    result = CliRunner().invoke(_command(trial), list(words), prog_name=f"zoo {trial.spec.name}")
    error = result.exception
    if error is not None and not isinstance(error, SystemExit | ZooError):
        shown = shlex.join(words)
        raise BrokenPromiseError(f"with {shown!r} it raises {described(error)}") from error
    return result


def _click(trial: Trial) -> Iterator[str]:
    command = _command(trial)
    if command.name and command.name != trial.spec.name:
        yield f"it is called {command.name!r}, and its spec says {trial.spec.name!r}"
    lines = trial.spec.summary.strip().splitlines()
    if len(lines) != 1 or len(lines[0]) > _LONGEST:
        yield f"its summary must be one short line, and is {trial.spec.summary!r}"


def _help(trial: Trial) -> Iterator[str]:
    result = _called(trial, ["--help"])
    if result.exit_code != ExitCode.DONE:
        yield f"--help ends with {result.exit_code}"
    command = _command(trial)
    if not (command.help or command.short_help or "").strip():
        yield "--help does not say what it does"
    for parameter in command.params:
        said: Any = getattr(parameter, "help", "")
        if parameter.param_type_name == "option" and not said and not _hidden(parameter):
            yield f"--help does not say what {parameter.opts[0]} does"


def _hidden(parameter: click.Parameter) -> bool:
    return bool(getattr(parameter, "hidden", False))


def _usage(trial: Trial) -> Iterator[str]:
    command = _command(trial)
    if command.ignore_unknown_options or command.context_settings.get("ignore_unknown_options"):
        raise NotTriedError("it takes options that it does not know")
    result = _called(trial, [_UNKNOWN])
    if result.exit_code != ExitCode.USAGE:
        yield f"an option that it does not have ends with {result.exit_code}, where 2 is due"


def _works(trial: Trial) -> Iterator[str]:
    if trial.example is None:
        raise NotTriedError("it takes an example, the words that a person types behind its name")
    words = shlex.split(trial.example) if isinstance(trial.example, str) else list(trial.example)
    result = _called(trial, [str(word) for word in words])
    if result.exit_code != ExitCode.DONE:
        said = (result.output or str(result.exception or "")).strip().splitlines()[-1:] or [
            "nothing"
        ]
        yield f"its example ends with {result.exit_code} and says {said[0]!r}"


KIT = Kit(
    checks=(
        Check("command", "it is a click command with a name and a line for the table", _click),
        Check("help", "--help says what it does", _help),
        Check("usage", "an unknown option ends with 2 and a sentence", _usage),
        Check("works", "its example ends well", _works),
    ),
)
