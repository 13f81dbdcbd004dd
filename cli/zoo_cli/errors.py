"""The error table: what a person reads, and how the process ends, for every exception."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from zoo.errors import ExitCode, ZooError

if TYPE_CHECKING:
    from collections.abc import Callable

    from zoo.distributions import Advertised


@dataclass(frozen=True, slots=True)
class Explained:
    """An exception as a person reads it."""

    message: str
    hint: str
    code: int
    title: str = "Error"


def explain(error: BaseException) -> Explained:
    """Put an exception into words."""
    return next(words(error) for kind, words in _TABLE if isinstance(error, kind))


def show(explained: Explained, error: BaseException) -> None:
    """Print ``Error: sentence`` and ``Hint: ...`` on stderr; the traceback only on request."""
    if os.environ.get("ZOO_DEBUG", "") not in {"", "0"}:
        import traceback

        traceback.print_exception(error, file=sys.stderr)
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        click.echo(error.format_message(), err=True, color=error.ctx.color if error.ctx else None)
        return
    click.echo(f"{explained.title}: {_safe(explained.message)}", err=True)
    if explained.hint:
        click.echo(f"Hint: {_safe(explained.hint)}", err=True)


def _of_ours(error: Any) -> Explained:
    return Explained(error.message, error.hint, error.exit_code)


def _of_usage(error: Any) -> Explained:
    hint = f"{error.ctx.command_path} --help" if error.ctx else "zoo --help"
    return Explained(error.format_message(), hint, ExitCode.USAGE)


def _of_no_command(error: Any) -> Explained:
    hint = f"{error.ctx.command_path} --help"
    return Explained("a command is missing.", hint, ExitCode.USAGE)


def _of_click(error: Any) -> Explained:
    return Explained(error.format_message(), "", ExitCode.FAILED)


def _of_interrupt(error: Any) -> Explained:
    del error
    return Explained("what was finished is kept.", "", ExitCode.INTERRUPTED, "Interrupted")


def _of_system(error: Any) -> Explained:
    where = f"{error.filename}: " if error.filename else ""
    return Explained(f"{where}{error.strerror or error}.", "", ExitCode.FAILED)


def _of_memory(error: Any) -> Explained:
    del error
    return Explained("this machine has no memory left.", "", ExitCode.FAILED)


def _bug(error: BaseException) -> Explained:
    detail = str(error).strip().splitlines()
    what = f"{type(error).__name__}: {detail[0]}" if detail else type(error).__name__
    whose = _culprit(error)
    if whose:
        own = whose.distribution
        return Explained(
            f"the plugin {whose.name} {whose.version} broke ({what}).",
            f"zoo plugins check {own} says more; zoo plugins uninstall {own} removes it; "
            "ZOO_DEBUG=1 shows the traceback.",
            ExitCode.FAILED,
        )
    return Explained(
        f"something unexpected happened ({what}).",
        "this is a bug, report it with `zoo doctor --json`; ZOO_DEBUG=1 shows the traceback.",
        ExitCode.FAILED,
    )


def _culprit(error: BaseException) -> Advertised | None:
    try:
        from zoo_cli.culprits import culprit

        return culprit(error)
    except Exception:  # noqa: BLE001 -- this is the last resort, and must say something
        return None


def _safe(text: str) -> str:
    encoding = getattr(sys.stderr, "encoding", None) or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)


#: Subclasses come before their bases.
_TABLE: tuple[tuple[type[BaseException], Callable[[Any], Explained]], ...] = (
    (ZooError, _of_ours),
    (click.exceptions.NoArgsIsHelpError, _of_no_command),
    (click.UsageError, _of_usage),
    (click.ClickException, _of_click),
    (click.Abort, _of_interrupt),
    (KeyboardInterrupt, _of_interrupt),
    (OSError, _of_system),
    (MemoryError, _of_memory),
    (BaseException, _bug),
)
