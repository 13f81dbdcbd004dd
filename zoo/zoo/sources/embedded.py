"""The small checkpoints that come with Zoo."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo.errors import unknown_name
from zoo.sources.folder import FolderSource

if TYPE_CHECKING:
    from pathlib import Path

    from zoo.types.model import Candidate


class EmbeddedSource(FolderSource):
    """Reads the folders inside the installed package."""

    def locate(self, candidate: Candidate) -> Path:
        """Give the folder of an embedded checkpoint.

        Raises:
            UnknownNameError: there is no checkpoint of that name.
        """
        from zoo import embedded

        name = candidate.entry.parsed.name
        if name not in embedded.names():
            raise unknown_name("embedded checkpoint", name, embedded.names())
        return embedded.folder(name)
