"""What was run, with what: on every result."""

from __future__ import annotations

import platform
import sys
from datetime import UTC, datetime
from importlib import metadata

import msgspec

_RECORDED = ("zoo-reuse", "torch", "transformers", "huggingface-hub", "onnxruntime-gpu", "numpy")


class Provenance(msgspec.Struct, frozen=True, kw_only=True):
    """Enough to run it again and to know why another machine differs.

    Attributes:
        command: the command line, or the Python call.
        started: UTC, ISO 8601, to the second.
        versions: distribution -> version, of what shapes the numbers.
        seed: seed of the sample and of the permutations.
        device: where the forward passes ran.
        revisions: model reference -> commit or weights digest.
    """

    command: tuple[str, ...]
    started: str
    versions: dict[str, str]
    seed: int
    device: str
    revisions: dict[str, str] = {}


def installed_versions() -> dict[str, str]:
    """Versions of Python and of the distributions that shape the numbers."""
    found = {"python": platform.python_version()}
    for name in _RECORDED:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def provenance_now(
    *, seed: int, device: str, revisions: dict[str, str] | None = None
) -> Provenance:
    """Describe this process at this moment."""
    return Provenance(
        command=tuple(sys.argv),
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        versions=installed_versions(),
        seed=seed,
        device=device,
        revisions=revisions or {},
    )
