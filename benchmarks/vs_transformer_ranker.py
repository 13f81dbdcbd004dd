"""Whole-process time of ``zoo recommend`` beside transformer-ranker 0.2.0 on the same texts.

The peer needs an environment of its own:

    python -m venv peer && peer/bin/pip install torch==2.13.0 transformer-ranker==0.2.0
    python benchmarks/vs_transformer_ranker.py --peer peer/bin/python

Both get the same samples, the same encoders, one thread and a warm disk cache; Zoo's store is empty
in every repetition. The peer computes one estimator, Zoo all of its own with null and intervals.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent
SHARED = HERE.parents[1] / "shared" / "data"
ENVIRONMENT = {
    **os.environ,
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OMP_WAIT_POLICY": "PASSIVE",
    "HF_HUB_OFFLINE": "1",
    "HF_DATASETS_OFFLINE": "1",
    "TOKENIZERS_PARALLELISM": "false",
}
#: Encoders of real sizes with random weights: (name, layers, width, heads).
RANDOM = (("bert-mini", 4, 256, 4), ("bert-small", 4, 512, 8), ("minilm-l12", 12, 384, 12))


def random_encoders(folder: Path, tokenizer_from: Path) -> list[Path]:
    """Write BERT encoders in Hub format, with the tokenizer of a real checkpoint."""
    import shutil

    import torch
    from transformers import BertConfig, BertModel

    made = []
    for name, layers, width, heads in RANDOM:
        torch.manual_seed(0)
        config = BertConfig(
            vocab_size=30522,
            num_hidden_layers=layers,
            hidden_size=width,
            num_attention_heads=heads,
            intermediate_size=4 * width,
        )
        BertModel(config).save_pretrained(folder / name)
        for file in ("tokenizer.json", "tokenizer_config.json", "vocab.txt"):
            shutil.copy(tokenizer_from / file, folder / name)
        made.append(folder / name)
    return made


def same_samples(data: Path, samples: int, folder: Path) -> Path:
    """Write the stratified sample that Zoo would take as the only split of a data set."""
    (folder / "data").mkdir(parents=True)
    target = folder / "data" / "train-00000-of-00001.parquet"
    command = ["-m", "zoo_cli", "probes", "sample", str(data), "--probe-size", str(samples)]
    subprocess.run([sys.executable, *command, "-o", str(target), "-q"], check=True, env=ENVIRONMENT)
    return folder


def seconds_of(command: list[str], **environment: str) -> float:
    """Run a whole process and give its wall time; what it prints goes to a log."""
    with tempfile.TemporaryFile() as log:
        started = time.perf_counter()
        done = subprocess.run(
            command, check=False, env={**ENVIRONMENT, **environment}, stdout=log, stderr=log
        )
        seconds = time.perf_counter() - started
        if done.returncode != 0:
            log.seek(0)
            sys.exit(f"{command[:4]} ended with {done.returncode}:\n{log.read().decode()[-3000:]}")
    return seconds


def main() -> None:
    """Time both, in turn, and print every repetition and the medians."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peer", required=True, help="python with transformer-ranker 0.2.0")
    parser.add_argument("--data", type=Path, default=SHARED / "texts" / "trec6")
    parser.add_argument("--encoder", type=Path, default=SHARED / "zoo" / "all-MiniLM-L6-v2")
    parser.add_argument("--samples", type=int, default=1000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--estimator", default="hscore", help="of the peer; its default")
    parser.add_argument("--layers", default="layermean", help="of the peer; its default")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        models = [arguments.encoder, *random_encoders(folder, arguments.encoder)]
        data = same_samples(arguments.data, arguments.samples, folder / "probe")
        names = [str(model) for model in models]
        peer = [arguments.peer, str(HERE / "peer_transformer_ranker.py"), str(data)]
        peer += [arguments.estimator, arguments.layers, *names]
        zoo = [sys.executable, "-m", "zoo_cli", "recommend", str(data), "--json", "--offline"]
        zoo += ["--probe-size", "0", "--jobs", "1"]
        zoo += [word for name in names for word in ("-m", name)]
        pairs = []
        for number in range(arguments.repeat):
            ours = seconds_of(zoo, ZOO_HOME=str(folder / f"home{number}"))
            theirs = seconds_of(peer)
            pairs.append((ours, theirs))
            print(f"zoo {ours:6.1f} s   transformer-ranker {theirs:6.1f} s   x{theirs / ours:.2f}")
    ratio = statistics.median(theirs / ours for ours, theirs in pairs)
    report = {
        "models": len(models),
        "samples": arguments.samples,
        "zoo_seconds": round(statistics.median(pair[0] for pair in pairs), 1),
        "peer_seconds": round(statistics.median(pair[1] for pair in pairs), 1),
        "ratio": round(ratio, 2),
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
