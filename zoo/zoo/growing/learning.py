"""Learn how to grow: what trains the numbers of a method that needs a person's data.

A method gives a module that stands for the larger network; here it is trained on the shared loop,
by the labels of the data where the network's own head has them, and else by what the smaller
network answers: the divergence of their probabilities, or the squared distance of their features.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch.nn import functional

from zoo.building.data import spread
from zoo.building.label_spaces import fold
from zoo.building.presets import LABELS, SOFT
from zoo.building.recipe import Schedule, Views
from zoo.errors import InputError
from zoo.events import Event, ignore
from zoo.growing.axes import laid_out
from zoo.probes.unlabelled import read_inputs
from zoo.render.quantities import some
from zoo.training.samples import batches
from zoo.training.setup import Learner, Taught, TrainingSetup
from zoo.training.teaching import NoTeaching
from zoo.training.trainer import train
from zoo.types.growers import Learned
from zoo.types.protocols import ProbeOptions
from zoo.types.training import Observed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from torch import Tensor, nn

    from zoo.catalogue import Catalogue
    from zoo.events import Listener
    from zoo.growing.prepared import PreparedGrowth
    from zoo.growing.work import Drawing
    from zoo.training.setup import Batch
    from zoo.types.growers import Learns, WholeNetwork
    from zoo.types.runtimes import Head
    from zoo.types.training import FeatureShape, InputReader

#: Inputs on which a loss is measured before and after.
_MEASURED = 64
_LEARNER = "student"


@dataclass(frozen=True, kw_only=True, eq=False)
class Material:
    """What is learned from.

    Attributes:
        samples: N :class:`zoo.types.ImageInput`, texts or pairs of texts.
        rows: numbers of those that are used.
        modality: ``image`` or ``text``.
        labels: (N,) int64 columns of the network's own head; None: without.
        why: why there are none, half a sentence.
    """

    samples: Sequence[Any]
    rows: Sequence[int]
    modality: str
    labels: Tensor | None = None
    why: str = ""


def make_learn(
    prepared: PreparedGrowth,
    old: WholeNetwork,
    catalogue: Catalogue,
    on_event: Listener = ignore,
) -> Learns:
    """Read the data of a growth, and give what trains by it.

    Args:
        prepared: the growth; its method needs data.
        old: the smaller network, open.
        catalogue: what reads labels.
        on_event: hears ``note`` and ``batch`` events.

    Raises:
        InputError: the data cannot be read, or lacks labels that the method needs.
    """
    material, why = _labelled(prepared, old, catalogue)
    if material is None:
        if prepared.method.needs == "labels":
            said = f"{prepared.method.name} learns from labels, and there are none: {why}."
            raise InputError(said, "Name data of the classes that the network knows.")
        material = _unlabelled(prepared, why)
    return learning(old, prepared.drawing, material, seed=prepared.request.seed, on_event=on_event)


def learning(
    old: WholeNetwork,
    drawing: Drawing,
    material: Material,
    *,
    seed: int = 0,
    on_event: Listener = ignore,
) -> Learns:
    """Give what trains a module that stands for the larger network.

    Args:
        old: the smaller one; it is asked, and never changed.
        drawing: how features of the two belong together.
        material: what is learned from.
        seed: of the order of the data, and of their views.
        on_event: hears ``note`` and ``batch`` events.

    Raises:
        InputError: there is nothing to learn from.
    """
    if not material.rows:
        raise InputError("there is nothing to learn from.", "Name data with readable inputs.")
    return _Learning(old, drawing, material, seed, on_event)


class _Learning:
    """Implements :class:`zoo.types.growers.Learns`."""

    def __init__(
        self,
        old: WholeNetwork,
        drawing: Drawing,
        material: Material,
        seed: int,
        on_event: Listener,
    ) -> None:
        self._old, self._material, self._seed, self._on_event = old, material, seed, on_event
        self._answers = _Answers(drawing)
        self._reader = _Reader(old)
        self._task: Literal["labels", "answers"] = (
            "answers" if material.labels is None else "labels"
        )

    def __call__(
        self, module: nn.Module, *, steps: int = 100, batch: int = 16, rate: float = 2e-4
    ) -> Learned:
        """Train; the loss is measured before and after on the same inputs as they are."""
        setup = self._setup(module, steps, batch, rate)
        self._tell(setup)
        before = self._loss(module)
        with TemporaryDirectory(prefix="zoo-learning-") as folder:
            result = train(setup, Path(folder), on_event=self._on_event)
        if result.interrupted:
            raise KeyboardInterrupt
        return Learned(steps=result.steps, before=before, after=self._loss(module), task=self._task)

    def _tell(self, setup: TrainingSetup) -> None:
        what = "their labels" if self._task == "labels" else "what the smaller network says of them"
        said = f"learning how to grow from {some(len(setup.rows), setup.modality)} and {what}"
        if self._material.why:
            said += f" (not from labels: {self._material.why})"
        self._on_event(Event(kind="note", message=said))

    def _setup(self, module: nn.Module, steps: int, batch: int, rate: float) -> TrainingSetup:
        material = self._material
        size = min(batch, len(material.rows))
        learns_labels = self._task == "labels"
        network = _Standing(module, self._reader, self._answers)
        return TrainingSetup(
            learners={
                _LEARNER: Learner(network=network, weights={LABELS if learns_labels else SOFT: 1.0})
            },
            teaching=NoTeaching()
            if learns_labels
            else _Asking(self._old, self._reader, self._answers),
            targets=None if learns_labels else self._answers,
            samples=material.samples,
            rows=material.rows,
            modality=material.modality,
            views=Views(kind="random"),
            schedule=Schedule(
                epochs=steps / (len(material.rows) // size),
                batch=size,
                learning_rate=rate,
                weight_decay=0.0,
                decay="constant",
                warmup=0.0,
            ),
            seed=self._seed,
            precision="fp32",
            device=next(module.parameters()).device,
            labels=material.labels,
        )

    @torch.no_grad()
    def _loss(self, module: nn.Module) -> float:
        material, reader = self._material, self._reader
        chosen = [material.rows[place] for place in spread(len(material.rows), _MEASURED)]
        device, total = next(module.parameters()).device, 0.0
        for batch in batches(
            material.samples, chosen, {reader.key: reader}, modality=material.modality, batch=16
        ):
            inputs = {name: value.to(device) for name, value in batch.inputs[reader.key].items()}
            given = self._answers(module(**inputs), inputs, grown=True)
            if material.labels is None:
                expected = self._answers(self._old.outputs(inputs), inputs)
                loss = self._answers.loss(given, [expected])
            else:
                wanted = material.labels[batch.rows].to(device)
                loss = functional.cross_entropy(given, wanted)
            total += float(loss) * len(batch.rows)
        return total / len(chosen)


class _Answers:
    """What two networks of different size say, in a form in which it can be compared.

    Implements :class:`zoo.training.setup.Targets`.
    """

    def __init__(self, drawing: Drawing) -> None:
        self._outputs, self._maps = drawing.blueprint.outputs, drawing.maps
        self._divergence = False

    def __call__(
        self, answers: Mapping[str, Any], inputs: Mapping[str, Tensor], *, grown: bool = False
    ) -> Tensor:
        """Give (M, C) logits of samples or tokens; or (B, D) features, those of before alone."""
        logits, mask = answers.get("logits"), inputs.get("attention_mask")
        self._divergence = (
            isinstance(logits, torch.Tensor) and logits.ndim in {2, 3} and logits.shape[-1] > 1
        )
        if self._divergence and logits is not None:
            tokens = mask is not None and logits.ndim == 3 and logits.shape[:2] == mask.shape
            chosen: Tensor = logits[mask.bool()] if tokens and mask is not None else logits
            return chosen.flatten(0, -2).float()
        found = []
        for name in sorted(answers):
            value = answers[name]
            if isinstance(value, torch.Tensor) and value.is_floating_point():
                value = self._first(name, value) if grown else value
                if mask is not None and value.ndim == 3 and value.shape[:2] == mask.shape:
                    value = value * mask.unsqueeze(-1)
                found.append(value.flatten(1).float())
        return torch.cat(found, dim=1)

    def _first(self, name: str, value: Tensor) -> Tensor:
        """Of features that grow, those channels that were there before."""
        if name not in self._outputs:
            return value
        dim, layout = self._outputs[name]
        index = laid_out(layout, self._maps).index
        order = torch.argsort(index, stable=True)
        starts = torch.searchsorted(index[order], torch.arange(int(index.max()) + 1))
        return value.index_select(dim, order[starts].to(value.device))

    def loss(self, student: Tensor, teachers: Sequence[Tensor]) -> Tensor:
        """Divergence of probabilities; or squared distance, as a share of the squared length."""
        (expected,) = teachers
        if self._divergence:
            given, wanted = student.log_softmax(-1), expected.log_softmax(-1)
            return functional.kl_div(given, wanted, reduction="batchmean", log_target=True)
        return functional.mse_loss(student, expected) / expected.square().mean().clamp(min=1e-12)


class _Asking:
    """The smaller network as a teacher; implements :class:`zoo.training.setup.Teaching`."""

    def __init__(self, old: WholeNetwork, reader: _Reader, answers: _Answers) -> None:
        self._old, self._reader, self._answers = old, reader, answers

    @property
    def readers(self) -> Mapping[str, InputReader]:
        """Its own."""
        return {self._reader.key: self._reader}

    def teach(self, batch: Batch) -> Taught:
        """Say what it answers."""
        inputs = batch.inputs[self._reader.key]
        return Taught(logits=(self._answers(self._old.outputs(inputs), inputs),), features=())


class _Reader:
    """The smaller network's side of the data; implements :class:`zoo.types.InputReader`."""

    key = "whole"

    def __init__(self, old: WholeNetwork) -> None:
        self._old = old

    def prepare(self, sample: Any) -> Any:
        """Keep it: the network reads a batch at a time."""
        return sample

    def collate(self, samples: Sequence[Any]) -> dict[str, Tensor]:
        """Read a batch."""
        return dict(self._old.inputs(len(samples), 0, samples))


