"""Complete a registry entry from config, card and safetensors header: no weight is touched."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec

from zoo.errors import CheckpointError
from zoo.hub import exported
from zoo.hub import files as layout

if TYPE_CHECKING:
    from zoo.hub.files import Files
    from zoo.types.model import Modality, ModelEntry

#: Pipeline tags that say what goes in. ``feature-extraction`` alone does not.
_MODALITY: dict[str, Modality] = {
    "image-classification": "image",
    "image-segmentation": "image",
    "image-feature-extraction": "image",
    "image-to-image": "image",
    "image-to-text": "image",
    "object-detection": "image",
    "depth-estimation": "image",
    "mask-generation": "image",
    "keypoint-detection": "image",
    "zero-shot-image-classification": "image",
    "zero-shot-object-detection": "image",
    "text-classification": "text",
    "token-classification": "text",
    "question-answering": "text",
    "fill-mask": "text",
    "text-generation": "text",
    "text2text-generation": "text",
    "sentence-similarity": "text",
    "text-ranking": "text",
    "summarization": "text",
    "translation": "text",
    "zero-shot-classification": "text",
    "audio-classification": "audio",
    "automatic-speech-recognition": "audio",
    "audio-to-audio": "audio",
    "text-to-speech": "audio",
    "text-to-audio": "audio",
    "voice-activity-detection": "audio",
    "zero-shot-audio-classification": "audio",
}
#: What the end of an architecture's class name says, more telling ends first.
_TASKS: tuple[tuple[str, str], ...] = (
    (r"ForImageClassification(WithTeacher)?", "image-classification"),
    (r"For(Semantic|Instance|Universal|Image)Segmentation", "image-segmentation"),
    (r"ForAudioClassification|ForXVector", "audio-classification"),
    (r"ForVideoClassification", "video-classification"),
    (r"For(ZeroShot)?ObjectDetection", "object-detection"),
    (r"ForDepthEstimation", "depth-estimation"),
    (r"ForMaskedImageModeling", "image-feature-extraction"),
    (r"ForCTC|ForSpeechSeq2Seq", "automatic-speech-recognition"),
    (r"ForTokenClassification", "token-classification"),
    (r"ForQuestionAnswering", "question-answering"),
    (r"For(MaskedLM|PreTraining)", "fill-mask"),
    (r"(ForCausalLM|LMHeadModel)", "text-generation"),
    (r"ForConditionalGeneration", "text2text-generation"),
)
_CLASSIFIER = re.compile(r".*For(Image|Sequence|Audio)Classification(WithTeacher)?")
_LARGEST_CARD_VALUE = 200


@dataclass(frozen=True, kw_only=True)
class Inspection:
    """What looking at a checkpoint gave.

    Attributes:
        entry: the entry, completed; its ``files`` are left as they were.
        needed: the files that a run needs.
        manifest: what an exported checkpoint says of itself; None for every other.
    """

    entry: ModelEntry
    needed: tuple[str, ...]
    manifest: exported.Manifest | None = None


def inspect(entry: ModelEntry, files: Files, *, trust_remote_code: bool = False) -> Inspection:
    """Decide whether a checkpoint can be used, and complete its entry.

    What the entry already says stays as it is.

    Raises:
        CheckpointError: no config, no safetensors, damaged weights, remote code, no tokenizer; an
            export that is not whole.
    """
    if exported.is_export(files):
        manifest = exported.read_manifest(files)
        complete = exported.complete(entry, manifest, files)
        needed = (exported.MANIFEST, *manifest.files)
        return Inspection(entry=complete, needed=needed, manifest=manifest)
    config = layout.read_config(files)
    weights = layout.weight_files(files)
    code = _remote_code(config, files, trusted=trust_remote_code)
    parameters = sum(layout.count_parameters(files, path) for path in weights)
    index = (layout.INDEX,) if layout.WEIGHTS not in weights else ()
    needed = (layout.CONFIG, *layout.preparation_files(files), *index, *weights, *code)
    found = _facts(config, files) | {
        "parameters": parameters,
        "bytes": sum(files.sizes[path] for path in needed),
    }
    missing = {name: fact for name, fact in found.items() if not getattr(entry, name)}
    tags = _tags(files.card()) | entry.tags
    complete = msgspec.structs.replace(entry, **missing, tags=tags)
    _need_tokenizer(complete, files)
    return Inspection(entry=complete, needed=needed)


def describe(entry: ModelEntry, files: Files, *, trust_remote_code: bool = False) -> Inspection:
    """Complete an entry without looking at a weight, which need not be there.

    Raises:
        CheckpointError: no config, remote code, or an export that is not whole.
    """
    if exported.is_export(files):
        return inspect(entry, files)
    config = layout.read_config(files)
    code = _remote_code(config, files, trusted=trust_remote_code)
    facts = _facts(config, files)
    missing = {name: fact for name, fact in facts.items() if not getattr(entry, name)}
    needed = (layout.CONFIG, *layout.preparation_files(files), *code)
    return Inspection(entry=msgspec.structs.replace(entry, **missing), needed=needed)


def _facts(config: dict[str, Any], files: Files) -> dict[str, Any]:
    card = files.card()
    library = _library(config, card, files)
    architectures = config.get("architectures") or [config.get("architecture")]
    architecture = str(architectures[0]) if architectures[0] else None
    tag = card.get("pipeline_tag")
    task = str(tag) if tag else _task(architecture or "", config)
    said = _MODALITY.get(task or "")
    modality = said if tag and said else _modality(config, files) or said
    if library == "timm":
        task, modality = task or "image-classification", "image"
    if task is None and modality:
        task = "feature-extraction" if modality == "text" else f"{modality}-feature-extraction"
    return {
        "task": task,
        "modality": modality,
        "library": library,
        "architecture": architecture,
        "license": _license(config, card),
        "labels": _labels(config, architecture or ""),
    }


def _library(config: dict[str, Any], card: dict[str, Any], files: Files) -> str | None:
    if layout.MODULES in files.sizes:
        return "sentence-transformers"
    if "model_type" in config:
        return "transformers"
    if "architecture" in config and ("pretrained_cfg" in config or "num_features" in config):
        return "timm"
    named = card.get("library_name")
    return str(named) if named else None


def _task(architecture: str, config: dict[str, Any]) -> str | None:
    if architecture.endswith("ForSequenceClassification"):
        return "audio-classification" if _listens(config) else "text-classification"
    if architecture.endswith("ForConditionalGeneration") and _listens(config):
        return "automatic-speech-recognition"
    for ending, task in _TASKS:
        if re.search(rf"({ending})$", architecture):
            return task
    return None


def _modality(config: dict[str, Any], files: Files) -> Modality | None:
    if "preprocessor_config.json" in files.sizes:
        processor = layout.read_json(files, "preprocessor_config.json")
        if "image_mean" in processor or "image_processor_type" in processor:
            return "image"
        if "sampling_rate" in processor or "feature_extractor_type" in processor:
            return "audio"
    if _listens(config):
        return "audio"
    if "vocab_size" in config or layout.has_tokenizer(files):
        return "text"
    return "image" if {"num_channels", "image_size", "patch_size"} & config.keys() else None


def _listens(config: dict[str, Any]) -> bool:
    return bool({"num_mel_bins", "feat_extract_norm", "sampling_rate"} & config.keys())


def _labels(config: dict[str, Any], architecture: str) -> int | None:
    if _CLASSIFIER.fullmatch(architecture):
        names = config.get("id2label")
        # transformers leaves its default of two labels out of the file.
        return len(names) if isinstance(names, dict) else int(config.get("num_labels", 2))
    classes = config.get("num_classes") if "architecture" in config else None
    return int(classes) if classes else None


def _license(config: dict[str, Any], card: dict[str, Any]) -> str | None:
    value = card.get("license")
    if value == "other":
        value = card.get("license_name") or value
    if value is None:
        timm = config.get("pretrained_cfg")
        value = config.get("license") or (timm.get("license") if isinstance(timm, dict) else None)
    return _text(value)


def _tags(card: dict[str, Any]) -> dict[str, str]:
    found = {
        "pretraining": _text(card.get("datasets")),
        "base_model": _text(card.get("base_model")),
    }
    return {name: value for name, value in found.items() if value}


def _text(value: Any) -> str | None:
    """Put a card's value, which strangers wrote, on one line of reasonable length."""
    values = value if isinstance(value, list) else [value]
    joined = ", ".join(" ".join(str(each).split()) for each in values if each is not None)
    if len(joined) > _LARGEST_CARD_VALUE:
        joined = joined[:_LARGEST_CARD_VALUE].rpartition(", ")[0]
    return joined or None


