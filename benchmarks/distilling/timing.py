"""What one step of a method costs: time beside KD and beside the bare networks, and memory."""

from __future__ import annotations

import statistics
import time
import weakref
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from distilling.training import schedule_of
from torch.nn.functional import cross_entropy
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter

from zoo.building.recipe import Views
from zoo.training.optimising import make_optimiser
from zoo.training.pupil import Pupil
from zoo.training.samples import Samples, batch_of
from zoo.training.teaching import OnlineTeaching

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from distilling.lessons import Course
    from distilling.networks import Images

    from zoo.training.setup import Batch

#: Shares of the training that the steps of a block stand for: a method may change on the way.
_PROGRESS = (0.1, 0.3, 0.5, 0.7, 0.9)


class Step:
    """Steps of one student with one method, on one batch of ready-made tensors.

    Args:
        course: whose teachers and student.
        name: of the method.
        images: that the batch is made of.
    """

    def __init__(self, course: Course, name: str, images: Images) -> None:
        learners, several = course.learners([name])
        (self.learner,) = learners.values()
        self.teaching = OnlineTeaching(course.asked, several.stages)
        self.batch = batch_for(course, images, partial=self.learner.partial)
        rows = range(course.samples)
        labels = course.labels
        self.pupil = Pupil(learners, course.targets, 0.0, rows=rows, labels=labels).train()
        self.optimiser = make_optimiser(learners, schedule_of(1, course.batch), fused=True)
        self.number = 0

    def losses(self) -> None:
        """Ask the teachers, run the student, compute all losses and their gradients."""
        progress = _PROGRESS[self.number % len(_PROGRESS)]
        self.number += 1
        with torch.no_grad():
            taught = self.teaching.teach(self.batch)
        total, _ = self.pupil(self.batch, taught, progress, self.number)
        torch.autograd.backward(total)

    def block(self, steps: int) -> tuple[float, float]:
        """Give processor seconds of some steps: without the optimiser, and with it."""
        losses = whole = 0.0
        for _ in range(steps):
            start = time.process_time()
            self.losses()
            middle = time.process_time()
            self.optimiser.step()
            self.optimiser.zero_grad()
            losses += middle - start
            whole += time.process_time() - start
        return losses, whole

    def passes(self, course: Course, steps: int) -> tuple[float, float]:
        """Count forward passes of the teachers and of the student a step."""
        asked = [each.module for each in course.teachers]
        counted = [_Calls(asked), _Calls([self.learner.network.module])]
        self.block(steps)
        teachers, student = (each.stop() / steps for each in counted)
        return teachers, student

    def kept(self) -> int:
        """Count bytes of parameters and buffers beside the student, optimiser's numbers apart."""
        extras = self.learner.extras
        tensors = () if extras is None else (*extras.parameters(), *extras.buffers())
        return sum(int(each.nbytes) for each in tensors)

    def peak(self, course: Course) -> int:
        """Count the most bytes that tensors of a step hold, beside all that is there before."""
        before = [*self.pupil.parameters(), *self.pupil.buffers()]
        for each in course.teachers:
            before += [*each.module.parameters(), *each.module.buffers()]
        for part in (self.batch.inputs, self.batch.partial):
            before += [tensor for inputs in part.values() for tensor in inputs.values()]
        self.optimiser.zero_grad()
        with Live(before) as live:
            self.losses()
        self.optimiser.zero_grad()
        return int(live.peak)


class _Calls:
    """Counts forward passes of modules."""

    def __init__(self, modules: Sequence[Any]) -> None:
        self.count = 0
        self._handles = [each.register_forward_pre_hook(self._note) for each in modules]

    def _note(self, module: Any, inputs: Any) -> None:
        del module, inputs
        self.count += 1

    def stop(self) -> int:
        """Give how many there were."""
        for each in self._handles:
            each.remove()
        return self.count


