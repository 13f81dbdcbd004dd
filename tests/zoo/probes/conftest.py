"""Small data sets on disk, and a reader that knows only the built-in layouts."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

import zoo.builtin
from zoo.catalogue import Catalogue
from zoo.errors import InputError
from zoo.host import PluginHost
from zoo.probes import load
from zoo.types.protocols import ProbeOptions


@pytest.fixture(scope="session")
def catalogue():
    host = PluginHost(strict=True)
    host.register(zoo.builtin, name="zoo-reuse:core")
    return Catalogue(host)


@pytest.fixture
def read(catalogue):
    def read(data, **options):
        return load(str(data), ProbeOptions(**options), catalogue)

    return read


@pytest.fixture
def refused(read):
    """Read what cannot be read: the error's sentence and hint."""

    def refused(data, **options):
        with pytest.raises(InputError) as caught:
            read(data, **options)
        error = caught.value
        assert error.exit_code == 2
        assert "\n" not in error.message
        assert error.message.rstrip()[-1] in ".?!", error.message
        return f"{error.message} | {error.hint}"

    return refused


def encoded(seed=0, *, mode="RGB", size=(8, 8), kind="PNG"):
    generator = np.random.default_rng(seed)
    pixels = Image.fromarray(generator.integers(0, 255, (*size, 3), dtype=np.uint8))
    data = io.BytesIO()
    pixels.convert(mode).save(data, format=kind)
    return data.getvalue()


@pytest.fixture
def png():
    return encoded


@pytest.fixture
def image_folder(tmp_path):
    """Make class sub-folders: ``image_folder({"cats": 3, "dogs": 2})``."""

    def make(counts, root="photos"):
        folder = tmp_path / root
        seed = 0
        for name, count in counts.items():
            for number in range(count):
                path = folder / name / f"{number}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(encoded(seed))
                seed += 1
        return folder

    return make


@pytest.fixture
def write(tmp_path):
    """Write a text file and give its path."""

    def write(name, text, encoding="utf-8"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode(encoding) if isinstance(text, str) else text)
        return path

    return write


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
