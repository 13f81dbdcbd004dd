"""Train in a child process that is killed at random times, several times over.

Called as: killing.py <folder of images> <folder of the training> <seed>
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from pathlib import Path

import torch
from tiny_networks import make_images, make_setup, weights_of

from zoo.training.trainer import train

KILLS = 3


def work(images, folder):
    """Train, saving after every step, and keep what was learned."""
    setup = make_setup(make_images(images), dropout=0.3, save_minutes=1e-9)
    train(setup, folder, resume=True)
    torch.save({name: weights_of(setup, name) for name in setup.learners}, folder / "draft.pt")
    (folder / "draft.pt").rename(folder / "weights.pt")
    os._exit(0)


def main():
    images, folder, draw = Path(sys.argv[1]), Path(sys.argv[2]), random.Random(int(sys.argv[3]))
    folder.mkdir()
    for left in reversed(range(KILLS + 1)):
        child = os.fork()
        if not child:
            work(images, folder)
        newest = _newest(folder)
        patience = draw.random() * 0.15
        # It has to get further each time, but may be killed anywhere after that: in a save as well.
        while os.waitpid(child, os.WNOHANG)[0] == 0:
            if left and _newest(folder) > newest:
                time.sleep(patience)
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
                break
            time.sleep(0.002)
    sys.exit(not (folder / "weights.pt").exists())


def _newest(folder):
    steps = (int(each.name.split("-")[1]) for each in folder.glob("checkpoints/checkpoint-*"))
    return max(steps, default=0)


if __name__ == "__main__":
    main()
