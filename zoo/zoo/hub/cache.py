"""The Hub's own cache on this machine, so that every other program shares what Zoo downloads.

``models--org--name/{blobs,refs,snapshots}``, as huggingface_hub documents and writes it: blobs are
named by digest, a snapshot folder of a commit links to them. That makes the cache verifiable
without asking anybody.
"""

from __future__ import annotations

import re
import shutil
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from filelock import BaseFileLock

_GIT = "sha1:"
_SHA256 = re.compile(r"[0-9a-f]{64}")
_SHA1 = re.compile(r"[0-9a-f]{40}")
_ABANDONED = 60.0


@dataclass(frozen=True)
class RepoCache:
    """One repository in the cache.

    Attributes:
        root: the cache, such as ``~/.cache/huggingface/hub``.
        repo: ``org/name``.
    """

    root: Path
    repo: str

    @property
    def folder(self) -> Path:
        """Where the repository is kept."""
        return self.root / f"models--{self.repo.replace('/', '--')}"

    def snapshot(self, commit: str) -> Path:
        """Absolute folder of a commit's files."""
        return self.folder.absolute() / "snapshots" / commit

    def blob(self, digest: str) -> Path:
        """Where the content with this digest belongs."""
        return self.folder / "blobs" / digest.removeprefix(_GIT)

    def part(self, digest: str) -> Path:
        """Where a download of it is collected; any later process goes on with it."""
        return self.folder / "blobs" / f"{digest.removeprefix(_GIT)}.zoo-part"

    def lock(self, digest: str) -> BaseFileLock:
        """Keep other Zoo processes from downloading the same content meanwhile."""
        return self._lock(f"{digest.removeprefix(_GIT)}.zoo")

    def digest(self, commit: str, path: str) -> str | None:
        """Read a cached file's digest off its link; None where the cache has copies, not links."""
        name = (self.snapshot(commit) / path).resolve().name
        if _SHA256.fullmatch(name):
            return name
        return _GIT + name if _SHA1.fullmatch(name) else None

    def missing(self, commit: str, paths: Iterable[str]) -> list[str]:
        """Name the files of a commit that are not here."""
        folder = self.snapshot(commit)
        return [path for path in paths if not (folder / path).is_file()]

    def commit_of(self, revision: str | None) -> str | None:
        """Give the commit that a branch or tag stood for when it was last seen."""
        try:
            return (self.folder / "refs" / (revision or "main")).read_text().strip() or None
        except OSError:
            return None

    def remember(self, revision: str | None, commit: str) -> None:
        """Keep what a branch or tag stands for."""
        from zoo.files import write_atomically

        if self.commit_of(revision) != commit:
            path = self.folder / "refs" / (revision or "main")
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, commit.encode())

    def link(self, commit: str, path: str, digest: str) -> None:
        """Let the file of a commit show its blob."""
        from huggingface_hub import constants
        from huggingface_hub.file_download import are_symlinks_supported

        target, pointer = self.blob(digest), self.snapshot(commit) / path
        if pointer.is_file() and pointer.resolve() == target.resolve():
            return
        pointer.parent.mkdir(parents=True, exist_ok=True)
        fresh = pointer.with_name(f".{pointer.name}.zoo")
        fresh.unlink(missing_ok=True)
        if are_symlinks_supported(self.root) and not constants.HF_HUB_DISABLE_SYMLINKS:
            up = "../" * (2 + path.count("/"))
            fresh.symlink_to(f"{up}blobs/{target.name}")
        else:
            shutil.copyfile(target, fresh)
        fresh.replace(pointer)

    def sweep(self) -> None:
        """Remove partial files that no program will ever go on with.

        huggingface_hub names each of its partial files anew, so one that outlives its process is
        garbage. One that is being written is fresh, and its lock is held.
        """
        from filelock import Timeout

        for orphan in (self.folder / "blobs").glob("*.incomplete"):
            with suppress(OSError, Timeout):
                if time.time() - orphan.stat().st_mtime > _ABANDONED:
                    with self._lock(orphan.name.partition(".")[0]).acquire(timeout=0):
                        orphan.unlink()

    def _lock(self, name: str) -> BaseFileLock:
        from filelock import FileLock

        path = self.root / ".locks" / self.folder.name / f"{name}.lock"
        path.parent.mkdir(parents=True, exist_ok=True)
        return FileLock(path)
