"""What a batch costs a network, found by imagining it: no weight is allocated or read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from zoo.training.simulating import emptied, simulated, step_cost_of
from zoo_runtimes.explaining import explained, quiet
from zoo_runtimes.learning.inputs import inputs_of, open_reader
from zoo_runtimes.learning.network import TorchNetwork
from zoo_runtimes.learning.planned import imagined, plan

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from zoo.types.model import Checkpoint
    from zoo.types.training import StepCost, StudentRequest

#: Tokens of a text where nobody has tokenised one: a sentence or two.
_TOKENS = 64


def step_cost(
    checkpoint: Checkpoint,
    modality: str,
    batch: int,
    student: StudentRequest | None,
    taps: Sequence[str],
) -> StepCost:
    """Run a batch without values through a network without values.

    Raises:
        CheckpointError: as opening would.
    """
    planned = plan(checkpoint, modality, student)
    inputs_from = inputs_of(checkpoint, modality, student.inputs_like if student else None)
    with explained(checkpoint, "its cost cannot be foreseen", "Leave it out."), quiet():
        module_of = imagined(checkpoint, modality, student)
        reader = open_reader(inputs_from, module_of, modality)
        samples = reader.samples()
        aligned = planned.body, planned.layers
        network = TorchNetwork(module_of, reader, planned.points, aligned, inputs_from)
        training = student is not None
        network.module.train(training).requires_grad_(training)
        with simulated() as seen:
            emptied(network.module)
            whole = _enlarged(samples, batch, _TOKENS if modality == "text" else 0)
            return step_cost_of(seen, network, whole, taps, training=training)


def _enlarged(
    samples: Mapping[str, torch.Tensor], batch: int, tokens: int
) -> dict[str, torch.Tensor]:
    """A batch of samples like these, as long as texts are."""
    found = {}
    for name, values in samples.items():
        shape = (batch, *values.shape[1:]) if not tokens else (batch, tokens)
        found[name] = torch.ones(shape, dtype=values.dtype)
    return found
