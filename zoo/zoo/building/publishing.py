"""Make the output folder a model of the Hub's format: whole, or to be completed by running again.

Everything is written inside ``training`` first. Then the files move, ``config.json`` last, so that
what is half moved is no model yet and knows how to become one.
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from zoo.building import curves
from zoo.building.card import with_graph, write_card
from zoo.building.label_maps import write_map
from zoo.building.label_spaces import config_entries
from zoo.building.place import RECIPE, clear_training
from zoo.building.presets import LABELS, SOFT
from zoo.building.recipes import to_yaml
from zoo.errors import InputError, ZooError
from zoo.events import Listener, ignore
from zoo.files import write_atomically
from zoo.types.model import ModelRef

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from zoo.building.card import Built
    from zoo.building.label_spaces import LabelSpace
    from zoo.building.manifest import Manifest, ModelIdentity
    from zoo.building.place import Work
    from zoo.building.recipe import Recipe
    from zoo.catalogue import Catalogue
    from zoo.settings import Settings
    from zoo.types.protocols import ProbeOptions
    from zoo.types.runtimes import ExportReport
    from zoo.types.training import TrainableNetwork

JOURNAL = "training.jsonl"
PICTURE = "training.png"
METRICS = "metrics.json"
LABEL_MAP = "label_map.yaml"
SKIPPED = "skipped.txt"
CONFIG = "config.json"
_CARD = "README.md"
_STAGED = "publishing"
#: What libraries write down of the folder that they happened to load from.
_ORIGINS = ("_name_or_path", "name_or_path")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Result:
    """What is published.

    Attributes:
        built: what the card says.
        space: the labels; None for a student without a head.
        metrics: model -> what was measured, as ``metrics.json`` has it.
        skipped: (name, reason) of every input that could not be read.
    """

    built: Built
    space: LabelSpace | None = None
    metrics: Mapping[str, Any] | None = None
    skipped: Sequence[tuple[str, str]] = ()


def publish(work: Work, network: TrainableNetwork, result: Result) -> None:
    """Put the finished model into its folder, and remove what was needed to make it.

    After an interruption it is called again, or :func:`complete` where ``work`` has reached
    ``publishing``.

    Raises:
        ZooError: it cannot be written; what was trained is kept.
    """
    try:
        if not work.reached("publishing"):
            _stage(work, network, result)
            work.mark("publishing")
        complete(work)
    except OSError as error:
        raise ZooError(
            f"the model cannot be written to {work.typed!r}: {error.strerror or error}.",
            f"Make room, then: zoo resume {work.typed}",
        ) from error


def complete(work: Work) -> None:
    """Move what is staged into the folder; goes on where it was interrupted."""
    staged = work.training / _STAGED
    paths = sorted((path for path in staged.rglob("*") if path.is_file()), key=_config_last)
    for path in paths:
        target = work.folder / path.relative_to(staged)
        target.parent.mkdir(parents=True, exist_ok=True)
        path.replace(target)
    work.mark("published")
    clear_training(work)


def add_onnx(
    place: Path,
    typed: str,
    settings: Settings,
    catalogue: Catalogue,
    *,
    data: str = "",
    probe: ProbeOptions | None = None,
    modality: str | None = None,
    trust_remote_code: Sequence[str] = (),
    on_event: Listener = ignore,
) -> ExportReport:
    """Export a published model into its folder ``onnx``, compared on the person's data.

    Raises:
        InputError: there is a graph already, or the data or the runtime cannot be used.
        CheckpointError: it cannot be exported, or the graph computes something else.
    """
    from zoo.exporting import export

    # A plain name would be looked up on the Hub.
    model = typed if typed.startswith((".", "/", "~")) else f"./{typed}"
    report = export(
        model,
        place / "onnx",
        settings,
        catalogue,
        taps=("logits",) if _has_head(place) else (),
        data=data,
        probe=probe,
        modality=modality,
        trust_remote_code=trust_remote_code,
        on_event=on_event,
    )
    report = msgspec.structs.replace(report, folder=f"{typed.rstrip('/')}/onnx")
    card = place / _CARD
    text = card.read_text(encoding="utf-8")
    write_atomically(card, with_graph(text, report).encode())
    return report


def _stage(work: Work, network: TrainableNetwork, result: Result) -> None:
    staged = work.training / _STAGED
    shutil.rmtree(staged, ignore_errors=True)
    staged.mkdir(parents=True)
    network.save(staged)
    _settle_config(staged / CONFIG, result.space)
    for path in staged.glob("*.json"):
        _forget_origin(path)
    if work.journal.exists():
        _stage_journal(work.journal, staged, result.built)
    metrics = result.metrics if result.metrics is not None else result.built.metrics
    (staged / METRICS).write_bytes(msgspec.json.format(msgspec.json.encode(metrics)) + b"\n")
    if result.space is not None:
        write_map(result.space, staged / LABEL_MAP)
    if result.skipped:
        lines = [f"{name}\t{reason}" for name, reason in result.skipped]
        (staged / SKIPPED).write_text("\n".join(lines) + "\n", encoding="utf-8")
    recipe = portable(result.built.recipe, result.built.manifest)
    (staged / RECIPE).write_text(to_yaml(recipe), encoding="utf-8")
    (staged / _CARD).write_text(write_card(result.built), encoding="utf-8")
    _make_durable(staged)


def _stage_journal(journal: Path, staged: Path, built: Built) -> None:
    shutil.copyfile(journal, staged / JOURNAL)
    read = curves.read(journal)
    if read.losses:
        methods = built.training is None or set(built.training.weights) - {SOFT, LABELS}
        warmup = built.recipe.schedule.warmup if methods else 0.0  # theirs alone
        curves.draw(read, staged / PICTURE, warmup=warmup, title=built.name)


def _settle_config(path: Path, space: LabelSpace | None) -> None:
    """Give the configuration the labels, whatever the network wrote.

    Raises:
        ZooError: the network has another number of outputs.
    """
    if not path.is_file():
        raise InputError(f"the student was saved without {path.name}, which every model has.")
    if space is None:
        return
    config = json.loads(path.read_bytes())
    width = len(config.get("id2label") or space.labels)
    if width != len(space.labels):
        raise ZooError(f"the student has {width} outputs for {len(space.labels)} labels.")
    _write_json(path, config | config_entries(space))


def _forget_origin(path: Path) -> None:
    """Leave out the folder of this machine that a file was loaded from."""
    try:
        values = json.loads(path.read_bytes())
    except ValueError:
        return
    if not isinstance(values, dict):
        return
    strange = [key for key in _ORIGINS if Path(str(values.get(key, ""))).is_absolute()]
    if strange:
        _write_json(path, {key: value for key, value in values.items() if key not in strange})


def portable(recipe: Recipe, manifest: Manifest) -> Recipe:
    """Say which commits were taken, and leave the working directory to whoever runs it again."""
    teachers = tuple(
        msgspec.structs.replace(
            choice, alias=choice.alias or found.alias, model=_pinned(choice.model, found)
        )
        for choice, found in zip(recipe.teachers, manifest.teachers, strict=True)
    )
    student = recipe.student
    if student is not None and manifest.student is not None:
        student = msgspec.structs.replace(student, model=_pinned(student.model, manifest.student))
    return msgspec.structs.replace(recipe, teachers=teachers, student=student, folder="")


def _pinned(typed: str, found: ModelIdentity) -> str:
    try:
        return found.model if ModelRef.parse(found.model).pinned else typed
    except InputError:
        return typed


def _config_last(path: Path) -> tuple[bool, str]:
    return path.name == CONFIG, path.as_posix()


def _has_head(place: Path) -> bool:
    return (place / LABEL_MAP).exists()


def _write_json(path: Path, values: Mapping[str, Any]) -> None:
    text = json.dumps(values, indent=2, sort_keys=True, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")


def _make_durable(folder: Path) -> None:
    """Wait until the disk has every file."""
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb+") as file:
                os.fsync(file.fileno())
