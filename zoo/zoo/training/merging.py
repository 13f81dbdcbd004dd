"""Combine the weights of checkpoints on disk, a tensor at a time, into a new checkpoint.

Nothing is trained and no data is read. Batch norms keep statistics of what used to come before
them: re-estimate those of a merged network (:mod:`zoo.training.norms`) before it is judged.
"""

from __future__ import annotations

import json
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from zoo.appearing import appearing
from zoo.errors import InputError
from zoo.events import Listener, ignore
from zoo.hub.files import CONFIG, code_files, preparation_files
from zoo.training.ancestry import ancestor_notes, likeness, likeness_notes
from zoo.training.contents import Contents, read_contents
from zoo.training.mergeable import ADVICE, check_mergeable, differences
from zoo.training.merged_heads import HeadPlan, plan_head
from zoo.training.merged_tensors import MergedTensors
from zoo.training.weight_files import WeightReader, split_shards, write_shards

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path
    from typing import Any

    import torch

    from zoo.types.model import Checkpoint
    from zoo.types.training import Merger

__all__ = ["MergeReport", "check_mergeable", "merge_checkpoints"]

#: Bytes of one file of weights, and so of what is in memory at a time.
SHARD_BYTES = 2_000_000_000
_PREPROCESSOR = "preprocessor_config.json"


@dataclass(frozen=True, kw_only=True)
class MergeReport:
    """What was merged, and how.

    Attributes:
        head: what became of the heads, with the labels of the merged model.
        tensors: how many were combined.
        copied: how many hold no numbers to average and come from the first model.
        norms: layers with running statistics, which want to be re-estimated on data.
        files: names of what was written.
        cosines: (model, model) -> likeness of their weights; the base is the last number.
        notes: sentences for the person.
    """

    head: HeadPlan
    tensors: int
    copied: int
    norms: int
    files: tuple[str, ...]
    cosines: dict[tuple[int, int], float]
    notes: tuple[str, ...]


def merge_checkpoints(
    merger: Merger,
    checkpoints: Sequence[Checkpoint],
    base: Checkpoint | None,
    folder: Path,
    *,
    aliases: Sequence[str] = (),
    dtype: torch.dtype | None = None,
    shard_bytes: int = SHARD_BYTES,
    on_event: Listener = ignore,
) -> MergeReport:
    """Write the merged checkpoint, with the configuration and the processor of the first model.

    Numbers are combined in float32, or float64 where a model has them, whatever they are stored
    in. Equal label sets are merged (rows in another order are brought into that of the first),
    different ones put side by side.

    Args:
        merger: how to combine one tensor of every model.
        checkpoints: of one architecture.
        base: the checkpoint they were made from; read only if the merger needs it.
        folder: new or empty; it appears whole or not at all.
        aliases: short names of the models, for labels that several of them have.
        dtype: of the merged floating numbers; that of the first model if None.
        shard_bytes: largest file of weights, and what is held in memory of the result.
        on_event: hears of every tensor.

    Raises:
        InputError: the checkpoints do not fit each other or the merger, or the folder is in use.
        CheckpointError: a file is damaged, or holds infinite numbers.
    """
    contents = [read_contents(each) for each in checkpoints]
    root = read_contents(base) if base and merger.needs_base else None
    head = _accepted(merger, contents, root, aliases)
    check = partial(_check_empty, folder)
    check()
    with ExitStack() as stack, appearing(folder, check) as unfinished:
        everyone = [*contents, *([root] if root else [])]
        readers = [stack.enter_context(closing(WeightReader(each))) for each in everyone]
        cosines = likeness(everyone, readers, head.tensors)
        work = MergedTensors(merger, contents, root, readers, head, dtype, on_event)
        shards = split_shards(work.sizes(), shard_bytes)
        files = write_shards(unfinished, shards, work.make)
        files += _write_rest(unfinished, contents[0], head, dtype)
    return MergeReport(
        head=head,
        tensors=len(contents[0].tensors) - len(work.copied),
        copied=len(work.copied),
        norms=sum(name.endswith(".running_var") for name in contents[0].tensors),
        files=tuple(files),
        cosines=cosines,
        notes=(
            *ancestor_notes(contents, root),
            *likeness_notes(everyone, cosines),
            *head.notes,
            *_stored_notes(contents),
            *work.notes(),
        ),
    )


def _check_empty(folder: Path) -> None:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder} is not an empty folder.", "Name one that does not exist yet.")


def _accepted(
    merger: Merger, contents: Sequence[Contents], root: Contents | None, aliases: Sequence[str]
) -> HeadPlan:
    """Give the plan of the heads, or refuse."""
    problems = list(merger.check(len(contents)))
    if merger.needs_base and root is None:
        problems.append(
            "this method reads what each model changed in the checkpoint that all were made from, "
            "and none was named (--base MODEL)."
        )
    if problems:
        raise InputError(f"These {len(contents)} models cannot be merged: {' '.join(problems)}")
    found = differences(contents, root)
    head = plan_head(contents, aliases)
    if found or isinstance(head, str):
        sentences = " ".join(each for each in found if each != ADVICE)
        raise InputError(f"These weights cannot be merged: {sentences}", ADVICE)
    return head


def _stored_notes(contents: Sequence[Contents]) -> Iterator[str]:
    """Say where models are stored or fed differently than the first."""
    first, *others = contents
    for other in others:
        mine, its = ({t.dtype for t in each.tensors.values()} for each in (first, other))
        if mine != its:
            yield (
                f"{other.name} is stored in {', '.join(sorted(its))}; the result is in "
                f"{', '.join(sorted(mine))}, as {first.name}."
            )
        files = [each.files for each in (first, other)]
        read = [each.read(_PREPROCESSOR) for each in files if _PREPROCESSOR in each.sizes]
        if len(read) == 2 and json.loads(read[0]) != json.loads(read[1]):
            yield (
                f"{other.name} prepares its inputs differently; the result prepares them as "
                f"{first.name}."
            )


def _write_rest(
    folder: Path, first: Contents, head: HeadPlan, dtype: torch.dtype | None
) -> list[str]:
    """Write configuration, processor and tokenizer, and code that the configuration asks for."""
    config = {key: value for key, value in first.config.items() if key != "_name_or_path"}
    if dtype:
        config.pop("torch_dtype", None)
        config["dtype"] = str(dtype).removeprefix("torch.")
    if head.way == "concatenate" and head.space:
        config.pop("label_descriptions", None)
        config |= _labelled(config, head.space.labels)
    (folder / CONFIG).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    code = code_files(first.files) if "auto_map" in config else ()
    others = [*preparation_files(first.files), *code]
    for path in others:
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(first.files.read(path))
    return [CONFIG, *others]


def _labelled(config: Mapping[str, Any], labels: Sequence[str]) -> dict[str, Any]:
    """Give the fields that name the logits."""
    if "architecture" in config:
        return {"label_names": list(labels), "num_classes": len(labels)}
    return {
        "id2label": {str(number): label for number, label in enumerate(labels)},
        "label2id": {label: number for number, label in enumerate(labels)},
    }
