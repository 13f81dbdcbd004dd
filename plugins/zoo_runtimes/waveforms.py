"""Waveforms become what a network reads by the checkpoint's own extractor. Imports no framework."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.errors import CheckpointError, InputError
from zoo.types.runtimes import EncodedInput
from zoo_runtimes.explaining import explained, quiet
from zoo_runtimes.processors import read_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from zoo.types.model import Checkpoint

    Array = npt.NDArray[Any]

_FRAME = 320
"""Samples that networks make one state of: 20 ms at 16 kHz."""
_SECONDS = 1.0
_WITHOUT_EFFECT = frozenset({"processor_class", "return_tensors", "auto_map"})


def extractor_settings(checkpoint: Checkpoint) -> dict[str, Any]:
    """The feature extractor's settings, from where transformers reads them.

    Raises:
        CheckpointError: no file says how sound was prepared.
    """
    nested = (read_json(checkpoint, "processor_config.json") or {}).get("feature_extractor")
    settings = nested or read_json(checkpoint, "preprocessor_config.json")
    if not settings or not {"sampling_rate", "feature_extractor_type"} & set(settings):
        raise CheckpointError(
            f"{checkpoint.model} has no settings of a feature extractor: how its sound was "
            "prepared is unknown.",
            "Copy preprocessor_config.json from the original checkpoint into its folder.",
        )
    return dict(settings)


def audio_key(checkpoint: Checkpoint) -> str:
    """Canonical JSON: equal keys promise equal prepared inputs, waveforms at one rate.

    Raises:
        CheckpointError: see :func:`extractor_settings`.
    """
    settings = extractor_settings(checkpoint)
    kept = {name: value for name, value in settings.items() if name not in _WITHOUT_EFFECT}
    key = {"modality": "audio", "transformers": version("transformers"), "settings": kept}
    return json.dumps(key, sort_keys=True, separators=(",", ":"))


def as_waveform(value: Any) -> Array:
    """Check one waveform: (N,) float32.

    Raises:
        InputError: it is none.
    """
    try:
        wave = np.asarray(value, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise InputError(f"a waveform has to be an array of numbers: {error}.") from error
    if wave.ndim != 1 or wave.size == 0 or not np.isfinite(wave).all():
        what = "holds no finite numbers" if wave.ndim == 1 else f"has the shape {wave.shape}"
        raise InputError(
            f"a waveform has to be one row of finite samples; this one {what}.",
            "Average the channels, and resample it to the rate of the checkpoint.",
        )
    return wave


@dataclass(frozen=True)
class Extraction:
    """A feature extractor.

    Attributes:
        extractor: the checkpoint's.
        rate: samples a second that it expects.
        field: what the network calls its output.
        varying: whether longer sounds become larger arrays; others are filled up or cut.
        model: the checkpoint, for messages.
    """

    extractor: Any
    rate: int
    field: str
    varying: bool
    model: str

    def encode(self, waveforms: Sequence[Any]) -> list[EncodedInput]:
        """Prepare waveforms; the cost is about the number of states that a network makes."""
        prepared = [self(as_waveform(wave)) for wave in waveforms]
        return [EncodedInput(cost=_states(array), data=array) for array in prepared]

    def __call__(self, waveform: Array) -> Array:
        """(N,) samples to what the network reads: (N,), or a spectrogram."""
        with quiet():
            made = self.extractor(waveform, sampling_rate=self.rate, return_tensors="np")
        return np.ascontiguousarray(made[self.field][0], dtype=np.float32)

    def samples(self) -> list[Array]:
        """Two prepared sounds of noise, to find a network's layers with."""
        return [self(wave) for wave in _noise(self.rate, 2, _SECONDS)]


def load_extraction(checkpoint: Checkpoint) -> Extraction:
    """Load the feature extractor and find out whether it fixes the length.

    Raises:
        CheckpointError: there is none, or it does not work on noise.
    """
    rate = extractor_settings(checkpoint).get("sampling_rate")
    with explained(checkpoint, "its feature extractor cannot be loaded"), quiet():
        from transformers import AutoFeatureExtractor

        extractor = AutoFeatureExtractor.from_pretrained(
            checkpoint.folder,
            local_files_only=True,
            trust_remote_code=checkpoint.trust_remote_code,
        )
        rate = int(rate or extractor.sampling_rate)
        field = str(extractor.model_input_names[0])
    with explained(checkpoint, "its feature extractor fails"):
        found = Extraction(extractor, rate, field, varying=True, model=checkpoint.model)
        (short,) = _noise(rate, 1, _SECONDS)
        (long,) = _noise(rate, 1, 1.5 * _SECONDS)
        varying = found(short).shape != found(long).shape
    return Extraction(extractor, rate, field, varying, checkpoint.model)


def _states(array: Array) -> int:
    return max(1, array.size // _FRAME if array.ndim == 1 else max(array.shape) // 2)


def _noise(rate: int, count: int, seconds: float) -> list[Array]:
    random = np.random.default_rng(1)
    waves = random.normal(0.0, 0.1, (count, int(rate * seconds)))
    return list(waves.astype(np.float32))
