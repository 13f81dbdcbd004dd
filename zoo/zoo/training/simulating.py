"""What a computation would cost, found by running it on tensors that have shapes and no values.

The memory of every tensor is noted as it is taken and given back. Work is counted in three kinds,
because a machine does them at very different speeds.
"""

from __future__ import annotations

import math
import weakref
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter
from torch.utils.flop_counter import flop_registry, sdpa_backward_flop_count, sdpa_flop_count

from zoo.types.training import Lesson, Meeting, StepCost

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from zoo.types.distilling import Classroom
    from zoo.types.training import FeatureShape, TrainableNetwork

_ATEN = torch.ops.aten
_CONVOLUTIONS = {_ATEN.convolution, _ATEN.convolution_backward}
_ATTENTION = _ATEN._scaled_dot_product_flash_attention_for_cpu  # noqa: SLF001
_ATTENTION_BACK = _ATEN._scaled_dot_product_flash_attention_for_cpu_backward  # noqa: SLF001


@dataclass(slots=True, kw_only=True)
class Simulation:
    """What was seen.

    Attributes:
        trace: memory that was taken and given back, see :class:`zoo.types.training.StepCost`.
        dense: floating-point operations of matrix products and of dense convolutions.
        grouped: of convolutions in groups, which reuse little of what they read.
        moved: bytes that everything else reads and writes.
    """

    trace: list[int] = field(default_factory=list)
    dense: float = 0.0
    grouped: float = 0.0
    moved: float = 0.0
    _taken: int = 0
    _kept: int = 0

    def take(self, size: int) -> int:
        """Note that memory was taken, and give it a number."""
        self.trace.append(size)
        self._taken += 1
        return self._taken - 1

    def give_back(self, number: int) -> None:
        """Note that it was given back; what was there before the beginning does not count."""
        if number >= self._kept:
            self.trace.append(self._kept - number - 1)

    def begin(self) -> None:
        """Count from here on: what is held now was there before."""
        self.trace.clear()
        self._kept = self._taken
        self.dense = self.grouped = self.moved = 0.0


@contextmanager
def simulated() -> Iterator[Simulation]:
    """Run a block on tensors without values; they live on a CPU that allocates nothing.

    Parameters have to be made inside, or replaced with :func:`emptied`.
    """
    from torch._subclasses.fake_tensor import FakeTensorMode

    seen = Simulation()
    with FakeTensorMode(allow_non_fake_inputs=True), _Accounting(seen):
        yield seen


def emptied(module: nn.Module) -> None:
    """Give a module tensors without values, inside :func:`simulated`."""
    replaced: dict[int, Any] = {}
    for part in module.modules():
        for tensors in (part._parameters, part._buffers):  # noqa: SLF001
            for name, tensor in tensors.items():
                if tensor is None:
                    continue
                if id(tensor) not in replaced:
                    replaced[id(tensor)] = _empty_like(tensor)
                tensors[name] = replaced[id(tensor)]


def _empty_like(tensor: torch.Tensor) -> Any:
    empty = torch.empty(tensor.shape, dtype=tensor.dtype, device="cpu")
    if isinstance(tensor, nn.Parameter):
        return nn.Parameter(empty, requires_grad=tensor.requires_grad)
    return empty


