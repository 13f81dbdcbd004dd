"""Fixtures that plugin authors get by installing Zoo. Imports stay inside the fixtures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from zoo.host import PluginHost


@pytest.fixture
def zoo_host() -> PluginHost:
    """A host that raises on the first plugin error."""
    from zoo.host import PluginHost

    return PluginHost(strict=True).discover()
