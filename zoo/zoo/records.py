"""Small results by key, in one SQLite file that many processes read and write."""

from __future__ import annotations

import hashlib
import sqlite3
import time
from contextlib import closing
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from pathlib import Path

Answer = TypeVar("Answer")

_TABLE = """
CREATE TABLE IF NOT EXISTS records (key TEXT PRIMARY KEY, value BLOB NOT NULL, digest BLOB NOT NULL)
WITHOUT ROWID
"""
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
#: SQLite's own limit on the variables of one statement was 999 for long.
_CHUNK = 500


class Records:
    """A map from key to JSON. A damaged file is set aside and begun anew: it only saves work.

    Every call opens its own connection, so that any thread may call.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self, keys: Collection[str]) -> dict[str, bytes]:
        """Give the values of those keys that are known and undamaged.

        Raises:
            OSError: the file is there and cannot be read.
        """
        if not keys or not self.path.exists():
            return {}
        return self._attempt(lambda database: _select(database, list(keys)))

    def write(self, values: Mapping[str, bytes]) -> None:
        """Add or replace values, all of them or none.

        Raises:
            OSError: the file cannot be written.
        """
        rows = [(key, value, _digest(key, value)) for key, value in values.items()]
        if not rows:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._attempt(lambda database: _insert(database, rows))

    def _attempt(self, action: Callable[[sqlite3.Connection], Answer]) -> Answer:
        try:
            try:
                return self._run(action)
            except sqlite3.DatabaseError as error:
                if not _is_damage(error):
                    raise
            self._set_aside()
            return self._run(action)
        except sqlite3.DatabaseError as error:
            raise OSError(f"{self.path}: {error}") from error

    def _run(self, action: Callable[[sqlite3.Connection], Answer]) -> Answer:
        with closing(self._open()) as database:
            return action(database)

    def _open(self) -> sqlite3.Connection:
        database = sqlite3.connect(self.path, timeout=60.0)
        try:
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("PRAGMA synchronous = NORMAL")
            database.execute(_TABLE)
        except BaseException:
            database.close()
            raise
        return database

    def _set_aside(self) -> None:
        from filelock import FileLock

        with FileLock(self.path.with_suffix(".lock")):
            if self._is_sound():
                return  # another process was faster
            aside = f"{self.path.name}.damaged-{time.time_ns()}"
            for suffix in ("-wal", "-shm", ""):
                path = self.path.with_name(self.path.name + suffix)
                if path.exists():
                    path.replace(path.with_name(aside + suffix))

    def _is_sound(self) -> bool:
        try:
            with closing(self._open()) as database:
                return bool(database.execute("PRAGMA quick_check").fetchone() == ("ok",))
        except sqlite3.DatabaseError as error:
            if not _is_damage(error):
                raise
            return False


def _select(database: sqlite3.Connection, keys: list[str]) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for start in range(0, len(keys), _CHUNK):
        chunk = keys[start : start + _CHUNK]
        marks = ",".join("?" * len(chunk))
        query = f"SELECT key, value, digest FROM records WHERE key IN ({marks})"  # noqa: S608 -- marks only
        rows = database.execute(query, chunk).fetchall()
        found.update({key: value for key, value, digest in rows if digest == _digest(key, value)})
    return found


def _insert(database: sqlite3.Connection, rows: list[tuple[str, bytes, bytes]]) -> None:
    with database:
        database.executemany("INSERT OR REPLACE INTO records VALUES (?, ?, ?)", rows)


def _digest(key: str, value: bytes) -> bytes:
    return hashlib.sha256(key.encode() + value).digest()


def _is_damage(error: sqlite3.DatabaseError) -> bool:
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in _DAMAGED
