"""Every option that more than one command has: one spelling, one meaning, defined once.

An option that is a setting (``--device``, ``--seed`` ...) is not handed to the command: it is
merged with the environment and ``zoo.toml``, and read from ``context.settings``.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from zoo_cli.values import expand_lists, parse_assignments, parse_conditions

if TYPE_CHECKING:
    from collections.abc import Callable

F = TypeVar("F", bound="Callable[..., Any] | click.Command")

FORMATS = ("auto", "table", "json", "jsonl", "csv", "md", "quiet")


class ShownOption(click.Option):
    """An option that shows its default as it is, without click's brackets."""

    def get_help_extra(self, ctx: click.Context) -> click.types.OptionHelpExtra:
        """Say ``default: auto`` rather than ``default: (auto)``."""
        extra = super().get_help_extra(ctx)
        if "default" in extra:
            extra["default"] = extra["default"].removeprefix("(").removesuffix(")")
        return extra


class SettingOption(ShownOption):
    """An option whose environment twin and default belong to :mod:`zoo.settings`.

    click shows both and reads neither, so that ``zoo config show`` can tell a flag from a
    variable.
    """

    def resolve_envvar_value(self, ctx: click.Context) -> str | None:
        """Leave the variable to the settings."""
        del ctx
        return None


def option(*names: str, default_shown: str, variable: str, **attributes: Any) -> Callable[[F], F]:
    """Declare an option that shows its default and its environment twin."""
    return click.option(
        *names,
        cls=ShownOption,
        show_default=default_shown,
        envvar=variable,
        show_envvar=True,
        **attributes,
    )


def setting(*names: str, shown: object, help: str, **attributes: Any) -> Callable[[F], F]:  # noqa: A002 -- click's word
    """Declare an option that is a field of ``Settings``; its name is the last plain word."""
    field = next((each for each in names if not each.startswith("-")), None)
    field = field or max(names, key=len).lstrip("-").replace("-", "_")
    return click.option(
        *names,
        cls=SettingOption,
        default=None,
        show_default=str(shown),
        envvar=f"ZOO_{field.upper()}",
        show_envvar=True,
        help=help,
        **attributes,
    )


model = option(
    "-m",
    "--model",
    "models",
    metavar="MODEL",
    multiple=True,
    callback=expand_lists,
    variable="ZOO_MODEL",
    default_shown="every model of the registry",
    help="hub:org/name@revision, ./folder or a name of the registry. Repeat it, or @FILE.",
)
estimator = option(
    "-e",
    "--estimator",
    "estimators",
    metavar="NAME",
    multiple=True,
    callback=expand_lists,
    variable="ZOO_ESTIMATOR",
    default_shown="all that fit",
    help="See `zoo plugins list --hook zoo_estimators`; all takes every one. Repeat it, or @FILE.",
)
label_encoder = option(
    "--label-encoder",
    "label_encoders",
    metavar="NAME",
    multiple=True,
    callback=expand_lists,
    variable="ZOO_LABEL_ENCODER",
    default_shown="those that need nothing",
    help="See `zoo plugins list --hook zoo_label_encoders`; or a text checkpoint. Repeat it.",
)
reference_model = option(
    "--reference",
    "reference",
    metavar="MODEL",
    default="",
    default_shown="none",
    variable="ZOO_REFERENCE_MODEL",
    help="A model that estimators such as rsa compare the others with.",
)
assignments = option(
    "--set",
    "assignments",
    metavar="NAME.OPTION=VALUE",
    multiple=True,
    callback=parse_assignments,
    variable="ZOO_SET",
    default_shown="none",
    help="One option of one method, such as logme.refinements=30. Repeat it.",
)
where = option(
    "--where",
    "where",
    metavar="COLUMN=VALUE",
    multiple=True,
    callback=parse_conditions,
    variable="ZOO_WHERE",
    default_shown="every row",
    help="Read only these rows of TRUTH.csv, such as recipe=head. Repeat it.",
)
limit = option(
    "-n",
    "--limit",
    metavar="N",
    type=click.IntRange(min=1),
    default=None,
    default_shown="all",
    variable="ZOO_LIMIT",
    help="Show at most N rows.",
)
revision = option(
    "--revision",
    metavar="REV",
    default=None,
    default_shown="main",
    variable="ZOO_REVISION",
    help="A branch, tag or commit of the Hub.",
)
output_path = option(
    "-o",
    "--output",
    "output_path",
    metavar="PATH",
    type=click.Path(path_type=Path),
    default=None,
    default_shown="standard output",
    variable="ZOO_OUTPUT",
    help="Write to this path.",
)
html = option(
    "--html",
    "html_path",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    default=None,
    default_shown="none",
    variable="ZOO_HTML",
    help="Also write one self-contained page.",
)
attribution = option(
    "--attribution",
    metavar="NAME",
    default="gradient_x_input",
    default_shown="gradient_x_input",
    variable="ZOO_ATTRIBUTION",
    help="How inputs are attributed: gradient_x_input, saliency, lrp, occlusion; or none.",
)
trust_remote_code = option(
    "--trust-remote-code",
    multiple=True,
    metavar="MODEL",
    default_shown="none",
    variable="ZOO_TRUST_REMOTE_CODE",
    help="Let this one checkpoint run its own code. Repeat it.",
)
modality = option(
    "--modality",
    type=click.Choice(("image", "text")),
    default=None,
    default_shown="the model's own",
    variable="ZOO_MODALITY",
    help="Which side of a model that reads images and texts.",
)
dry_run = option(
    "--dry-run",
    is_flag=True,
    default_shown="off",
    variable="ZOO_DRY_RUN",
    help="Say what would be done and what it costs; do nothing.",
)
yes = option(
    "-y", "--yes", is_flag=True, default_shown="off", variable="ZOO_YES", help="Do not ask."
)

