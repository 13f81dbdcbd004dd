"""Made-up data: pictures, texts and features whose labels can be learnt from them.

The same arguments make the same data, to the byte.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from zoo.errors import InputError, unknown_name
from zoo.probes.build import finish
from zoo.probes.fingerprint import digest_bytes, digest_rows, digest_text
from zoo.types.probe import ImageInput, Probe, ProbeModality, Task

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    Signals = npt.NDArray[np.float64]

#: One word a class, a label or a target.
NAMES = ("cat", "dog", "bird", "fish", "film", "plot", "word", "picture")
_FILLING = ("the", "a", "this", "that", "is", "was", "very", "not", "good", "bad", "and", "it")
_WIDTH, _FEATURES, _NOISE = 32, 16, 0.1


def make_tiny_probe(
    modality: ProbeModality = "image",
    task: Task = "classification",
    *,
    samples: int = 24,
    classes: int = 3,
    seed: int = 0,
) -> Probe:
    """Make a small labelled probe.

    Args:
        modality: ``image`` (pictures of 32 x 32 or so, encoded), ``text`` or ``features``.
        task: ``classification``, ``multi-label``, ``regression`` or ``text``.
        samples: N; every class has some where there are that many.
        classes: classes, labels, targets, or distinct texts: 2 to 8; a target may be alone.
        seed: of everything that is drawn.

    Raises:
        InputError: there is no such modality or task, or the numbers make no probe.
    """
    for kind, name, known in (
        ("modality", modality, get_args(ProbeModality)),
        ("task", task, get_args(Task)),
    ):
        if name not in known:
            raise unknown_name(kind, name, known)
    least = 1 if task == "regression" else 2
    if not least <= classes <= len(NAMES) or samples < 2 * classes:
        raise InputError(
            f"{samples} samples of {classes} classes make no tiny probe.",
            f"Ask for {least} to {len(NAMES)} classes, and two samples of each at least.",
        )
    draw = np.random.default_rng([seed, samples, classes])
    signals, labels = _labelled(task, samples, classes, draw)
    inputs, digests = _inputs(modality, signals, draw)
    names = NAMES[:classes] if task != "text" else tuple(f"this is a {n}" for n in NAMES[:classes])
    probe = Probe(
        name="tiny",
        source=f"made-up {modality}",
        task=task,
        modality=modality,
        inputs=inputs,
        labels=labels,
        label_names=names,
        fingerprint="",
        rows=samples,
        seed=seed,
    )
    return finish(probe, digests)


def pictures(count: int, *, seed: int = 0) -> list[ImageInput]:
    """Draw pictures of different sizes, encoded."""
    draw = np.random.default_rng(seed)
    return _pictures(draw.random((count, 3)), draw)


def sentences(count: int, *, seed: int = 0) -> list[str]:
    """Write texts of different lengths."""
    draw = np.random.default_rng(seed)
    return _sentences(draw.random((count, 4)), draw)


def sounds(count: int, *, seed: int = 0) -> list[npt.NDArray[np.float32]]:
    """Make tones of half a second at 16 kHz."""
    draw = np.random.default_rng(seed)
    time = np.arange(8000) / 16000
    return [
        np.sin(2 * np.pi * pitch * time).astype(np.float32)
        for pitch in draw.uniform(200, 800, count)
    ]


def _labelled(
    task: Task, samples: int, classes: int, draw: np.random.Generator
) -> tuple[Signals, npt.NDArray[Any]]:
    """Draw labels, and (N, K) what of them is to be seen in the inputs, in [0, 1]."""
    if task in {"classification", "text"}:
        ids = draw.permutation(np.arange(samples) % classes)
        return np.eye(classes)[ids], ids.astype(np.int64)
    if task == "multi-label":
        marks = np.zeros((samples, classes))
        marks[np.arange(samples), np.arange(samples) % classes] = 1  # no label without a sample
        marks = np.maximum(marks, draw.random(marks.shape) < 1 / 4)
        return marks, marks
    values = draw.random((samples, classes))
    return values, values[:, 0] if classes == 1 else values


def _inputs(
    modality: ProbeModality, signals: Signals, draw: np.random.Generator
) -> tuple[Sequence[Any], list[bytes]]:
    if modality == "text":
        texts = _sentences(signals, draw)
        return texts, [digest_text(each) for each in texts]
    if modality == "image":
        images = _pictures(signals, draw)
        return images, [digest_bytes(each.data or b"") for each in images]
    spread = draw.normal(size=(signals.shape[1], _FEATURES))
    values = signals @ spread + _NOISE * draw.normal(size=(len(signals), _FEATURES))
    rows: Any = values.astype(np.float32)
    return rows, digest_rows(rows)


def _pictures(signals: Signals, draw: np.random.Generator) -> list[ImageInput]:
    """Draw one vertical band a signal, in a colour of its own and as bright as the signal."""
    colours = 0.3 + 0.7 * np.random.default_rng(len(signals[0])).random((signals.shape[1], 3))
    images = []
    for number, row in enumerate(signals):
        height = int(draw.integers(_WIDTH, 2 * _WIDTH))
        bands = np.repeat(row[:, None] * colours, -(-_WIDTH // len(row)), axis=0)
        pixels = np.clip(bands + _NOISE * draw.normal(size=(height, *bands.shape)), 0, 1)
        data = _encoded((255 * pixels).astype(np.uint8))
        images.append(ImageInput(name=f"picture {number}", data=data))
    return images


def _encoded(pixels: npt.NDArray[np.uint8]) -> bytes:
    """Encode without compression: other zlib builds would give other bytes and fingerprints."""
    from PIL import Image

    data = io.BytesIO()
    Image.fromarray(pixels).save(data, format="BMP")
    return data.getvalue()


def _sentences(signals: Signals, draw: np.random.Generator) -> list[str]:
    """Write a word a signal, as often as it is strong, among words that say nothing."""
    texts = []
    for row in signals:
        words = [
            name for name, signal in zip(NAMES, row, strict=False) for _ in range(round(3 * signal))
        ]
        words += draw.choice(_FILLING, size=draw.integers(3, 9)).tolist()
        texts.append(" ".join(draw.permutation(words).tolist()))
    return texts
