"""What the core itself provides, through the same hooks as everybody else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo.hookspecs import hookimpl
from zoo.types.specs import ProbeSpec, SourceSpec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zoo.types.limits import Limits
    from zoo.types.model import Candidate, ModelEntry
    from zoo.types.ranking import ProbeSummary


@hookimpl
def zoo_sources() -> list[SourceSpec]:
    """The Hub, folders, the checkpoints that come with Zoo, and larger ones made of any."""
    return [
        SourceSpec(
            name="hub",
            target="zoo.sources.hub:HubSource",
            summary="the Hugging Face Hub, pinned to a commit and verified",
        ),
        SourceSpec(
            name="folder",
            target="zoo.sources.folder:FolderSource",
            summary="a folder in Hub format on this machine",
        ),
        SourceSpec(
            name="embedded",
            target="zoo.sources.embedded:EmbeddedSource",
            summary="the small checkpoints that come with Zoo",
        ),
        SourceSpec(
            name="grow",
            target="zoo.sources.grown:GrownSource",
            summary="another checkpoint, made larger: grow:MODEL:width=2x",
        ),
    ]


@hookimpl
def zoo_probes() -> list[ProbeSpec]:
    """The data layouts of the main job."""
    return [
        ProbeSpec(
            name="demo",
            target="zoo.probes.demo:DemoLoader",
            summary="handwritten digits that come with scikit-learn",
            priority=0,
        ),
        ProbeSpec(
            name="arrays",
            target="zoo.probes.arrays:ArraysLoader",
            summary=".npz of features X and labels y or Y",
            priority=10,
        ),
        ProbeSpec(
            name="table",
            target="zoo.probes.table:TableLoader",
            summary="CSV, TSV, JSON, JSONL or parquet of texts, text pairs or images, with labels, "
            "captions, answers or boxes",
            priority=20,
        ),
        ProbeSpec(
            name="dataset-folder",
            target="zoo.probes.dataset:DatasetFolderLoader",
            summary="a folder of parquet shards or of the datasets library",
            priority=30,
        ),
        ProbeSpec(
            name="image-folder",
            target="zoo.probes.images:ImageFolderLoader",
            summary="a folder with one sub-folder of images a class, or with a metadata file of "
            "labels, captions, answers or boxes",
            priority=40,
        ),
        ProbeSpec(
            name="hub-dataset",
            target="zoo.probes.hub:HubDatasetLoader",
            summary="a data set id of the Hub, such as org/name or org/name:config",
            priority=90,
        ),
    ]


@hookimpl
def zoo_exclude_candidates(
    candidates: Sequence[Candidate], probe: ProbeSummary, asked: Limits
) -> dict[str, str]:
    """Leave out what reads other data, is too large, or has another licence."""
    reasons = {each.model: _reason(each.entry, probe, asked) for each in candidates}
    return {model: reason for model, reason in reasons.items() if reason}


def _reason(entry: ModelEntry, probe: ProbeSummary, asked: Limits) -> str:
    if entry.modality and probe.modality != entry.modality:
        return f"reads {entry.modality}, the data is {probe.modality}"
    limit = asked.max_size
    if limit is not None and entry.bytes is not None and entry.bytes > limit:
        from zoo.render.quantities import size_text

        return f"{size_text(entry.bytes)}, over --max-size {size_text(limit)}"
    licenses = asked.licenses
    if entry.license is None:
        return "its licence is not known" if licenses and asked.inspected else ""
    if licenses and entry.license.casefold() not in map(str.casefold, licenses):
        return f"licence {entry.license}, not {' or '.join(licenses)}"
    return ""
