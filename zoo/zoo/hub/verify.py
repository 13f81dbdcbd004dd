"""Digests of files, remembered so that a warm start does not read gigabytes again."""

from __future__ import annotations

import hashlib
from contextlib import closing
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping
    from pathlib import Path

_BLOCK = 1 << 20
_GIT = "sha1:"


class Hasher:
    """Hashes like the digest it is to be compared with: sha256, or git's blob sha1.

    Args:
        like: ``sha1:`` and 40 hex digits for a git blob, 64 hex digits for a sha256.
        size: length of the whole content; git hashes it first.
    """

    def __init__(self, like: str, size: int) -> None:
        self._prefix = _GIT if like.startswith(_GIT) else ""
        if self._prefix:
            self._hash = hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)
        else:
            self._hash = hashlib.sha256()

    def update(self, block: bytes) -> None:
        """Add the next bytes."""
        self._hash.update(block)

    def digest(self) -> str:
        """Give the digest of everything added so far, written like the one to compare with."""
        return self._prefix + self._hash.hexdigest()


def digest_of(path: Path, like: str = "") -> str:
    """Hash a file; ``like`` chooses the kind of digest."""
    hasher = Hasher(like, path.stat().st_size)
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            hasher.update(block)
    return hasher.digest()


def identity_of(files: Mapping[str, str]) -> str:
    """Give one sha256 over path and digest of every file: the identity of a checkpoint."""
    lines = "".join(f"{path}\n{digest}\n" for path, digest in sorted(files.items()))
    return hashlib.sha256(lines.encode()).hexdigest()


class DigestMemory:
    """Digests of files that have not changed since, judged by size and both time stamps.

    A memory that cannot be read or written only costs time.

    Args:
        folder: where ``digests.sqlite`` lives.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "digests.sqlite"

    def digest(self, path: Path, like: str = "") -> str:
        """Give the digest of a file, hashing it only when it is not known."""
        key = _key(path, like)
        known = self._recall(key)
        if known is None:
            known = digest_of(path, like)
            self._remember(key, known)
        return known

    def remember(self, path: Path, digest: str) -> None:
        """Keep a digest that was just computed."""
        self._remember(_key(path, digest), digest)

    def _recall(self, key: tuple[str, str, int, int, int]) -> str | None:
        import sqlite3

        if not self.path.exists():
            return None
        question = (
            "SELECT digest FROM digests WHERE path=? AND kind=? AND size=? AND mtime=? AND ctime=?"
        )
        try:
            with closing(self._open()) as memory:
                found = memory.execute(question, key).fetchone()
        except sqlite3.Error:
            return None
        return found[0] if found else None

    def _remember(self, key: tuple[str, str, int, int, int], digest: str) -> None:
        import sqlite3

        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with closing(self._open()) as memory, memory:
                memory.execute(
                    "CREATE TABLE IF NOT EXISTS digests (path TEXT, kind TEXT, size INTEGER, "
                    "mtime INTEGER, ctime INTEGER, digest TEXT, PRIMARY KEY (path, kind))"
                )
                memory.execute(
                    "INSERT OR REPLACE INTO digests VALUES (?, ?, ?, ?, ?, ?)", (*key, digest)
                )
        except (OSError, sqlite3.Error):
            return

    def _open(self) -> sqlite3.Connection:
        import sqlite3

        return sqlite3.connect(self.path, timeout=10)


def _key(path: Path, like: str) -> tuple[str, str, int, int, int]:
    kind = _GIT if like.startswith(_GIT) else "sha256"
    state = path.stat()
    return (str(path.absolute()), kind, state.st_size, state.st_mtime_ns, state.st_ctime_ns)