def _remote_code(config: dict[str, Any], files: Files, *, trusted: bool) -> tuple[str, ...]:
    """Give the Python files to bring along, or refuse; known architectures never run them."""
    if not config.get("auto_map") or _known_to_transformers(str(config.get("model_type", ""))):
        return ()
    code = layout.code_files(files)
    if trusted:
        return code
    named = f" ({code[0]})" if code else ""
    raise CheckpointError(
        f"{files.model} asks to run its own code{named}.",
        "Read that code; if you trust it: --trust-remote-code MODEL.",
    )


@cache
def _known_to_transformers(model_type: str) -> bool:
    """Whether transformers has the architecture itself, asked without importing transformers."""
    from importlib.util import find_spec
    from pathlib import Path

    spec = find_spec("transformers")
    if not model_type or spec is None or not spec.origin:
        return False
    models = Path(spec.origin).parent / "models"
    if (models / model_type.replace("-", "_")).is_dir():
        return True
    quoted = f'"{model_type}"'
    return any(
        quoted in path.read_text(encoding="utf-8") for path in (models / "auto").glob("*auto*.py")
    )


def _need_tokenizer(entry: ModelEntry, files: Files) -> None:
    ours = entry.library in {"transformers", "sentence-transformers"}
    if ours and entry.modality == "text" and not layout.has_tokenizer(files):
        raise CheckpointError(
            f"{files.model} has no tokenizer (tokenizer.json, vocab.txt, ...).",
            "Copy the tokenizer's files of its base model into the folder.",
        )
