from __future__ import annotations

import sys
from pathlib import Path

import pytest

HERE = str(Path(__file__).parent)
if HERE not in sys.path:  # test modules import distilling_parts by name, as specs do
    sys.path.append(HERE)


@pytest.fixture
def methods_catalogue():
    """The methods of distilling_parts, and what the core provides."""
    import distilling_parts

    import zoo.builtin
    from zoo.catalogue import Catalogue
    from zoo.host import PluginHost

    host = PluginHost(strict=False)
    host.register(distilling_parts, "zoo-reuse:parts")
    host.register(zoo.builtin, "zoo-reuse:core")
    return Catalogue(host)
