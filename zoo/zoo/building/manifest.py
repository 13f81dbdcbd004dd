"""What a model is built from: teachers, student, data. A resumed build refuses anything else."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from zoo.types.probe import ImageInput
from zoo.types.provenance import installed_versions

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from zoo.types.model import Checkpoint

_SLICE = 512


class ModelIdentity(msgspec.Struct, frozen=True, kw_only=True):
    """One checkpoint that goes in.

    Attributes:
        alias: its short name.
        model: reference, as messages print it.
        digest: of its files: the identity of the weights.
        revision: commit of the Hub; empty for others.
    """

    alias: str
    model: str
    digest: str
    revision: str = ""


class DataIdentity(msgspec.Struct, frozen=True, kw_only=True):
    """The unlabelled data.

    Attributes:
        source: what the person typed.
        samples: how many there are.
        fingerprint: see :func:`fingerprint`.
    """

    source: str
    samples: int
    fingerprint: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a build reads.

    Attributes:
        teachers: in their order, which is that of the columns.
        student: None where weights are merged.
        base: the common ancestor, where a method reads it.
        data: None where none is read.
        versions: distribution -> version.
    """

    teachers: tuple[ModelIdentity, ...]
    student: ModelIdentity | None = None
    base: ModelIdentity | None = None
    data: DataIdentity | None = None
    versions: dict[str, str] = {}


def identity(alias: str, checkpoint: Checkpoint) -> ModelIdentity:
    """Name a checkpoint by what cannot change unnoticed."""
    return ModelIdentity(
        alias=alias,
        model=checkpoint.model,
        digest=checkpoint.digest,
        revision=checkpoint.entry.parsed.revision or "",
    )


def manifest_now(
    teachers: Sequence[ModelIdentity],
    *,
    student: ModelIdentity | None = None,
    base: ModelIdentity | None = None,
    data: DataIdentity | None = None,
) -> Manifest:
    """Describe what this process is about to read, with what is installed."""
    return Manifest(
        teachers=tuple(teachers),
        student=student,
        base=base,
        data=data,
        versions=installed_versions(),
    )


def fingerprint(source: str, inputs: Sequence[Any], names: Sequence[str]) -> str:
    """Digest names and contents.

    Args:
        source: what the person typed; names that begin with it are taken relative to it, so that
            the same folder under another path is the same data.
        inputs: N images, texts, pairs of texts, or None.
        names: N names.
    """
    digest = hashlib.sha256()
    for name, each in zip(_slices(names), _slices(inputs), strict=True):
        relative = name.removeprefix(source.rstrip("/"))
        digest.update(hashlib.sha256(relative.encode("utf-8", "surrogateescape")).digest())
        digest.update(hashlib.sha256(_content(each)).digest())
    return digest.hexdigest()


def differences(before: Manifest, now: Manifest) -> list[str]:
    """Say what is not what it was, one half-sentence each; versions are left out."""
    found = _of_teachers(before.teachers, now.teachers)
    found += _of_model("the student", before.student, now.student)
    found += _of_model("the base", before.base, now.base)
    return found + _of_data(before.data, now.data)


def version_notes(before: Manifest, now: Manifest) -> tuple[str, ...]:
    """Say which libraries are not those that the build began with."""
    changed = [
        f"{name} {before.versions.get(name, 'none')} -> {now.versions.get(name, 'none')}"
        for name in sorted({*before.versions, *now.versions})
        if before.versions.get(name) != now.versions.get(name)
    ]
    if not changed:
        return ()
    said = ", ".join(changed)
    return (f"It began with other versions ({said}): the last digits may differ.",)


def _of_teachers(before: Sequence[ModelIdentity], now: Sequence[ModelIdentity]) -> list[str]:
    old = {each.alias: each for each in before}
    new = {each.alias: each for each in now}
    found = [f"the teacher {alias} has gone" for alias in old if alias not in new]
    found += [f"the teacher {alias} is new" for alias in new if alias not in old]
    for alias in old.keys() & new.keys():
        found += _of_model(f"the teacher {alias}", old[alias], new[alias])
    if not found and [*old] != [*new]:
        found.append(f"the teachers are in another order ({', '.join(old)} before)")
    return sorted(found)


def _of_model(what: str, before: ModelIdentity | None, now: ModelIdentity | None) -> list[str]:
    if before is None or now is None:
        return [] if before is now else [f"{what} {'is new' if before is None else 'has gone'}"]
    if before.digest == now.digest:
        return []
    if before.model != now.model:
        return [f"{what} was {before.model} and is now {now.model}"]
    return [f"{what}, {now.model}, has other weights than before"]


def _of_data(before: DataIdentity | None, now: DataIdentity | None) -> list[str]:
    if before is None or now is None:
        return [] if before is now else ["there is data where there was none, or none any more"]
    if before.fingerprint == now.fingerprint:
        return []
    if before.source != now.source:
        return [f"the data was {before.source} and is now {now.source}"]
    if before.samples != now.samples:
        return [f"{now.source} held {before.samples} samples and holds {now.samples} now"]
    return [f"the samples of {now.source} are not those of before"]


def _slices(values: Sequence[Any]) -> Iterator[Any]:
    """Read lazy sequences as they like it."""
    for begin in range(0, len(values), _SLICE):
        yield from values[begin : begin + _SLICE]


def _content(value: Any) -> bytes:
    if isinstance(value, ImageInput):
        return value.data if value.data is not None else _file(value.path or "")
    return msgspec.json.encode(value)


def _file(path: str) -> bytes:
    try:
        return hashlib.sha256(Path(path).read_bytes()).digest()
    except OSError:
        return b"missing"
