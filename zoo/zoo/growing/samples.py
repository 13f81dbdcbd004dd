"""Real inputs for a proof."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zoo.errors import InputError
from zoo.events import Event, Listener
from zoo.probes.decoding import decode
from zoo.probes.unlabelled import read_inputs
from zoo.types.probe import ImageInput

if TYPE_CHECKING:
    from zoo.growing.prepared import GrowthRequest
    from zoo.types.model import ModelEntry

#: Inputs of a proof: as many of noise, and as many real ones where there are.
COMPARED = 32


def read_samples(request: GrowthRequest, entry: ModelEntry, on_event: Listener) -> list[Any]:
    """Read images (RGB) or texts, evenly spread over the data; what cannot be read is left out.

    Args:
        request: names the data; without any there are no samples.
        entry: of the checkpoint that reads them.
        on_event: is told what cannot be read.

    Raises:
        InputError: none can be read, or they are of another kind than the checkpoint reads.
    """
    if not request.data:
        return []
    found = read_inputs(request.data, entry.modality, request.probe, model=entry.ref)
    step = -(-len(found) // COMPARED)
    samples, reason = [], f"{request.data!r} holds nothing but empty rows."
    for each, name in zip(found.inputs[::step], found.names[::step], strict=True):
        if each is None:
            continue
        try:
            samples.append(decode(each) if isinstance(each, ImageInput) else each)
        except InputError as error:
            reason = error.message
            on_event(Event(kind="note", message=f"{name} cannot be read, and is left out"))
    if not samples:
        raise InputError(reason)
    return samples
