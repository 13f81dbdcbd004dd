"""What somebody's code does beside its work: files it writes, hosts it asks, words it prints."""

from __future__ import annotations

import atexit
import contextlib
import functools
import io
import os
import shutil
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
#: Events whose arguments at these places are a path that changes, and the folder that a relative
#: one starts from, by its number; None: the working folder.
_CHANGES: dict[str, tuple[tuple[int, int | None], ...]] = {
    "os.mkdir": ((0, 2),),
    "os.rmdir": ((0, 1),),
    "os.remove": ((0, 1),),
    "os.rename": ((0, 2), (1, 3)),
    "os.link": ((1, 3),),
    "os.symlink": ((1, 2),),
    "os.truncate": ((0, None),),
}
_LOOPBACK = ("127.", "::1", "localhost", "0.0.0.0")


@dataclass(frozen=True, slots=True)
class Watched:
    """What was seen.

    Attributes:
        written: paths that were made, changed or removed outside the folders that are allowed.
        asked: hosts beside this machine that were looked up or connected to.
        printed: what went to standard output, by whatever way.
    """

    written: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    printed: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Watch:
    """Who is watching now. An audit hook cannot be taken away, so it is added once and asks this.

    ``armed`` keeps the hook of a whole process to a comparison while nobody watches.
    """

    armed: bool = False
    added: bool = False
    allowed: tuple[str, ...] = ()
    origin: str = ""
    seen: Watched = field(default_factory=Watched)


_WATCH = _Watch()


@contextlib.contextmanager
def watched() -> Iterator[Watched]:
    """Watch everything that this process does, from a scratch folder with a store of its own.

    The store, the temporary folder and the caches of libraries lie in it and may be written. What
    compiled code opens by itself, and what child processes do, is not seen.
    """
    with tempfile.TemporaryDirectory(prefix="zoo-check-") as name:
        scratch = Path(name).resolve()
        (scratch / "home").mkdir()
        (scratch / "cwd").mkdir()
        seen = Watched()
        _WATCH.origin = str(Path.cwd())
        with _surroundings(scratch), _standard_output(seen, scratch / "printed"):
            _arm(seen, (f"{scratch / 'home'}", f"{_remembered()}"))
            try:
                yield seen
            finally:
                _WATCH.armed = False


def origin() -> Path:
    """Give the folder that a person works in, while this process works in a scratch one, too."""
    return Path(_WATCH.origin) if _WATCH.armed else Path.cwd()


@functools.cache
def _remembered() -> Path:
    """Make the folder of temporary files and caches, one a process: libraries ask for it once."""
    folder = Path(tempfile.mkdtemp(prefix="zoo-check-")).resolve()
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    for each in ("tmp", "cache"):
        (folder / each).mkdir()
    return folder


@contextlib.contextmanager
def _surroundings(scratch: Path) -> Iterator[None]:
    """Put the store, temporary files and caches into the scratch folder, and work there."""
    variables = {
        "ZOO_HOME": f"{scratch / 'home'}",
        "TMPDIR": f"{_remembered() / 'tmp'}",
        "XDG_CACHE_HOME": f"{_remembered() / 'cache'}",
        # A library that is imported here keeps it for as long as the process lives.
        "HF_HOME": os.environ.get("HF_HOME") or f"{_caches() / 'huggingface'}",
    }
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    temporary, tempfile.tempdir = tempfile.tempdir, None
    try:
        with contextlib.chdir(scratch / "cwd"):
            yield
    finally:
        tempfile.tempdir = temporary
        for name, value in before.items():
            os.environ.pop(name, None) if value is None else os.environ.update({name: value})


def _caches() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()


@contextlib.contextmanager
def _standard_output(seen: Watched, file: Path) -> Iterator[None]:
    """Catch what goes to standard output, through Python and beside it."""
    sys.stdout.flush()
    kept = os.dup(1)
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT)
    os.dup2(descriptor, 1)
    words = io.StringIO()
    try:
        with contextlib.redirect_stdout(words):
            yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        os.close(descriptor)
        seen.printed.extend(filter(None, (words.getvalue(), file.read_text(errors="replace"))))


def _arm(seen: Watched, allowed: tuple[str, ...]) -> None:
    if not _WATCH.added:
        sys.addaudithook(_heard)
        _WATCH.added = True
    _WATCH.seen, _WATCH.allowed, _WATCH.armed = seen, (*allowed, os.devnull), True


def _heard(event: str, arguments: tuple[Any, ...]) -> None:
    if not _WATCH.armed:
        return
    if event == "open":
        path, mode, flags = arguments
        if (isinstance(mode, str) and set(mode) & set("wax+")) or (
            isinstance(flags, int) and flags & _WRITES
        ):
            _changed(path)
    elif event in _CHANGES:
        for place, folder in _CHANGES[event]:
            _changed(arguments[place], -1 if folder is None else arguments[folder])
    elif event == "socket.connect":
        address = arguments[1]
        if isinstance(address, tuple):  # a path is a socket on this machine
            _asked(address[0])
    elif event == "socket.getaddrinfo":
        _asked(arguments[0])


def _changed(path: object, folder: int = -1) -> None:
    if not isinstance(path, str | bytes | os.PathLike):  # an open file by its number
        return
    try:
        start = Path(f"/proc/self/fd/{folder}").readlink() if folder >= 0 else Path()
    except OSError:  # not Linux, where nobody says which folder that is
        return
    full = os.path.realpath(start / os.fsdecode(path))
    compiled = f"{os.sep}__pycache__" in full
    if not compiled and not full.startswith((*_WATCH.allowed, "/dev/", "/proc/self")):
        _WATCH.seen.written.append(full)


def _asked(host: object) -> None:
    name = host.decode() if isinstance(host, bytes) else host
    if isinstance(name, str) and name and not name.startswith(_LOOPBACK):
        _WATCH.seen.asked.append(name)
