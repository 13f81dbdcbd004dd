"""What was run, with what: on every result."""

from __future__ import annotations

import platform
import sys
from collections import Counter
from datetime import UTC, datetime
from importlib import metadata
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable

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
        runtimes: model reference -> what opened it; empty in documents of earlier versions.
        precision: numbers that the forward passes computed in.
    """

    command: tuple[str, ...]
    started: str
    versions: dict[str, str]
    seed: int
    device: str
    revisions: dict[str, str] = {}
    runtimes: dict[str, str] = {}
    precision: str = "fp32"

    @property
    def runtime(self) -> str:
        """The runtimes in words, with the precision where it is not the usual one."""
        words = count_names(self.runtimes.values())
        return words if self.precision == "fp32" else f"{words}, {self.precision}"


def count_names(names: Iterable[str]) -> str:
    """List names, the most frequent first, with their counts where they differ."""
    counts = Counter(name for name in names if name).most_common()
    if len(counts) == 1:
        return counts[0][0]
    return ", ".join(f"{name} ({count})" for name, count in counts)


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
    *,
    seed: int,
    device: str,
    revisions: dict[str, str] | None = None,
    runtimes: dict[str, str] | None = None,
    precision: str = "fp32",
) -> Provenance:
    """Describe this process at this moment."""
    return Provenance(
        command=tuple(sys.argv),
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        versions=installed_versions(),
        seed=seed,
        device=device,
        revisions=revisions or {},
        runtimes=runtimes or {},
        precision=precision,
    )
