"""What the zoo knows of a checkpoint, before and after it is on this machine."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

import msgspec

from zoo.errors import InputError
from zoo.typed_paths import typed_path

Modality = Literal["image", "text", "audio"]

_COMMIT = re.compile(r"[0-9a-f]{40}")
_HUB_NAME = re.compile(r"[\w.-]+(/[\w.-]+)?")
_SCHEME = re.compile(r"(?P<source>[a-z][a-z0-9_]*):(?P<rest>.+)", re.DOTALL)


class ModelRef(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """Where a checkpoint comes from; ``str`` gives the text that a person types.

    Attributes:
        source: the source that resolves it: ``hub``, ``folder``, ``embedded`` or a plugin's.
        name: the Hub id, the folder as it was written, or the embedded name.
        revision: a branch, a tag or, once pinned, a 40-hex commit.
        file: one file of the checkpoint, for formats that keep several models in a folder.
    """

    source: str
    name: str
    revision: str | None = None
    file: str | None = None

    def __str__(self) -> str:
        """``hub:org/name@revision#file``, ``./folder``, ``embedded:name``."""
        text = self.name if self.source == "folder" else f"{self.source}:{self.name}"
        text += f"@{self.revision}" if self.revision else ""
        return text + (f"#{self.file}" if self.file else "")

    @property
    def pinned(self) -> bool:
        """Whether the revision is a commit that can never move."""
        return bool(self.revision and _COMMIT.fullmatch(self.revision))

    @classmethod
    def parse(cls, text: str) -> ModelRef:
        """Read what a person typed.

        A folder starts with ``./``, ``../``, ``~`` or ``/``: guessing from what happens to exist
        in the working directory would silently load other weights.

        Raises:
            InputError: the text is no reference.
        """
        if text.startswith((".", "/", "~")):
            return cls(source="folder", name=text)
        scheme = _SCHEME.fullmatch(text)
        source, rest = (scheme["source"], scheme["rest"]) if scheme else ("hub", text)
        rest, _, file = rest.partition("#")
        name, _, revision = rest.partition("@")
        if source == "hub" and not _HUB_NAME.fullmatch(name):
            raise InputError(
                f"{text!r} is not a model reference.",
                "Write hub:org/name, hub:org/name@revision, ./folder or an absolute folder.",
            )
        return cls(source=source, name=name, revision=revision or None, file=file or None)


class ModelEntry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of ``registry.json``: everything known without touching a weight.

    Fields that have never been resolved are ``None`` or empty: nothing is invented.

    Attributes:
        ref: the reference as text; a folder is relative to the registry file.
        task: the Hub's pipeline tag, such as ``image-classification``.
        modality: what goes in.
        library: ``transformers``, ``timm`` or ``sentence-transformers``.
        architecture: the class named in the checkpoint's config.
        parameters: number of weights.
        bytes: size of the files that a run needs.
        license: SPDX-like id from the card.
        labels: number of classes of the source head, if it has one.
        files: path -> sha256 (or git blob sha1 for small Hub files, prefixed ``sha1:``).
        tags: free facts, such as ``pretraining``: the data the weights were trained on.
    """

    ref: str
    task: str | None = None
    modality: Modality | None = None
    library: str | None = None
    architecture: str | None = None
    parameters: int | None = None
    bytes: int | None = None
    license: str | None = None
    labels: int | None = None
    files: dict[str, str] = {}
    tags: dict[str, str] = {}

    @property
    def parsed(self) -> ModelRef:
        """The reference, taken apart."""
        return ModelRef.parse(self.ref)


def is_reference(text: str) -> bool:
    """Tell a reference, such as ``./folder``, ``org/name`` or ``hub:name``, from a plain name."""
    return text.startswith((".", "~")) or "/" in text or ":" in text


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """A registry entry and the folder its relative paths start from.

    Attributes:
        entry: what the registry says.
        base: absolute folder of the registry file, or the working directory for ``-m ./folder``.
        trust_remote_code: the person allowed this one checkpoint to run its own code.
    """

    entry: ModelEntry
    base: str
    trust_remote_code: bool = False

    @property
    def model(self) -> str:
        """The reference, as rankings and messages print it."""
        return self.entry.ref

    @property
    def folder(self) -> Path | None:
        """Absolute folder of a ``folder`` entry; None for every other source."""
        ref = self.entry.parsed
        return (Path(self.base) / typed_path(ref.name)) if ref.source == "folder" else None


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True):
    """A checkpoint whose files are on this machine and verified.

    Attributes:
        entry: the registry entry, completed with what the files say.
        folder: absolute folder; never a Hub id, which a local folder could shadow.
        digest: sha256 over (path, digest) of its files: the identity of the weights.
        trust_remote_code: see :class:`Candidate`.
    """

    entry: ModelEntry
    folder: str
    digest: str
    trust_remote_code: bool = False

    @property
    def model(self) -> str:
        """The reference, as rankings and messages print it."""
        return self.entry.ref
