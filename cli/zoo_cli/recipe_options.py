"""The options that make a recipe: named as the keys of ``run.yaml`` are."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

from zoo.errors import InputError
from zoo_cli import options
from zoo_cli.data_options import input_options
from zoo_cli.values import expand_lists, literal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from zoo.types.protocols import ProbeOptions
    from zoo_cli.context import Context

F = TypeVar("F", bound="Callable[..., Any]")

PRESETS = ("paper", "balanced", "quick")
_TARGETS = ("concat", "per_teacher", "standardised", "gated", "union")


def parse_options(
    ctx: click.Context, param: click.Parameter, values: tuple[str, ...]
) -> dict[str, Any]:
    """Turn ``option=value`` into ``{option: value}``; the method's name may stand before it."""
    return dict(_pairs(ctx, param, values, "--set width=64"))


def parse_weights(
    ctx: click.Context, param: click.Parameter, values: tuple[str, ...]
) -> dict[str, Any]:
    """Turn ``loss=number`` into ``{loss: number}``."""
    return dict(_pairs(ctx, param, values, "--weight soft=1"))


def _pairs(
    ctx: click.Context, param: click.Parameter, values: tuple[str, ...], example: str
) -> Iterator[tuple[str, Any]]:
    for text in expand_lists(ctx, param, values):
        name, equals, value = text.partition("=")
        if not (equals and name.strip() and value.strip()):
            form = param.metavar or "NAME=VALUE"
            raise InputError(f"{param.opts[0]} {text!r} is not of the form {form}.", example)
        yield name.strip(), literal(value.strip())


_WHAT = (
    options.option(
        "--teacher",
        metavar="[NAME=]MODEL",
        multiple=True,
        callback=expand_lists,
        default_shown="none",
        variable="ZOO_TEACHER",
        help="A trained model, with a short name for it. Repeat it, or @FILE.",
    ),
    options.option(
        "--student",
        metavar="MODEL|CONFIG",
        default=None,
        default_shown="none",
        variable="ZOO_STUDENT",
        help="What is trained: any architecture; a config.json alone starts from random weights.",
    ),
    options.option(
        "--data",
        metavar="DATA",
        default=None,
        default_shown="none",
        variable="ZOO_DATA",
        help="Images or texts without labels: as for `zoo predict`.",
    ),
    options.option(
        "--eval",
        metavar="DATA",
        default=None,
        default_shown="none",
        variable="ZOO_EVAL",
        help="Labelled data to judge by; nothing is learned from it.",
    ),
    options.option(
        "--method",
        metavar="NAME",
        default=None,
        default_shown="auto",
        variable="ZOO_METHOD",
        help="See `zoo plugins list --hook zoo_amalgamators`; auto takes what fits, and says why.",
    ),
    options.option(
        "--preset",
        type=click.Choice(PRESETS),
        default=None,
        default_shown="balanced",
        variable="ZOO_PRESET",
        help="paper: as published. balanced: what measured better. quick: minutes on two cores.",
    ),
    options.option(
        "--config",
        metavar="run.yaml",
        type=click.Path(path_type=Path),
        default=None,
        default_shown="none",
        variable="ZOO_CONFIG",
        help="A recipe: keys are the names of these options; options win.",
    ),
    options.option(
        "--set",
        metavar="OPTION=VALUE",
        multiple=True,
        callback=parse_options,
        default_shown="the method's own",
        variable="ZOO_METHOD_OPTIONS",
        help="One option of the method, see `zoo plugins show NAME`. Repeat it.",
    ),
    options.option(
        "--base",
        metavar="MODEL",
        default=None,
        default_shown="none",
        variable="ZOO_BASE",
        help="What all teachers were fine-tuned from, for methods that merge weights.",
    ),
)
_LABELS = (
    options.option(
        "--targets",
        type=click.Choice(_TARGETS),
        default=None,
        default_shown="standardised",
        variable="ZOO_TARGETS",
        help="How the teachers' logits are put together.",
    ),
    options.option(
        "--temperature",
        metavar="T",
        type=click.FloatRange(min=0, min_open=True),
        default=None,
        default_shown="1",
        variable="ZOO_TEMPERATURE",
        help="Of the soft targets.",
    ),
    options.option(
        "--labels",
        metavar="separate|union|FILE",
        default=None,
        default_shown="asked for where labels meet",
        variable="ZOO_LABELS",
        help="Equal names of two teachers are two labels, one label, or what a label map says.",
    ),
    options.option(
        "--label-map",
        metavar="FILE",
        default=None,
        default_shown="none",
        variable="ZOO_LABEL_MAP",
        help="The same as --labels FILE.",
    ),
    options.option(
        "--write-label-map",
        metavar="FILE",
        type=click.Path(path_type=Path),
        default=None,
        default_shown="none",
        variable="ZOO_WRITE_LABEL_MAP",
        help="Write a label map to edit, and stop.",
    ),
    options.option(
        "--keep",
        metavar="LABEL|FILE",
        multiple=True,
        default_shown="every label",
        variable="ZOO_KEEP",
        help="A label that the student is to have, or a file with one a line. Repeat it.",
    ),
    options.option(
        "--label",
        metavar="COLUMN",
        multiple=True,
        default_shown="guessed",
        variable="ZOO_LABEL",
        help="The column of labels in --eval.",
    ),
)
_HOW = (
    options.option(
        "--weight",
        metavar="LOSS=NUMBER",
        multiple=True,
        callback=parse_weights,
        default_shown="the method's own",
        variable="ZOO_WEIGHT",
        help="Weight of one loss, such as soft=1. Repeat it.",
    ),
    options.option(
        "--epochs",
        metavar="N",
        type=click.FloatRange(min=0, min_open=True),
        default=None,
        default_shown="30; quick: 6",
        variable="ZOO_EPOCHS",
        help="Passes over the data.",
    ),
    options.option(
        "--batch",
        metavar="N",
        type=click.IntRange(min=1),
        default=None,
        default_shown="64",
        variable="ZOO_BATCH",
        help="Samples of one forward pass.",
    ),
    options.option(
        "--learning-rate",
        metavar="X",
        type=click.FloatRange(min=0, min_open=True),
        default=None,
        default_shown="by the student's weights and size",
        variable="ZOO_LEARNING_RATE",
        help="Of the student's body.",
    ),
    options.option(
        "--samples",
        metavar="N",
        type=click.IntRange(min=0),
        default=None,
        default_shown="all; quick: 2000",
        variable="ZOO_SAMPLES",
        help="Most samples to use, evenly spread; 0 takes all.",
    ),
    options.option(
        "--views",
        metavar="random|N",
        default=None,
        default_shown="random; quick: 2",
        variable="ZOO_VIEWS",
        help="Crops of an image: new ones in every epoch, or N that repeat.",
    ),
    options.option(
        "--initial",
        type=click.Choice(("auto", "pretrained", "random")),
        default=None,
        default_shown="auto",
        variable="ZOO_INITIAL",
        help="What the student starts from; auto takes trained weights where there are some.",
    ),
    options.option(
        "--cache/--no-cache",
        default=None,
        default_shown="where it saves work",
        variable="ZOO_CACHE",
        help="Keep on disk what the teachers say.",
    ),
    options.option(
        "--no-compare",
        is_flag=True,
        default_shown="off",
        variable="ZOO_NO_COMPARE",
        help="Do not train the baseline (soft targets alone) beside it.",
    ),
    options.option(
        "--onnx",
        is_flag=True,
        default_shown="off",
        variable="ZOO_ONNX",
        help="Add the exported graph, compared with the model.",
    ),
)


