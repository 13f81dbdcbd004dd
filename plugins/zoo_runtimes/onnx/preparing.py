"""From a live processor or tokenizer to a manifest's few fields, and back without transformers."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.errors import CheckpointError
from zoo_runtimes.images import Preparation, load_processor
from zoo_runtimes.onnx.manifest import TOKENIZER, Images, Texts
from zoo_runtimes.processors import (
    Geometry,
    geometry_key,
    processor_settings,
    settings_key,
)
from zoo_runtimes.tokens import SAMPLES, BareTokenizer, Tokens
from zoo_runtimes.waveforms import load_extraction

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zoo.types.model import Checkpoint
    from zoo_runtimes.waveforms import Extraction

_SETTINGS = ("preprocessor_config.json", "processor_config.json", "config.json")
_TRICKY = ("", "  Ünïcödé, naïve\tcafé — 北京 🙂\n", "don't [MASK] <s> it's 1,234.5%")


def describe_images(
    checkpoint: Checkpoint, preparation: Preparation, folder: Path | None = None
) -> Images:
    """Put a preparation into numbers.

    Args:
        checkpoint: the original.
        preparation: measured on its own processor.
        folder: where the processor's settings are copied to if numbers cannot replace it.
    """
    scale = () if preparation.scale is None else tuple(map(float, preparation.scale))
    offset = () if preparation.offset is None else tuple(map(float, preparation.offset))
    plan = preparation.plain
    if plan is None:
        if folder is not None:
            copy_settings(checkpoint, folder)
        return Images(scale=scale, offset=offset, standard=False)
    return Images(
        size=dict(plan.size),
        resample=plan.resample,
        crop=plan.crop,
        flip=plan.flip,
        scale=scale,
        offset=offset,
    )


def copy_settings(checkpoint: Checkpoint, folder: Path) -> None:
    """Take along what transformers' own processor or feature extractor is loaded from."""
    for name in _SETTINGS:
        source = Path(checkpoint.folder) / name
        if source.is_file() and not (folder / name).exists():
            shutil.copyfile(source, folder / name)


def restore_images(checkpoint: Checkpoint, images: Images) -> Preparation:
    """Prepare images as the original's processor did; with numbers alone where they suffice.

    Args:
        checkpoint: the exported folder.
        images: of its manifest.

    Raises:
        CheckpointError: transformers' processor is needed, and cannot be loaded.
    """
    scale, offset = (
        np.array(part, dtype=np.float32) if part else None for part in (images.scale, images.offset)
    )
    plan = _plan(images)
    if plan is not None:
        return Preparation(None, scale, offset, plan)
    _require_transformers(checkpoint, "images")
    return Preparation(load_processor(checkpoint), scale, offset, None)


def restored_key(checkpoint: Checkpoint, images: Images) -> str:
    """The key of what :func:`restore_images` prepares: the original's own, where numbers do it."""
    plan = _plan(images)
    if plan is not None:
        return geometry_key(plan)
    return settings_key(checkpoint, processor_settings(checkpoint))


def restore_audio(checkpoint: Checkpoint) -> Extraction:
    """Prepare sounds by transformers' own extractor, from the settings that were taken along.

    Raises:
        CheckpointError: it cannot be loaded.
    """
    _require_transformers(checkpoint, "sounds")
    return load_extraction(checkpoint)


def _require_transformers(checkpoint: Checkpoint, what: str) -> None:
    try:
        import transformers  # noqa: F401 -- asks whether it is there
    except ImportError:
        raise CheckpointError(
            f"{checkpoint.model}: its {what} are prepared by a processor of transformers, which "
            "is not installed.",
            "pip install transformers",
        ) from None


def _plan(images: Images) -> Geometry | None:
    if not images.standard:
        return None
    sides = tuple(sorted(images.size.items()))
    return Geometry(size=sides, resample=images.resample, crop=images.crop, flip=images.flip)


def describe_texts(tokens: Tokens, folder: Path, samples: Sequence[Any] = ()) -> Texts:
    """Write ``tokenizer.json``, and see that it makes the same tokens without transformers.

    Args:
        tokens: the original's.
        folder: to write to.
        samples: texts, or pairs of texts, to compare beside those that are known to be tricky.

    Raises:
        CheckpointError: the tokenizer has no fast form, or makes other tokens without transformers.
    """
    live = tokens.tokenizer
    name = type(live).__name__
    if not getattr(live, "is_fast", False):
        raise CheckpointError(
            f"{tokens.model}: its tokenizer {name} has no fast form, so it cannot leave "
            "transformers.",
            "Add a tokenizer.json to the checkpoint, or run it with --runtime torch.",
        )
    from tokenizers import Tokenizer

    bare = Tokenizer.from_str(live.backend_tokenizer.to_str())
    bare.no_truncation()
    bare.no_padding()
    bare.save(str(folder / TOKENIZER))
    texts = Texts(
        longest=tokens.longest,
        padding=tokens.padding,
        vocabulary=tokens.vocabulary,
        segments=tokens.segments and "token_type_ids" in live.model_input_names,
        truncation="left" if live.truncation_side == "left" else "right",
    )
    different = _different(tokens, restore_texts(folder, texts, tokens.model), samples)
    if different is not None:
        raise CheckpointError(
            f"{tokens.model}: without transformers, its tokenizer {name} makes other tokens of "
            f"{different!r:.80}.",
            "Run it with --runtime torch.",
        )
    return texts


def _different(live: Tokens, bare: Tokens, samples: Sequence[Any]) -> Any:
    """The first sample that becomes other tokens; None: there is none."""
    texts = [each for each in samples if isinstance(each, str)]
    texts += [*SAMPLES, *_TRICKY, "many words " * live.longest]
    pairs = [tuple(each) for each in samples if not isinstance(each, str)]
    pairs += [(first, second) for first in texts[-4:] for second in texts[-2:]]
    for inputs in (texts, pairs):
        rows = zip(live.encode(inputs), bare.encode(inputs), inputs, strict=True)
        for before, after, text in rows:
            if before != after:
                return text
    return None


def restore_texts(folder: Path, texts: Texts, model: str) -> Tokens:
    """Tokenise as the original did, with the tokenizers library alone.

    Raises:
        CheckpointError: ``tokenizer.json`` is missing or damaged.
    """
    path = folder / TOKENIZER
    if not path.is_file():
        raise CheckpointError(f"{model}: {path} is missing.", "Export it again.")
    from tokenizers import Tokenizer

    try:
        bare = BareTokenizer(Tokenizer.from_file(str(path)), texts.truncation)
    except Exception as error:
        raise CheckpointError(
            f"{model}: {path} cannot be read ({str(error).rstrip('.')}).", "Export it again."
        ) from error
    return Tokens(bare, texts.longest, texts.padding, texts.vocabulary, texts.segments, model)
