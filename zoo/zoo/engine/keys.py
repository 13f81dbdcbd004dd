"""Names of results in the store: equal names if and only if equal results."""

from __future__ import annotations

import functools
import hashlib
import importlib.util
from contextlib import suppress
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

import zoo
from zoo.store import key
from zoo.types.score import ScoreRecord

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from zoo.engine.tasks import EstimatorJob, ModelTask
    from zoo.store import Store
    from zoo.types.model import Checkpoint
    from zoo.types.probe import Probe
    from zoo.types.runtimes import Precision

#: Raised when the layout of the files changes.
_FORMAT = 2
DTYPE = "float32"
_SCORING = (
    "zoo.scoring",
    "zoo.factorisation",
    "zoo.sweeps",
    "zoo.algebra",
    "zoo.labels",
    "zoo.checks",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """What the records of a task are made of.

    Attributes:
        features: key of the features.
        attributions: key of the attributions; empty when there are none.
        extras: digest of what joins the features.
    """

    features: str
    attributions: str = ""
    extras: str = ""


def labels_digest(probe: Probe) -> str:
    """Digest the labels in the order of the rows, which the fingerprint need not depend on."""
    labels = np.ascontiguousarray(probe.labels)
    head = f"{labels.dtype.str}{labels.shape}".encode()
    return hashlib.sha256(head + labels.tobytes()).hexdigest()


def features_key(
    checkpoint: Checkpoint,
    identity: str,
    input_key: str,
    fingerprint: str,
    labels: str,
    *,
    precision: Precision = "fp32",
) -> str:
    """Name the pooled activations of one checkpoint on one probe."""
    return key(
        kind="features",
        format=_FORMAT,
        checkpoint=checkpoint.digest,
        runtime=identity,
        input=input_key,
        probe=fingerprint,
        labels=labels,
        dtype=DTYPE if precision == "fp32" else precision,
    )


def shard_key(
    package: str, input_key: str, fingerprint: str, labels: str, rows: Sequence[int]
) -> str:
    """Name the prepared inputs of some rows.

    They are shared by all checkpoints with one input key, in all runtimes of one package.
    """
    return key(
        kind="inputs",
        format=_FORMAT,
        package=package,
        decoders=_decoders(),
        input=input_key,
        probe=fingerprint,
        labels=labels,
        rows=[rows[0], rows[-1]],
    )


def extraction_key(features: str) -> str:
    """Name what is known of a features file without opening it."""
    return key(kind="extraction", features=features)


def attributions_key(features: str, method: str, samples: int, layers: str) -> str:
    """Name the attributions of some samples of a features file, spread evenly."""
    return key(
        kind="attributions",
        format=_FORMAT,
        spread=True,
        features=features,
        method=method,
        samples=samples,
        layers=layers,
    )


def attempt_key(attributions: str) -> str:
    """Name what became of attributions: they were made, or never can be."""
    return key(kind="attempt", attributions=attributions)


def joined_key(keys: Sequence[str]) -> str:
    """Name files that are read as one; one alone keeps its name."""
    return keys[0] if len(keys) == 1 else key(kind="joined", parts=list(keys))


def rows_key(features: str, rows: npt.NDArray[Any]) -> str:
    """Name some rows of a features file."""
    digest = hashlib.sha256(np.ascontiguousarray(rows, dtype="<i8").tobytes()).hexdigest()
    return key(kind="rows", features=features, rows=digest)


def extras_digest(extras: Mapping[str, npt.NDArray[Any]]) -> str:
    """Digest arrays that join the features; empty for none."""
    digest = hashlib.sha256()
    for name in sorted(extras):
        array = np.ascontiguousarray(extras[name])
        digest.update(f"{name}:{array.dtype.str}{array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest() if extras else ""


def score_key(names: Names, layer: str, job: EstimatorJob, task: ModelTask) -> str:
    """Name one cell of the table: everything that its estimator reads."""
    read: dict[str, object] = {}
    # Where labels are texts, every estimator that reads them reads their embeddings.
    texts = bool(names.extras) and "text" in job.spec.tasks
    if texts or job.spec.reads("label_embeddings"):
        read["extras"] = names.extras
    if job.spec.reads("attributions"):
        read["attributions"] = names.attributions
    if job.spec.reads("reference") and task.reference is not None:
        other = task.reference
        read["reference"] = [other.features, other.layer]
        if job.spec.reads("attributions"):
            read["reference"] = [other.features, other.layer, other.attributions]
    return key(
        kind="score",
        **read,
        features=names.features,
        layer=layer,
        estimator=job.spec.name,
        target=job.spec.target,
        code=_code_digest(job.spec.target.partition(":")[0]),
        options=job.options,
        version=job.distribution_version,
        zoo=zoo.__version__,
        permutations=task.permutations,
        folds=task.folds,
        seed=task.seed,
    )


def known_records(
    store: Store, names: Names, task: ModelTask, layers: Sequence[str]
) -> dict[tuple[str, str], ScoreRecord]:
    """Look up a task's cells: (layer, estimator) -> record, in the name of the task's model."""
    cells = {
        score_key(names, layer, job, task): (layer, job.spec.name)
        for layer in layers
        for job in task.estimators
    }
    found = {}
    for name, value in store.records.read(cells).items():
        record = msgspec.json.decode(value, type=ScoreRecord)
        found[cells[name]] = msgspec.structs.replace(record, model=task.checkpoint.model)
    return found


@functools.cache
def _decoders() -> list[str]:
    # Their versions shape the pixels, whichever runtime reads them afterwards.
    found = []
    for name in ("pillow", "transformers"):
        with suppress(metadata.PackageNotFoundError):
            found.append(f"{name}={metadata.version(name)}")
    return found


@functools.cache
def _code_digest(module: str) -> str:
    # Whoever is writing an estimator changes it without changing any version.
    digest = hashlib.sha256()
    paths = _sources(module, whole_package="." in module)
    for name in _SCORING:
        paths += _sources(name, whole_package=False)
    for path in paths:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _sources(module: str, *, whole_package: bool) -> list[Path]:
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        return []
    if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
        return []
    path = Path(spec.origin)
    return sorted(path.parent.glob("*.py")) if whole_package else [path]