class _Standing:
    """A module in the larger network's place; implements :class:`zoo.types.TrainableNetwork`."""

    head: Head | None = None
    layers: Sequence[FeatureShape] = ()

    def __init__(self, module: nn.Module, reader: _Reader, answers: _Answers) -> None:
        self.module, self.reader, self._answers = module, reader, answers

    def observe(
        self,
        inputs: Mapping[str, Tensor],
        taps: Sequence[str],
        alter: Mapping[str, Callable[[Tensor], Tensor]] | None = None,
    ) -> Observed:
        """Answer; nobody asks for more."""
        del taps, alter
        return Observed(logits=self._answers(self.module(**inputs), inputs, grown=True))

    def save(self, folder: Path) -> None:
        """What is learned goes into the larger network, and nowhere else."""
        raise NotImplementedError


def _unlabelled(prepared: PreparedGrowth, why: str) -> Material:
    request, entry = prepared.request, prepared.entry
    found = read_inputs(request.data, entry.modality, request.probe, model=entry.ref)
    chosen = spread(len(found), request.samples)
    rows = [row for row in chosen if found.inputs[row] is not None]
    return Material(samples=found.inputs, rows=rows, modality=found.modality, why=why)


def _labelled(
    prepared: PreparedGrowth, old: WholeNetwork, catalogue: Catalogue
) -> tuple[Material | None, str]:
    """Read labels that the network's own head says; or say why there are none."""
    from zoo.probes import load

    request = prepared.request
    try:
        options = replace(request.probe or ProbeOptions(), samples=request.samples or None)
        probe = load(request.data, options, catalogue)
    except InputError as error:
        return None, error.message.rstrip(".")
    names = [str(each) for _, each in sorted((getattr(old.config, "id2label", None) or {}).items())]
    logits = old.outputs(old.inputs(1, 0)).get("logits")
    if logits is None or logits.ndim != 2 or logits.shape[1] != len(names):
        return None, "the network says no label"
    if probe.task != "classification" or probe.modality != prepared.entry.modality:
        return None, f"the data shows {probe.modality}s for {probe.task}"
    columns = {fold(each): number for number, each in enumerate(names)}
    missing = [each for each in probe.label_names if fold(each) not in columns]
    if missing:
        return None, f"the network does not know {missing[0]!r}"
    known = torch.tensor([columns[fold(each)] for each in probe.label_names])
    labels = known[torch.as_tensor(probe.labels)]
    rows = range(len(probe.inputs))
    return Material(samples=probe.inputs, rows=rows, modality=probe.modality, labels=labels), ""
