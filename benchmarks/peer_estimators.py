"""The peer's side of ``estimators.py``; runs in an environment of its own.

usage: python peer_estimators.py FOLDER_OF_ARRAYS REPEAT
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np
import torch
from transformer_ranker.estimators import HScore, LogME


def main() -> None:
    """Time both estimators as the peer runs them and print one JSON object."""
    folder, repeat = Path(sys.argv[1]), int(sys.argv[2])
    torch.set_num_threads(1)
    values = torch.from_numpy(np.load(folder / "X.npy"))
    labels = torch.from_numpy(np.load(folder / "y.npy"))
    result = {}
    for name, make in (("logme", LogME), ("reg_hscore", HScore)):
        times = []
        for _ in range(repeat):
            started = time.process_time()
            value = make().fit(values, labels)
            times.append(time.process_time() - started)
        result[name] = {"seconds": min(times), "value": value}
    print(json.dumps(result))


if __name__ == "__main__":
    main()
