"""What is learned, by which small network, and how that grows.

Images are those of CIFAR-10, read at 24 x 24, for a ResNet of basic blocks; texts are the questions
of TREC, for a BERT whose vocabulary is made of the training questions. All networks start
from random weights.
"""

from __future__ import annotations

import io
import json
from collections import Counter
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pyarrow.parquet as pq
import torch
from PIL import Image
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    BertTokenizerFast,
    ConvNextImageProcessorPil,
    ResNetConfig,
    ResNetForImageClassification,
)

from zoo.types.growing import Deepen, Widen

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

SIDE, WORDS, LONGEST = 24, 2000, 20
_SHIFT = 3
_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


@dataclass(frozen=True, kw_only=True)
class Task:
    """One pair of a small network and a larger one.

    Attributes:
        kind: what it reads.
        folder: data set, below ``DATA/images`` or ``DATA/texts``.
        settings: of the configuration of the small network.
        growth: how it becomes the larger one.
        batch: B.
        small: steps of the small network.
        steps: of the larger one.
        title: of its table.
        like: task whose small networks and rates it takes; empty: it has its own.
    """

    kind: Literal["image", "text"]
    folder: str
    settings: dict[str, Any]
    growth: tuple[Widen | Deepen, ...] = (Widen(width="2x"),)
    batch: int
    small: int = 300
    steps: int = 400
    title: str
    like: str = ""


_RESNET = {
    "layer_type": "basic",
    "embedding_size": 8,
    "hidden_sizes": [8, 16, 32],
    "depths": [1, 1, 1],
}
TASKS = {
    "images": Task(
        kind="image",
        folder="cifar10",
        settings=_RESNET,
        batch=32,
        title="Images: a ResNet, twice as wide",
    ),
    "texts": Task(
        kind="text",
        folder="trec6",
        settings={
            "vocab_size": WORDS,
            "hidden_size": 32,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "intermediate_size": 64,
            "max_position_embeddings": LONGEST,
        },
        batch=32,
        small=400,
        steps=300,
        title="Texts: a BERT, twice as wide",
    ),
    "deeper": Task(
        kind="image",
        folder="cifar10",
        settings=_RESNET,
        growth=(Widen(width="2x"), Deepen(depth="+1")),
        batch=32,
        title="Images: a ResNet, twice as wide and deeper",
        like="images",
    ),
}


@dataclass(frozen=True, eq=False)
class Samples:
    """One split, ready for a network.

    Attributes:
        inputs: by the names that the network takes, (N, ...) each.
        labels: (N,) int64.
        names: of the C labels.
    """

    inputs: dict[str, torch.Tensor]
    labels: torch.Tensor
    names: tuple[str, ...]

    def __len__(self) -> int:
        """Count them."""
        return len(self.labels)

    def part(self, rows: Any) -> Samples:
        """Take some of them."""
        inputs = {name: values[rows] for name, values in self.inputs.items()}
        return Samples(inputs, self.labels[rows], self.names)

    def to(self, device: str) -> Samples:
        """Move them."""
        inputs = {name: values.to(device) for name, values in self.inputs.items()}
        return Samples(inputs, self.labels.to(device), self.names)


def read(data: Path, task: Task) -> tuple[Samples, Samples]:
    """Read training and test samples of a task; their rows are in no order."""
    (train, names), (test, _) = (_rows(data, task, split) for split in ("train", "test"))
    if task.kind == "image":
        found = [_pixels(column) for column, _ in (train, test)]
    else:
        tokenizer = make_tokenizer(train[0])
        found = [_tokens(tokenizer, column) for column, _ in (train, test)]
    return Samples(found[0], train[1], names), Samples(found[1], test[1], names)


