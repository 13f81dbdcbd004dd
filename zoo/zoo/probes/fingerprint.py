"""The identity of a probe: what was sampled, never where it lay or when it was copied."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

_FORMAT = 1


def digest_bytes(data: bytes) -> bytes:
    """Digest an encoded image."""
    return hashlib.sha256(data).digest()


def digest_text(text: str | tuple[str, str]) -> bytes:
    """Digest a text, or a pair whose border counts."""
    if isinstance(text, str):
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
    return hashlib.sha256(b"".join(digest_text(each) for each in text)).digest()


def digest_rows(values: npt.NDArray[Any]) -> list[bytes]:
    """Digest each row of a feature matrix; equal numbers of another width are other content."""
    little = np.ascontiguousarray(values.astype(values.dtype.newbyteorder("<"), copy=False))
    head = little.dtype.str.encode()
    return [hashlib.sha256(head + row.tobytes()).digest() for row in little]


def fingerprint(
    task: str,
    modality: str,
    label_names: Sequence[str],
    digests: Sequence[bytes],
    labels: npt.NDArray[Any],
) -> str:
    """Hash (content digest, label) in the order of the sample, with the task; 64 hex digits."""
    head = [_FORMAT, task, modality, list(label_names), list(labels.shape)]
    kind = "<i8" if task in {"classification", "text"} else "<f8"
    whole = hashlib.sha256(json.dumps(head).encode())
    whole.update(b"".join(digests))
    whole.update(np.ascontiguousarray(labels, dtype=kind).tobytes())
    return whole.hexdigest()


def repetition_note(digests: Sequence[bytes], labels: npt.NDArray[Any]) -> str:
    """Count samples that repeat another one's content; empty when there are none."""
    repeated = len(digests) - len(set(digests))
    if not repeated:
        return ""
    marks = [row.tobytes() for row in np.ascontiguousarray(labels)]
    seen = Counter(digest for digest, _ in set(zip(digests, marks, strict=True)))
    torn = sum(1 for count in seen.values() if count > 1)
    verb = "repeats" if repeated == 1 else "repeat"
    note = f"{repeated} of the {len(digests)} samples {verb} the content of another one"
    have = "content has" if torn == 1 else "contents have"
    return note + (f"; {torn} {have} several labels." if torn else ".")
