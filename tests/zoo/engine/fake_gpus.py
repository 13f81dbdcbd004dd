"""What a machine with GPUs would answer; importable in the workers."""

from __future__ import annotations

import os
import time


def two_gpus(_):
    return 2


def where(seconds):
    """Say where a job runs, after a while."""
    from zoo.engine.process import owned_device

    time.sleep(seconds)
    return owned_device(), os.getpid()


class LentEstimator:
    """1 where a device is lent to the algebra, 0 on the processor."""

    def score(self, features):
        from zoo.algebra import lends
        from zoo.types import Score

        del features
        return Score(float(lends(10**9)))
