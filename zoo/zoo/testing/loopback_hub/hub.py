"""The Hub itself: repositories, faults and a log behind a small HTTP server."""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from unittest import mock

from zoo.testing.loopback_hub.faults import Fault, FaultKind
from zoo.testing.loopback_hub.repositories import Kind, Repository, blobs_of
from zoo.testing.loopback_hub.server import Request, Server

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


class LoopbackHub:
    """A Hub at ``http://127.0.0.1:port`` while the context lasts.

    Args:
        folder: what to serve from the start: ``folder/org/name/...`` as models and
            ``folder/datasets/org/name/...`` as data sets.

    Attributes:
        token: what opens gated and private repositories.
        requests: everything that was asked, in order.
    """

    token = "hf_loopback"

    def __init__(self, folder: Path | str | None = None) -> None:
        self.requests: list[Request] = []
        self.closing = threading.Event()
        self._faults: list[Fault] = []
        self._repositories: dict[tuple[Kind, str], Repository] = {}
        self._lock = threading.Lock()
        self._server = Server(self)
        for kind, repo_id, path in _repositories_in(Path(folder)) if folder else ():
            self.add(repo_id, path, kind=kind)

    def __enter__(self) -> Self:
        """Start to serve."""
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), daemon=True
        )
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        """Stop to serve."""
        self.stop()

    def stop(self) -> None:
        """Stop to serve; requests in the middle of a fault end at once."""
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        """What ``HF_ENDPOINT`` is to be."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def add(
        self,
        repo_id: str,
        files: Mapping[str, bytes | str] | Path,
        *,
        kind: Kind = "model",
        **facts: Any,
    ) -> str:
        """Add a repository with one commit; give the commit's id.

        Args:
            repo_id: ``org/name``.
            files: path -> content, or a folder, which must not change afterwards.
            kind: ``model`` or ``dataset``.
            **facts: ``gated``, ``private``, ``pipeline_tag``, ``library_name``.
        """
        repository = Repository(id=repo_id, kind=kind, **facts)
        self._repositories[kind, repo_id] = repository
        return repository.push(blobs_of(files))

    def push(
        self,
        repo_id: str,
        files: Mapping[str, bytes | str | None],
        *,
        kind: Kind = "model",
        revision: str = "main",
    ) -> str:
        """Commit changed files on top of a branch (None deletes one); give the commit's id."""
        repository = self._repositories[kind, repo_id]
        newest = repository.at(revision) or repository.at("main")
        assert newest is not None
        kept = {path: blob for path, blob in newest.files.items() if path not in files}
        changed = {path: content for path, content in files.items() if content is not None}
        return repository.push(kept | blobs_of(changed), revision)

    def fail(
        self, match: str, *, kind: FaultKind = "status", times: int = 1, **details: Any
    ) -> Fault:
        """Let the next requests that match go wrong; see :class:`Fault` for the details."""
        fault = Fault(match=match, kind=kind, times=times, **details)
        with self._lock:
            self._faults.append(fault)
        return fault

    def environment(self, home: Path | str) -> dict[str, str]:
        """Variables that make a client in another process use this Hub.

        The client reads them when it is imported, so they cannot help a process that already
        runs: there, use :meth:`in_process`.

        Args:
            home: folder for the client's cache.
        """
        return {
            "HF_ENDPOINT": self.url,
            "HF_HOME": str(home),
            "HF_HUB_CACHE": str(Path(home) / "hub"),
            "HF_HUB_OFFLINE": "0",
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            "HF_TOKEN": "",
        }

    @contextmanager
    def in_process(self, home: Path | str) -> Iterator[None]:
        """Make the client of this very process use this Hub, with its cache under ``home``."""
        from huggingface_hub import close_session, constants

        patched: dict[str, Any] = {
            "ENDPOINT": self.url,
            "HUGGINGFACE_CO_URL_TEMPLATE": self.url + "/{repo_id}/resolve/{revision}/{filename}",
            "HF_HOME": str(home),
            "HF_HUB_CACHE": str(Path(home) / "hub"),
            "HF_TOKEN_PATH": str(Path(home) / "token"),
            "HF_HUB_OFFLINE": False,
            "HF_HUB_DISABLE_XET": True,
        }
        with (
            mock.patch.multiple(constants, **patched),
            mock.patch.dict(os.environ, self.environment(home)),
        ):
            try:
                yield
            finally:
                close_session()

    def find(self, kind: Kind, repo_id: str) -> Repository | None:
        """Look a repository up."""
        return self._repositories.get((kind, repo_id))

    def all(self, kind: Kind) -> list[Repository]:
        """List the repositories of a kind, in the order they were added."""
        return [each for (its_kind, _), each in self._repositories.items() if its_kind == kind]

    def take_fault(self, request: str) -> Fault | None:
        """Use up a fault for a request, if there is one."""
        with self._lock:
            fault = next((each for each in self._faults if each.applies(request)), None)
            if fault:
                fault.times -= 1
            return fault

    def log(self, request: Request) -> None:
        """Record a request."""
        with self._lock:
            self.requests.append(request)


def _repositories_in(folder: Path) -> Iterator[tuple[Kind, str, Path]]:
    for path in sorted(folder.glob("*/*")):
        if path.is_dir() and path.parent.name != "datasets":
            yield "model", f"{path.parent.name}/{path.name}", path
    for path in sorted(folder.glob("datasets/*/*")):
        if path.is_dir():
            yield "dataset", f"{path.parent.name}/{path.name}", path