class _Accounting(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Follow every storage from its first tensor to its last."""

    def __init__(self, seen: Simulation) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._seen = seen
        self._known: set[int] = set()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        del types
        kwargs = kwargs or {}
        if func is _ATEN._local_scalar_dense.default:  # noqa: SLF001
            # A network asks for a value: one, as a mask that hides nothing.
            return torch.ones((), dtype=args[0].dtype, device="cpu").item()
        shortcut = _SHORTCUTS.get(func)
        out = shortcut(*args, **kwargs) if shortcut else func(*args, **kwargs)
        fresh = sum(self._follow(tensor) for tensor in _tensors(out)) > 0
        self._count(func, args, kwargs, out, fresh=fresh)
        return out

    def _follow(self, tensor: torch.Tensor) -> bool:
        """Note the storage of a tensor, and its end; tell whether it is a new one."""
        storage = tensor.untyped_storage()
        key = storage._cdata  # noqa: SLF001
        if key in self._known:
            return False
        self._known.add(key)
        weakref.finalize(storage, self._release, key, self._seen.take(storage.nbytes()))
        return True

    def _release(self, key: int, number: int) -> None:
        self._known.discard(key)
        self._seen.give_back(number)

    def _count(self, func: Any, args: Any, kwargs: Any, out: Any, *, fresh: bool) -> None:
        packet = func._overloadpacket  # noqa: SLF001
        flops = _flops(packet, args, kwargs, out)
        if not flops:
            if fresh or func._schema.is_mutable:  # noqa: SLF001
                self._seen.moved += sum(each.nbytes for each in _tensors((args, out)))
        elif packet in _CONVOLUTIONS and _groups(packet, args) > 1:
            self._seen.grouped += flops
        else:
            self._seen.dense += flops


def _normalised(values: torch.Tensor, *others: Any) -> tuple[torch.Tensor, ...]:
    """Shapes of what a batch norm gives; torch itself would run the whole formula on shapes."""
    training = others[4]
    kept = [values.new_empty(values.shape[1] if training else 0) for _ in range(2)]
    return torch.empty_like(values), *kept


def _normalised_back(
    gradient: torch.Tensor, values: torch.Tensor, weight: torch.Tensor | None, *others: Any
) -> tuple[torch.Tensor | None, ...]:
    del gradient
    width = values.new_empty(0) if weight is None else weight
    wanted = zip((values, width, width), others[-1], strict=True)
    return tuple(torch.empty_like(each) if asked else None for each, asked in wanted)


_SHORTCUTS: dict[Any, Callable[..., Any]] = {
    _ATEN.native_batch_norm.default: _normalised,
    _ATEN.native_batch_norm_backward.default: _normalised_back,
}


def _flops(packet: Any, args: Any, kwargs: Any, out: Any) -> float:
    if packet is _ATTENTION:
        shapes = [each.shape for each in args[:3]]
        return float(sdpa_flop_count(*shapes))  # type: ignore[no-untyped-call]
    if packet is _ATTENTION_BACK:
        shapes = [each.shape for each in args[:4]]
        return float(sdpa_backward_flop_count(*shapes))  # type: ignore[no-untyped-call]
    if packet is _ATEN.convolution_backward:
        # The registered formula forgets the groups.
        return _convolution(args[0], args[2]) * sum(map(bool, args[10][:2]))
    if packet is _ATEN.convolution:
        return _convolution(out, args[1])
    count = flop_registry.get(packet)
    return float(count(*args, **kwargs, out_val=out)) if count else 0.0


def _convolution(result: torch.Tensor, weight: torch.Tensor) -> float:
    """Multiply-adds of each output: the inputs that it sees, of its own group."""
    return 2.0 * result.numel() * math.prod(weight.shape[1:])


def _groups(packet: Any, args: Any) -> int:
    return int(args[8] if packet is _ATEN.convolution else args[9])


def _tensors(values: Any) -> Iterable[torch.Tensor]:
    return (each for each in tree_iter(values) if isinstance(each, torch.Tensor))


def step_cost_of(
    seen: Simulation,
    network: TrainableNetwork,
    inputs: Mapping[str, torch.Tensor],
    taps: Sequence[str],
    *,
    training: bool,
) -> StepCost:
    """Run one batch through a network inside :func:`simulated`, and back where it is trained."""
    weights = list(network.module.parameters())
    size = sum(each.nbytes for each in (*weights, *network.module.buffers()))
    seen.begin()
    with torch.set_grad_enabled(training):
        observed = network.observe(inputs, taps)
    held = [*observed.features.values(), *([] if observed.logits is None else [observed.logits])]
    del observed
    forward = len(seen.trace)
    if training:
        torch.stack([each.sum() for each in held]).sum().backward()  # type: ignore[no-untyped-call]
    return StepCost(
        parameters=size,
        trained=sum(each.nbytes for each in weights if each.requires_grad),
        inputs=sum(each.nbytes for each in inputs.values()),
        forward=tuple(seen.trace[:forward]),
        backward=tuple(seen.trace[forward:]),
        dense=seen.dense,
        grouped=seen.grouped,
        moved=seen.moved,
    )


def extras_cost(build: Callable[[Classroom], nn.Module], classroom: Classroom) -> StepCost:
    """Run one batch through what a method trains beside a student, forward and back.

    What cannot be imagined, such as a choice that depends on numbers, costs its weights alone.
    """
    try:
        return _imagined(build, classroom)
    except Exception:  # noqa: BLE001 -- an estimate must not stop a run that works
        with torch.device("meta"):
            extras = build(classroom)
        kept = sum(each.nbytes for each in (*extras.parameters(), *extras.buffers()))
        return StepCost(parameters=kept, trained=sum(each.nbytes for each in extras.parameters()))


def _imagined(build: Callable[[Classroom], nn.Module], classroom: Classroom) -> StepCost:
    with simulated() as seen:
        extras = build(classroom)
        weights = list(extras.parameters())
        kept = [*weights, *extras.buffers()]
        lesson = _lesson(classroom)
        seen.begin()
        losses = extras(lesson)
        forward = len(seen.trace)
        total = torch.stack([each for each in losses.values() if each.requires_grad]).sum()
        total.backward()  # type: ignore[no-untyped-call]
        return StepCost(
            parameters=sum(each.nbytes for each in kept),
            trained=sum(each.nbytes for each in weights),
            forward=tuple(seen.trace[:forward]),
            backward=tuple(seen.trace[forward:]),
            dense=seen.dense,
            grouped=seen.grouped,
            moved=seen.moved,
        )


def _lesson(classroom: Classroom) -> Lesson:
    """Make up the last lesson of a training."""
    batch = classroom.batch
    heads = classroom.head or (0,) * classroom.teachers
    return Lesson(
        meetings=tuple(
            Meeting(
                student=_features(stage.student, batch).requires_grad_(),
                teachers=tuple(_features(each, batch) for each in stage.teachers),
                partial=torch.empty(batch, stage.student.width).requires_grad_(),
            )
            for stage in classroom.stages
        ),
        student_logits=torch.empty(batch, classroom.classes).requires_grad_()
        if classroom.classes
        else None,
        teacher_logits=tuple(torch.empty(batch, each) if each else None for each in heads),
        progress=1.0,
        rows=torch.zeros(batch, dtype=torch.int64),
        watched=tuple(_features(each, batch).requires_grad_() for each in classroom.watched),
        labels=torch.zeros(batch, dtype=torch.int64) if classroom.labelled else None,
    )


def _features(shape: FeatureShape, batch: int) -> torch.Tensor:
    return torch.empty(batch, shape.width, *(shape.grid or ()))
