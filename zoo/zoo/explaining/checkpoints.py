"""What a checkpoint's own files say: the names of its classes, its card, its classifier."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.errors import NotApplicable
from zoo.hub.card import front_matter
from zoo.types.reporting import Classifier, LabelSpace

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from zoo.types.model import Checkpoint

_CONFIG, _CARD = "config.json", "README.md"
#: What the last linear layer is called, the more usual first.
_USUAL = re.compile(r"(^|\.)(classifier|head|fc|score|lm_head|last_linear|out_proj)(\.|$)")


def label_space(checkpoint: Checkpoint) -> LabelSpace | None:
    """Read the names of the classes of a checkpoint's own head; None where it names none."""
    path = Path(checkpoint.folder) / _CONFIG
    try:
        content = path.read_bytes()
        names = json.loads(content).get("id2label")
    except (OSError, ValueError, AttributeError):
        return None
    if isinstance(names, dict):
        try:
            names = [names[each] for each in sorted(names, key=int)]
        except ValueError:
            return None
    if not isinstance(names, list) or not names:
        return None
    return LabelSpace(
        name=checkpoint.model,
        labels=tuple(str(each) for each in names),
        source=f"{checkpoint.model}/{_CONFIG}",
        sha256=hashlib.sha256(content).hexdigest(),
    )


def card_of(checkpoint: Checkpoint) -> Mapping[str, Any]:
    """Read the facts of a model card; empty where there is none."""
    try:
        text = (Path(checkpoint.folder) / _CARD).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return {}
    return front_matter(text)


def classifier_of(checkpoint: Checkpoint) -> Classifier:
    """Read the last linear layer: the one matrix with a row for every class.

    Raises:
        NotApplicable: the checkpoint names no classes, or has no such matrix, or several.
    """
    space = label_space(checkpoint)
    if space is None:
        raise NotApplicable(f"{checkpoint.model} names no classes of its own")
    found = [*_matrices(checkpoint, len(space.labels))]
    usual = [each for each in found if _USUAL.search(each[1])]
    if len(found) > 1 and len(usual) == 1:
        found = usual
    if len(found) != 1:
        many = "several matrices" if found else "no matrix"
        raise NotApplicable(
            f"{checkpoint.model} has {many} with a row for each of its {len(space.labels)} classes"
        )
    path, name, bias = found[0]
    weight = _read(path, name)
    return Classifier(
        weight=weight.reshape(len(weight), -1),
        bias=_read(path, bias) if bias else None,
        space=space,
        source=f"{checkpoint.model}/{path.name}#{name}",
        sha256=checkpoint.entry.files.get(path.name, ""),
    )


def _matrices(checkpoint: Checkpoint, classes: int) -> Iterator[tuple[Path, str, str]]:
    """Find files and names of weights (S, D), (S, D, 1, 1), and of the bias beside them."""
    from safetensors import SafetensorError, safe_open

    for path in sorted(Path(checkpoint.folder).glob("*.safetensors")):
        try:
            with safe_open(path, framework="numpy") as file:
                shapes = {name: file.get_slice(name).get_shape() for name in file.keys()}  # noqa: SIM118
        except (SafetensorError, OSError) as error:
            raise NotApplicable(f"{path.name} of {checkpoint.model} cannot be read") from error
        for name, shape in shapes.items():
            flat = len(shape) == 2 or (len(shape) == 4 and shape[2:] == [1, 1])
            if flat and shape[0] == classes and name.endswith("weight"):
                bias = f"{name.removesuffix('weight')}bias"
                yield path, name, bias if shapes.get(bias) == [classes] else ""


def _read(path: Path, name: str) -> Any:
    """Read one tensor as float32; numpy has no bfloat16, torch has."""
    from safetensors import safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            return np.asarray(file.get_tensor(name), dtype=np.float32)
    except (TypeError, AttributeError):
        with safe_open(path, framework="pt") as file:
            return file.get_tensor(name).float().numpy()
