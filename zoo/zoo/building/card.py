"""The model card of a built model: what it is made of, how, how good it is, how to use it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from zoo.building.licences import joint_licence
from zoo.building.manifest import Manifest
from zoo.building.presets import LABELS
from zoo.building.recipe import Recipe
from zoo.errors import InputError
from zoo.render.columns import Column, markdown_table
from zoo.render.quantities import count_text, duration_text, parameters_text, size_text
from zoo.render.words import short
from zoo.types.model import ModelRef

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from zoo.types.runtimes import ExportReport

_MOST_LABELS = 20
_KINDS = {"amalgamate": "amalgamation", "distill": "distillation", "finetune": "fine-tuning"}
_ONNX = "\n## ONNX\n"


class Ingredient(msgspec.Struct, frozen=True, kw_only=True):
    """A checkpoint that went in.

    Attributes:
        alias: its short name.
        model: reference, as the person named it or pinned.
        revision: commit of the Hub.
        digest: of its files.
        labels: number of its classes; None without a head.
    """

    alias: str
    model: str
    revision: str = ""
    digest: str = ""
    license: str | None = None
    architecture: str = ""
    parameters: int | None = None
    labels: int | None = None


class TrainingFacts(msgspec.Struct, frozen=True, kw_only=True):
    """How the training went.

    Attributes:
        rows: samples that were trained on.
        peak_bytes: most memory of the process, or of the device.
        weights: name of a loss -> its weight.
    """

    steps: int
    epochs: float
    seconds: float
    rows: int = 0
    samples_per_second: float = 0.0
    peak_bytes: int = 0
    device: str = "cpu"
    weights: dict[str, float] = {}


class LossLine(msgspec.Struct, frozen=True, kw_only=True):
    """One loss over the training: the mean of its first and of its last tenth."""

    name: str
    first: float
    last: float
    weight: float | None = None


class Built(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that the card says.

    Attributes:
        name: title of the model.
        task: pipeline tag of the Hub.
        labels: of its head, in the order of the logits; empty without one.
        student: what it was made from; None where weights were merged.
        base: the common ancestor of merged weights.
        metrics: model -> metric -> number, as in ``metrics.json``.
        verdict: what follows from the metrics, good or bad, one sentence each.
        notes: what else a person should know, one sentence each.
        skipped: number of inputs that could not be read.
    """

    name: str
    task: str
    architecture: str
    parameters: int
    labels: tuple[str, ...]
    teachers: tuple[Ingredient, ...]
    recipe: Recipe
    manifest: Manifest
    student: Ingredient | None = None
    base: Ingredient | None = None
    training: TrainingFacts | None = None
    losses: tuple[LossLine, ...] = ()
    metrics: dict[str, Any] = {}
    verdict: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    skipped: int = 0

    @property
    def sources(self) -> tuple[Ingredient, ...]:
        """Every checkpoint whose weights went in; one that teaches itself stands once."""
        start = self.recipe.student
        drawn = start is not None and start.initial == "random"
        student = None if drawn else self.student
        others = tuple(each for each in (student, self.base) if each is not None)
        found: dict[str, Ingredient] = {}
        for each in (*self.teachers, *others):
            found.setdefault(each.digest or each.model, each)
        return tuple(found.values())


