"""Texts as vectors of unit length, by whatever label encoder or text checkpoint is named."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.catalogue import build
from zoo.errors import NotApplicable, ZooError
from zoo.types.model import is_reference
from zoo.types.protocols import LabelSet

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

    from zoo.catalogue import Catalogue
    from zoo.events import Listener
    from zoo.settings import Settings


def encoder_of(
    name: str, settings: Settings, catalogue: Catalogue, on_event: Listener
) -> Callable[[Sequence[str]], npt.NDArray[Any]]:
    """Give what encodes texts as (N, E) float32 of unit length.

    Args:
        name: of a label encoder, or a reference of a text checkpoint.
        settings: how to run it.
        catalogue: where encoders, sources and runtimes come from.
        on_event: is told of downloads and forward passes.

    Raises:
        UnknownNameError: no such encoder.
    """
    reference = is_reference(name)
    encoder = None if reference else build(catalogue.spec("label_encoder", name))

    def encode(texts: Sequence[str]) -> npt.NDArray[Any]:
        from zoo.label_embeddings.embed import TextEmbedder

        distinct = tuple(dict.fromkeys(texts))
        place = {text: row for row, text in enumerate(distinct)}
        embed = TextEmbedder(catalogue, settings, on_event)
        try:
            if encoder is None:
                vectors = embed(name, distinct)
            else:
                labels = LabelSet(texts=distinct, counts=np.ones(len(distinct), dtype=np.int64))
                vectors = encoder.encode(labels, embed)
        except ZooError as error:
            reason = error.message.rstrip(".")
            raise NotApplicable(f"{name} does not encode texts here: {reason}") from error
        rows = np.asarray(vectors, dtype=np.float32)[[place[text] for text in texts]]
        length = np.linalg.norm(rows, axis=1, keepdims=True)
        unit: npt.NDArray[Any] = rows / np.where(length == 0, 1, length)
        return unit

    return encode
