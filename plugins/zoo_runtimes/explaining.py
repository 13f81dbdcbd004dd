"""Whatever a library says about a checkpoint becomes one sentence. Imports no framework."""

from __future__ import annotations

import contextlib
import os
import warnings
from typing import TYPE_CHECKING

from zoo.errors import CheckpointError, ZooError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zoo.types.model import Checkpoint


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep transformers' notices, progress bars and warnings off the terminal."""
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    from transformers.utils import logging

    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity(logging.CRITICAL)
    logging.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()


@contextlib.contextmanager
def explained(checkpoint: Checkpoint, what: str, hint: str = "") -> Iterator[None]:
    """Turn whatever a library raises about a checkpoint's files into one sentence."""
    try:
        yield
    except (ZooError, MemoryError, KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # a panic of the tokenizers library is no Exception
        if type(error).__name__ == "OutOfMemoryError":  # torch's, without importing it
            raise
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise CheckpointError(
            f"{checkpoint.model}: {what} ({lines[0].rstrip('.:')}).",
            hint or f"Fetch it again: zoo models pull {checkpoint.model}",
        ) from error
