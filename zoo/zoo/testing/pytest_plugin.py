"""Fixtures that plugin authors get by installing Zoo. Imports stay inside the fixtures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from zoo.host import PluginHost
    from zoo.testing.loopback_hub import LoopbackHub
    from zoo.types.model import Checkpoint
    from zoo.types.probe import Probe, ProbeModality, Task


class TinyProbe(Protocol):
    """The type of the fixture ``tiny_probe``; see :mod:`zoo.testing.tiny_probes`."""

    def __call__(
        self,
        modality: ProbeModality = "image",
        task: Task = "classification",
        *,
        samples: int = 24,
        classes: int = 3,
        seed: int = 0,
    ) -> Probe:
        """Make small labelled data.

        Raises:
            InputError: there is no such modality or task, or the numbers make no probe.
        """
        ...


class TinyCheckpoint(Protocol):
    """The type of the fixture ``tiny_checkpoint``."""

    def __call__(self, name: str, *, head: bool = True) -> Checkpoint:
        """Build a tiny checkpoint.

        Raises:
            UnknownNameError: there is no such family; with the nearest, and all.
        """
        ...


@pytest.fixture
def zoo_host() -> PluginHost:
    """A host with every installed plugin, which raises what one of them does wrong.

    ``zoo.Catalogue(zoo_host)`` gives specs and objects by name.
    """
    from zoo.host import PluginHost

    return PluginHost(strict=True).discover()


@pytest.fixture
def loopback_hub(tmp_path: Path) -> Iterator[LoopbackHub]:
    """An empty Hub on this machine, which the client of this process uses instead of the real one.

    ``loopback_hub.add("org/name", folder)`` gives it a model, ``kind="dataset"`` a data set,
    ``loopback_hub.fail("GET .*", kind="reset")`` lets the next request go wrong. Its cache is
    ``tmp_path/hf``; a client in another process needs ``hub.environment(tmp_path / "hf")``.
    """
    from zoo.testing.loopback_hub import LoopbackHub

    with LoopbackHub() as hub, hub.in_process(tmp_path / "hf"):
        yield hub


@pytest.fixture(scope="session")
def tiny_probe() -> TinyProbe:
    """Make small labelled data: ``tiny_probe("text", "regression", samples=40, seed=1)``.

    Gives a :class:`zoo.types.Probe` of pictures (``"image"``, the default), texts or features, for
    any task, with labels that can be learnt; the same arguments make the same data.
    """
    from zoo.testing.tiny_probes import make_tiny_probe

    return make_tiny_probe


@pytest.fixture(scope="session")
def tiny_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> TinyCheckpoint:
    """Build a tiny random checkpoint once a session: ``tiny_checkpoint("vit", head=False)``.

    Gives a :class:`zoo.types.Checkpoint` in the Hub's format, of one of the families in
    ``zoo.testing.tiny_checkpoints``: ``TINY_IMAGE``, ``TINY_TEXT``, ``TINY_AUDIO``, ``TINY_OTHER``.
    """
    from functools import cache

    from zoo.testing.tiny_checkpoints import tiny_checkpoint_in

    @cache
    def build(name: str, *, head: bool = True) -> Checkpoint:
        return tiny_checkpoint_in(tmp_path_factory.mktemp("tiny"), name, head=head)

    return build
