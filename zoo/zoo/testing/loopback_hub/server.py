"""The HTTP side: routes of the Hub's API that clients read, and the faults on the wire."""

from __future__ import annotations

import json
import re
import socket
import struct
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import parse_qs, quote, unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable

    from zoo.testing.loopback_hub.faults import Fault
    from zoo.testing.loopback_hub.hub import LoopbackHub
    from zoo.testing.loopback_hub.repositories import Blob, Commit, Kind, Repository

_RANGE = re.compile(r"bytes=(\d+)-(\d*)")


@dataclass(frozen=True, kw_only=True)
class Request:
    """One line of the log.

    Attributes:
        path: with the query, percent-decoded.
        range: the Range header, or empty.
        authorized: whether a token came along.
        host: the host it was sent to; large files are redirected to another one.
        fault: the kind of fault it met, or empty.
    """

    method: str
    path: str
    range: str = ""
    authorized: bool = False
    host: str = ""
    fault: str = ""


class Server(ThreadingHTTPServer):
    """Listens on the loopback interface only."""

    def __init__(self, hub: LoopbackHub) -> None:
        self.hub = hub
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Stay quiet when a client goes away: that is what half of the tests do."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    @property
    def hub(self) -> LoopbackHub:
        return cast("Server", self.server).hub

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 -- inherited
        """Say nothing."""

    def answer(self) -> None:
        """Log, fail if asked to, else route."""
        length = int(self.headers.get("Content-Length") or 0)
        self.body = self.rfile.read(length)
        line = unquote(self.path)
        self.fault = self.hub.take_fault(f"{self.command} {line}")
        self.hub.log(
            Request(
                method=self.command,
                path=line,
                range=self.headers.get("Range", ""),
                authorized="Authorization" in self.headers,
                host=self.headers.get("Host", "").partition(":")[0],
                fault=self.fault.kind if self.fault else "",
            )
        )
        if self.fault and self.fault.kind == "status":
            fault = self.fault
            self.fault = None
            self.refuse(fault.status, fault.code, "a fault on demand", **fault.headers)
        elif self.fault and self.fault.kind == "hang":
            self.hub.closing.wait(self.fault.seconds)
            self.close_connection = True
        else:
            self.route()

    do_GET = do_HEAD = do_POST = answer  # noqa: N815 -- inherited

    def route(self) -> None:
        url = urlsplit(self.path)
        self.query = parse_qs(url.query, keep_blank_values=True)
        for pattern, handle in _ROUTES:
            found = pattern.fullmatch(unquote(url.path))
            if found:
                handle(self, **found.groupdict())
                return
        self.refuse(404, "", f"no route {self.path}")

    @property
    def token(self) -> str:
        return self.headers.get("Authorization", "").removeprefix("Bearer ")

    def whoami(self) -> None:
        if self.token == self.hub.token:
            self.send_json({"name": "tester", "type": "user", "orgs": []})
        else:
            self.refuse(401, "", "Invalid credentials in Authorization header")

    def list_all(self, kind: str) -> None:
        search = self.query.get("search", [""])[0].lower()
        wanted = [self.query[key][0] for key in ("pipeline_tag", "author") if key in self.query]
        listed = []
        for repository in self.hub.all(_kind(kind)):
            commit = repository.at("main")
            if commit is None or search not in repository.id.lower():
                continue
            facts = repository.info(commit, blobs=False)
            if all(each in {facts.get("pipeline_tag"), facts["author"]} for each in wanted):
                listed.append(facts)
        start = int(self.query.get("cursor", ["0"])[0])
        end = start + int(self.query.get("limit", ["1000"])[0])
        headers = {}
        if end < len(listed):
            following = f"{self.hub.url}/api/{kind}?cursor={end}&limit={end - start}"
            headers["Link"] = f'<{following}>; rel="next"'
        self.send_json(listed[start:end], **headers)

    def info(self, kind: str, repo: str, revision: str = "main") -> None:
        found = self.find(kind, repo, revision)
        if found:
            self.send_json(found[0].info(found[1], blobs="blobs" in self.query))

    def tree(self, kind: str, repo: str, revision: str, folder: str | None = None) -> None:
        found = self.find(kind, repo, revision)
        if found:
            recursive = self.query.get("recursive", ["false"])[0].lower() in {"true", "1"}
            listed = found[1].tree((folder or "").strip("/"), recursive=recursive)
            if folder and not listed:
                self.refuse(404, "EntryNotFound", f"{folder} does not exist")
            else:
                self.send_json(listed)

    def paths_info(self, kind: str, repo: str, revision: str) -> None:
        found = self.find(kind, repo, revision)
        if found is None:
            return
        if self.body.startswith(b"{"):
            wanted = json.loads(self.body)["paths"]
        else:
            wanted = parse_qs(self.body.decode()).get("paths", [])
        listed = {each["path"]: each for each in found[1].tree("", recursive=True)}
        self.send_json([listed[path] for path in wanted if path in listed])

    def refs(self, kind: str, repo: str) -> None:
        found = self.find(kind, repo, "main")
        if found:
            branches = [
                {"name": name, "ref": f"refs/heads/{name}", "targetCommit": commit}
                for name, commit in found[0].refs.items()
            ]
            self.send_json({"branches": branches, "tags": [], "converts": []})

    def commits(self, kind: str, repo: str, revision: str) -> None:
        found = self.find(kind, repo, revision)
        if found:
            date = "2026-01-02T00:00:00.000Z"
            commit = {"id": found[1].id, "title": found[1].title, "message": "", "authors": []}
            self.send_json([commit | {"date": date}])

    def resolve(self, repo: str, revision: str, path: str, kind: str = "models/") -> None:
        found = self.find(kind.rstrip("/"), repo, revision, files=True)
        if found is None:
            return
        commit = found[1]
        headers = {"X-Repo-Commit": commit.id}
        if self.fault and self.fault.kind == "no_commit":
            headers = {}
        if path not in commit.files:
            self.refuse(404, "EntryNotFound", f"{path} does not exist", **headers)
            return
        blob = commit.files[path]
        if blob.lfs:
            elsewhere = self.hub.url.replace("127.0.0.1", "localhost")
            headers["Location"] = f"{elsewhere}/cdn/{blob.sha256}?file={quote(path)}"
            headers["X-Linked-Etag"] = f'"{blob.etag}"'
            headers["X-Linked-Size"] = str(blob.size)
            self.send_body(302, b"", headers)
        else:
            self.send_blob(blob, headers)

    def cdn(self, digest: str) -> None:
        commits = (
            commit
            for repository in (*self.hub.all("model"), *self.hub.all("dataset"))
            for commit in repository.commits.values()
        )
        blobs = (blob for commit in commits for blob in commit.files.values() if blob.lfs)
        found = next((blob for blob in blobs if blob.sha256 == digest), None)
        if found is None:
            self.refuse(404, "", "no such content")
        else:
            self.send_blob(found, {})

    def find(
        self, kind: str, repo: str, revision: str, *, files: bool = False
    ) -> tuple[Repository, Commit] | None:
        """Find a repository and a commit of it, or refuse as the Hub does."""
        repository = self.hub.find(_kind(kind), repo)
        trusted = self.token == self.hub.token
        if repository is None or (repository.private and not trusted):
            self.refuse(404 if self.token else 401, "RepoNotFound", "Repository not found")
            return None
        if files and repository.gated and not trusted:
            self.refuse(403 if self.token else 401, "GatedRepo", f"Access to {repo} is restricted")
            return None
        commit = repository.at(revision)
        if commit is None:
            self.refuse(404, "RevisionNotFound", f"Invalid rev id: {revision}")
            return None
        return repository, commit

    def refuse(self, status: int, code: str, message: str, **headers: str) -> None:
        sent = {"X-Error-Message": message} | headers
        if code:
            sent["X-Error-Code"] = code
        sent["Content-Type"] = "application/json"
        self.send_body(status, json.dumps({"error": message}).encode(), sent)

    def send_json(self, value: Any, **headers: str) -> None:
        headers["Content-Type"] = "application/json"
        self.send_body(200, json.dumps(value).encode(), headers)

    def send_blob(self, blob: Blob, headers: dict[str, str]) -> None:
        headers |= {"ETag": f'"{blob.etag}"', "Accept-Ranges": "bytes"}
        headers["Content-Type"] = "application/octet-stream"
        wanted = _RANGE.fullmatch(self.headers.get("Range", ""))
        if wanted is None or (self.fault and self.fault.kind == "no_range"):
            self.send_body(200, blob.read(0, blob.size), headers)
            return
        start = int(wanted[1])
        end = min(int(wanted[2]) + 1, blob.size) if wanted[2] else blob.size
        if start >= blob.size:
            self.send_body(416, b"", {"Content-Range": f"bytes */{blob.size}"})
            return
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{blob.size}"
        self.send_body(206, blob.read(start, end), headers)

    def send_body(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        fault = self.fault
        if fault and fault.kind == "reset" and (self.command == "HEAD" or not body):
            self.reset()
            return
        if fault and fault.kind == "corrupt":
            body = bytes(byte ^ 0xFF for byte in body[:16]) + body[16:]
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.send_faulty(body, fault)

    def send_faulty(self, body: bytes, fault: Fault | None) -> None:
        """Send a body, the whole of it unless a fault says otherwise."""
        if fault is None or fault.kind in {"corrupt", "no_commit", "no_range"}:
            self.wfile.write(body)
            return
        if fault.kind == "slow":
            step = max(1, len(body) // 20)
            for start in range(0, len(body), step):
                self.wfile.write(body[start : start + step])
                self.wfile.flush()
                self.hub.closing.wait(fault.seconds / 20)
            return
        self.wfile.write(body[: len(body) // 2 if fault.at is None else fault.at])
        self.wfile.flush()
        self.close_connection = True
        if fault.kind == "stall":
            self.hub.closing.wait(fault.seconds)
        elif fault.kind == "reset":
            self.hub.closing.wait(0.1)  # let the client read what was sent before the reset
            self.reset()

    def reset(self) -> None:
        """Close with a reset instead of an orderly end."""
        self.close_connection = True
        linger = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.connection.close()


def _kind(plural: str) -> Kind:
    return "dataset" if plural == "datasets" else "model"


_KIND = r"/api/(?P<kind>models|datasets)"
_REPO = r"(?P<repo>[\w.-]+(?:/[\w.-]+)??)"
_REVISION = r"(?P<revision>[^/]+|refs/[^/]+/[^/]+)"
_ROUTES: tuple[tuple[re.Pattern[str], Callable[..., None]], ...] = tuple(
    (re.compile(pattern), handle)
    for pattern, handle in (
        (r"/api/whoami-v2", _Handler.whoami),
        (_KIND, _Handler.list_all),
        (r"/cdn/(?P<digest>[0-9a-f]{64})", _Handler.cdn),
        (rf"{_KIND}/{_REPO}/revision/{_REVISION}", _Handler.info),
        (rf"{_KIND}/{_REPO}/tree/{_REVISION}(?P<folder>/.*)?", _Handler.tree),
        (rf"{_KIND}/{_REPO}/paths-info/{_REVISION}", _Handler.paths_info),
        (rf"{_KIND}/{_REPO}/commits/{_REVISION}", _Handler.commits),
        (rf"{_KIND}/{_REPO}/refs", _Handler.refs),
        (rf"{_KIND}/{_REPO}", _Handler.info),
        (rf"/(?P<kind>datasets/){_REPO}/resolve/{_REVISION}/(?P<path>.+)", _Handler.resolve),
        (rf"/{_REPO}/resolve/{_REVISION}/(?P<path>.+)", _Handler.resolve),
    )
)
