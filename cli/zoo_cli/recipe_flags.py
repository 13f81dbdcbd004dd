"""What was typed for a recipe: assignments taken apart, and nothing that was not said."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from zoo.errors import InputError
from zoo_cli import options
from zoo_cli.values import expand_lists, literal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


def parse_options(
    ctx: click.Context, param: click.Parameter, values: tuple[str, ...]
) -> dict[str, Any]:
    """Turn ``option=value`` into ``{option: value}``; the method's name may stand before it."""
    return dict(_pairs(ctx, param, values, "--set width=64"))


#: ``--set`` of a command that has one method.
method_options = options.option(
    "--set",
    "options",
    metavar="OPTION=VALUE",
    multiple=True,
    callback=parse_options,
    default_shown="the method's own",
    variable="ZOO_METHOD_OPTIONS",
    help="One option of the method, see `zoo plugins show NAME`. Repeat it.",
)


def parse_weights(
    ctx: click.Context, param: click.Parameter, values: tuple[str, ...]
) -> dict[str, Any]:
    """Turn ``loss=number`` into ``{loss: number}``."""
    return dict(_pairs(ctx, param, values, "--weight soft=1"))


def typed_flags(command: str, flags: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what was not typed, and merge two spellings of one thing."""
    found = {name: value for name, value in flags.items() if value not in (None, (), {})}
    if "labels" in found and "label_map" in found:
        raise click.UsageError("--labels and --label-map say the same thing; give one of them.")
    if found.pop("no_compare", False):
        found["compare"] = False
    for name in ("onnx", "labelled"):
        if not found.get(name):
            found.pop(name, None)
    if "set" in found and command == "amalgamate":
        found["set"] = _own_options(found["set"], found.get("method"))
    return {"command": command, **found}


def _pairs(
    ctx: click.Context, param: click.Parameter, values: tuple[str, ...], example: str
) -> Iterator[tuple[str, Any]]:
    for text in expand_lists(ctx, param, values):
        name, equals, value = text.partition("=")
        if not (equals and name.strip() and value.strip()):
            form = param.metavar or "NAME=VALUE"
            raise InputError(f"{param.opts[0]} {text!r} is not of the form {form}.", example)
        yield name.strip(), literal(value.strip())


def _own_options(options: Mapping[str, Any], method: str | None) -> dict[str, Any]:
    """Take the name of the method off its options."""
    found = {}
    for name, value in options.items():
        owner, _, option = name.rpartition(".")
        if owner and method and owner != method:
            raise InputError(
                f"--set {name} is an option of {owner}, and the method is {method}.",
                f"zoo plugins show {method}",
            )
        found[option] = value
    return found
