"""A folder that appears whole or not at all."""

from __future__ import annotations

import os
import secrets
import shutil
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from zoo.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@contextmanager
def appearing(place: Path, check: Callable[[], None]) -> Iterator[Path]:
    """Give a new folder, which takes the place of ``place`` if the block ends well.

    Args:
        place: the folder to write; what it holds goes away.
        check: raises where it must not; asked again at the end, when somebody may have been faster.
    """
    # A link to a folder goes on pointing to it.
    place = place.resolve()
    mark = secrets.token_hex(4)
    temporary = place.parent / f".{place.name}-{mark}.tmp"
    made = [above for above in place.parents if not above.exists()]
    try:
        temporary.mkdir(parents=True)
        yield temporary
        check()
        _swap(temporary, place, place.parent / f".{place.name}-{mark}.old")
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        with suppress(OSError):  # the first one that holds something ends it
            for above in made:
                above.rmdir()


def check_new(place: Path, typed: str) -> None:
    """Refuse a place where something is, or where nothing can be.

    Raises:
        InputError: a file, a folder that is not empty, or a place within what is none.
    """
    if not place.exists():
        above = next(each for each in place.absolute().parents if each.exists())
        if not above.is_dir():
            raise InputError(f"{str(above)!r} is a file, not a folder.", "-o NEW-FOLDER")
        if not os.access(above, os.W_OK):
            raise InputError(f"nothing can be written into {str(above)!r}.", "-o NEW-FOLDER")
        return
    if not place.is_dir():
        raise InputError(f"{typed!r} is a file, not a folder.", "-o NEW-FOLDER")
    held = next((path.name for path in place.iterdir()), None)
    if held is not None:
        raise InputError(f"the folder {typed!r} is not empty: it holds {held}.", "-o NEW-FOLDER")


def _swap(new: Path, place: Path, old: Path) -> None:
    """Put a folder into its place; a moment's failure leaves the old one there."""
    if not place.exists():
        new.rename(place)
        return
    place.rename(old)
    try:
        new.rename(place)
    except OSError:
        old.rename(place)
        raise
    shutil.rmtree(old, ignore_errors=True)
