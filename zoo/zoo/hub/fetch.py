"""Bring one file of a commit into the cache: resumed, verified, whole or not at all."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from zoo.errors import CheckpointError
from zoo.hub.verify import digest_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from zoo.hub.cache import RepoCache
    from zoo.hub.client import HubClient
    from zoo.hub.verify import DigestMemory


@dataclass(frozen=True, kw_only=True)
class RemoteFile:
    """One file at one commit, and what it must be.

    Attributes:
        digest: sha256, or ``sha1:`` and the git blob id.
        size: bytes.
    """

    repo: str
    commit: str
    path: str
    digest: str
    size: int

    def __str__(self) -> str:
        """As messages call it."""
        return f"hub:{self.repo}@{self.commit[:7]}: {self.path}"


@dataclass(frozen=True, kw_only=True)
class Fetcher:
    """Downloads into one repository's cache.

    Attributes:
        client: how to reach the Hub.
        cache: where the files go.
        memory: digests that need not be computed again.
        offline: whether downloading is out of the question.
        received: is told the bytes of each block that arrives.
    """

    client: HubClient
    cache: RepoCache
    memory: DigestMemory
    offline: bool = False
    received: Callable[[int], None] = field(default=lambda _: None)

    def fetch(self, file: RemoteFile) -> None:
        """Make sure that a file is in the cache, is what it should be, and is linked.

        Raises:
            CheckpointError: the Hub sends something else than it lists, twice.
            HubError: the download failed.
        """
        blob = self.cache.blob(file.digest)
        copy = self.cache.snapshot(file.commit) / file.path
        # Where the system has no symbolic links, the snapshot itself holds the content.
        if copy.is_file() and not copy.is_symlink() and self._whole(copy, file):
            return
        if not self._whole(blob, file):
            blob.parent.mkdir(parents=True, exist_ok=True)
            with self.cache.lock(file.digest):
                if not self._whole(blob, file):
                    self._download(blob, file)
        self.cache.link(file.commit, file.path, file.digest)

    def _whole(self, blob: Path, file: RemoteFile) -> bool:
        """Whether the blob is there and intact; a damaged one is removed."""
        if not blob.is_file():
            return False
        if self.memory.digest(blob, file.digest) == file.digest:
            return True
        if self.offline:
            raise CheckpointError(
                f"{file} is damaged in the cache.", f"zoo models pull hub:{file.repo}"
            )
        blob.unlink(missing_ok=True)
        return False

    def _download(self, blob: Path, file: RemoteFile) -> None:
        part = self.cache.part(file.digest)
        for _ in range(2):
            with self.client.explained(file.repo, file.commit):
                self._collect(part, file)
            if digest_of(part, file.digest) == file.digest:
                part.replace(blob)
                self.memory.remember(blob, file.digest)
                return
            part.unlink()
        raise CheckpointError(
            f"{file}: the Hub sent other bytes than it lists, twice.",
            "A proxy may alter downloads; if not, the repository is damaged.",
        )

    def _collect(self, part: Path, file: RemoteFile) -> None:
        """Append to the part, over as many connections as it takes, until it has every byte."""
        got = 0

        def attempt() -> None:
            nonlocal got
            for length in self._stream(part, file):
                got += length
                self.received(length)

        self.client.retry.call(attempt, progress=lambda: got)

    def _stream(self, part: Path, file: RemoteFile) -> Iterator[int]:
        import httpx2

        part.touch()
        have = part.stat().st_size
        if have > file.size:
            part.write_bytes(b"")
            have = 0
        if have == file.size:
            return
        wanted = (have, None) if have else None
        with self.client.stream(file.repo, file.commit, file.path, wanted) as response:
            # A server that ignores the range sends the file from its start.
            mode = "ab" if response.status_code == 206 else "wb"
            with part.open(mode) as target:
                for block in response.iter_bytes():
                    target.write(block)
                    yield len(block)
        have = part.stat().st_size
        if have < file.size:
            message = f"{file.path} ended after {have} of {file.size} bytes"
            raise httpx2.RemoteProtocolError(message)
