"""The model card of a grown checkpoint: from what, how, and the proof."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from zoo.building.licences import joint_licence
from zoo.errors import InputError
from zoo.render.columns import Column, markdown_table
from zoo.render.quantities import count_text, parameters_text, size_text
from zoo.types.model import ModelRef

if TYPE_CHECKING:
    from zoo.growing.journey import GrowthReport
    from zoo.types.model import ModelEntry

_STEPS = [
    Column("what", "what", key=True),
    Column("old", "before", right=True, show=count_text),
    Column("new", "after", right=True, show=count_text),
    Column("how", "how"),
]
_SIZES = [
    Column("network", "network", key=True),
    Column("parameters", "parameters", right=True, show=parameters_text),
    Column("bytes", "size", right=True, show=size_text),
    Column("flops", "FLOPs of one input", right=True, show="{:.3g}".format),
]
_PROOF = [
    Column("numbers", "numbers", key=True),
    Column("largest", "largest difference", right=True, show="{:.1e}".format),
    Column("scale", "largest answer", right=True, show="{:.3g}".format),
    Column("allowed", "allowed", right=True, show="{:.1e}".format),
    Column("agreement", "same first label", right=True, show="{:.1%}".format),
]


def write_card(report: GrowthReport, entry: ModelEntry) -> str:
    """Write the card as Markdown with the facts for the Hub in front."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    templates = Environment(
        loader=PackageLoader("zoo.growing"),
        autoescape=False,  # noqa: S701 -- Markdown; table cells are escaped where they are made
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    plan = report.plan
    licence, why = joint_licence({"its ancestor": entry.license})
    sizes = [
        {"network": name, **msgspec.to_builtins(size)}
        for name, size in (("before", plan.before), ("after", plan.after))
    ]
    proof = [
        {**msgspec.to_builtins(each), "allowed": each.tolerance * each.scale}
        for each in report.proof
    ]
    text = templates.get_template("card.md.j2").render(
        name=Path(report.folder).name,
        entry=entry,
        plan=plan,
        report=report,
        proof=report.proof,
        exact=all(each.passed for each in report.proof),
        front=_front_matter(report, entry, licence).rstrip(),
        licence=licence,
        why=why,
        steps=markdown_table(_STEPS, [msgspec.to_builtins(each) for each in plan.steps]),
        sizes=markdown_table(_SIZES, sizes),
        differences=markdown_table(_PROOF, proof),
        parameters=parameters_text,
    )
    return text.rstrip() + "\n"


def _front_matter(report: GrowthReport, entry: ModelEntry, licence: str) -> str:
    import yaml

    facts: dict[str, Any] = {"library_name": entry.library or "transformers", "license": licence}
    if licence == "other":
        facts["license_name"] = "of-its-ancestor"
    parent = _on_hub(report.plan.model)
    if parent:
        facts["base_model"] = [parent]
    if entry.task:
        facts["pipeline_tag"] = entry.task
    facts["tags"] = ["zoo", "growth", report.plan.method]
    text: str = yaml.safe_dump(facts, sort_keys=False, allow_unicode=True)
    return text


def _on_hub(model: str) -> str:
    try:
        found = ModelRef.parse(model)
    except InputError:
        return ""
    return found.name if found.source == "hub" and "/" in found.name else ""
