"""What the generated parts of the documentation print; ``make docs`` puts it into the pages."""

from __future__ import annotations

import inspect
import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec
from generating.api import api
from generating.docstrings import documented
from generating.hooks import hook_sections
from generating.imports import IMPORTS, imports_drawing
from generating.schemas import command_schemas, schema_files, write_schemas

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["api", "command_schemas", "hook_sections", "schema_files"]

REFERENCE = Path(__file__).parent / "reference"
RANKING_SCHEMA = REFERENCE / "ranking.schema.json"
ARCHITECTURES = REFERENCE / "architectures.json"
GROWTH = REFERENCE / "growth.json"


def hooks() -> str:
    """List every hook with its signature and its first sentence."""
    from zoo import hookspecs

    found = inspect.getmembers(hookspecs, inspect.isfunction)
    lines = [
        f"* `{signature(name, function)}`: {_first_line(function)}"
        for name, function in found
        if name.startswith("zoo_")
    ]
    return "\n".join(lines)


def signature(name: str, function: Any) -> str:
    """Write a hook as its specification does, without the quotes of lazy annotations."""
    return f"{name}{inspect.signature(function)}".replace("'", "")


def commands() -> str:
    """Describe every command: usage, text, options, examples."""
    from zoo_cli.main import zoo

    context = click.Context(zoo, info_name="zoo")
    parts = ["## Common options", "", "Every command below takes these.", ""]
    parts += [_option(each, context) for each in _common()]
    for command, inner in _walk(zoo, context):
        parts += ["", f"## {inner.command_path}", "", *_command(command, inner)]
    return "\n".join(parts)


def settings() -> str:
    """Tabulate every setting: default, variable, meaning."""
    from zoo.settings import Settings

    defaults, meanings = Settings(), documented(Settings)
    rows = [
        f"| `{name}` | {_default(name, getattr(defaults, name))} | `ZOO_{name.upper()}` | {text} |"
        for name, text in meanings.items()
    ]
    head = ["| setting | default | variable | meaning |", "|---|---|---|---|"]
    return "\n".join([*head, *rows])


def recipe() -> str:
    """Tabulate every key of a recipe, and of the tables in it."""
    from zoo.building.recipe import (
        Recipe,
        Schedule,
        SoftTargets,
        StudentChoice,
        TeacherChoice,
        Views,
    )

    tables = {
        "": Recipe,
        "teachers[]": TeacherChoice,
        "student": StudentChoice,
        "targets": SoftTargets,
        "schedule": Schedule,
        "views": Views,
    }
    lines = ["| key | default | meaning |", "|---|---|---|"]
    for above, struct in tables.items():
        meanings = documented(struct)
        for field in msgspec.structs.fields(struct):
            key = f"{above}.{field.name}".lstrip(".")
            default = "" if field.default is msgspec.NODEFAULT else field.default
            shown = (
                f"`{default}`" if isinstance(default, int | float | str) and default != "" else ""
            )
            lines.append(f"| `{key}` | {shown} | {meanings.get(field.name, '')} |")
    return "\n".join(lines)


def estimators() -> str:
    """Tabulate what Zoo itself provides; other people's plugins have their own pages."""
    from zoo.catalogue import Catalogue, load_target, options_of
    from zoo.host import PluginHost

    catalogue = Catalogue(PluginHost().discover())
    head = "| name | tasks | takes part by itself | options (default) | source |"
    lines = [head, "|---|---|---|---|---|"]
    for name, each in sorted(catalogue.provided("estimator").items()):
        if not each.plugin.startswith("zoo-reuse:"):
            continue
        options = options_of(load_target(each.spec)).values()
        listed = ", ".join(f"`{name}.{each.name}` ({each.default})" for each in options)
        default = "as the prior" if each.spec.data_free else _yes(each.spec.default)
        tasks = "all" if len(each.spec.tasks) > 1 else each.spec.tasks[0]
        cells = (f"`{name}`", tasks, default, listed or "-", each.spec.reference or "-")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def architectures(*, random: bool) -> str:
    """Tabulate what benchmarks/architectures.py measured: tiny random checkpoints, or real ones."""
    rows = [row for row in json.loads(ARCHITECTURES.read_text("utf-8")) if row["random"] is random]
    head = ["architecture" if random else "checkpoint", "reads", "taps", "outline", "graph"]
    head += ["largest difference", "first label", "ranking", "attributions"]
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    ordered = sorted(rows, key=lambda row: (row["modality"], row["name"]))
    lines += [f"| {' | '.join(_architecture(row))} |" for row in ordered]
    return "\n".join(lines)


def _architecture(row: dict[str, Any]) -> list[str]:
    name = f"`{row['architecture']}`" if row["random"] else row["name"]
    cells = [name, row["modality"], str(len(row["taps"])), _same(row["outlined"])]
    if row["reason"]:
        return [*cells, row["reason"], "-", "-", "-", "-"]
    agreement = row["agreement"]
    return [
        *cells,
        f"{row['megabytes']:.1f} MB",
        f"{row['relative']:.0e} at `{row['worst']}`",
        "-" if agreement is None else f"{agreement:.0%}",
        _same(row["ranked"]),
        row["attributions"],
    ]


