"""Whether a method gives the numbers that its author says are right."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch

from zoo.testing.classrooms import seen_in
from zoo.testing.modules import built, losses_of
from zoo.testing.promises import BrokenPromiseError, asking
from zoo.types.distilling import Golden

if TYPE_CHECKING:
    from collections.abc import Iterator


def broken_golden(method: Any) -> Iterator[str]:
    """Compare every case of ``method.golden()``, where it has that.

    Raises:
        BrokenPromiseError: a case that cannot be compared.
    """
    golden = getattr(method, "golden", None)
    if golden is None:
        return
    with asking("golden"):
        cases = list(golden())
    if not cases:
        yield "golden gives no case"
    for number, case in enumerate(cases, start=1):
        if not isinstance(case, Golden):
            yield f"golden must give zoo.types.Golden, and gives {case!r}"
            return
        yield from _compared(method, case, f"golden case {number}")


def _compared(method: Any, case: Golden, name: str) -> Iterator[str]:
    classroom = seen_in(case.lesson) if case.classroom is None else case.classroom
    module: torch.nn.Module = built(lambda: method.build(classroom), seed=0)
    if case.state:
        _load(module, case, name)
    module.to(_type_of(case))
    try:
        losses = losses_of(module, case.lesson)
    except BrokenPromiseError as broken:
        raise BrokenPromiseError(f"{name}: {broken}") from broken
    if losses.keys() != case.losses.keys():
        given, expected = (", ".join(sorted(each)) or "none" for each in (losses, case.losses))
        yield f"{name}: the losses are {given}, and not {expected}"
        return
    for loss, expected_value in case.losses.items():
        found = float(losses[loss].detach())
        if not math.isclose(found, expected_value, rel_tol=case.tolerance, abs_tol=case.tolerance):
            yield f"{name}: the loss {loss!r} is {found:.8g}, and not {expected_value:.8g}"


def _load(module: torch.nn.Module, case: Golden, name: str) -> None:
    try:
        module.load_state_dict(dict(case.state))
    except RuntimeError as error:
        # Its first line says only that something is wrong.
        reason = " ".join(str(error).partition(":")[2].split()).rstrip(". ")
        raise BrokenPromiseError(
            f"{name}: its state is not that of the module: {reason}"
        ) from error


def _type_of(case: Golden) -> torch.dtype:
    """Compute as precisely as the case is given."""
    tensors = [each.student for each in case.lesson.meetings]
    tensors += [
        each for each in (*case.lesson.watched, case.lesson.student_logits) if each is not None
    ]
    return tensors[0].dtype if tensors else torch.float32
