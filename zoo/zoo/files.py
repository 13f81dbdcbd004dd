"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import secrets
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def replacing(path: Path, *, scratch: Path | None = None) -> Iterator[Path]:
    """Give a new path to write to, which takes the place of ``path`` if the block ends well.

    Args:
        path: the file; its folder has to exist.
        scratch: a folder of the same file system for the unfinished file; ``path``'s own if None.
    """
    folder = scratch or path.absolute().parent
    temporary = folder / f".{path.stem}-{secrets.token_hex(4)}.tmp{path.suffix}"
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_atomically(path: Path, content: bytes, *, scratch: Path | None = None) -> None:
    """Write a whole file or none of it, durably."""
    with replacing(path, scratch=scratch) as temporary:
        temporary.write_bytes(content)
