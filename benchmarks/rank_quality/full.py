"""The full recipe: a new head on the pre-trained body, and all weights trained for a short time."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from probe_sets import checkpoints_of
from torch import nn

from zoo.engine.devices import choose_devices

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt
    from probe_sets import ProbeSet

    from zoo.catalogue import Catalogue
    from zoo.plan import PlannedModel
    from zoo.settings import Settings
    from zoo.types import Checkpoint


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """AdamW with a warm-up of a tenth of the steps and a cosine to zero; no augmentation.

    Attributes:
        epochs: passes over the samples, and more where these would be too few steps.
        steps: the fewest steps: a small data set would leave a new head untrained.
        rate: learning rate of the pre-trained weights.
        head_rate: learning rate of the new head.
    """

    epochs: int
    steps: int
    batch: int
    rate: float
    head_rate: float
    decay: float = 0.01
    clip: float = 1.0


RECIPES = {
    "image": Recipe(epochs=5, steps=100, batch=16, rate=1e-4, head_rate=3e-3),
    "text": Recipe(epochs=4, steps=100, batch=16, rate=5e-5, head_rate=5e-4),
}
_TOKENS = 128


class FullTuning:
    """One checkpoint on one data set; every seed starts from the pre-trained weights again.

    Raises:
        OSError, ValueError: transformers has no class for it, or the files are no safetensors.
    """

    def __init__(
        self, data: ProbeSet, planned: PlannedModel, settings: Settings, catalogue: Catalogue
    ) -> None:
        (self.checkpoint,) = checkpoints_of([planned], settings, catalogue).values()
        self.data, self.modality = data, data.train.modality
        self.recipe = RECIPES[self.modality]
        self.device = torch.device(_device(settings.device))
        read = _read_images if self.modality == "image" else _read_texts
        self.train = read(self.checkpoint, data.train.inputs)
        self.test = read(self.checkpoint, data.test.inputs)

    def run(self, rows: npt.NDArray[np.int64], seed: int) -> float:
        """Train on these rows of the train samples; accuracy or R2 on the test samples."""
        torch.manual_seed(seed)
        labels = _targets(self.data)
        model = self._fresh()
        optimizer = _optimizer(model, self.recipe)
        batches = list(_batches(rows, self.recipe, seed))
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: _pace(step, len(batches))
        )
        model.train()
        _freeze_statistics(model)
        for batch in batches:
            optimizer.zero_grad()
            loss = self._loss(self._logits(model, self.train, batch), labels[batch])
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), self.recipe.clip)
            optimizer.step()
            schedule.step()
        return self._result(model)

    def _fresh(self) -> Any:
        import transformers

        kind = "ImageClassification" if self.modality == "image" else "SequenceClassification"
        width = self.data.train.classes or 1
        with _quiet():
            model = getattr(transformers, f"AutoModelFor{kind}").from_pretrained(
                self.checkpoint.folder,
                num_labels=width,
                ignore_mismatched_sizes=True,
                use_safetensors=True,
                local_files_only=True,
                dtype=torch.float32,
            )
        # A source head that happens to have as many classes would be kept otherwise.
        for module in _head_modules(model):
            module.reset_parameters()
        return model.to(self.device, memory_format=torch.channels_last)

    def _logits(self, model: Any, inputs: dict[str, Any], rows: npt.NDArray[np.int64]) -> Any:
        batch = {name: each[torch.from_numpy(rows)] for name, each in inputs.items()}
        if "attention_mask" in batch:
            longest = int(batch["attention_mask"].sum(dim=1).max())
            batch = {name: each[:, :longest] for name, each in batch.items()}
        return model(**{name: each.to(self.device) for name, each in batch.items()}).logits

    def _loss(self, logits: Any, labels: npt.NDArray[Any]) -> Any:
        target = torch.from_numpy(labels).to(self.device)
        if self.data.train.task == "regression":
            return nn.functional.mse_loss(logits[:, 0], target.float())
        return nn.functional.cross_entropy(logits, target)

    @torch.no_grad()
    def _result(self, model: Any) -> float:
        model.eval()
        rows = np.arange(self.data.test.samples)
        parts = np.array_split(rows, max(1, len(rows) // 32))
        logits = torch.cat([self._logits(model, self.test, part) for part in parts]).cpu().numpy()
        expected = self.data.test_labels
        if self.data.train.task == "regression":
            mean, deviation = _moments(self.data)
            errors = expected - (logits[:, 0] * deviation + mean)
            return float(1 - (errors**2).sum() / ((expected - expected.mean()) ** 2).sum())
        return float((logits.argmax(axis=1) == expected).mean())


def _targets(data: ProbeSet) -> npt.NDArray[Any]:
    """Class ids, or standardised real values."""
    if data.train.task != "regression":
        return data.train.labels
    mean, deviation = _moments(data)
    scaled: npt.NDArray[Any] = (data.train.labels - mean) / deviation
    return scaled


def _moments(data: ProbeSet) -> tuple[float, float]:
    return float(data.train.labels.mean()), float(data.train.labels.std()) or 1.0


def _read_images(checkpoint: Checkpoint, inputs: Any) -> dict[str, Any]:
    from transformers import AutoImageProcessor

    from zoo.probes.decoding import decode

    with _quiet():
        processor = AutoImageProcessor.from_pretrained(
            checkpoint.folder, backend="pil", local_files_only=True
        )
    pixels = [processor(decode(each), return_tensors="pt")["pixel_values"][0] for each in inputs]
    return {"pixel_values": torch.stack(pixels)}


def _read_texts(checkpoint: Checkpoint, inputs: Any) -> dict[str, Any]:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(checkpoint.folder, local_files_only=True)
    pairs = isinstance(inputs[0], tuple)
    columns = [list(each) for each in zip(*inputs, strict=True)] if pairs else [list(inputs)]
    encoded = tokenizer(
        *columns,
        padding=True,
        padding_side="right",
        truncation=True,
        max_length=_TOKENS,
        return_tensors="pt",
    )
    return dict(encoded)


def _head_modules(model: Any) -> list[Any]:
    body = model.base_model_prefix + "."
    return [
        module
        for name, module in model.named_modules()
        if not (name + ".").startswith(body) and hasattr(module, "reset_parameters")
    ]


def _optimizer(model: Any, recipe: Recipe) -> torch.optim.Optimizer:
    head = {id(each) for module in _head_modules(model) for each in module.parameters()}
    new = [each for each in model.parameters() if id(each) in head]
    old = [each for each in model.parameters() if id(each) not in head]
    groups = [{"params": old, "lr": recipe.rate}, {"params": new, "lr": recipe.head_rate}]
    return torch.optim.AdamW(groups, weight_decay=recipe.decay)


def _freeze_statistics(model: Any) -> None:
    """Keep batch norms in eval mode: some checkpoints have theirs folded into the convolutions."""
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):  # noqa: SLF001 -- their common base
            module.eval()


def _pace(step: int, steps: int) -> float:
    warm = max(1, steps // 10)
    if step < warm:
        return (step + 1) / warm
    return 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm)))


def _batches(
    rows: npt.NDArray[np.int64], recipe: Recipe, seed: int
) -> Iterator[npt.NDArray[np.int64]]:
    random = np.random.default_rng(seed)
    parts = math.ceil(len(rows) / recipe.batch)
    for _ in range(max(recipe.epochs, math.ceil(recipe.steps / parts))):
        yield from np.array_split(random.permutation(rows), parts)


def _device(name: str) -> str:
    return choose_devices(name, torch.cuda.device_count())[0]


def _quiet() -> Any:
    from zoo_runtimes.loading import quiet

    return quiet()
