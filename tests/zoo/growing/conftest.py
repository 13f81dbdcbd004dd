"""Tiny checkpoints, and growths of them with the real plugins."""

from __future__ import annotations

import json
import shutil

import pytest

from zoo.api import open_catalogue
from zoo.growing.journey import grow_checkpoint
from zoo.growing.prepared import GrowthRequest, prepare_growth
from zoo.settings import resolve
from zoo.testing.tiny_checkpoints import build_tiny_checkpoint


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """Give the folder of a tiny checkpoint; nobody may change it."""
    home, built = tmp_path_factory.mktemp("tiny"), {}

    def build(name, **options):
        key = (name, *options)
        if key not in built:
            folder = home / "-".join(key)
            built[key] = build_tiny_checkpoint(name, folder, **options)
        return built[key]

    return build


@pytest.fixture
def changed(tiny, tmp_path):
    """Give a copy of a tiny checkpoint whose configuration says something else."""

    def copy(name, **fields):
        folder = shutil.copytree(tiny(name), tmp_path / f"changed-{name}")
        path = folder / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | fields))
        return folder

    return copy


@pytest.fixture
def settings():
    return resolve().settings


@pytest.fixture
def catalogue(settings):
    return open_catalogue(settings)


@pytest.fixture
def events():
    return []


@pytest.fixture
def prepare(settings, catalogue, events):
    """Settle a growth."""

    def run(model, *steps, folder="", **asked):
        request = GrowthRequest(model=str(model), steps=steps, **asked)
        told = lambda event: events.append(event.message)  # noqa: E731
        return prepare_growth(request, str(folder), settings, catalogue, on_event=told)

    return run


@pytest.fixture
def grow(prepare, settings, catalogue, tmp_path):
    """Carry one out, into the folder ``grown``."""

    def run(model, *steps, change=lambda prepared: prepared, **asked):
        folder = tmp_path / "grown"
        prepared = change(prepare(model, *steps, folder=folder, **asked))
        return grow_checkpoint(prepared, str(folder), settings, catalogue)

    return run
