"""What a person may say about their data: the same options for every command that reads data."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, TypeVar, cast, get_args

import click

from zoo.types.probe import Task
from zoo.types.protocols import ProbeOptions
from zoo_cli import options

if TYPE_CHECKING:
    from collections.abc import Callable

    from zoo_cli.context import Context

F = TypeVar("F", bound="Callable[..., Any]")

_INPUTS = (
    options.option(
        "--text",
        metavar="COLUMN",
        multiple=True,
        default_shown="guessed",
        variable="ZOO_TEXT",
        help="The column of texts; twice for text pairs.",
    ),
    options.option(
        "--image",
        metavar="COLUMN",
        default=None,
        default_shown="guessed",
        variable="ZOO_IMAGE",
        help="The column of images, or of their paths.",
    ),
    options.option(
        "--split",
        metavar="NAME",
        default=None,
        default_shown="train",
        variable="ZOO_SPLIT",
        help="The split to read.",
    ),
)
_OPTIONS = (
    options.option(
        "--task",
        type=click.Choice(get_args(Task)),
        default=None,
        default_shown="guessed",
        variable="ZOO_TASK",
        help="What the labels are; text: each a text of its own, such as a caption.",
    ),
    options.option(
        "--label",
        metavar="COLUMN",
        multiple=True,
        default_shown="guessed",
        variable="ZOO_LABEL",
        help="The column to predict. Repeat it for several 0/1, target or text columns.",
    ),
    *_INPUTS,
    options.probe_size,
    options.seed,
)


def data_options(function: F) -> F:
    """Add the data options to a command; it gets them as one ``probe: ProbeOptions``.

    Stands below ``zoo_command``; size and seed of the sample come from the settings.
    """

    @functools.wraps(function)
    def run(
        context: Context,
        *,
        task: str | None,
        label: tuple[str, ...],
        text: tuple[str, ...],
        image: str | None,
        split: str | None,
        **parameters: Any,
    ) -> Any:
        settings = context.settings
        probe = ProbeOptions(
            task=task,
            label=label,
            text=text,
            image=image,
            split=split,
            samples=settings.probe_size or None,
            seed=settings.seed,
            offline=settings.offline,
        )
        return function(context, probe=probe, **parameters)

    decorated: Any = run
    for option in reversed(_OPTIONS):
        decorated = option(decorated)
    return cast("F", decorated)


def input_options(function: F) -> F:
    """Add the options of data without labels; the command gets one ``probe: ProbeOptions``."""

    @functools.wraps(function)
    def run(
        context: Context,
        *,
        text: tuple[str, ...],
        image: str | None,
        split: str | None,
        **parameters: Any,
    ) -> Any:
        probe = ProbeOptions(text=text, image=image, split=split, offline=context.settings.offline)
        return function(context, probe=probe, **parameters)

    decorated: Any = run
    for option in reversed(_INPUTS):
        decorated = option(decorated)
    return cast("F", decorated)
