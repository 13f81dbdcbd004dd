"""What the core itself provides, through the same hooks as everybody else."""

from __future__ import annotations

from zoo.hookspecs import hookimpl
from zoo.types.specs import ProbeSpec, SourceSpec


@hookimpl
def zoo_sources() -> list[SourceSpec]:
    """The Hub, folders, and the checkpoints that come with Zoo."""
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
            summary="CSV, TSV, JSONL or parquet of texts, text pairs or encoded images",
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
            summary="a folder with one sub-folder of images a class",
            priority=40,
        ),
        ProbeSpec(
            name="hub-dataset",
            target="zoo.probes.hub:HubDatasetLoader",
            summary="a data set id of the Hub, such as org/name or org/name:config",
            priority=90,
        ),
    ]
