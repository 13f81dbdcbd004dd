"""What ``zoo models`` and ``zoo registry`` print."""

# ruff: noqa: TC001 -- msgspec reads the types of the fields

from __future__ import annotations

import msgspec

from zoo.lock import Change, FileCheck
from zoo.types.failure import Failure
from zoo.types.model import ModelEntry
from zoo_cli.documents.base import Document


class ModelFacts(msgspec.Struct, frozen=True, kw_only=True):
    """An entry of the registry; what has never been resolved is ``null`` or empty.

    Attributes:
        model: the reference.
        task: the Hub's pipeline tag, such as ``image-classification``.
        modality: what goes in.
        library: ``transformers``, ``timm`` or ``sentence-transformers``.
        architecture: the class named in the checkpoint's config.
        parameters: number of weights.
        bytes: size of the files that a run needs.
        license: SPDX-like id from the card.
        labels: number of classes of the source head, if it has one.
        files: path -> digest.
        tags: free facts.
    """

    model: str
    task: str | None
    modality: str | None
    library: str | None
    architecture: str | None
    parameters: int | None
    bytes: int | None
    license: str | None
    labels: int | None
    files: dict[str, str]
    tags: dict[str, str]


class ModelList(Document, frozen=True, kw_only=True):
    """Models of a registry.

    Attributes:
        registry: path of the file.
        models: those that were asked for.
    """

    registry: str
    models: tuple[ModelFacts, ...]


class ModelDocument(ModelFacts, frozen=True, kw_only=True):
    """Every fact about one model.

    Attributes:
        missing_bytes: what ``zoo models pull`` would download.
        schema_version: 1; within a version fields are only added.
    """

    missing_bytes: int
    schema_version: int = 1


class PulledModel(msgspec.Struct, frozen=True, kw_only=True):
    """A checkpoint that is here and verified.

    Attributes:
        model: the reference, with the commit.
        bytes: size of its files; ``null`` when not known.
        folder: where it lies.
        digest: of its weights.
    """

    model: str
    bytes: int | None
    folder: str
    digest: str


class PulledModels(Document, frozen=True, kw_only=True):
    """What was brought here, and what was not.

    Attributes:
        models: those that are here.
        failures: the others.
    """

    models: tuple[PulledModel, ...]
    failures: tuple[Failure, ...]


class Written(Document, frozen=True, kw_only=True):
    """What was done to a registry file.

    Attributes:
        registry: path of the file.
        failures: entries that could not be resolved, and why.
    """

    registry: str
    failures: tuple[Failure, ...] = ()


class AddedModels(Written, frozen=True, kw_only=True):
    """What was added to a registry file.

    Attributes:
        added: references.
    """

    added: tuple[str, ...]


class RemovedModels(Written, frozen=True, kw_only=True):
    """What was taken out of a registry file.

    Attributes:
        removed: references.
    """

    removed: tuple[str, ...]


class LockedModels(Written, frozen=True, kw_only=True):
    """What was pinned in a registry file.

    Attributes:
        locked: references of the entries that gained something.
    """

    locked: tuple[str, ...]


class VerifiedRegistry(Document, frozen=True, kw_only=True):
    """Registered files against this machine.

    Attributes:
        registry: path of the file.
        files: state -> number of files: ``ok``, ``changed``, ``missing``, ``absent``.
        unlocked: references without digests.
        wrong: files that changed or are missing.
    """

    registry: str
    files: dict[str, int]
    unlocked: tuple[str, ...]
    wrong: tuple[FileCheck, ...]


class RegistryDifference(Document, frozen=True, kw_only=True):
    """What differs between two registries.

    Attributes:
        added: references of the second alone.
        removed: references of the first alone.
        changed: facts that differ.
    """

    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[Change, ...]


def facts(entry: ModelEntry) -> ModelFacts:
    """Show an entry whole: nothing that is not known is left out."""
    known = msgspec.structs.asdict(entry)
    return ModelFacts(model=known.pop("ref"), **known)
