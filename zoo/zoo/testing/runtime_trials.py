"""Checkpoints for trials of runtimes: tiny ones, or what the author of a runtime names."""

from __future__ import annotations

import functools
import hashlib
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, cast

from zoo.errors import CheckpointError, ZooError
from zoo.testing.places import contents, placed
from zoo.testing.promises import NotTriedError, asking
from zoo.testing.tiny_probes import pictures, sentences, sounds
from zoo.types.model import Checkpoint, Modality, ModelEntry
from zoo.types.runtimes import RuntimeOptions

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import numpy.typing as npt

    from zoo.testing.kit import Trial
    from zoo.types.runtimes import Backbone, Runtime
    from zoo.types.specs import RuntimeSpec

#: One family a modality, and others for runtimes that do not open it.
_FAMILIES: Mapping[Modality, tuple[str, ...]] = {
    "image": ("resnet", "vit", "regnet"),
    "text": ("distilbert", "bert", "gpt2"),
    "audio": ("wav2vec2",),
}
_SAMPLES = 5
#: What a runtime keeps for itself is remembered up to this size, so that it is made once.
_LARGEST = 64 << 20
_KEPT: dict[tuple[str, str], dict[str, bytes]] = {}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Given:
    """One checkpoint, laid out on disk and open.

    Attributes:
        name: for sentences.
        inputs: as a probe holds them.
        cache: folder for what is costly to make.
    """

    name: str
    runtime: Runtime
    checkpoint: Checkpoint
    modality: Modality
    inputs: Sequence[Any]
    cache: str
    backbone: Backbone

    @property
    def taps(self) -> list[str]:
        """What the backbone announces."""
        return [tap.name for tap in self.backbone.taps]

    @property
    def options(self) -> RuntimeOptions:
        """How it was opened."""
        return _options(self.modality, self.cache)

    def open(self, device: str = "cpu") -> Backbone:
        """Open it once more."""
        return self.runtime.open(self.checkpoint, replace(self.options, device=device))

    def prepared(self) -> list[Any]:
        """Prepare the inputs as the engine does: all but texts."""
        if self.modality == "text":
            return list(self.inputs)
        with asking(f"prepare of {self.name}"):
            return list(self.runtime.prepare(self.checkpoint, list(self.inputs)))

    def features(
        self, inputs: Sequence[Any], taps: Sequence[str] | None = None
    ) -> Mapping[str, npt.NDArray[Any]]:
        """Run one batch of prepared inputs; every tap that is announced, unless some are named."""
        with asking(f"encode and extract of {self.name}"):
            encoded = self.backbone.encode(inputs)
            return self.backbone.extract(encoded, self.taps if taps is None else taps)


def each_checkpoint(trial: Trial) -> Iterator[Given]:
    """Open one checkpoint a modality, one after the other.

    Raises:
        NotTriedError: the runtime opens none of them, and its author names none.
    """
    runtime = trial.make()
    if trial.example is not None:
        checkpoint = _example(trial)
        yield from _opened(trial, runtime, checkpoint.model, checkpoint)
        return
    refused: list[str] = []
    tried = False
    for modality, names in _offered(trial.spec).items():
        for name in names:
            with _laid_out(name, modality) as checkpoint:
                try:
                    yield from _opened(trial, runtime, f"a tiny {name}", checkpoint)
                except CheckpointError as error:
                    refused.append(error.message.rstrip("."))
                else:
                    tried = True
                    break
    if not tried:
        why = f" ({refused[0]})" if refused else ""
        raise NotTriedError(
            f"it opens none of the tiny checkpoints{why}; an example tries it, the folder or the "
            "reference of a checkpoint that it can open"
        )


def _offered(spec: RuntimeSpec) -> dict[Modality, tuple[str, ...]]:
    """Choose families that its spec says it opens; sounds where there is nothing else."""
    if "transformers" not in spec.libraries:
        return {}
    found = {kind: names for kind, names in _FAMILIES.items() if kind in spec.modalities}
    return {kind: names for kind, names in found.items() if kind != "audio"} or found


def _opened(trial: Trial, runtime: Runtime, name: str, checkpoint: Checkpoint) -> Iterator[Given]:
    """Open a checkpoint; what the runtime keeps in its cache is there the next time."""
    modality = checkpoint.entry.modality or _first_modality(trial.spec)
    key = (trial.spec.target, checkpoint.digest)
    with TemporaryDirectory(prefix="zoo-check-") as cache:
        _write(_KEPT.get(key, {}), Path(cache))
        backbone = runtime.open(checkpoint, _options(modality, cache))
        try:
            yield Given(
                name=name,
                runtime=runtime,
                checkpoint=checkpoint,
                modality=modality,
                inputs=_made_up(modality),
                cache=cache,
                backbone=backbone,
            )
        finally:
            backbone.close()
            _KEPT[key] = _kept(Path(cache))


def _options(modality: Modality, cache: str) -> RuntimeOptions:
    return RuntimeOptions(cache=cache, extras={"modality": modality})


def _made_up(modality: Modality) -> Sequence[Any]:
    if modality == "image":
        return pictures(_SAMPLES)
    return sentences(_SAMPLES) if modality == "text" else sounds(_SAMPLES)


@functools.cache
def _files(name: str) -> Mapping[str, bytes]:
    """Make a tiny checkpoint once a process, in memory."""
    from zoo.testing.tiny_checkpoints import build_tiny_checkpoint

    with TemporaryDirectory(prefix="zoo-check-") as folder:
        return _read(build_tiny_checkpoint(name, folder))


@contextmanager
def _laid_out(name: str, modality: Modality) -> Iterator[Checkpoint]:
    files = _files(name)
    with TemporaryDirectory(prefix="zoo-check-") as folder:
        _write(files, Path(folder))
        entry = ModelEntry(ref=f"./tiny-{name}", modality=modality, library="transformers")
        yield Checkpoint(entry=entry, folder=folder, digest=_digest(folder))


def _example(trial: Trial) -> Checkpoint:
    """Find what the author of a runtime names: a folder as it is, or a reference.

    Raises:
        NotTriedError: it cannot be had here.
    """
    text = placed(trial.example)
    library, modality = trial.spec.libraries[0], _first_modality(trial.spec)
    if Path(text).is_dir():
        entry = ModelEntry(ref=text, modality=modality, library=library)
        return Checkpoint(entry=entry, folder=text, digest=_digest(text))
    from zoo.api import open_catalogue
    from zoo.checkpoints import locate
    from zoo.settings import resolve

    settings = resolve().settings
    try:
        candidate, source = locate(text, settings, open_catalogue(settings))
        return source.fetch(candidate)
    except ZooError as error:
        raise NotTriedError(f"its example cannot be had: {error.message.rstrip('.')}") from error


def _first_modality(spec: RuntimeSpec) -> Modality:
    return cast("Modality", spec.modalities[0]) if spec.modalities else "image"


def _digest(folder: str) -> str:
    return hashlib.sha256(repr(sorted(contents(folder).items())).encode()).hexdigest()


def _kept(cache: Path) -> dict[str, bytes]:
    """Remember what is in a cache, unless it is large."""
    size = sum(path.stat().st_size for path in cache.rglob("*") if path.is_file())
    return _read(cache) if size <= _LARGEST else {}


def _read(folder: Path) -> dict[str, bytes]:
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def _write(files: Mapping[str, bytes], folder: Path) -> None:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
