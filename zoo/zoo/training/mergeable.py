"""Whether weights of several checkpoints can be combined, from configurations and headers alone."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from zoo.hub.files import read_json
from zoo.training.contents import Contents, read_contents
from zoo.training.merged_heads import plan_head

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from zoo.types.model import Checkpoint

ADVICE = (
    "Networks that differ can still teach one student: take a method that trains "
    "(zoo plugins list --hook zoo_amalgamators)."
)

#: Fields that leave the network's function as it is, when it predicts.
_WITHOUT_EFFECT = re.compile(
    r"_.*|architectures|transformers_version|(torch_)?dtype|id2label|label2id|num_labels"
    r"|problem_type|finetuning_task|task_specific_params|label_\w+|num_classes|pretrained_cfg"
    r"|.*(dropout|drop_path|drop_rate|drop_prob|pdrop|layerdrop)\w*|.*initializer.*|init_std|.*_init"
    r"|use_cache|output_\w+|return_dict|gradient_checkpointing|torchscript|zoo_\w+|auto_map"
    r"|(bos|eos|pad|sep|cls|mask|decoder_start)_token_id|out_(features|indices)|stage_names"
)
_SHOWN = 5
_FLOATING = ("F", "BF")


def check_mergeable(checkpoints: Sequence[Checkpoint], base: Checkpoint | None) -> list[str]:
    """Say why the weights cannot be combined, one sentence a difference; nothing if they can.

    Args:
        checkpoints: at least two.
        base: what they were made from, for methods that read it; its head does not matter.

    Raises:
        CheckpointError: a file is missing or damaged.
    """
    contents = [read_contents(each) for each in checkpoints]
    return differences(contents, read_contents(base) if base else None)


def differences(contents: Sequence[Contents], base: Contents | None) -> list[str]:
    """Give the sentences of :func:`check_mergeable`."""
    if len(contents) < 2:
        return ["Merging needs at least two checkpoints."]
    problems = [*_kinds(contents, base)]
    if problems:
        return [*problems, ADVICE]
    head = plan_head(contents)
    apart = set() if isinstance(head, str) or head.way == "merge" else set(head.tensors)
    first, *others = contents
    for other in others:
        problems += [*_settings(first, other), *_tensors(first, other, apart)]
        problems += _vocabularies(first, other)
    if base:
        own = _head_tensors(contents)
        problems += [*_settings(first, base), *_of_base(first, base, own)]
    if problems:
        problems.append(ADVICE)
    return problems + ([head] if isinstance(head, str) else [])


def _kinds(contents: Sequence[Contents], base: Contents | None) -> Iterator[str]:
    """Compare the architectures, and refuse packed numbers."""
    first = contents[0]
    for each in [*contents, *([base] if base else [])]:
        if "quantization_config" in each.config:
            yield f"{each.name} is quantised, and packed weights cannot be averaged."
        same_head = each is base or each.architecture == first.architecture
        if _kind(each) != _kind(first) or not same_head:
            yield (
                f"{each.name} is a {each.architecture} and {first.name} a {first.architecture}; "
                "only weights of one architecture can be combined."
            )


def _kind(contents: Contents) -> tuple[Any, Any]:
    return contents.config.get("model_type"), contents.config.get("architecture")


def _settings(first: Contents, other: Contents) -> Iterator[str]:
    """Compare the fields that both configurations have and that shape the network."""
    for key in sorted(first.config.keys() & other.config.keys()):
        mine, its = first.config[key], other.config[key]
        if mine != its and not _WITHOUT_EFFECT.fullmatch(key):
            yield f"{other.name} has {key} = {its!r} in its config, and {first.name} has {mine!r}."


def _tensors(first: Contents, other: Contents, apart: set[str]) -> Iterator[str]:
    """Compare names, shapes and kinds of numbers; rows of the tensors in ``apart`` may differ."""
    yield from _missing(first, other, [name for name in first.tensors if name not in other.tensors])
    yield from _missing(other, first, [name for name in other.tensors if name not in first.tensors])
    shapes, numbers = [], []
    for name, mine in first.tensors.items():
        its = other.tensors.get(name)
        if its is None:
            continue
        skip = 1 if name in apart else 0
        if mine.shape[skip:] != its.shape[skip:] or len(mine.shape) != len(its.shape):
            shapes.append(_shapes(name, first, mine.shape, other, its.shape))
        elif is_floating(mine.dtype) != is_floating(its.dtype):
            numbers.append(
                f"{name} holds {its.dtype} in {other.name} and {mine.dtype} in {first.name}."
            )
    yield from _shortened(shapes, "tensors differ in shape")
    yield from _shortened(numbers, "tensors differ in the kind of their numbers")


def _of_base(first: Contents, base: Contents, own: set[str]) -> Iterator[str]:
    """Ask the base for everything but heads."""
    found = {name: base.find(name) for name in first.tensors if name not in own}
    yield from _missing(first, base, [name for name, known in found.items() if known is None])
    shapes = [
        _shapes(name, first, first.tensors[name].shape, base, base.tensors[known].shape)
        for name, known in found.items()
        if known and first.tensors[name].shape != base.tensors[known].shape
    ]
    yield from _shortened(shapes, "tensors differ in shape")


def _head_tensors(contents: Sequence[Contents]) -> set[str]:
    """Name what stands outside of the body; the base need not have it."""
    first = contents[0]
    head = plan_head(contents)
    named = set() if isinstance(head, str) else set(head.tensors)
    outside = {name for name in first.tensors if first.body and not name.startswith(first.body)}
    return named | (outside if first.labels else set())


def _missing(owner: Contents, lacking: Contents, names: Sequence[str]) -> Iterator[str]:
    if names:
        yield f"{lacking.name} has no {some(names)} that {owner.name} has."


def _shapes(
    name: str, first: Contents, mine: tuple[int, ...], other: Contents, its: tuple[int, ...]
) -> str:
    return f"{name} is {list(its)} in {other.name} and {list(mine)} in {first.name}."


def _shortened(sentences: Sequence[str], what: str) -> Iterator[str]:
    yield from sentences[:_SHOWN]
    if len(sentences) > _SHOWN:
        yield f"{len(sentences) - _SHOWN} more {what}."


def some(names: Sequence[str]) -> str:
    """Name the first tensor and count the others."""
    rest = len(names) - 1
    return f"{names[0]} and {rest} more tensor{'s' * (rest > 1)}" if rest else names[0]


def is_floating(dtype: str) -> bool:
    """Tell numbers that can be averaged, by the name that safetensors gives them."""
    return dtype.startswith(_FLOATING)


def _vocabularies(first: Contents, other: Contents) -> Iterator[str]:
    mine, its = _vocabulary(first), _vocabulary(other)
    if mine and its and mine != its:
        yield (
            f"{other.name} numbers its tokens differently than {first.name}, so the rows of their "
            "embeddings mean different words."
        )


def _vocabulary(contents: Contents) -> Mapping[str, Any] | list[Any] | bytes | None:
    """Read what numbers the tokens; None without a tokenizer."""
    if "tokenizer.json" in contents.files.sizes:
        model = read_json(contents.files, "tokenizer.json").get("model")
        vocabulary = model.get("vocab") if isinstance(model, dict) else None
        return vocabulary if isinstance(vocabulary, dict | list) else None
    if "vocab.txt" in contents.files.sizes:
        return contents.files.read("vocab.txt")
    return None
