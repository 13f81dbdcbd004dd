"""Checkpoints of the Hugging Face Hub, pinned to a commit and verified."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from zoo.errors import CheckpointError, OfflineError, UnreachableError
from zoo.events import Event, Listener, ignore
from zoo.hub import files as layout
from zoo.hub.cache import RepoCache
from zoo.hub.client import HubClient, Listing
from zoo.hub.fetch import Fetcher, RemoteFile
from zoo.hub.inspect import inspect
from zoo.hub.records import Record, is_complete, merge, need_same_digests, recall, remember
from zoo.hub.retry import Retry
from zoo.hub.verify import DigestMemory, identity_of
from zoo.sources.folder import FolderFiles, home_folder
from zoo.types.model import Checkpoint, ModelEntry, ModelRef

if TYPE_CHECKING:
    from zoo.types.model import Candidate


_DOWN = 20.0


class HubFiles:
    """The files of a commit, read over the network, as :class:`zoo.hub.files.Files`."""

    def __init__(self, client: HubClient, repo: str, listing: Listing) -> None:
        self.client, self.repo, self.listing = client, repo, listing
        self.model = f"hub:{repo}"
        self.sizes = listing.sizes

    def read(self, path: str, start: int = 0, length: int | None = None) -> bytes:
        """Read a whole file, or ``length`` bytes of it."""
        return self.client.read(self.repo, self.listing.commit, path, start, length)

    def card(self) -> dict[str, Any]:
        """Give the front matter of the model card; empty when there is none."""
        return dict(self.listing.card)


class HubSource:
    """Looks before it downloads, and downloads into the cache that all Hub programs share.

    Args:
        home: folder for what is remembered; empty takes the one of the settings.
        endpoint: address of the Hub; empty takes ``HF_ENDPOINT``.
        cache: the Hub's cache; empty takes ``HF_HUB_CACHE`` or ``HF_HOME``.
        offline: never ask the network; None takes ``HF_HUB_OFFLINE``.
        retry: how patient to be.
        on_event: is told the bytes that arrive; what it raises ends the download, which goes on
            there the next time.
    """

    def __init__(
        self,
        *,
        home: str = "",
        endpoint: str = "",
        cache: str = "",
        offline: bool | None = None,
        retry: Retry | None = None,
        on_event: Listener = ignore,
    ) -> None:
        from huggingface_hub import constants

        self.home = home_folder(home)
        self.cache = Path(cache or constants.HF_HUB_CACHE).expanduser().absolute()
        self.offline = constants.HF_HUB_OFFLINE if offline is None else offline
        self.client = HubClient(endpoint=endpoint or constants.ENDPOINT, retry=retry or Retry())
        self.on_event = on_event
        self._listings: dict[tuple[str, str | None], Listing] = {}
        self._lock = threading.Lock()
        self._down: UnreachableError | None = None
        self._down_since = 0.0

    def inspect(self, candidate: Candidate) -> ModelEntry:
        """Complete an entry and pin it to the commit that its revision stands for.

        Raises:
            CheckpointError: not found, gated, unsafe or unusable.
            OfflineError: offline, and not everything that a run needs is in the cache.
            HubError: no answer.
        """
        record = self._record(candidate)
        if self.offline:
            self._need_cached(candidate, record)
        return record.entry

    def fetch(self, candidate: Candidate) -> Checkpoint:
        """Bring the files here, verified; cached files cost no request.

        Raises:
            CheckpointError: as :meth:`inspect`, or the files are not what the Hub lists.
            OfflineError: offline, and a file is missing.
            HubError: no answer.
        """
        record = self._record(candidate)
        ref = record.entry.parsed
        commit = ref.revision or ""
        cache = RepoCache(self.cache, ref.name)
        missing = cache.missing(commit, record.entry.files)
        if missing and self.offline:
            self._need_cached(candidate, record)
        if missing:
            cache.sweep()
            record = self._with_sizes(record)
        self._fetch_files(candidate, record, cache)
        self._remember_branches(ref.name, commit, cache)
        return Checkpoint(
            entry=record.entry,
            folder=str(cache.snapshot(commit)),
            digest=identity_of(record.entry.files),
            trust_remote_code=candidate.trust_remote_code,
        )

    def describe(self, candidate: Candidate) -> Checkpoint:
        """Bring the small files here, verified, and no weight.

        Raises:
            CheckpointError, OfflineError, HubError: as :meth:`fetch`.
        """
        record = self._record(candidate)
        ref = record.entry.parsed
        commit = ref.revision or ""
        cache = RepoCache(self.cache, ref.name)
        files = record.entry.files.items()
        small = {path: digest for path, digest in files if not layout.is_weights(path)}
        missing = cache.missing(commit, small)
        if missing and self.offline:
            raise _absent(candidate.entry.parsed, missing[0])
        if missing:
            record = self._with_sizes(record)
        size = sum(record.sizes.get(path, 0) for path in small)
        slim = msgspec.structs.replace(record.entry, files=small, bytes=size)
        self._fetch_files(candidate, msgspec.structs.replace(record, entry=slim), cache)
        self._remember_branches(ref.name, commit, cache)
        return Checkpoint(
            entry=record.entry,
            folder=str(cache.snapshot(commit)),
            digest=identity_of(small),
            trust_remote_code=candidate.trust_remote_code,
        )

    def missing_bytes(self, candidate: Candidate) -> int:
        """Count the bytes that :meth:`fetch` would download."""
        record = self._record(candidate)
        ref = record.entry.parsed
        missing = RepoCache(self.cache, ref.name).missing(ref.revision or "", record.entry.files)
        if missing and not record.sizes:
            return record.entry.bytes or 0
        return sum(record.sizes[path] for path in missing)

    def local_files(self, candidate: Candidate) -> dict[str, Path]:
        """Map the registered files that are in the cache to where they are."""
        ref = candidate.entry.parsed
        folder = RepoCache(self.cache, ref.name).snapshot(ref.revision or "")
        paths = {path: folder / path for path in candidate.entry.files}
        return {path: file for path, file in paths.items() if file.is_file()}

    def _fetch_files(self, candidate: Candidate, record: Record, cache: RepoCache) -> None:
        ref = record.entry.parsed
        done, total = 0, record.entry.bytes or 0

        def received(length: int) -> None:
            nonlocal done
            done += length
            self.on_event(Event(kind="fetch", model=candidate.model, done=done, total=total))

        fetcher = Fetcher(
            client=self.client,
            cache=cache,
            memory=DigestMemory(self.home),
            offline=self.offline,
            received=received,
        )
        for path, digest in record.entry.files.items():
            file = RemoteFile(
                repo=ref.name,
                commit=ref.revision or "",
                path=path,
                digest=digest,
                size=record.sizes.get(path, 0),
            )
            try:
                fetcher.fetch(file)
            except OSError as error:
                raise CheckpointError(f"{file} cannot be stored: {error}.") from error

    def _record(self, candidate: Candidate) -> Record:
        """Give what is known of a candidate's commit, finding out what is not."""
        entry, ref = candidate.entry, candidate.entry.parsed
        if ref.pinned and is_complete(entry) and not candidate.trust_remote_code:
            return Record(entry=entry)
        cache = RepoCache(self.cache, ref.name)
        commit = ref.revision if ref.pinned else None
        if commit is None:
            commit = self._resolve(ref, cache)
        remembered = self._memory_of(ref.name, commit, candidate)
        record = recall(remembered)
        if record is None:
            pinned = ModelEntry(ref=str(msgspec.structs.replace(ref, revision=commit)))
            record = self._look(pinned, candidate, cache)
            remember(remembered, record)
        return merge(entry, record)

    def _resolve(self, ref: ModelRef, cache: RepoCache) -> str:
        """Find the commit that a branch or tag stands for; without a network, the cached one."""
        known = cache.commit_of(ref.revision)
        if self.offline:
            if known is None:
                raise _absent(ref, layout.CONFIG)
            return known
        try:
            commit = self._listing(ref.name, ref.revision).commit
        except UnreachableError:
            if known is None:
                raise
            return known
        return commit

    def _listing(self, repo: str, revision: str | None) -> Listing:
        """List a revision, once in the life of this source: a run sees one commit of it."""
        with self._lock:
            known = self._listings.get((repo, revision))
        if known is None:
            known = self._ask(repo, revision)
            with self._lock:
                self._listings[repo, revision] = self._listings[repo, known.commit] = known
        return known

    def _ask(self, repo: str, revision: str | None) -> Listing:
        """List a revision; a Hub that could not be reached a moment ago is not waited for again."""
        if self._down and time.monotonic() - self._down_since < _DOWN:
            raise UnreachableError(self._down.message, self._down.hint)
        try:
            return self.client.listing(repo, revision)
        except UnreachableError as error:
            self._down, self._down_since = error, time.monotonic()
            raise

    def _remember_branches(self, repo: str, commit: str, cache: RepoCache) -> None:
        """Let what was asked for by branch be found offline, now that its files are here."""
        with self._lock:
            seen = [
                (name, revision, listing.commit)
                for (name, revision), listing in self._listings.items()
            ]
        for name, revision, listed in seen:
            if (name, listed) == (repo, commit) and revision != commit:
                cache.remember(revision, commit)

    def _look(self, pinned: ModelEntry, candidate: Candidate, cache: RepoCache) -> Record:
        """Inspect a commit at the Hub or, without a network, in the cache."""
        ref, trusted = pinned.parsed, candidate.trust_remote_code
        commit = ref.revision or ""
        if self.offline:
            return self._look_in_cache(pinned, cache, trusted=trusted)
        try:
            listing = self._listing(ref.name, commit)
            found = inspect(
                pinned, HubFiles(self.client, ref.name, listing), trust_remote_code=trusted
            )
        except UnreachableError:
            if cache.missing(commit, (layout.CONFIG,)):
                raise
            return self._look_in_cache(pinned, cache, trusted=trusted)
        files = {path: listing.digests[path] for path in found.needed}
        sizes = {path: listing.sizes[path] for path in found.needed}
        entry = msgspec.structs.replace(found.entry, files=files)
        return Record(entry=entry, sizes=sizes)

    def _look_in_cache(self, pinned: ModelEntry, cache: RepoCache, *, trusted: bool) -> Record:
        ref = pinned.parsed
        commit = ref.revision or ""
        folder = cache.snapshot(commit)
        if cache.missing(commit, (layout.CONFIG,)):
            raise _absent(ref, layout.CONFIG)
        files = FolderFiles(folder, f"hub:{ref.name}")
        absent = _absent_weights(files)
        if absent:
            raise _absent(ref, absent)
        found = inspect(pinned, files, trust_remote_code=trusted)
        memory = DigestMemory(self.home)
        digests = {
            path: cache.digest(commit, path) or memory.digest(folder / path)
            for path in found.needed
        }
        sizes = {path: files.sizes[path] for path in found.needed}
        return Record(entry=msgspec.structs.replace(found.entry, files=digests), sizes=sizes)

    def _with_sizes(self, record: Record) -> Record:
        """Ask for the sizes that a locked entry does not hold, and hold it to its digests."""
        if record.sizes:
            return record
        ref = record.entry.parsed
        listing = self._listing(ref.name, ref.revision)
        need_same_digests(record.entry, listing.digests)
        sizes = {path: listing.sizes[path] for path in record.entry.files}
        return msgspec.structs.replace(record, sizes=sizes)

    def _need_cached(self, candidate: Candidate, record: Record) -> None:
        ref = record.entry.parsed
        cache = RepoCache(self.cache, ref.name)
        missing = cache.missing(ref.revision or "", record.entry.files)
        if missing:
            raise _absent(candidate.entry.parsed, missing[0])

    def _memory_of(self, repo: str, commit: str, candidate: Candidate) -> Path:
        trusted = ".trusted" if candidate.trust_remote_code else ""
        return self.home / "hub" / repo.replace("/", "--") / f"{commit}{trusted}.json"


def _absent(ref: ModelRef, path: str) -> OfflineError:
    return OfflineError(
        f"offline, and {path} of {ref} is not on this machine.", f"zoo models pull {ref}"
    )


def _absent_weights(files: FolderFiles) -> str:
    """Name the first weights file that a partly downloaded snapshot lacks."""
    if layout.WEIGHTS in files.sizes:
        return ""
    if layout.INDEX not in files.sizes:
        return layout.WEIGHTS
    shards = layout.read_json(files, layout.INDEX).get("weight_map", {}).values()
    return min((str(shard) for shard in shards if shard not in files.sizes), default="")
