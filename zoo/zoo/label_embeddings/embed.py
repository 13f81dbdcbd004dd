"""Texts through a text checkpoint of any source, by the engine: cached, batched, isolated."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from zoo.engine import LocalEngine, ModelTask
from zoo.errors import CheckpointError
from zoo.plan import choose_runtime, source_of
from zoo.probes import summary
from zoo.probes.fingerprint import digest_text, fingerprint
from zoo.registry import candidate_for
from zoo.sources import open_sources
from zoo.types.probe import Probe

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from zoo.catalogue import Catalogue
    from zoo.engine import ModelResult
    from zoo.events import Listener
    from zoo.settings import Settings
    from zoo.types.model import Checkpoint
    from zoo.types.protocols import Embed, LabelSet

    Array = npt.NDArray[np.float64]

#: The layer in which texts and images are comparable, where a checkpoint has one.
_SHARED_SPACE = "projection"


@dataclass(frozen=True)
class TextModel:
    """The label encoder that a person names by a checkpoint's reference."""

    model: str

    def encode(self, labels: LabelSet, embed: Embed) -> npt.NDArray[np.float64]:
        """Encode (U, width of the checkpoint)."""
        return embed(self.model, labels.texts)


class TextEmbedder:
    """Implements :data:`zoo.types.protocols.Embed`.

    Args:
        catalogue: where sources and runtimes come from.
        settings: how to run; with its store, nothing is embedded twice.
        on_event: is told of downloads and forward passes.
        folder: where relative references start from; empty takes the working directory.
    """

    def __init__(
        self, catalogue: Catalogue, settings: Settings, on_event: Listener, folder: str = ""
    ) -> None:
        self._catalogue, self._settings, self._on_event = catalogue, settings, on_event
        self._base = Path(folder).absolute()

    def __call__(self, model: str, texts: Sequence[str]) -> Array:
        """Embed U texts: (U, E).

        A model of two towers gives what it compares with images, a sentence encoder what it was
        trained to give, any other the mean of its last layer over the tokens.

        Raises:
            ZooError: there is no such checkpoint, it cannot be had, or it cannot read texts.
        """
        probe = _probe_of(texts)
        task = self._task(model, probe)
        with LocalEngine(self._settings, probe, self._on_event) as engine:
            result = engine.submit(task).result()
            if not result.layers:
                failure = result.failures[0]
                raise CheckpointError(failure.error, failure.hint)
            features = engine.read(result, _layer(result, task.checkpoint))
        return np.asarray(features.values, dtype=np.float64)

    def _task(self, model: str, probe: Probe) -> ModelTask:
        sources = open_sources(self._catalogue, self._settings, self._on_event)
        candidate = candidate_for(model, None, base=self._base)
        source = source_of(candidate, sources)
        candidate = msgspec.structs.replace(candidate, entry=source.inspect(candidate))
        runtime = choose_runtime(candidate, summary(probe), self._settings, self._catalogue)
        if runtime is None:
            library = candidate.entry.library or "an unknown library"
            raise CheckpointError(f"no runtime opens text checkpoints of {library}: {model}.")
        return ModelTask(
            checkpoint=source.fetch(candidate),
            runtime=runtime,
            estimators=(),
            permutations=0,
            folds=0,
        )


def _probe_of(texts: Sequence[str]) -> Probe:
    labels = np.arange(len(texts))
    digests = [digest_text(text) for text in texts]
    return Probe(
        name="labels",
        source="labels",
        task="text",
        modality="text",
        inputs=tuple(texts),
        labels=labels,
        label_names=(),
        fingerprint=fingerprint("text", "text", (), digests, labels),
        rows=len(texts),
    )


def _layer(result: ModelResult, checkpoint: Checkpoint) -> str:
    names = [tap.name for tap in result.layers]
    if _SHARED_SPACE in names:
        return _SHARED_SPACE
    before = names[: names.index(result.default_layer)]
    if checkpoint.entry.library == "sentence-transformers" or not before:
        return result.default_layer
    return before[-1]
