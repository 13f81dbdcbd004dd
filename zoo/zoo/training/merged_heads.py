"""What becomes of the heads of merged checkpoints: combined, reordered or put side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from zoo.building.label_spaces import TeacherHead, distinct, fold, separate, space_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zoo.building.label_spaces import LabelSpace
    from zoo.training.contents import Contents

#: What the last linear layer is called where nothing else sets it apart.
_NAMES = {"classifier", "score", "head", "fc", "out_proj", "logits"}


@dataclass(frozen=True, kw_only=True)
class HeadPlan:
    """How one head is made of several.

    Attributes:
        way: ``merge`` combines the heads as any other weights, ``concatenate`` keeps the rows of
            each.
        space: labels of the merged model, and the column of each label of each model; None for
            models without heads.
        module: the linear layer that makes the logits; empty where that is not one layer.
        notes: sentences for the person.
    """

    way: Literal["merge", "concatenate"]
    space: LabelSpace | None = None
    module: str = ""
    notes: tuple[str, ...] = ()

    @property
    def tensors(self) -> tuple[str, ...]:
        """Names of the weight and the bias of the layer."""
        return (f"{self.module}.weight", f"{self.module}.bias") if self.module else ()


def plan_head(contents: Sequence[Contents], aliases: Sequence[str] = ()) -> HeadPlan | str:
    """Decide by the names of the labels; a sentence says why the heads cannot be joined.

    Args:
        contents: the checkpoints.
        aliases: short names, for labels that several of them have; those of the models if empty.
    """
    if not any(each.labels for each in contents):
        return HeadPlan(way="merge")
    if refusal := _refusal(contents):
        return refusal
    module = _linear_head(contents)
    heads = [
        TeacherHead(alias=alias, model=each.name, labels=each.labels, kind=each.kind)
        for alias, each in zip(aliases or [each.name for each in contents], contents, strict=True)
    ]
    folded = [[fold(label) for label in distinct(each.labels)] for each in contents]
    if all(each == folded[0] for each in folded):
        names = distinct(contents[0].labels) * len(contents)
        return HeadPlan(way="merge", space=space_of(heads, names), module=module)
    if not module:
        return (
            f"the labels of {', '.join(each.name for each in contents)} differ, and their heads "
            "are not one linear layer each, whose rows could be rearranged."
        )
    if all(sorted(each) == sorted(folded[0]) for each in folded):
        return _reordered(contents, heads, module)
    return _concatenated(heads, module)


def _refusal(contents: Sequence[Contents]) -> str:
    without = [each.name for each in contents if not each.labels]
    if without:
        return f"{without[0]} has no classifier head, and others have one."
    kinds = sorted({each.kind for each in contents})
    return f"their heads mean different things: {' and '.join(kinds)}." if kinds[1:] else ""


def _reordered(contents: Sequence[Contents], heads: Sequence[TeacherHead], module: str) -> HeadPlan:
    spelled = {fold(label): label for label in distinct(contents[0].labels)}
    names = [spelled[fold(label)] for each in contents for label in distinct(each.labels)]
    space = space_of(heads, names)
    moved = [
        each.name
        for each, columns in zip(contents, space.columns, strict=True)
        if columns != space.columns[0]
    ]
    note = (
        f"{', '.join(moved)} numbers the labels differently than {contents[0].name}: the rows of "
        f"{module} were reordered before they were merged."
    )
    return HeadPlan(way="merge", space=space, module=module, notes=(note,))


def _concatenated(heads: Sequence[TeacherHead], module: str) -> HeadPlan:
    space = separate(heads)
    sizes = " + ".join(str(len(each.labels)) for each in heads)
    note = (
        f"the label sets differ, so the heads stand side by side in {module}: {sizes} = "
        f"{len(space.labels)} logits. Logits of different heads were never trained to be compared."
    )
    return HeadPlan(way="concatenate", space=space, module=module, notes=(note,))


def _linear_head(contents: Sequence[Contents]) -> str:
    """Name the one linear layer that makes the logits of all of them; empty if there is none."""
    first = contents[0]
    matrices = [
        name.removesuffix(".weight")
        for name, tensor in first.tensors.items()
        if name.endswith(".weight") and len(tensor.shape) in {2, 4}
    ]
    logits = [each for each in matrices if all(_makes_logits(one, each) for one in contents)]
    outside = [each for each in matrices if first.body and not each.startswith(first.body)]
    if outside:
        alone = len(outside) == 1 and outside[0] in logits and _stands_alone(first, outside[0])
        return outside[0] if alone else ""
    named = [each for each in logits if _NAMES & set(each.split(".")[-2:])]
    return named[0] if len(named) == 1 else ""


def _stands_alone(contents: Contents, module: str) -> bool:
    """Whether nothing else is part of the head: it was drawn at random for these labels."""
    parent = module.rpartition(".")[0]
    beside = [name for name in contents.tensors if parent and name.startswith(f"{parent}.")]
    return all(name.startswith(f"{module}.") for name in beside)


def _makes_logits(contents: Contents, module: str) -> bool:
    weight = contents.tensors.get(f"{module}.weight")
    bias = contents.tensors.get(f"{module}.bias")
    count = len(contents.labels)
    if weight is None or weight.shape[0] != count or any(side != 1 for side in weight.shape[2:]):
        return False
    return bias is None or bias.shape == (count,)
