"""A ranking as Markdown, for issues, pull requests and notebooks."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from zoo.render.columns import markdown_table
from zoo.render.table import (
    estimator_columns,
    estimator_rows,
    prior_columns,
    prior_rows,
    ranking_columns,
    ranking_rows,
)
from zoo.render.words import LEGEND, agreement_line, data_line, short, verdict

if TYPE_CHECKING:
    from zoo.types.ranking import Ranking


def markdown(ranking: Ranking) -> str:
    """Write a whole ranking as GitHub Markdown."""
    sections = [
        f"# Models for {ranking.probe.name}",
        f"{data_line(ranking.probe)}\n\n**{verdict(ranking)}**",
        *(f"> **Warning:** {warning}" for warning in ranking.warnings),
        markdown_table(ranking_columns(ranking), ranking_rows(ranking)) + _legend(ranking),
        "## Estimators\n\nA star marks a saturated value, which does not count.\n\n"
        + markdown_table(estimator_columns(ranking), estimator_rows(ranking)),
    ]
    if ranking.prior:
        table = markdown_table(prior_columns(), prior_rows(ranking))
        sections.append(f"## Prior\n\nThe order before any of the data was read.\n\n{table}")
    if ranking.excluded:
        lines = [f"* {short(each.model)}: {each.reason}" for each in ranking.excluded]
        sections.append("## Left out\n\n" + "\n".join(lines))
    if ranking.failures:
        lines = [f"* {each} {each.hint}".rstrip() for each in ranking.failures]
        sections.append("## Failed\n\n" + "\n".join(lines))
    sections.append(_provenance(ranking))
    return "\n\n".join(section.strip("\n") for section in sections) + "\n"


def _legend(ranking: Ranking) -> str:
    lines = [f"* {name}: {meaning}." for name, meaning in LEGEND]
    agreement = agreement_line(ranking)
    return "\n" + "\n".join(lines + ([f"* {agreement}."] if agreement else []))


def _provenance(ranking: Ranking) -> str:
    provenance = ranking.provenance
    versions = ", ".join(f"{name} {version}" for name, version in provenance.versions.items())
    runtime = f"* runtime: {provenance.runtime}\n" if provenance.runtimes else ""
    return (
        f"## Provenance\n\n"
        f"* run: {ranking.run}, {provenance.started}\n"
        f"* command: `{shlex.join(provenance.command)}`\n"
        f"* data: fingerprint `{ranking.probe.fingerprint}`, seed {provenance.seed}\n"
        f"* device: {provenance.device}\n"
        f"{runtime}"
        f"* versions: {versions}"
    )