class Live(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Follows the memory of tensors that are made in a block.

    Args:
        before: tensors that are there already.

    Attributes:
        now: bytes that are held.
        peak: the most of them.
    """

    def __init__(self, before: Sequence[torch.Tensor]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.now = self.peak = 0
        self._known = {_number_of(each.untyped_storage()) for each in before}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run an operation, and note what it made."""
        del types
        out = func(*args, **(kwargs or {}))
        for each in tree_iter(out):
            if isinstance(each, torch.Tensor):
                self._follow(each.untyped_storage())
        return out

    def _follow(self, storage: Any) -> None:
        number = _number_of(storage)
        if number in self._known:
            return
        self._known.add(number)
        self.now += storage.nbytes()
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self._release, number, storage.nbytes())

    def _release(self, key: int, size: int) -> None:
        self._known.discard(key)
        self.now -= size


def _number_of(storage: Any) -> int:
    return int(storage._cdata)  # noqa: SLF001 -- nothing public tells storages apart


@dataclass(frozen=True, eq=False)
class Bare:
    """Forward passes of the teachers, forward and backward pass of the student, nothing else."""

    course: Course
    images: Images

    def prepared(self) -> Callable[[], None]:
        """Give what makes one pass."""
        student = self.course.open_student()
        student.module.train()
        batch = batch_for(self.course, self.images, partial=False)

        def once() -> None:
            with torch.no_grad():
                said = [
                    each.observe(batch.inputs[each.reader.key], ()).logits
                    for each in self.course.teachers
                ]
            logits = student.observe(batch.inputs[student.reader.key], ()).logits
            assert logits is not None
            assert said[0] is not None
            torch.autograd.backward(cross_entropy(logits, said[0].softmax(1)))
            student.module.zero_grad()

        return once


def batch_for(course: Course, images: Images, *, partial: bool) -> Batch:
    """Make the first batch as tensors."""
    networks = (*course.teachers, course.open_student())
    readers = {each.reader.key: each.reader for each in networks}
    parts = [networks[-1].reader.key] if partial else []
    data = Samples(images.inputs, readers, Views(), 0, "image", partial=parts)
    return batch_of(data.collate([data[row] for row in range(course.batch)]))


def measure(
    course: Course, names: Sequence[str], images: Images, *, rounds: int, steps: int = 5
) -> dict[str, dict[str, Any]]:
    """Time the methods of a group, each in turns with the bare networks and KD.

    Args:
        course: whose group.
        names: methods that fit.
        images: that the batch is made of.
        rounds: of which the median counts.
        steps: of each in a round.

    Returns:
        Name -> ``milliseconds`` a step; ``times``, that as a multiple of KD's;
        ``overhead``, what teachers, student and losses take without the optimiser, as a multiple
        of the bare networks, less one; forward ``passes``; bytes ``kept`` and at the ``peak``.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        base = Step(course, next(iter(course.group.methods)), images)
        bare = Bare(course, images).prepared()
        return {
            name: _measured(course, Step(course, name, images), base, bare, rounds, steps)
            for name in names
        }
    finally:
        torch.set_num_threads(threads)


def _measured(
    course: Course, step: Step, base: Step, bare: Callable[[], None], rounds: int, steps: int
) -> dict[str, Any]:
    teachers, student = step.passes(course, steps)  # warms up, too
    base.block(1)
    times, overhead, own = [], [], []
    for _ in range(rounds):
        start = time.process_time()
        for _ in range(steps):
            bare()
        seconds = time.process_time() - start
        _, other = base.block(steps)
        losses, whole = step.block(steps)
        times.append(whole / other)
        overhead.append(losses / seconds - 1)
        own.append(1000 * whole / steps)
    return {
        "milliseconds": statistics.median(own),
        "times": statistics.median(times),
        "overhead": statistics.median(overhead),
        "passes": [teachers, student],
        "kept": step.kept(),
        "peak": step.peak(course),
    }
