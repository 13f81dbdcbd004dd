from __future__ import annotations

import sys
from pathlib import Path

import pytest

HERE = str(Path(__file__).parent)
if HERE not in sys.path:  # test modules import tiny_networks by name, subprocesses as well
    sys.path.append(HERE)


@pytest.fixture(scope="session")
def images(tmp_path_factory):
    """Forty pictures of 24 x 20 pixels."""
    from tiny_networks import make_images

    return make_images(tmp_path_factory.mktemp("images"))
