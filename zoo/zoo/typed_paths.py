"""What a person typed as a path."""

from __future__ import annotations

import os
from pathlib import Path


def typed_path(text: str | Path) -> Path:
    """Read a path that may start with ``~``; where there is no such user, it stays as it is."""
    return Path(os.path.expanduser(text))  # noqa: PTH111 -- pathlib's own raises there


def is_folder(path: Path) -> bool:
    """Whether it is a folder; a name that no file system takes is none."""
    try:
        return path.is_dir()
    except OSError:
        return False


def is_file(path: Path) -> bool:
    """Whether it is a file; a name that no file system takes is none."""
    try:
        return path.is_file()
    except OSError:
        return False
