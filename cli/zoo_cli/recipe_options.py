"""The options that make a recipe: named as the keys of ``run.yaml`` are."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast

import click

from zoo_cli import options
from zoo_cli.data_options import input_options
from zoo_cli.method_names import completing
from zoo_cli.recipe_flags import parse_options, parse_weights, typed_flags
from zoo_cli.values import PRESETS, expand_lists

if TYPE_CHECKING:
    from collections.abc import Callable

    from zoo.types.protocols import ProbeOptions
    from zoo_cli.context import Context

F = TypeVar("F", bound="Callable[..., Any]")

Command = Literal["amalgamate", "distill", "finetune"]
_TARGETS = ("concat", "per_teacher", "standardised", "gated", "union")


def _method(metavar: str, text: str, *kinds: str, shown: str = "auto") -> Callable[[F], F]:
    return options.option(
        "--method",
        metavar=metavar,
        default=None,
        default_shown=shown,
        variable="ZOO_METHOD",
        shell_complete=completing(*kinds),
        help=text,
    )


def _set(metavar: str, text: str) -> Callable[[F], F]:
    return options.option(
        "--set",
        metavar=metavar,
        multiple=True,
        callback=parse_options,
        default_shown="the method's own",
        variable="ZOO_METHOD_OPTIONS",
        help=text,
    )


def _data(text: str) -> Callable[[F], F]:
    return options.option(
        "--data",
        metavar="DATA",
        default=None,
        default_shown="none",
        variable="ZOO_DATA",
        help=text,
    )


_NETWORKS = (
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
)
_UNLABELLED = _data("Images or texts, which need no labels: as for `zoo predict`.")
_LABELLED = _data("Images or texts with labels: as for `zoo recommend`.")
_EVAL = options.option(
    "--eval",
    metavar="DATA",
    default=None,
    default_shown="none",
    variable="ZOO_EVAL",
    help="Labelled data to judge by; nothing is learned from it.",
)
_PRESETS = (
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
)
_AMALGAMATOR = (
    _method(
        "NAME",
        "See `zoo plugins list --hook zoo_amalgamators`; auto takes what fits, and says why.",
        "amalgamator",
    ),
    _set("OPTION=VALUE", "One option of the method, see `zoo plugins show NAME`. Repeat it."),
    options.option(
        "--base",
        metavar="MODEL",
        default=None,
        default_shown="none",
        variable="ZOO_BASE",
        help="What all teachers were fine-tuned from, for methods that merge weights.",
    ),
    options.option(
        "--targets",
        type=click.Choice(_TARGETS),
        default=None,
        default_shown="standardised",
        variable="ZOO_TARGETS",
        help="How the teachers' logits are put together.",
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
)
_CALIBRATE = options.option(
    "--calibrate",
    metavar="NAME",
    default=None,
    default_shown="none",
    variable="ZOO_CALIBRATE",
    shell_complete=completing("calibrator"),
    help="Make the probabilities honest: see `zoo plugins list --hook zoo_calibrators`.",
)
_METHODS = (
    _method(
        "NAME[:WEIGHT],...",
        "Methods that add up, such as kd,rkd,hkd:3; see `zoo plugins list --hook zoo_distillers`.",
    ),
    _set(
        "METHOD.OPTION=VALUE",
        "One option of one method, see `zoo plugins show NAME`; one method alone needs no name.",
    ),
    options.option(
        "--labels",
        "labelled",
        is_flag=True,
        default_shown="off",
        variable="ZOO_LEARN_LABELS",
        help="Learn the labels of DATA, too.",
    ),
    _CALIBRATE,
)
_BESIDE = (
    _method(
        "NAME[:WEIGHT],...",
        "What is added to the labels: regularisers, augmenters, a pretext, such as moex.",
        *("regulariser", "augmenter", "pretext"),
        shown="the labels alone",
    ),
    _set(
        "METHOD.OPTION=VALUE",
        "One option of one method, see `zoo plugins show NAME`; one method alone needs no name.",
    ),
    options.option(
        "--head",
        type=click.Choice(("auto", "keep", "new")),
        default=None,
        default_shown="auto",
        variable="ZOO_HEAD",
        help="The model's trained head: auto keeps it where its labels are the data's classes.",
    ),
    _CALIBRATE,
)
_TARGET = (
    options.option(
        "--temperature",
        metavar="T",
        type=click.FloatRange(min=0, min_open=True),
        default=None,
        default_shown="amalgamate: 1; distill: 4",
        variable="ZOO_TEMPERATURE",
        help="Of the soft targets.",
    ),
    options.option(
        "--keep",
        metavar="LABEL|FILE",
        multiple=True,
        default_shown="every label",
        variable="ZOO_KEEP",
        help="A label that the student is to have, or a file with one a line. Repeat it.",
    ),
)
_LABEL = options.option(
    "--label",
    metavar="COLUMN",
    multiple=True,
    default_shown="guessed",
    variable="ZOO_LABEL",
    help="The column of labels, where data has some.",
)
_TRAINING = (
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
        default_shown="random; quick, with teachers: 2",
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
)
_TEACHING = (
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
)
_ONNX = options.option(
    "--onnx",
    is_flag=True,
    default_shown="off",
    variable="ZOO_ONNX",
    help="Add the exported graph, compared with the model.",
)
_JOB = (
    click.option(
        "-o",
        "--output",
        "folder",
        metavar="DIR",
        envvar="ZOO_OUTPUT",
        show_envvar=True,
        help="The folder to write: new or empty.",
    ),
    options.registry,
    options.trust_remote_code,
    options.device,
    options.runtime,
    options.precision,
    options.seed,
    options.dry_run,
    options.yes,
)
_TAUGHT = (*_TARGET, _LABEL, *_TRAINING, *_TEACHING, _ONNX)
_OPTIONS = {
    "amalgamate": (*_NETWORKS, _UNLABELLED, _EVAL, *_AMALGAMATOR, *_PRESETS, *_TAUGHT),
    "distill": (*_NETWORKS, _UNLABELLED, _EVAL, *_METHODS, *_PRESETS, *_TAUGHT),
    "finetune": (_LABELLED, _EVAL, *_BESIDE, *_PRESETS, _LABEL, *_TRAINING, _ONNX),
}

#: What the commands take themselves; the rest is what a recipe is made of.
_NOT_FLAGS = frozenset(("config", "folder", "write_label_map", "dry_run", "yes"))


def recipe_options(command: Command) -> Callable[[F], F]:
    """Add every option of a command that makes a model; it gets what was typed as ``flags``."""

    def decorate(function: F) -> F:
        @functools.wraps(function)
        def run(context: Context, *, probe: ProbeOptions, **parameters: Any) -> Any:
            flags = {
                name: parameters.pop(name) for name in list(parameters) if name not in _NOT_FLAGS
            }
            flags |= {"text": probe.text, "image": probe.image, "split": probe.split}
            for name in ("seed", "precision"):
                if context.resolved.origins[name] != "default":
                    flags[name] = getattr(context.settings, name)
            return function(context, flags=typed_flags(command, flags), **parameters)

        decorated: Any = functools.reduce(lambda made, option: option(made), reversed(_JOB), run)
        decorated = input_options(decorated)
        for option in reversed(_OPTIONS[command]):
            decorated = option(decorated)
        return cast("F", decorated)

    return decorate
