"""Checkpoints in a folder on this machine, in the format of the Hub."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from zoo.errors import CheckpointError
from zoo.events import Listener, ignore
from zoo.hub import files as layout
from zoo.hub.card import front_matter
from zoo.hub.exported import refuse_damaged
from zoo.hub.inspect import describe, inspect
from zoo.hub.verify import DigestMemory, identity_of
from zoo.typed_paths import is_folder
from zoo.types.model import Checkpoint

if TYPE_CHECKING:
    from collections.abc import Mapping

    from zoo.types.model import Candidate, ModelEntry


class FolderFiles:
    """The files of a folder, as :class:`zoo.hub.files.Files`.

    Raises:
        CheckpointError: there is no such folder, or it cannot be read.
    """

    def __init__(self, folder: Path, model: str) -> None:
        if not is_folder(folder):
            raise CheckpointError(
                f"the model folder {folder} does not exist.",
                "A relative folder in a registry starts from the registry's own folder.",
            )
        self.folder = folder
        self.model = model
        try:
            self.sizes: Mapping[str, int] = {
                path.relative_to(folder).as_posix(): path.stat().st_size
                for path in sorted(folder.rglob("*"))
                if path.is_file()
            }
        except OSError as error:
            raise CheckpointError(f"{model} cannot be read: {error}.") from error

    def read(self, path: str, start: int = 0, length: int | None = None) -> bytes:
        """Read a whole file, or ``length`` bytes of it."""
        try:
            with (self.folder / path).open("rb") as file:
                file.seek(start)
                return file.read() if length is None else file.read(length)
        except OSError as error:
            raise CheckpointError(f"{self.model}: {path} cannot be read: {error}.") from error

    def card(self) -> dict[str, Any]:
        """Give the front matter of the model card; empty when there is none."""
        if layout.CARD not in self.sizes:
            return {}
        return front_matter(self.read(layout.CARD).decode("utf-8", errors="replace"))


class FolderSource:
    """Reads folders; nothing is copied.

    Args:
        home: folder of the digests that are remembered; empty takes the one of the settings.
        on_event: is not needed here, because nothing takes long.
    """

    def __init__(self, *, home: str = "", on_event: Listener = ignore) -> None:
        self._home = home
        self.on_event = on_event

    def inspect(self, candidate: Candidate) -> ModelEntry:
        """Complete an entry from the folder's files, digests included.

        Raises:
            CheckpointError: missing, unsafe, unusable, or changed since it was registered.
        """
        return self._read(candidate)[1]

    def fetch(self, candidate: Candidate) -> Checkpoint:
        """Check the folder's files, and those of a registry entry against its digests.

        Raises:
            CheckpointError: missing, unsafe, unusable, or changed since it was registered.
        """
        folder, entry = self._read(candidate)
        return Checkpoint(
            entry=entry,
            folder=str(folder),
            digest=identity_of(entry.files),
            trust_remote_code=candidate.trust_remote_code,
        )

    def describe(self, candidate: Candidate) -> Checkpoint:
        """Give the folder as it is, even without weights.

        Raises:
            CheckpointError: missing, or unsafe.
        """
        folder = self.locate(candidate)
        files = FolderFiles(folder, candidate.model)
        trusted = candidate.trust_remote_code
        found = describe(candidate.entry, files, trust_remote_code=trusted)
        memory = DigestMemory(home_folder(self._home))
        return Checkpoint(
            entry=found.entry,
            folder=str(folder),
            digest=identity_of({path: memory.digest(folder / path) for path in found.needed}),
            trust_remote_code=trusted,
        )

    def missing_bytes(self, candidate: Candidate) -> int:
        """Nothing has to be downloaded."""
        del candidate
        return 0

    def local_files(self, candidate: Candidate) -> dict[str, Path]:
        """Map the registered files that are on this machine to where they are."""
        folder = self.locate(candidate)
        paths = {path: folder / path for path in candidate.entry.files}
        return {path: file for path, file in paths.items() if file.is_file()}

    def locate(self, candidate: Candidate) -> Path:
        """Give the absolute folder of a candidate."""
        folder = candidate.folder
        assert folder is not None
        return folder.resolve()

    def _read(self, candidate: Candidate) -> tuple[Path, ModelEntry]:
        folder = self.locate(candidate)
        files = FolderFiles(folder, candidate.model)
        found = inspect(candidate.entry, files, trust_remote_code=candidate.trust_remote_code)
        memory = DigestMemory(home_folder(self._home))
        paths = {*found.needed, *(candidate.entry.files.keys() & files.sizes.keys())}
        digests = {path: memory.digest(folder / path) for path in sorted(paths)}
        refuse_changed(candidate.entry, digests)
        if found.manifest:
            refuse_damaged(found.manifest, digests, candidate.model)
        needed = {path: digests[path] for path in found.needed}
        return folder, msgspec.structs.replace(found.entry, files=needed)


def refuse_changed(registered: ModelEntry, files: Mapping[str, str]) -> None:
    """Refuse files whose digest is not the registered one, or that have gone.

    Raises:
        CheckpointError: naming the first such file.
    """
    for path, digest in registered.files.items():
        if files.get(path) != digest:
            state = "is not the file that was registered" if path in files else "has gone"
            raise CheckpointError(
                f"{registered.ref}: {path} {state}.",
                f"zoo registry add {registered.ref} takes the files as they are now.",
            )


def home_folder(home: str) -> Path:
    """Give the folder for what sources remember."""
    if home:
        return Path(home).expanduser().absolute()
    from zoo.settings import resolve

    return resolve().settings.folder
