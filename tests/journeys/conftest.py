"""Whole commands in processes of their own, on tiny checkpoints and drawn data."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from zoo.testing.tiny_checkpoints import build_tiny_checkpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@dataclass(frozen=True)
class Outcome:
    code: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:
        return json.loads(self.stdout)


Fault = tuple[str, int, str]


class Forked:
    """The command again, in processes that need not import everything: see forking.py."""

    def __init__(self, folder: Path, python: str = sys.executable) -> None:
        self.folder, self.seconds = folder, 0.0
        clean = {name: each for name, each in os.environ.items() if not name.startswith("ZOO_")}
        own = {"ZOO_HOME": str(folder / "home"), "ZOO_JOBS": "1", "TOKENIZERS_PARALLELISM": "false"}
        self._server = subprocess.Popen(
            [python, str(Path(__file__).with_name("forking.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=clean | own,
        )

    def __call__(
        self,
        *arguments: object,
        cwd: Path | None = None,
        fault: Fault | None = None,
        code: str = "",
        environment: dict[str, str] | None = None,
    ) -> Outcome:
        """Run a command, or some code.

        Args:
            arguments: of the command.
            cwd: where it runs.
            environment: more variables, or others.
            fault: (``module:function``, n, signal): the n-th call sends the signal first.
            code: Python to run instead.
        """
        order = {
            "arguments": [str(each) for each in arguments],
            "folder": str(cwd or self.folder),
            "output": str(self.folder),
            "environment": environment or {},
            "fault": fault and dict(zip(("at", "call", "kind"), fault, strict=True)),
            "code": code,
        }
        assert self._server.stdin
        assert self._server.stdout
        self._server.stdin.write(json.dumps(order) + "\n")
        self._server.stdin.flush()
        status, seconds = self._server.stdout.readline().split()
        self.seconds += float(seconds)
        said = [(self.folder / name).read_text() for name in ("stdout", "stderr")]
        return Outcome(int(status), *said)

    def close(self) -> None:
        """End the server."""
        with self._server:  # closes its pipes, and waits for it
            pass


@dataclass(frozen=True)
class Zoo:
    """The command, with a store of its own and one worker."""

    home: Path
    forked: Forked

    def __call__(self, *arguments: object, cwd: Path | None = None) -> Outcome:
        """Run a command in a fork, which saves seconds of imports."""
        own = {"ZOO_HOME": str(self.home)}
        return self.forked(*arguments, cwd=cwd or self.home.parent, environment=own)

    def afresh(self, *arguments: object, **environment: str) -> Outcome:
        """Run a command as a person does, in a process that begins with nothing."""
        done = subprocess.run(
            self.command(*arguments),
            capture_output=True,
            text=True,
            check=False,
            env=self.environment(**environment),
            timeout=200,
        )
        return Outcome(done.returncode, done.stdout, done.stderr)

    def command(self, *arguments: object) -> list[str]:
        return [sys.executable, "-m", "zoo_cli", *(str(each) for each in arguments)]

    def environment(self, **more: str) -> dict[str, str]:
        return {**os.environ, "ZOO_HOME": str(self.home), "ZOO_JOBS": "1", **more}

    def copy(self, place: Path) -> Zoo:
        """Give another store that holds what this one holds now."""
        shutil.copytree(self.home, place)
        return Zoo(place, self.forked)


@pytest.fixture(scope="session")
def forked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forked]:
    made = Forked(tmp_path_factory.mktemp("forked"))
    yield made
    made.close()


@pytest.fixture
def zoo(tmp_path: Path, forked: Forked) -> Zoo:
    return Zoo(tmp_path / "home", forked)


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
def registry(
    checkpoints: dict[str, Path], forked: Forked, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A registry of all of them, made by the command."""
    path = tmp_path_factory.mktemp("registry") / "registry.json"
    add = Zoo(path.parent / "home", forked)
    done = add("registry", "add", *checkpoints.values(), "--registry", path)
    assert done.code == 0, done.stderr
    return path


@dataclass(frozen=True)
class Ranked:
    """Two finished runs on the photos, and their store: to be read, or copied and gone on with."""

    zoo: Zoo
    arguments: tuple[object, ...]
    cold: Outcome
    every_layer: Outcome
    page: Path


