"""Fixtures that plugin authors get by installing Zoo. Imports stay inside the fixtures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from zoo.host import PluginHost
    from zoo.testing.loopback_hub import LoopbackHub
    from zoo.types.model import Checkpoint, Modality


@pytest.fixture
def zoo_host() -> PluginHost:
    """A host that raises on the first plugin error."""
    from zoo.host import PluginHost

    return PluginHost(strict=True).discover()


@pytest.fixture
def loopback_hub(tmp_path: Path) -> Iterator[LoopbackHub]:
    """An empty Hub on this machine, which the client of this process uses instead of the real one.

    Its cache is ``tmp_path/hf``; a client in another process needs
    ``hub.environment(tmp_path / "hf")``.
    """
    from zoo.testing.loopback_hub import LoopbackHub

    with LoopbackHub() as hub, hub.in_process(tmp_path / "hf"):
        yield hub


@pytest.fixture(scope="session")
def tiny_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Checkpoint]:
    """Build a tiny random checkpoint once a session: ``tiny_checkpoint("vit", head=False)``."""
    import hashlib
    from functools import cache
    from pathlib import Path

    from zoo.testing.tiny_checkpoints import (
        TINY_AUDIO,
        TINY_IMAGE,
        TINY_TEXT,
        build_tiny_checkpoint,
    )
    from zoo.types.model import Checkpoint, ModelEntry

    @cache
    def build(name: str, *, head: bool = True) -> Checkpoint:
        folder = build_tiny_checkpoint(name, tmp_path_factory.mktemp("tiny") / name, head=head)
        files = (path for path in sorted(Path(folder).iterdir()))
        digest = hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()
        modalities: dict[Modality, tuple[str, ...]]
        modalities = {"image": TINY_IMAGE, "text": TINY_TEXT, "audio": TINY_AUDIO}
        found = (kind for kind, names in modalities.items() if name in names)
        entry = ModelEntry(ref=str(folder), modality=next(found, None), library="transformers")
        return Checkpoint(entry=entry, folder=str(folder), digest=digest)

    return build
