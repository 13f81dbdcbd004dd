"""Two text classifiers, a pre-trained BERT and a RoBERTa made from nothing, into one student.

    python benchmarks/amalgamation_texts.py --data ../shared/data --work /tmp/texts

``questions`` is all-MiniLM-L6-v2, of which the last layers learn the six kinds of question of TREC.
``news`` is a RoBERTa of two layers with a byte-pair tokenizer of its own, trained from nothing on
the four desks of AG News. The student is a DistilBERT smaller than both, of which there is only a
``config.json``; its tokenizer is that of the first teacher. It sees both training sets without
labels; the labelled test texts only judge. Called again, it skips what is finished.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.parquet as pq
import torch
from amalgamating.summary import summarise, write
from amalgamation import zoo
from tokenizers import ByteLevelBPETokenizer
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    DistilBertConfig,
    RobertaConfig,
    RobertaForSequenceClassification,
    RobertaTokenizerFast,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

_VOCABULARY, _LONGEST, _BATCH = 8000, 128, 32
_SPECIAL = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]


@dataclass(frozen=True)
class Task:
    """What one teacher knows.

    Attributes:
        texts: data set below ``DATA/texts``.
        trained: layers that learn, counted from the last; 0 makes all of them from nothing.
    """

    alias: str
    texts: str
    epochs: int
    rate: float
    trained: int = 0


NEWS = Task(alias="news", texts="agnews", epochs=8, rate=1e-3)
QUESTIONS = Task(alias="questions", texts="trec6", epochs=6, rate=3e-4, trained=2)
TASKS = (NEWS, QUESTIONS)


def rows(data: Path, task: Task, split: str) -> tuple[list[str], list[str]]:
    """The texts of a task, a line each, and the names of their labels."""
    (path,) = (data / "texts" / task.texts / "data").glob(f"{split}-*.parquet")
    table = pq.read_table(path)
    features = json.loads(table.schema.metadata[b"huggingface"])["info"]["features"]
    names = features["label"]["names"]
    texts = [" ".join(text.split()) for text in table["text"].to_pylist()]
    return texts, [names[number] for number in table["label"].to_pylist()]


def make(data: Path, task: Task, names: Sequence[str]) -> tuple[Any, Any]:
    """Open what a teacher starts from, with a new head: network and tokenizer."""
    labels = {
        "num_labels": len(names),
        "id2label": dict(enumerate(names)),
        "label2id": {name: number for number, name in enumerate(names)},
    }
    if task.trained:
        source = data / "zoo" / "all-MiniLM-L6-v2"
        model = AutoModelForSequenceClassification.from_pretrained(
            source, dtype=torch.float32, **labels
        )
        model.bert.embeddings.requires_grad_(requires_grad=False)
        model.bert.encoder.layer[: -task.trained].requires_grad_(requires_grad=False)
        return model, AutoTokenizer.from_pretrained(source)
    tokenizer = make_tokenizer([text for each in TASKS for text in rows(data, each, "train")[0]])
    config = RobertaConfig(
        vocab_size=_VOCABULARY,
        hidden_size=192,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=768,
        max_position_embeddings=_LONGEST + 2,
        type_vocab_size=1,
        hidden_dropout_prob=0.2,
        **labels,
    )
    return RobertaForSequenceClassification(config), tokenizer


def make_tokenizer(texts: Sequence[str]) -> Any:
    """Learn byte pairs from texts."""
    made = ByteLevelBPETokenizer(lowercase=True, add_prefix_space=True)
    made.train_from_iterator(
        texts, vocab_size=_VOCABULARY, show_progress=False, special_tokens=_SPECIAL
    )
    parts = json.loads(made.to_str())["model"]
    return RobertaTokenizerFast(
        vocab=parts["vocab"],
        merges=[tuple(pair) for pair in parts["merges"]],
        add_prefix_space=True,
        model_max_length=_LONGEST,
    )


def fine_tune(data: Path, task: Task, folder: Path) -> float:
    """Train one teacher with labels into a folder; give its accuracy on the test split."""
    texts, labels = rows(data, task, "train")
    names = sorted(set(labels))
    torch.manual_seed(0)
    model, tokenizer = make(data, task, names)
    ids = tokenizer(texts, truncation=True, max_length=_LONGEST)["input_ids"]
    targets = torch.tensor([names.index(label) for label in labels])
    learning = [each for each in model.parameters() if each.requires_grad]
    steps = task.epochs * (len(texts) // _BATCH)
    optimiser = torch.optim.AdamW(learning, lr=task.rate, weight_decay=0.01)
    decay = torch.optim.lr_scheduler.OneCycleLR(optimiser, task.rate, total_steps=steps + 1)
    model.train()
    for epoch in range(task.epochs):
        for batch in shuffled([len(each) for each in ids], epoch):
            inputs = tokenizer.pad({"input_ids": [ids[row] for row in batch]}, return_tensors="pt")
            loss = torch.nn.functional.cross_entropy(model(**inputs).logits, targets[batch])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            decay.step()
    accuracy = judge(model.eval(), tokenizer, *rows(data, task, "test"))
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return accuracy


def shuffled(lengths: Sequence[int], epoch: int) -> list[list[int]]:
    """Draw batches of texts of about equal length, so that little is padded."""
    draw = np.random.default_rng(epoch)
    order = np.argsort(np.asarray(lengths) + draw.uniform(0, 4, len(lengths)))
    batches = [order[start : start + _BATCH].tolist() for start in range(0, len(order), _BATCH)]
    whole = [batch for batch in batches if len(batch) == _BATCH]
    return [whole[number] for number in draw.permutation(len(whole))]


def judge(model: Any, tokenizer: Any, texts: Sequence[str], labels: Sequence[str]) -> float:
    """Share of the texts whose first label is right."""
    right = 0
    for start in range(0, len(texts), _BATCH):
        inputs = tokenizer(
            list(texts[start : start + _BATCH]),
            truncation=True,
            max_length=_LONGEST,
            padding=True,
            return_tensors="pt",
        )
        with torch.inference_mode():
            guesses = model(**inputs).logits.argmax(1).tolist()
        for guess, label in zip(guesses, labels[start : start + _BATCH], strict=True):
            right += model.config.id2label[guess] == label
    return right / len(texts)


def write_data(data: Path, work: Path) -> None:
    """Write ``texts.txt`` (no labels), ``labelled.csv`` (test) and ``student/config.json``."""
    unlabelled = [text for task in TASKS for text in rows(data, task, "train")[0]]
    (work / "texts.txt").write_text("\n".join(unlabelled) + "\n", encoding="utf-8")
    with (work / "labelled.csv").open("w", encoding="utf-8", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(("text", "label"))
        for task in TASKS:
            lines.writerows(zip(*rows(data, task, "test"), strict=True))
    config = DistilBertConfig(
        vocab_size=_VOCABULARY,
        dim=128,
        n_layers=2,
        n_heads=4,
        hidden_dim=256,
        max_position_embeddings=_LONGEST,
        pad_token_id=_SPECIAL.index("<pad>"),
        architectures=["DistilBertForSequenceClassification"],
    )
    (work / "student").mkdir(exist_ok=True)
    (work / "student" / "config.json").write_text(config.to_json_string())


def prepare(data: Path, work: Path) -> dict[str, float]:
    """Make teachers and data, once; give each teacher's accuracy."""
    known = work / "teachers.json"
    accuracy: dict[str, float] = json.loads(known.read_text()) if known.exists() else {}
    for task in TASKS:
        if task.alias not in accuracy:
            accuracy[task.alias] = fine_tune(data, task, work / task.alias)
            known.write_text(json.dumps(accuracy, indent=1))
            print(f"{task.alias}: {accuracy[task.alias]:.3f} on its own test texts", flush=True)
    write_data(data, work)
    return accuracy