#: What the recipe is made of; the rest of the options is the command's own.
_FLAGS = frozenset(
    ("teacher", "student", "data", "eval", "method", "preset", "set", "base", "targets", "keep")
) | frozenset(
    ("temperature", "labels", "label_map", "label", "weight", "epochs", "batch", "learning_rate")
) | {"samples", "views", "initial", "cache", "no_compare", "onnx", "trust_remote_code"}  # fmt: skip


def recipe_options(function: F) -> F:
    """Add the options of a recipe; the command gets what was typed as one ``flags``."""

    @functools.wraps(function)
    def run(context: Context, *, probe: ProbeOptions, **parameters: Any) -> Any:
        flags = {name: parameters.pop(name) for name in list(parameters) if name in _FLAGS}
        flags |= {"text": probe.text, "image": probe.image, "split": probe.split}
        for name in ("seed", "precision"):
            if context.resolved.origins[name] != "default":
                flags[name] = getattr(context.settings, name)
        return function(context, flags=_typed(flags), **parameters)

    decorated: Any = input_options(run)
    for option in reversed((*_WHAT, *_LABELS, *_HOW)):
        decorated = option(decorated)
    return cast("F", decorated)


def _typed(flags: dict[str, Any]) -> dict[str, Any]:
    """Leave out what was not typed, and merge two spellings of one thing."""
    found = {name: value for name, value in flags.items() if value not in (None, (), {})}
    if "labels" in found and "label_map" in found:
        raise click.UsageError("--labels and --label-map say the same thing; give one of them.")
    if found.pop("no_compare", False):
        found["compare"] = False
    if not found.get("onnx"):
        found.pop("onnx", None)
    if "set" in found:
        found["set"] = _own_options(found["set"], found.get("method"))
    return found


def _own_options(options_: dict[str, Any], method: str | None) -> dict[str, Any]:
    """Take the name of the method off its options."""
    found = {}
    for name, value in options_.items():
        owner, _, option = name.rpartition(".")
        if owner and method and owner != method:
            raise InputError(
                f"--set {name} is an option of {owner}, and the method is {method}.",
                f"zoo plugins show {method}",
            )
        found[option] = value
    return found
