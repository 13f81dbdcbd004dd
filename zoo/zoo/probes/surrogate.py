"""A probe without labels: seeds cut out of images are the classes, altered seeds the samples."""

from __future__ import annotations

import io
import json
import random
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.errors import InputError, PluginError, ZooError
from zoo.probes import fingerprint, sample
from zoo.probes.decoding import decode
from zoo.probes.unlabelled import STDIN, Lazy, load_inputs
from zoo.probes.words import count
from zoo.types.probe import ImageInput, Probe

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from PIL.Image import Image

    from zoo.catalogue import Catalogue
    from zoo.types.distilling import Pretext
    from zoo.types.protocols import ProbeOptions
    from zoo.types.specs import PretextSpec

#: Altered seeds of a class, and most classes: a probe of 1000 has 100 classes.
_ALTERED, _MOST = 10, 200
_UNLABELLED = "Take it away: a pretext makes its own labels."


@dataclass(frozen=True, kw_only=True, eq=False)
class Seeds:
    """Seeds of a pretext; no two are the same pixel by pixel.

    Attributes:
        images: one a class, encoded.
        rows: number of the image that each was cut out of.
        repeated: seeds that were left out because another one is the same.
    """

    images: tuple[ImageInput, ...]
    rows: tuple[int, ...]
    repeated: int


def cut_seeds(
    pretext: Pretext, images: Sequence[Any], rows: Iterable[int], most: int, seed: int
) -> Seeds:
    """Cut seeds out of images, in the order of the rows, until there are enough.

    Args:
        pretext: the task.
        images: N :class:`zoo.types.ImageInput`; None where a row holds nothing.
        rows: numbers of those to take.
        most: seeds.
        seed: of what is drawn; each row draws for itself.

    Raises:
        InputError: an image cannot be read.
    """
    found: dict[bytes, tuple[int, str]] = {}
    repeated = 0
    for row in rows:
        if len(found) == most:
            break
        image = images[row]
        if image is None:
            continue
        draw = random.Random(f"{seed}/{row}")  # noqa: S311 -- not for secrets
        data = _encode(pretext.patch(decode(image), draw))
        repeated += data in found
        found.setdefault(data, (row, image.name))
    return Seeds(
        images=tuple(ImageInput(name=name, data=data) for data, (_, name) in found.items()),
        rows=tuple(row for row, _ in found.values()),
        repeated=repeated,
    )


@dataclass(frozen=True, slots=True)
class Altering:
    """Alters seeds: a function of (seed, number of the seed, number of the view) alone."""

    pretext: Pretext
    seed: int

    def __call__(self, image: Image, number: int, view: int) -> Image:
        """Give one view of a seed."""
        draw = random.Random(f"{self.seed}/{number}/{view}")  # noqa: S311 -- not for secrets
        return self.pretext.alter(image, draw)


def load(
    data: str,
    options: ProbeOptions,
    catalogue: Catalogue,
    *,
    name: str,
    settings: Mapping[str, Any] | None = None,
) -> Probe:
    """Make a probe of images without labels.

    Args:
        data: what a person typed.
        options: which images, how many samples, which seed.
        catalogue: what the plugins provide.
        name: of the pretext.
        settings: its options.

    Raises:
        InputError: what is wrong with the data or the pretext, and what to do.
        PluginError: a third party's pretext broke.
    """
    pretext = catalogue.create("pretext", name, settings)
    images, notes = _images(data, options, catalogue.spec("pretext", name))
    classes, views = _shape(options.samples)
    order = sample.queue(np.zeros(len(images), dtype=np.int64), options.seed).tolist()
    with _explained(name):
        most = min(classes, pretext.seeds(len(images)))
        seeds = cut_seeds(pretext, images, order, most, options.seed)
        check_seeds(seeds, data, name)
        views = classes * views // len(seeds.images)
        altered = _altered(pretext, seeds, views, options.seed)
    # What was done with the images, beside what came out.
    made = json.dumps([name, dict(settings or {}), options.seed])
    digests = [fingerprint.digest_bytes(each.data or b"") for each in altered]
    probe = Probe(
        name=f"{_short(data)} ({name})",
        source=data,
        task="classification",
        modality="image",
        inputs=altered,
        labels=np.repeat(np.arange(len(seeds.images), dtype=np.int64), views),
        label_names=tuple(f"{name} {number}" for number in range(len(seeds.images))),
        fingerprint="",
        rows=len(altered),
        seed=options.seed,
        notes=(*notes, *_notes(seeds, len(images), views), warning(name)),
    )
    identity = fingerprint.fingerprint(
        probe.task,
        probe.modality,
        probe.label_names,
        [fingerprint.digest_text(made), *digests],
        probe.labels,
    )
    return replace(probe, fingerprint=identity)


