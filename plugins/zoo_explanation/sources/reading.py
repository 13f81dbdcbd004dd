"""What the sources share: a digest of what was read, lines of plain or packed text, complaints."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import lzma
import zlib
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn

from zoo.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import BinaryIO

_OPENERS: dict[bytes, Callable[[Path, str], Any]] = {
    b"\x1f\x8b": gzip.open,
    b"BZ": bz2.open,
    b"\xfd7": lzma.open,
}
_LONGEST = 1 << 26


def sha256_of(*paths: Path) -> str:
    """Digest files, one after the other."""
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def required(place: Path | None, source: str, what: str) -> Path:
    """Give the file that the person named.

    Raises:
        InputError: none was named, or there is none.
    """
    command = f"zoo graph fetch {source} --from FILE"
    if place is None:
        raise InputError(f"{source} is read from {what}, and none was named.", f"Type: {command}")
    if not place.exists():
        raise InputError(f"there is no {place}.", f"Type: {command}, where FILE is {what}.")
    if place.is_dir():
        raise InputError(f"{place} is a folder; {source} is read from {what}.", f"Type: {command}")
    return place


@contextmanager
def unpacked(path: Path) -> Iterator[BinaryIO]:
    """Open a file, unpacking gzip, bzip2 and xz by their first bytes.

    Raises:
        InputError: it cannot be read, or is damaged.
    """
    try:
        with path.open("rb") as probe:
            start = probe.read(2)
        with _OPENERS.get(start, open)(path, "rb") as file:
            yield file
    except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
        raise InputError(f"{path} cannot be read: {error}.", "Is it complete?") from error


def lines_of(path: Path) -> Iterator[tuple[int, str]]:
    """Read numbered lines of UTF-8, without their ends.

    Raises:
        InputError: it cannot be read, or is no UTF-8; with file and line.
    """
    with unpacked(path) as file:
        number = 0
        while line := file.readline(_LONGEST):
            number += 1
            if len(line) == _LONGEST:
                refuse(path, number, f"the line is longer than {_LONGEST} bytes")
            try:
                yield number, line.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
            except UnicodeDecodeError:
                refuse(path, number, "the line is not UTF-8")


def refuse(path: Path, line: int, why: str) -> NoReturn:
    """Complain of a line.

    Raises:
        InputError: always.
    """
    raise InputError(f"{path}, line {line}: {why}.")
