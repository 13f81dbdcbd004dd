"""A probe as a file that Zoo, and the ``datasets`` library, read back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.errors import InputError
from zoo.files import replacing
from zoo.probes.files import RECORDED
from zoo.probes.words import flag

if TYPE_CHECKING:
    import pyarrow as pa

    from zoo.types.probe import Probe

_IN_FOLDER = "data/train-00000-of-00001"


def save(probe: Probe, target: Path, *, replace: bool = False) -> Path:
    """Write a probe whole or not at all; read back, it has the same fingerprint.

    Args:
        probe: images and texts go to parquet, features to ``.npz``.
        target: a file with that ending, or a folder.
        replace: overwrite the file that is there.

    Returns:
        The file that was written.

    Raises:
        InputError: it exists, or has another ending.
    """
    ending = ".npz" if probe.modality == "features" else ".parquet"
    inside = (probe.name + ending) if ending == ".npz" else (_IN_FOLDER + ending)
    path = target if target.suffix.lower() == ending else target / inside
    if target.suffix and path is not target and not target.is_dir():
        raise InputError(
            f"a probe of {probe.modality} is written as {ending}, not as {target.suffix!r}.",
            flag("-o", str(target.with_suffix(ending))),
        )
    if path.exists() and not replace:
        raise InputError(f"{str(path)!r} exists.", "Name another file, or add --yes.")
    write = _write_arrays if ending == ".npz" else _write_parquet
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        write(probe, temporary)
    return path


def _write_arrays(probe: Probe, path: Path) -> None:
    key = "y" if probe.labels.ndim == 1 else "Y"
    arrays: dict[str, Any] = {"X": np.asarray(probe.inputs), key: probe.labels}
    arrays |= {"label_names": np.array(probe.label_names, str), "task": np.array(probe.task)}
    np.savez(path, allow_pickle=False, **arrays)


def _write_parquet(probe: Probe, path: Path) -> None:
    import pyarrow.parquet as pq

    pq.write_table(_table(probe), path, compression="zstd")


def _table(probe: Probe) -> pa.Table:
    import pyarrow as pa

    columns, declared, roles = _inputs(probe)
    if probe.task == "classification":
        columns["label"] = pa.array(probe.labels, pa.int64())
        declared["label"] = {"_type": "ClassLabel", "names": list(probe.label_names)}
    elif probe.task == "multi-label":
        sets = [np.flatnonzero(row).tolist() for row in probe.labels]
        columns["label"] = pa.array(sets, pa.list_(pa.int64()))
        feature = {"_type": "ClassLabel", "names": list(probe.label_names)}
        declared["label"] = {"_type": "List", "feature": feature}
    elif probe.task == "text":
        columns["label"] = pa.array([probe.label_names[each] for each in probe.labels], pa.string())
        declared["label"] = {"_type": "Value", "dtype": "string"}
    else:
        targets = probe.labels.reshape(probe.samples, -1)
        for number, name in enumerate(_target_names(probe, set(columns))):
            columns[name] = pa.array(targets[:, number], pa.float64())
            declared[name] = {"_type": "Value", "dtype": "float64"}
            roles.setdefault("label", []).append(name)
    roles.setdefault("label", ["label"])
    metadata = {
        b"huggingface": json.dumps({"info": {"features": declared}}).encode(),
        RECORDED: json.dumps({"roles": roles, "task": probe.task}).encode(),
    }
    return pa.table(columns).replace_schema_metadata(metadata)


def _inputs(probe: Probe) -> tuple[dict[str, Any], dict[str, Any], dict[str, list[str]]]:
    import pyarrow as pa

    if probe.modality == "image":
        cells = [
            {"bytes": each.data or Path(each.path).read_bytes(), "path": Path(each.path or "").name}
            for each in probe.inputs
        ]
        kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
        image = {"image": pa.array(cells, kind)}
        return image, {"image": {"_type": "Image"}}, {"image": ["image"]}
    paired = bool(probe.inputs) and not isinstance(probe.inputs[0], str)
    names = ["text1", "text2"] if paired else ["text"]
    texts = list(zip(*probe.inputs, strict=True)) if paired else [probe.inputs]
    columns = {name: pa.array(each, pa.string()) for name, each in zip(names, texts, strict=True)}
    declared = {name: {"_type": "Value", "dtype": "string"} for name in names}
    return columns, declared, {"text": names}


def _target_names(probe: Probe, taken: set[str]) -> list[str]:
    """Names of the targets; one that an input has already gets an underscore."""
    return [f"{name}_" if name in taken else name for name in probe.label_names]
