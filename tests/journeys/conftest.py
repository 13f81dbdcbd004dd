"""Whole commands in processes of their own, on tiny checkpoints and drawn data."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from zoo.testing.tiny_checkpoints import build_tiny_checkpoint

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Outcome:
    code: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:
        return json.loads(self.stdout)


@dataclass(frozen=True)
class Zoo:
    """The command, with a store of its own."""

    home: Path

    def __call__(self, *arguments: object, cwd: Path | None = None, **environment: str) -> Outcome:
        done = subprocess.run(
            self.command(*arguments),
            capture_output=True,
            text=True,
            check=False,
            cwd=cwd,
            env=self.environment(**environment),
            timeout=200,
        )
        return Outcome(done.returncode, done.stdout, done.stderr)

    def command(self, *arguments: object) -> list[str]:
        return [sys.executable, "-m", "zoo_cli", *(str(each) for each in arguments)]

    def environment(self, **more: str) -> dict[str, str]:
        return {**os.environ, "ZOO_HOME": str(self.home), "ZOO_JOBS": "2", **more}


@pytest.fixture
def zoo(tmp_path: Path) -> Zoo:
    return Zoo(tmp_path / "home")


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty little images of three colours with noise, one folder a class."""
    folder = tmp_path_factory.mktemp("data") / "photos"
    rng = np.random.default_rng(0)
    for index, name in enumerate(("blue", "green", "red")):
        (folder / name).mkdir(parents=True)
        for number in range(20):
            pixels = rng.integers(0, 160, (40, 40, 3), dtype=np.uint8)
            pixels[:, :, 2 - index] += 60
            Image.fromarray(pixels).save(folder / name / f"{number}.png")
    return folder


@pytest.fixture(scope="session")
def reviews(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty sentences of two classes."""
    path = tmp_path_factory.mktemp("data") / "reviews.csv"
    rng = np.random.default_rng(0)
    words = {"good": ["good", "great", "film"], "bad": ["bad", "awful", "movie"]}
    lines = ["text,label"]
    for number in range(60):
        label = "good" if number % 2 else "bad"
        lines.append(" ".join(rng.choice([*words[label], "the", "plot"], 6)) + f",{label}")
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A few tiny checkpoints of different families."""
    folder = tmp_path_factory.mktemp("checkpoints")
    names = ("resnet", "vit", "convnext", "bert", "distilbert")
    return {name: build_tiny_checkpoint(name, folder / name) for name in names}


@pytest.fixture(scope="session")
def registry(checkpoints: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A registry of all of them, made by the command."""
    path = tmp_path_factory.mktemp("registry") / "registry.json"
    add = Zoo(path.parent / "home")
    done = add("registry", "add", *checkpoints.values(), "--registry", path)
    assert done.code == 0, done.stderr
    return path


@pytest.fixture(scope="session")
def exported(
    checkpoints: dict[str, Path], photos: Path, reviews: Path, tmp_path_factory: Any
) -> Path:
    """One export of an image model and one of a text model, and the report of each."""
    place: Path = tmp_path_factory.mktemp("exported")
    run = Zoo(place / "home")
    for name, data in (("resnet", photos), ("bert", reviews)):
        done = run("export", checkpoints[name], "-o", place / name, "--data", data, "--json")
        assert done.code == 0, done.stderr
        (place / f"{name}.json").write_text(done.stdout)
    return place
