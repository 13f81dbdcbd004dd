"""Make a student's network: a pretrained or a random body, and a new or the trained head."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import torch

from zoo.errors import CheckpointError
from zoo_runtimes.explaining import explained
from zoo_runtimes.loading import Network, check_architecture, choose, load_config, load_weights
from zoo_runtimes.processors import read_config, require_colour

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zoo.types.model import Checkpoint
    from zoo.types.training import StudentRequest
    from zoo_runtimes.loading import Load

_HEADS = {"image": "ForImageClassification", "text": "ForSequenceClassification"}


def student_config(checkpoint: Checkpoint, modality: str, request: StudentRequest) -> Any:
    """The configuration of the checkpoint, with the labels of the student.

    Raises:
        CheckpointError: there is none, or nothing can be made of it.
    """
    raw = read_config(checkpoint)
    if modality == "image":
        require_colour(checkpoint)
    check_architecture(checkpoint, raw)
    config = load_config(checkpoint, raw)
    if request.labels:
        config.num_labels = len(request.labels)  # Pvt keeps the number beside the names
        config.id2label = dict(enumerate(request.labels))
        config.label2id = {label: number for number, label in enumerate(request.labels)}
        config.problem_type = "single_label_classification"
    elif _HEADS[modality] in (config.architectures or [""])[0]:
        config.architectures = None
    return config


def choose_student(
    checkpoint: Checkpoint, config: Any, modality: str, request: StudentRequest, load: Load
) -> Network:
    """Take the family's classifier, or its body where the student has no labels.

    Raises:
        CheckpointError: the family has no classifier.
    """
    if not request.labels:
        return choose(checkpoint, config, modality, load)
    module, _ = load(_classifier(checkpoint, config, modality))
    tower = module.config if modality == "text" else getattr(module.config, "vision_config", None)
    return Network(module, tower or module.config, head=True, pooler=True)


def _classifier(checkpoint: Checkpoint, config: Any, modality: str) -> Any:
    import transformers
    from transformers.models.auto import modeling_auto

    auto, known = {
        "image": (
            transformers.AutoModelForImageClassification,
            modeling_auto.MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES,
        ),
        "text": (
            transformers.AutoModelForSequenceClassification,
            modeling_auto.MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES,
        ),
    }[modality]
    custom = auto.__name__ in (getattr(config, "auto_map", None) or {})
    if config.model_type not in known and not custom:
        raise CheckpointError(
            f"{checkpoint.model}: transformers has no {_HEADS[modality]} class of the "
            f"architecture {config.model_type!r}, so it cannot get a new head.",
            "Choose another student.",
        )
    # An encoder that was saved alone says that it is none; its classifier decodes all the same.
    decodes = any(getattr(each, "is_encoder_decoder", False) for each in (config, type(config)))
    if modality == "text" and decodes:
        raise CheckpointError(
            f"{checkpoint.model} reads with an encoder and writes with a decoder; students of "
            "texts have one of the two.",
            "Choose another student, such as a BERT.",
        )
    return auto


@contextlib.contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Draw from a seed of one's own, and leave the process's random numbers as they were."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield


def draw(checkpoint: Checkpoint, config: Any, auto: Any) -> tuple[Any, list[str]]:
    """Make a network of random weights; none is missing."""
    with explained(checkpoint, "no network can be made of its config.json"):
        module = auto.from_config(
            config, dtype=torch.float32, trust_remote_code=checkpoint.trust_remote_code
        )
    return module, []


def load_body(
    checkpoint: Checkpoint, config: Any, auto: Any, seed: int, *, keep: bool = False
) -> tuple[Any, list[str]]:
    """Load what is not head, and draw the head, also where the checkpoint has a fitting one.

    Args:
        checkpoint: with weights.
        config: with the labels of the student.
        auto: the Auto class of its classifiers.
        seed: of a head that is drawn.
        keep: load the head, too.

    Raises:
        CheckpointError: the body, or a head to be kept, has other weights than the files.
    """
    module, missing = load_weights(checkpoint, config, auto, other_sizes=True)
    if keep and missing:
        raise CheckpointError(
            f"{checkpoint.model}: its weight files lack {missing[0]}, so its head cannot be kept.",
            "--head new draws another one.",
        )
    if keep:
        return module, []
    head, body = _head(module), _body(module)
    lacking = [name for name in missing if name.startswith(body) and name not in head]
    lacking = [name for name in lacking if "pooler" not in name.split(".")]
    if lacking:
        raise CheckpointError(
            f"{checkpoint.model}: its weight files do not fit its config.json ({lacking[0]}).",
            f"Fetch it again: zoo models pull {checkpoint.model}",
        )
    with seeded(seed):
        new, _ = draw(checkpoint, config, auto)
    drawn, loaded = new.state_dict(), module.state_dict()
    for name in head:
        loaded[name].copy_(drawn[name])
    return module, []


def _body(module: Any) -> str:
    """How the names of the body's weights start."""
    prefix = module.base_model_prefix
    if not hasattr(module, prefix):  # one tower of two carries the name of the tower
        sizes = {name: _size(part) for name, part in module.named_children()}
        prefix = max(sizes, key=lambda name: sizes[name])
    return f"{prefix}."


def _size(module: torch.nn.Module) -> int:
    return sum(part.numel() for part in module.parameters())


def _head(module: Any) -> list[str]:
    """Names of the weights that make logits: linear maps and convolutions outside the body.

    Norms there belong to the body's features and stay as they were trained.
    """
    if hasattr(module, "timm_model"):
        last = module.timm_model.get_classifier()
        heads = [name for name, part in module.named_modules() if part is last]
    else:
        body, makers = _body(module), (torch.nn.Linear, torch.nn.Conv2d)
        heads = [
            name
            for name, part in module.named_modules()
            if isinstance(part, makers) and not name.startswith(body)
        ]
    return [key for key in module.state_dict() if key.rpartition(".")[0] in heads]