def carry_out(work: Path, targets: str, seed: int, epochs: float) -> dict[str, Any]:
    """Do one run, or read what it gave."""
    out = work / "runs" / f"{targets}-{epochs:g}-{seed}"
    answer = out.with_suffix(".json")
    if not (answer.exists() and (out / "metrics.json").exists()):
        words = ["amalgamate", "--student", str(work / "student"), "-o", str(out)]
        for task in TASKS:
            words += ["--teacher", f"{task.alias}={work / task.alias}"]
        words += ["--data", str(work / "texts.txt"), "--eval", str(work / "labelled.csv")]
        words += ["--targets", targets, "--epochs", f"{epochs:g}", "--seed", str(seed)]
        unfinished = (out / "training").exists()
        found = zoo(work, ["resume", str(out)] if unfinished else words)
        answer.write_text(json.dumps(found, indent=1))
    found = json.loads(answer.read_text())
    print(f"{out.name}: {found['seconds']:.0f} s", flush=True)
    return {
        "run": out.name,
        "teachers": len(TASKS),
        "preset": "balanced",
        "targets": targets,
        "seed": seed,
        "epochs": epochs,
        "parameters": found["parameters"],
        "seconds": found["seconds"],
        "notes": found["notes"],
        "metrics": json.loads((out / "metrics.json").read_text()),
    }


def use(work: Path, out: Path) -> None:
    """Show that the student is a model like any other: predict, register, plain transformers."""
    texts = ["Who wrote Hamlet ?", "Stocks fell on Wall Street after oil prices rose to a record."]
    (work / "some.txt").write_text("\n".join(texts) + "\n")
    print(json.dumps(zoo(work, ["predict", str(out), str(work / "some.txt")]), indent=1))
    registry = work / "registry.json"
    print(json.dumps(zoo(work, ["registry", "add", str(out), "--registry", str(registry)])))
    code = (
        "import sys, transformers; "
        "print(transformers.pipeline('text-classification', sys.argv[1])(sys.argv[2:]))"
    )
    subprocess.run([sys.executable, "-c", code, str(out), *texts], check=True)


def main() -> None:
    """Make the teachers, do all runs, write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="with zoo/ and texts/")
    parser.add_argument("--work", type=Path, required=True, help="teachers and runs; may be used")
    parser.add_argument("--targets", nargs="+", default=["standardised", "gated"])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=float, default=20)
    parser.add_argument("-o", "--output", type=Path, help="a .json; the table goes beside it")
    options = parser.parse_args()
    work = options.work.resolve()
    (work / "runs").mkdir(parents=True, exist_ok=True)
    accuracy = prepare(options.data, work)
    pairs = [(targets, seed) for seed in range(options.seeds) for targets in options.targets]
    done = [carry_out(work, targets, seed, options.epochs) for targets, seed in pairs]
    use(work, work / "runs" / done[0]["run"])
    results = {"teachers": accuracy, "runs": done, "summary": summarise(done)}
    write(results, options.output or work / "texts.json")


if __name__ == "__main__":
    main()