def check_seeds(seeds: Seeds, data: str, name: str) -> None:
    """Refuse what is no task.

    Raises:
        InputError: there are fewer than two seeds.
    """
    if len(seeds.images) >= 2:
        return
    why = " (all are the same)" if seeds.repeated else ""
    raise InputError(
        f"{data!r} gives {count(len(seeds.images), 'seed')}{why}; {name} tells two or more apart.",
        "Name data with more images.",
    )


def warning(name: str) -> str:
    """Say what a ranking on such a probe is."""
    return (
        f"The labels are surrogate: they say which image a piece came from ({name}). No class of "
        "yours was seen, so this order is no more than a first guess."
    )


def _images(
    data: str, options: ProbeOptions, spec: PretextSpec
) -> tuple[Sequence[Any], tuple[str, ...]]:
    """Find the images.

    Raises:
        InputError: there are fewer than two, or labels are asked for.
    """
    for option, given in (("--label", options.label), ("--task", options.task)):
        if given:
            raise InputError(f"{option} says what labels are, and --pretext has none.", _UNLABELLED)
    if data == STDIN:
        raise InputError("a ranking reads its images many times, and standard input only once.")
    found = load_inputs(data, replace(options, samples=None))
    if found.modality not in spec.modalities:
        made = " and ".join(f"{each}s" for each in spec.modalities)
        raise InputError(
            f"{spec.name} is made from {made}, and {data!r} holds {found.modality}s.",
            "Texts are ranked with labels: zoo recommend DATA --label COLUMN",
        )
    if options.split and not isinstance(found.inputs, Lazy):
        raise InputError(
            f"--split {options.split}: {data!r} has no column that says what a split is.",
            "Name the folder of the split.",
        )
    if len(found) < 2:
        raise InputError(
            f"{data!r} holds {count(len(found), 'image')}; {spec.name} tells two or more apart.",
            "Name data with more images.",
        )
    return found.inputs, found.notes


def _shape(samples: int | None) -> tuple[int, int]:
    """Say how many classes and how many samples of each there are to be.

    Raises:
        InputError: there are too few samples.
    """
    if samples is not None and samples < 4 and samples != 0:
        raise InputError(
            f"a probe of {count(samples, 'sample')} holds no two classes of two.",
            "--probe-size 1000",
        )
    wanted = samples or _ALTERED * _MOST
    classes = max(2, min(_MOST, wanted // _ALTERED))
    return classes, wanted // classes


def _altered(pretext: Pretext, seeds: Seeds, views: int, seed: int) -> list[ImageInput]:
    """Alter every seed so many times; they stay encoded in memory."""
    alter = Altering(pretext, seed)
    found = []
    for number, each in enumerate(seeds.images):
        opened = decode(each)
        for view in range(1, views + 1):
            data = _encode(alter(opened, number, view))
            found.append(ImageInput(name=f"{each.name}, altered {view}", data=data))
    return found


def _notes(seeds: Seeds, images: int, views: int) -> Iterator[str]:
    taken = len(seeds.images)
    yield f"{taken} of {count(images, 'image')} gave a seed each, altered {views} times."
    if seeds.repeated:
        yield f"Left out {count(seeds.repeated, 'seed')} that repeated another one."


def _short(data: str) -> str:
    path = Path(data).expanduser().resolve()
    return path.stem if path.is_file() else path.name


@contextmanager
def _explained(name: str) -> Iterator[None]:
    """Turn whatever a pretext raises beyond its contract into one sentence."""
    try:
        yield
    except (ZooError, MemoryError):
        raise
    except Exception as error:
        raise PluginError(
            f"the pretext {name!r} failed: {type(error).__name__}: {error}.",
            f"zoo plugins show {name}",
        ) from error


def _encode(image: Image) -> bytes:
    """Encode without compression: other zlib builds would give other bytes and fingerprints."""
    data = io.BytesIO()
    image.convert("RGB").save(data, format="BMP")
    return data.getvalue()