@pytest.fixture(scope="session")
def ranked(
    photos: Path, registry: Path, forked: Forked, tmp_path_factory: pytest.TempPathFactory
) -> Ranked:
    """The usual question with two workers, then every layer."""
    zoo = Zoo(tmp_path_factory.mktemp("ranked") / "home", forked)
    page = zoo.home.parent / "report.html"
    arguments = ("recommend", photos, "--registry", registry, "--offline", "--json")
    cold = zoo.afresh(*arguments, "--html", page, ZOO_JOBS="2")
    assert cold.code == 0, cold.stderr
    every = zoo(*arguments, "--layers", "all")
    assert every.code == 0, every.stderr
    return Ranked(zoo, arguments, cold, every, page)


@pytest.fixture
def warm(ranked: Ranked, tmp_path: Path) -> Zoo:
    """The command, with a copy of that store."""
    return ranked.zoo.copy(tmp_path / "warm")


@pytest.fixture(scope="session")
def exported(
    checkpoints: dict[str, Path], photos: Path, reviews: Path, forked: Forked, tmp_path_factory: Any
) -> Path:
    """One export of an image model and one of a text model, and the report of each."""
    place: Path = tmp_path_factory.mktemp("exported")
    run = Zoo(place / "home", forked)
    for name, data in (("resnet", photos), ("bert", reviews)):
        done = run("export", checkpoints[name], "-o", place / name, "--data", data, "--json")
        assert done.code == 0, done.stderr
        (place / f"{name}.json").write_text(done.stdout)
    return place


@dataclass(frozen=True)
class Bench:
    """A folder with little pictures, and the command that makes a student of two teachers."""

    folder: Path
    run: Forked

    def build(self, place: str, *more: object, fault: Fault | None = None) -> Outcome:
        """Run ``zoo amalgamate`` with the teachers, the student and the data that all use."""
        return self(
            *("amalgamate", "--teacher", "digits=embedded:resnet-digits-0-4"),
            *("--teacher", "parity=embedded:vit-digit-parity"),
            *("--student", "embedded:regnet-textures", "--data", "pictures"),
            *("--config", "often.yaml", "--batch", 16, "--epochs", 3),
            *("--yes", "-o", place, *more),
            fault=fault,
        )

    def __call__(self, *arguments: object, fault: Fault | None = None) -> Outcome:
        return self.run(*arguments, cwd=self.folder, fault=fault)

    def weights(self, place: str) -> bytes:
        return (self.folder / place / "model.safetensors").read_bytes()

    def losses(self, place: str) -> list[dict[str, Any]]:
        """Give the lines of the journal, without what is another every time: the speed."""
        lines = (self.folder / place / "training.jsonl").read_text().splitlines()
        found = [json.loads(line) for line in lines]
        return [{k: v for k, v in line.items() if k != "samples_per_second"} for line in found]


@pytest.fixture(scope="session")
def benches(forked: Forked, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Bench]:
    """Forty drawn pictures without labels, one that is none, a dozen with labels: a new folder."""

    def draw(path: Path, rng: np.random.Generator) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(0, 256, (8, 8), dtype=np.uint8)
        Image.fromarray(pixels).resize((32, 32)).save(path)

    def make() -> Bench:
        folder, rng = tmp_path_factory.mktemp("bench"), np.random.default_rng(0)
        for number in range(40):
            draw(folder / "pictures" / f"{number:02}.png", rng)
        (folder / "pictures" / "40.png").write_bytes(b"no picture")
        for number in range(12):
            draw(folder / "labelled" / str(number % 3) / f"{number}.png", rng)
        (folder / "often.yaml").write_text("schedule: {save_minutes: 0.000001}\n")
        return Bench(folder, forked)

    return make


@pytest.fixture(scope="module")
def bench(benches: Callable[[], Bench]) -> Bench:
    """A bench of the module's own: no folder that it writes is another's."""
    return benches()


@pytest.fixture(scope="session")
def shared_bench(benches: Callable[[], Bench]) -> Bench:
    """The bench of ``built``, for every module that compares with it."""
    return benches()


@pytest.fixture(scope="session")
def built(shared_bench: Bench) -> Outcome:
    """A student, built without any interruption in the folder ``built``."""
    done = shared_bench.build("built", "--views", 2, "--eval", "labelled")
    assert done.code == 0, done.stderr
    return done
