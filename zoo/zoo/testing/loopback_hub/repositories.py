"""Repositories with commits, named by content as git and git-lfs name them."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from zoo.hub.card import front_matter

if TYPE_CHECKING:
    from collections.abc import Mapping

Kind = Literal["model", "dataset"]

_LFS = re.compile(r".*\.(safetensors|bin|onnx|pt|pth|h5|msgpack|npz|npy|parquet|zip|gguf|arrow)")
_BLOCK = 1 << 20


@dataclass(frozen=True)
class Blob:
    """The content of one file, in memory or on disk.

    Attributes:
        lfs: whether it is a large file, which the Hub redirects to another host.
    """

    content: bytes | Path
    lfs: bool

    @cached_property
    def size(self) -> int:
        """Bytes."""
        in_memory = isinstance(self.content, bytes)
        return len(self.content) if in_memory else self.content.stat().st_size  # type: ignore[arg-type, union-attr]

    @cached_property
    def sha256(self) -> str:
        """What names a large file."""
        digest = hashlib.sha256()
        for start in range(0, self.size, _BLOCK):
            digest.update(self.read(start, start + _BLOCK))
        return digest.hexdigest()

    @cached_property
    def oid(self) -> str:
        """The git blob id: of the file, or of the pointer that git keeps of a large one."""
        content = self.read(0, self.size)
        if self.lfs:
            pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize {}\n"
            content = pointer.format(self.sha256, self.size).encode()
        return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()

    @property
    def etag(self) -> str:
        """What the client names the file by in its cache."""
        return self.sha256 if self.lfs else self.oid

    def read(self, start: int, end: int) -> bytes:
        """Read the bytes from ``start`` up to ``end``."""
        if isinstance(self.content, bytes):
            return self.content[start:end]
        with self.content.open("rb") as file:
            file.seek(start)
            return file.read(end - start)

    def described(self) -> dict[str, Any]:
        """What a tree listing says of it."""
        facts: dict[str, Any] = {"oid": self.oid, "size": self.size}
        if self.lfs:
            facts["lfs"] = {"oid": self.sha256, "size": self.size, "pointerSize": 134}
        return facts


@dataclass(frozen=True)
class Commit:
    """The files of a repository at one moment; equal files give an equal id."""

    files: Mapping[str, Blob]
    title: str = "commit"

    @cached_property
    def id(self) -> str:
        """40 hex digits."""
        listing = json.dumps([(path, blob.oid) for path, blob in sorted(self.files.items())])
        return hashlib.sha1(listing.encode()).hexdigest()

    def tree(self, folder: str, *, recursive: bool) -> list[dict[str, Any]]:
        """List what a folder holds, folders before files; empty for a folder that is not there."""
        prefix = f"{folder}/" if folder else ""
        inside = [path for path in sorted(self.files) if path.startswith(prefix)]
        folders: dict[str, None] = {}
        for path in inside:
            parts = path[len(prefix) :].split("/")[:-1]
            for depth in range(1, len(parts) + 1 if recursive else min(len(parts), 1) + 1):
                folders[prefix + "/".join(parts[:depth])] = None
        listed = [{"type": "directory", "oid": self.id, "size": 0, "path": p} for p in folders]
        listed += [
            {"type": "file", "path": path} | self.files[path].described()
            for path in inside
            if recursive or "/" not in path[len(prefix) :]
        ]
        return listed


@dataclass
class Repository:
    """A model or data set, every commit of which stays available.

    Attributes:
        gated: its files are only for the hub's token.
        private: nobody without the token learns that it exists.
    """

    id: str
    kind: Kind = "model"
    gated: bool = False
    private: bool = False
    pipeline_tag: str | None = None
    library_name: str | None = None
    commits: dict[str, Commit] = field(default_factory=dict)
    refs: dict[str, str] = field(default_factory=dict)

    def push(self, files: Mapping[str, Blob], revision: str = "main", title: str = "") -> str:
        """Make these files the newest commit of a branch; give its id."""
        commit = Commit(dict(files), title or "commit")
        self.commits[commit.id] = commit
        self.refs[revision] = commit.id
        return commit.id

    def at(self, revision: str) -> Commit | None:
        """Find the commit that a branch, a tag or a whole commit id stands for."""
        return self.commits.get(self.refs.get(revision, revision))

    def info(self, commit: Commit, *, blobs: bool) -> dict[str, Any]:
        """What ``/api/models/org/name`` answers."""
        card: dict[str, Any] = {}
        if "README.md" in commit.files:
            blob = commit.files["README.md"]
            card = front_matter(blob.read(0, blob.size).decode())
        tag = self.pipeline_tag or card.get("pipeline_tag")
        library = self.library_name or card.get("library_name")
        siblings = [
            {"rfilename": path} | (_sibling(blob) if blobs else {})
            for path, blob in sorted(commit.files.items())
        ]
        facts = {
            "_id": hashlib.md5(self.id.encode()).hexdigest()[:24],
            "id": self.id,
            "modelId": self.id,
            "author": self.id.partition("/")[0],
            "sha": commit.id,
            "private": self.private,
            "gated": "auto" if self.gated else False,
            "disabled": False,
            "downloads": 0,
            "likes": 0,
            "tags": [each for each in (library, tag) if each],
            "cardData": card,
            "createdAt": "2026-01-01T00:00:00.000Z",
            "lastModified": "2026-01-02T00:00:00.000Z",
            "siblings": siblings,
        }
        if self.kind == "model":
            facts |= {"pipeline_tag": tag, "library_name": library}
        return facts


def blobs_of(files: Mapping[str, bytes | str] | Path) -> dict[str, Blob]:
    """Take files as they are given: path -> content, or a folder."""
    if isinstance(files, Path):
        found: dict[str, bytes | str | Path] = {
            path.relative_to(files).as_posix(): path
            for path in sorted(files.rglob("*"))
            if path.is_file()
        }
    else:
        found = dict(files)
    return {path: _blob(path, content) for path, content in found.items()}


def _blob(path: str, content: bytes | str | Path) -> Blob:
    data = content.encode() if isinstance(content, str) else content
    return Blob(data, lfs=_LFS.fullmatch(path) is not None)


def _sibling(blob: Blob) -> dict[str, Any]:
    facts: dict[str, Any] = {"size": blob.size, "blobId": blob.oid}
    if blob.lfs:
        facts["lfs"] = {"sha256": blob.sha256, "size": blob.size, "pointerSize": 134}
    return facts
