"""Runs: what was asked and what came out, kept so that it can be resumed, shown and compared."""

from __future__ import annotations

import secrets
import shutil
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec

from zoo.errors import InputError, ZooError, unknown_name
from zoo.files import write_atomically
from zoo.types.protocols import ProbeOptions
from zoo.types.ranking import Ranking

RunState = Literal["running", "done", "interrupted", "failed", "damaged"]
T = TypeVar("T")


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """The question: everything that decides what ``zoo recommend`` does, and nothing else.

    Attributes:
        data: what the person typed; ``demo`` for the embedded data.
        probe: how to read it.
        folder: working directory that relative paths start from.
        registry: registry file; empty follows the search order.
        models: ``-m`` references; empty takes every entry of the registry.
        estimators: names; empty takes the default ones.
        options: estimator -> its options.
        layers: score the penultimate layer only, or every layer.
        permutations: shuffled label sets of the null; the seed is the probe's.
        folds: folds of the jack-knife.
        max_size: bytes of a checkpoint.
        licenses: licences to keep; empty keeps all.
        budget: seconds to race within, on growing samples; 0 measures everybody on all of them.
        trust_remote_code: references that may run their own code.
        label_encoders: names, or references of text checkpoints; empty takes the default ones.
        reference: the model that estimators compare with; empty for none.
        pretext: makes labels of its own, where the data has none; empty where it has.
        finetune_top: how many leaders are fine-tuned on the same data, once they are ranked.
        finetune_preset: of that fine-tuning.
    """

    data: str
    probe: ProbeOptions = ProbeOptions()
    folder: str = ""
    registry: str = ""
    models: tuple[str, ...] = ()
    estimators: tuple[str, ...] = ()
    options: dict[str, dict[str, Any]] = {}
    layers: Literal["last", "all"] = "last"
    permutations: int = 50
    folds: int = 10
    max_size: int | None = None
    licenses: tuple[str, ...] = ()
    budget: float = 0.0
    trust_remote_code: tuple[str, ...] = ()
    label_encoders: tuple[str, ...] = ()
    reference: str = ""
    pretext: str = ""
    finetune_top: int = 0
    finetune_preset: str = "quick"


class RunInfo(msgspec.Struct, frozen=True, kw_only=True):
    """One line of ``zoo runs list``."""

    run: str
    state: RunState
    started: str
    data: str
    models: int = 0
    leader: str = ""


class Run:
    """A folder with ``request.json``, ``state.json`` and, once there is one, ``ranking.json``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def name(self) -> str:
        """``2026-11-20-a1f3``."""
        return self.folder.name

    @property
    def request(self) -> Request:
        """What was asked."""
        return self._read("request.json", Request)

    @property
    def ranking(self) -> Ranking | None:
        """What came out, or None."""
        if not (self.folder / "ranking.json").exists():
            return None
        return self._read("ranking.json", Ranking)

    def require_ranking(self) -> Ranking:
        """Give what came out.

        Raises:
            InputError: nothing has come out yet, or it is gone.
        """
        ranking = self.ranking
        if ranking is not None:
            return ranking
        if self.info.state == "done":
            raise InputError(
                f"run {self.name} is done, and its ranking is gone.", f"zoo runs rerun {self.name}"
            )
        raise InputError(
            f"run {self.name} has no ranking yet: it is {self.info.state}.",
            f"zoo recommend --resume {self.name}",
        )

    @property
    def info(self) -> RunInfo:
        """State and leader, for a list."""
        try:
            return self._read("state.json", RunInfo)
        except InputError:
            return RunInfo(run=self.name, state="damaged", started=self.name[:10], data="")

    def mark(self, state: RunState, ranking: Ranking | None = None) -> None:
        """Record how the run stands; the ranking is written before the state that announces it."""
        info = msgspec.structs.replace(self.info, state=state)
        if ranking is not None:
            write_atomically(self.folder / "ranking.json", msgspec.json.encode(ranking))
            leader = ranking.ranking[0].model if ranking.ranking else ""
            info = msgspec.structs.replace(info, models=len(ranking.ranking), leader=leader)
        write_atomically(self.folder / "state.json", msgspec.json.encode(info))

    def _read(self, name: str, kind: type[T]) -> T:
        try:
            return msgspec.json.decode((self.folder / name).read_bytes(), type=kind)
        except (OSError, msgspec.DecodeError) as error:
            raise InputError(
                f"{name} of run {self.name} cannot be read: {error}.",
                f"zoo runs remove {self.name}",
            ) from error

    def remove(self) -> None:
        """Delete the run; features and scores stay in the store."""
        shutil.rmtree(self.folder)


def start_run(home: Path, request: Request) -> Run:
    """Make the folder of a new run; it appears complete or not at all.

    Raises:
        ZooError: nothing can be written there.
    """
    now = datetime.now(UTC)
    runs = home / "runs"
    while True:
        run = Run(runs / f"{now:%Y-%m-%d}-{secrets.token_hex(2)}")
        try:
            runs.mkdir(parents=True, exist_ok=True)
            building = Path(tempfile.mkdtemp(prefix=".new-", dir=runs))
        except OSError as error:
            raise ZooError(
                f"runs cannot be kept in {runs}: {error.strerror}.",
                "Name a folder that can be written with ZOO_HOME.",
            ) from error
        (building / "request.json").write_bytes(msgspec.json.encode(request))
        info = RunInfo(
            run=run.name,
            state="running",
            started=now.isoformat(timespec="seconds"),
            data=request.data,
        )
        (building / "state.json").write_bytes(msgspec.json.encode(info))
        try:
            building.rename(run.folder)
        except OSError:  # the name is taken: draw another
            shutil.rmtree(building)
            if not run.folder.exists():
                raise
            continue
        return run


def list_runs(home: Path) -> list[Run]:
    """Every run, newest first."""
    folders = [each for each in (home / "runs").glob("[0-9]*") if (each / "request.json").exists()]
    return [Run(each) for each in sorted(folders, key=_started, reverse=True)]


def find_run(home: Path, name: str) -> Run:
    """Find a run by its name, or by the last letters of it.

    Raises:
        InputError: no run or several runs answer to the name.
    """
    runs = {run.name: run for run in list_runs(home)}
    if name in runs:
        return runs[name]
    found = [run for run in runs.values() if name and run.name.endswith(name)]
    if len(found) > 1:
        listed = ", ".join(run.name for run in found)
        raise InputError(f"{name!r} could be any of the runs {listed}.", "Type the whole name.")
    if not found:
        raise unknown_name("run", name, runs, "zoo runs list")
    return found[0]


def newest_run(home: Path) -> Run:
    """Give the run that was begun last.

    Raises:
        InputError: there is none.
    """
    runs = list_runs(home)
    if not runs:
        raise InputError("there is no run yet.", "zoo recommend --demo makes the first one.")
    return runs[0]


def _started(folder: Path) -> tuple[str, float]:
    return folder.name[:10], (folder / "request.json").stat().st_mtime
