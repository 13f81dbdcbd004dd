"""The peer's side of ``vs_transformer_ranker.py``; runs in an environment of its own.

usage: python peer_transformer_ranker.py FOLDER_OF_PARQUET ESTIMATOR LAYERS MODEL...
"""

from __future__ import annotations

import sys

import datasets
from transformer_ranker import TransformerRanker


def main() -> None:
    """Rank the encoders on the train split, as the peer's documentation shows it."""
    folder, estimator, layers, *models = sys.argv[1:]
    data = datasets.load_dataset(folder, split="train")
    ranker = TransformerRanker(data, text_column="text", label_column="label")
    result = ranker.run(
        models, estimator=estimator, layer_aggregator=layers, batch_size=32, device="cpu"
    )
    print(result)


if __name__ == "__main__":
    main()
