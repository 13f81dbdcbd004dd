"""What commands that measure models have in common: the question, and the page it ends on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.errors import InputError

if TYPE_CHECKING:
    from zoo.runs import Request
    from zoo_cli.context import Context


def request_of(
    context: Context, data: str, *, assignments: dict[str, dict[str, Any]], **question: Any
) -> Request:
    """Make the question that the pipeline answers; the rest are fields of the request."""
    from zoo.runs import Request

    return Request(
        data=data,
        folder=str(Path.cwd()),
        registry=context.settings.registry,
        options=assignments,
        permutations=context.settings.permutations,
        folds=context.settings.folds,
        **question,
    )


def check_page(path: Path | None) -> None:
    """Find out before the work, not after it, that the page cannot be written.

    Raises:
        InputError: its folder does not exist.
    """
    if path is not None and not path.absolute().parent.is_dir():
        raise InputError(f"--html {path}: the folder {path.absolute().parent} does not exist.")