def growth(*, real: bool) -> str:
    """Tabulate what benchmarks/growth_exact.py measured: tiny drawn networks, or real ones."""
    rows = [row for row in json.loads(GROWTH.read_text("utf-8"))["rows"] if row["real"] is real]
    lines = [
        "| network | grows | float64 | float32 | largest answer | |",
        "|---|---|--:|--:|--:|---|",
    ]
    last = ""
    for row in rows:
        name, last = "" if row["network"] == last else row["network"], row["network"]
        numbers = [row["fp64"], row["fp32"]]
        cells = ["-" if each is None else f"{each:.1e}" for each in numbers]
        scale = "-" if row["scale"] is None else f"{row['scale']:.3g}"
        word = "exact" if row["exact"] else f"**refused**: {row['why'].rstrip('.')}"
        lines.append(f"| {name} | {row['growth']} | {' | '.join(cells)} | {scale} | {word} |")
    return "\n".join(lines)


def families() -> str:
    """Tabulate the families that can be grown, and what each can change."""
    from zoo.api import open_catalogue
    from zoo.settings import Settings

    specs = open_catalogue(Settings()).specs("family")
    lines = ["| family | model types | sizes |", "|---|---|---|"]
    for spec in specs.values():
        kinds = ", ".join(f"`{kind}`" for kind in spec.model_types) or "your own `nn.Module`"
        sizes = ", ".join(f"`--{size.replace('_', '-')}`" for size in ("width", *spec.sizes))
        lines.append(f"| {spec.summary} | {kinds} | {sizes} |")
    return "\n".join(lines)


def _same(equal: bool) -> str:
    return "same" if equal else "other"


def exit_codes() -> str:
    """Tabulate how a command can end."""
    from zoo.errors import ExitCode

    source = inspect.getsource(ExitCode)
    meanings = re.findall(r'(\w+) = (\d+)\n    """(.+?)"""', source)
    rows = [f"| {code} | {text} |" for _, code, text in meanings]
    return "\n".join(["| code | meaning |", "|---|---|", *rows])


def registry_fields() -> str:
    """Tabulate the fields of a registry entry."""
    from zoo.types import ModelEntry

    rows = [f"| `{name}` | {text} |" for name, text in documented(ModelEntry).items()]
    return "\n".join(["| field | meaning |", "|---|---|", *rows])


def ranking_schema() -> str:
    """Make the JSON Schema of ``zoo recommend --json``."""
    from zoo.types import Ranking

    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:zoo:ranking:1",
        "title": "Zoo ranking",
        **msgspec.json.schema(Ranking),
    }
    for definition in schema["$defs"].values():
        definition["description"] = definition["description"].partition("\n")[0]
    return json.dumps(schema, indent=2) + "\n"


def demo() -> str:
    """Run the demo in an empty home and print its table; times differ between machines."""
    import subprocess
    import sys
    import tempfile

    with tempfile.TemporaryDirectory() as home:
        done = subprocess.run(
            [sys.executable, "-m", "zoo_cli", "recommend", "--demo", "--offline", "--no-progress"],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "ZOO_HOME": home, "COLUMNS": "110"},
        )
    return without_times(done.stdout)


def without_times(table: str) -> str:
    """Put an ellipsis for every time, at the same width."""
    lines = table.rstrip().splitlines()
    end = lines[0].index("TIME") + len("TIME")
    start = max(end - 7, lines[0].index("LICENCE") + len("apache-2.0") + 1)
    blank = f"{'…':>{end - start}}"
    return "\n".join([lines[0], *(each[:start] + blank + each[end:] for each in lines[1:])])


def _walk(
    command: click.Command, context: click.Context
) -> Iterator[tuple[click.Command, click.Context]]:
    if not isinstance(command, click.Group):
        yield command, context
        return
    names = getattr(command, "table", None) or command.list_commands(context)
    for name in names:
        inner = command.get_command(context, name)
        assert inner is not None
        yield from _walk(inner, click.Context(inner, info_name=name, parent=context))


def _command(command: click.Command, context: click.Context) -> list[str]:
    common = {each.name for each in _common()} | {"help"}
    usage = " ".join(command.collect_usage_pieces(context))
    lines = ["```console", f"$ {context.command_path} {usage}", "```", ""]
    lines += [inspect.cleandoc(command.help or ""), ""]
    own = [each for each in command.params if each.name not in common]
    lines += [_option(each, context) for each in own if isinstance(each, click.Option)]
    examples = getattr(command, "examples", ())
    if examples:
        lines += ["", "```console", *(f"$ {example}" for example in examples), "```"]
    return lines


def _option(option: click.Parameter, context: click.Context) -> str:
    assert isinstance(option, click.Option)
    names, text = option.get_help_record(context) or ("", "")
    plain, _, extra = text.partition("  [")
    variable = re.search(r"env var: (\w+)", extra)
    default = re.search(r"default: ([^;\]]+)", extra)
    facts = [f"default: {default[1]}"] if default else []
    facts += [f"`{variable[1]}`"] if variable else []
    return f"* `{names}`: {plain}" + (f" ({', '.join(facts)})" if facts else "")


def _common() -> list[click.Parameter]:
    from zoo_cli import options

    def nothing() -> None: ...

    for option in reversed(options.COMMON):
        option(nothing)
    return list(reversed(nothing.__click_params__))  # type: ignore[attr-defined]


def _first_line(function: Any) -> str:
    return (inspect.getdoc(function) or "").splitlines()[0].replace("``", "`")


def _default(name: str, value: object) -> str:
    empty = {"home": "the user's cache folder", "registry": "the search order"}.get(name, "none")
    if isinstance(value, bool):
        return "off"
    return empty if value in ("", ()) else f"`{value}`"


def _yes(value: bool) -> str:
    return "yes" if value else "no"


if __name__ == "__main__":
    RANKING_SCHEMA.write_text(ranking_schema(), encoding="utf-8")
    write_schemas()
    IMPORTS.write_text(imports_drawing(), encoding="utf-8")
