"""A teacher: a checkpoint with its trained head, frozen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from zoo_runtimes import devices
from zoo_runtimes.explaining import explained, quiet
from zoo_runtimes.learning.alignment import align, layers_among
from zoo_runtimes.learning.inputs import open_reader
from zoo_runtimes.learning.network import TorchNetwork, configure
from zoo_runtimes.loading import load_network
from zoo_runtimes.taps import discover

if TYPE_CHECKING:
    from zoo.types.model import Checkpoint
    from zoo.types.runtimes import RuntimeOptions


def open_teacher(checkpoint: Checkpoint, options: RuntimeOptions, modality: str) -> TorchNetwork:
    """Load it as it is: float32, eval mode, no gradients for its weights, no norm folded.

    Its weights stay those of its files, so that they can be given new statistics and saved.

    Raises:
        CheckpointError: with the reason and a hint.
        InputError: the device does not exist.
    """
    device = devices.resolve_device(options.device)
    configure(options, device)
    network = load_network(checkpoint, modality, device)
    last = modality == "image" and devices.prefers_channels_last(
        network.module, device, options.precision
    )
    if last:
        network.module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    with (
        explained(checkpoint, "its forward pass fails", "Leave it out."),
        devices.memory_guard(f"{checkpoint.model} does not fit into memory.", "Leave it out."),
        torch.no_grad(),
        quiet(),
    ):
        reader = open_reader(checkpoint, network, modality)
        inputs = {name: values.to(device) for name, values in reader.samples().items()}
        points = discover(network, inputs, modality=modality, varying=False)
        aligned = align(network, layers_among(points), inputs)
        return TorchNetwork(network, reader, points, aligned, checkpoint, last=last)
