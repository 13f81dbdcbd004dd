"""A student: a body to start from, and a head, which is new unless its own is to be kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zoo_runtimes import devices
from zoo_runtimes.explaining import explained, quiet
from zoo_runtimes.learning.alignment import align, layers_among
from zoo_runtimes.learning.inputs import inputs_of, open_reader
from zoo_runtimes.learning.making import choose_student, draw, load_body, seeded, student_config
from zoo_runtimes.learning.network import TorchNetwork, configure
from zoo_runtimes.learning.norms import keep_folded, tame_momentum
from zoo_runtimes.learning.planned import plan
from zoo_runtimes.loading import load_weights, require_weights

if TYPE_CHECKING:
    from zoo.types.model import Checkpoint
    from zoo.types.runtimes import RuntimeOptions
    from zoo.types.training import StudentRequest
    from zoo_runtimes.loading import Network


def open_student(
    checkpoint: Checkpoint, options: RuntimeOptions, modality: str, request: StudentRequest
) -> TorchNetwork:
    """Load or draw the weights; float32, everything with a gradient, nothing folded.

    Args:
        checkpoint: whose folder needs no weights where they are drawn.
        options: how to run.
        modality: which tower of a model that has several.
        request: its head and its beginning.

    Raises:
        CheckpointError: with the reason and a hint.
        InputError: the device does not exist.
    """
    device = devices.resolve_device(options.device)
    configure(options, device)
    if request.initial == "pretrained":
        require_weights(checkpoint)
    planned = plan(checkpoint, modality, request)
    devices.require_memory(checkpoint.model, 4 * planned.parameters, device)
    with (
        explained(checkpoint, "its forward pass fails", "Choose another student."),
        devices.memory_guard(f"{checkpoint.model} does not fit into memory.", "Leave it out."),
        quiet(),
    ):
        network = _make(checkpoint, modality, request)
        network.module.eval().requires_grad_(requires_grad=True).to(device)
        inputs_from = inputs_of(checkpoint, modality, request.inputs_like)
        reader = open_reader(inputs_from, network, modality)
        inputs = {name: values.to(device) for name, values in reader.samples().items()}
        aligned = align(network, layers_among(planned.points), inputs)
        return TorchNetwork(network, reader, planned.points, aligned, inputs_from)


def _make(checkpoint: Checkpoint, modality: str, request: StudentRequest) -> Network:
    config = student_config(checkpoint, modality, request)

    def load(auto: Any) -> tuple[Any, list[str]]:
        if request.initial == "random":
            return draw(checkpoint, config, auto)
        if request.labels:
            return load_body(checkpoint, config, auto, request.seed, keep=request.head == "keep")
        return load_weights(checkpoint, config, auto)

    with seeded(request.seed):
        network = choose_student(checkpoint, config, modality, request, load)
    if request.initial == "pretrained":
        keep_folded(network.module)
    tame_momentum(network.module)
    return network