device = setting(
    "-d", "--device", shown="auto", metavar="DEVICE", help="auto, cpu, cuda or cuda:N."
)
runtime = setting(
    "--runtime",
    shown="auto",
    metavar="NAME",
    help="What opens the checkpoints: auto (the fastest here), torch, onnx ...",
)
precision = setting(
    "--precision",
    shown="fp32",
    metavar="NAME",
    help="Numbers that forward passes compute in: fp32, bf16 or fp16.",
)
seed = setting("--seed", shown=0, metavar="N", type=int, help="Seed of samples and permutations.")
registry = setting(
    "--registry",
    shown="./registry.json, yours, the packaged one",
    metavar="FILE",
    help="The registry file.",
)
probe_size = setting(
    "--probe-size",
    shown=1000,
    metavar="N",
    type=click.IntRange(min=0),
    help="Samples to keep of your data; 0 keeps all.",
)
jobs = setting(
    "-j",
    "--jobs",
    shown="one a core",
    metavar="N",
    type=click.IntRange(min=0),
    help="Worker processes.",
)
permutations = setting(
    "--permutations",
    shown=50,
    metavar="N",
    type=click.IntRange(min=0),
    help="Shuffled label sets that a score is compared with.",
)
folds = setting(
    "--folds",
    shown=10,
    metavar="N",
    type=click.IntRange(min=0),
    help="Folds of the jack-knife behind the intervals.",
)
timeout = setting(
    "--timeout",
    shown="none",
    metavar="SECONDS",
    type=click.FloatRange(min=0),
    help="Seconds that one model may take.",
)

#: What every command takes, shown in a section of their own.
COMMON = (
    option(
        "--format",
        "format_",
        metavar="FORMAT",
        type=click.Choice(FORMATS),
        default="auto",
        default_shown="auto",
        variable="ZOO_FORMAT",
        help=f"{', '.join(FORMATS)}.",
    ),
    click.option("--json", "json_", is_flag=True, help="The same as --format json."),
    click.option("-q", "--quiet", is_flag=True, help="One id a line and no notes."),
    option(
        "-v",
        "--verbose",
        count=True,
        default_shown="0",
        variable="ZOO_VERBOSE",
        help="Log more; twice for every detail.",
    ),
    option(
        "--no-progress",
        is_flag=True,
        default_shown="off",
        variable="ZOO_NO_PROGRESS",
        help="No progress bars.",
    ),
    option(
        "--color",
        metavar="WHEN",
        type=click.Choice(("auto", "always", "never")),
        default="auto",
        default_shown="auto",
        variable="ZOO_COLOR",
        help="auto, always or never; NO_COLOR is honoured.",
    ),
    setting("--offline", is_flag=True, flag_value=True, shown="off", help="No network at all."),
    setting(
        "--strict",
        is_flag=True,
        flag_value=True,
        shown="off",
        help="A failed model or plugin fails the command.",
    ),
    setting(
        "--no-plugin",
        "disable_plugins",
        metavar="NAME",
        multiple=True,
        shown="none",
        help="Do not load this plugin. Repeat it.",
    ),
)
COMMON_NAMES = frozenset(
    ("format_", "json_", "quiet", "verbose", "no_progress", "color", "offline", "strict")
) | {"disable_plugins"}