def write_card(built: Built) -> str:
    """Write the card as Markdown with the facts for the Hub in front."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    templates = Environment(
        loader=PackageLoader("zoo.building"),
        autoescape=False,  # noqa: S701 -- Markdown; table cells are escaped where they are made
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    licence, why = joint_licence({each.alias: each.license for each in built.sources})
    columns, rows = metric_table(built.metrics, alone=not built.teachers)
    text = templates.get_template("card.md.j2").render(
        built=built,
        recipe=built.recipe,
        front=_front_matter(built, licence).rstrip(),
        licence=licence,
        why=why,
        teachers=markdown_table(_INGREDIENTS, [_ingredient(each) for each in built.teachers]),
        losses=markdown_table(_LOSSES, [msgspec.to_builtins(each) for each in built.losses]),
        metrics=markdown_table(columns, rows) if rows else "",
        shown=built.labels[:_MOST_LABELS],
        count=count_text,
        duration=duration_text,
        parameters=parameters_text,
        size=size_text,
        short=short,
    )
    return text.rstrip() + "\n"


def with_graph(card: str, report: ExportReport) -> str:
    """Add what is known of an exported graph; one that is there is replaced."""
    worst = max((tap.difference for tap in report.taps), default=0.0)
    agreed = (
        "" if report.agreement is None else f", with the same first label on {report.agreement:.1%}"
    )
    kind = f"{report.precision}, opset {report.opset}, {size_text(report.bytes)}"
    lines = [
        f"`onnx/` holds the same model as a graph ({kind}).",
        f"On {report.samples} inputs it differs from PyTorch by at most {worst:.1e}{agreed}.",
        *report.notes,
    ]
    return f"{card.partition(_ONNX)[0].rstrip()}\n{_ONNX}\n" + "\n".join(lines) + "\n"


def metric_table(
    metrics: Mapping[str, Any], *, alone: bool = False
) -> tuple[list[Column], list[dict[str, Any]]]:
    """One row a model, one column a number; numbers that all models lack are no column.

    Args:
        metrics: as in ``metrics.json``.
        alone: nobody's labels are joined, so that the share of right ones is plain accuracy.
    """
    rows = [{"model": model, **_numbers(values)} for model, values in metrics.items()]
    rows = [row for row in rows if len(row) > 1]
    names = list(dict.fromkeys(name for row in rows for name in row if name != "model"))
    called = {"joint": "accuracy"} if alone else {}
    columns = [
        Column(name, called.get(name, name.replace("_", " ")), right=True, show=_shown)
        for name in names
    ]
    return [Column("model", "model", key=True), *columns], rows


def _numbers(values: Any, above: str = "") -> dict[str, float]:
    """Flatten what may be nested; an interval stays out of a table."""
    if not isinstance(values, dict):
        return {}
    found: dict[str, float] = {}
    for name, value in values.items():
        path = f"{above} {name}".strip()
        if isinstance(value, dict):
            inner = value.get("value")
            found |= {path: inner} if isinstance(inner, int | float) else _numbers(value, path)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            found[path] = value
    return found


def _shown(value: float) -> str:
    return count_text(value) if isinstance(value, int) else f"{value:.3f}"


_INGREDIENTS = [
    Column("alias", "alias", key=True),
    Column("model", "model", show=short),
    Column("revision", "revision", show=lambda text: text[:12]),
    Column("digest", "weights", show=lambda text: text[:12]),
    Column("architecture", "architecture"),
    Column("parameters", "parameters", right=True, show=parameters_text),
    Column("labels", "classes", right=True, show=count_text),
    Column("license", "licence"),
]
_LOSSES = [
    Column("name", "loss", key=True),
    Column("weight", "weight", right=True, show="{:g}".format),
    Column("first", "first tenth", right=True, show="{:.4g}".format),
    Column("last", "last tenth", right=True, show="{:.4g}".format),
]


def _ingredient(each: Ingredient) -> dict[str, Any]:
    return dict(msgspec.to_builtins(each))


def _front_matter(built: Built, licence: str) -> str:
    import yaml

    facts: dict[str, Any] = {"library_name": "transformers", "license": licence}
    if licence == "other":
        facts["license_name"] = "of-its-sources"
    parents = _hub_names(built.sources)
    if parents:
        facts["base_model"] = parents
    facts["pipeline_tag"] = built.task
    method = built.recipe.method
    kind = _KINDS[built.recipe.command]
    methods = [each.partition(":")[0] for each in method.split(",") if each not in {"", LABELS}]
    facts["tags"] = ["zoo", kind, *methods]
    results = _results(built)
    if results:
        facts["metrics"] = ["accuracy"]
        facts["model-index"] = results
    text: str = yaml.safe_dump(facts, sort_keys=False, allow_unicode=True)
    return text


def _hub_names(sources: Sequence[Ingredient]) -> list[str]:
    """Those that the Hub can link to."""
    found = []
    for each in sources:
        try:
            reference = ModelRef.parse(each.model)
        except InputError:
            continue
        if reference.source == "hub" and "/" in reference.name:
            found.append(reference.name)
    return list(dict.fromkeys(found))


def _results(built: Built) -> list[dict[str, Any]]:
    """Accuracy on labelled data, in the form of the Hub's evaluation results."""
    numbers = _numbers(built.metrics.get("student"))
    accuracy = numbers.get("joint")
    if accuracy is None or not built.recipe.evaluation:
        return []
    data = built.recipe.evaluation.rstrip("/").rpartition("/")[2] or built.recipe.evaluation
    result = {
        "task": {"type": built.task},
        "dataset": {"name": data, "type": data},
        "metrics": [{"type": "accuracy", "value": round(float(accuracy), 4)}],
    }
    return [{"name": built.name, "results": [result]}]