def _rows(
    data: Path, task: Task, split: str
) -> tuple[tuple[list[Any], torch.Tensor], tuple[str, ...]]:
    below = data / f"{task.kind}s" / task.folder / "data"
    (path,) = below.glob(f"{split}-*.parquet")
    table = pq.read_table(path)
    features = json.loads(table.schema.metadata[b"huggingface"])["info"]["features"]
    column = table[task.kind].to_pylist()
    labels = torch.tensor(table["label"].to_pylist())
    order = torch.randperm(len(column), generator=torch.Generator().manual_seed(0))
    shuffled = [column[row] for row in order.tolist()]
    return (shuffled, labels[order]), tuple(features["label"]["names"])


def _pixels(column: Sequence[Any]) -> dict[str, torch.Tensor]:
    found = []
    for cell in column:
        image = Image.open(io.BytesIO(cell["bytes"])).convert("RGB")
        found.append(np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BICUBIC)))
    pixels = torch.from_numpy(np.stack(found)).permute(0, 3, 1, 2).float()
    return {"pixel_values": (pixels / 127.5 - 1).contiguous()}


def make_tokenizer(texts: Sequence[str]) -> Any:
    """Make a vocabulary of texts: their most frequent words, and letters to spell the others.

    Unlike word pieces that are learned, it is the same whenever it is made.
    """
    normalise, split = BertNormalizer(lowercase=True), BertPreTokenizer()
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(word for word, _ in split.pre_tokenize_str(normalise.normalize_str(text)))
    letters = sorted({letter for word in counts for letter in word})
    tokens = [*_SPECIAL, *letters, *(f"##{letter}" for letter in letters)]
    frequent = sorted(counts, key=lambda word: (-counts[word], word))
    tokens += [word for word in frequent if len(word) > 1][: WORDS - len(tokens)]
    vocabulary = {token: number for number, token in enumerate(tokens)}
    return BertTokenizerFast(vocab=vocabulary, model_max_length=LONGEST)


def _tokens(tokenizer: Any, texts: Sequence[str]) -> dict[str, torch.Tensor]:
    batch = tokenizer(
        list(texts), padding="max_length", truncation=True, max_length=LONGEST, return_tensors="pt"
    )
    return {name: batch[name] for name in ("input_ids", "attention_mask")}


def altered(inputs: dict[str, torch.Tensor], generator: torch.Generator) -> dict[str, torch.Tensor]:
    """Mirror half of the images of a batch, and shift all by some pixels; texts stay."""
    if "pixel_values" not in inputs:
        return inputs
    pixels = inputs["pixel_values"]
    mirrored = (torch.rand(len(pixels), 1, 1, 1, generator=generator) < 0.5).to(pixels.device)
    pixels = torch.where(mirrored, pixels.flip(3), pixels)
    top, left = torch.randint(0, 2 * _SHIFT + 1, (2,), generator=generator).tolist()
    wide = torch.nn.functional.pad(pixels, (_SHIFT,) * 4, mode="reflect")
    side = pixels.shape[-1]
    return {"pixel_values": wide[:, :, top : top + side, left : left + side]}


def make_small(task: Task, names: Sequence[str], seed: int) -> Any:
    """Make the small network from random weights."""
    labels = {
        "num_labels": len(names),
        "id2label": dict(enumerate(names)),
        "label2id": {name: number for number, name in enumerate(names)},
    }
    torch.manual_seed(seed)
    if task.kind == "image":
        return ResNetForImageClassification(ResNetConfig(**task.settings, **labels))
    return BertForSequenceClassification(BertConfig(**task.settings, **labels))


@cache
def _tokenizer_of(data: Path, task: str) -> Any:
    (train, _), _ = _rows(data, TASKS[task], "train")
    return make_tokenizer(train)


def save_small(model: Any, data: Path, name: str, folder: Path) -> None:
    """Write the small network as a checkpoint, with what reads its inputs."""
    model.save_pretrained(folder)
    if TASKS[name].kind == "text":
        _tokenizer_of(data, name).save_pretrained(folder)
        return
    half = [0.5, 0.5, 0.5]
    ConvNextImageProcessorPil(
        size={"shortest_edge": SIDE}, crop_pct=1.0, image_mean=half, image_std=half
    ).save_pretrained(folder)
