"""The folder that a model is built in: claimed, held by one process, resumed or left without trace.

While it is built, everything unfinished lies in its ``training`` folder.
"""

from __future__ import annotations

import errno
import os
import shutil
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, Self

import msgspec

from zoo.building.manifest import Manifest, differences, version_notes
from zoo.building.recipe import Recipe
from zoo.building.recipes import load_recipe, to_yaml
from zoo.errors import InputError, ZooError
from zoo.files import write_atomically

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

#: How far a build has come, in this order.
Phase = Literal["started", "observed", "trained", "judged", "publishing", "published"]

TRAINING, TEACHERS, ANSWERS = "training", "teachers", "answers"
RECIPE = "run.yaml"
_STATE = "state.json"
_LOCK = "lock"
_ORDER: tuple[Phase, ...] = (
    "started",
    "observed",
    "trained",
    "judged",
    "publishing",
    "published",
)


class State(msgspec.Struct, frozen=True, kw_only=True):
    """What ``training/state.json`` says.

    Attributes:
        phase: what is done.
        started: UTC, ISO 8601, to the second.
        recipe: what is built; ``run.yaml`` is its copy for people.
        manifest: what it is built from.
    """

    phase: Phase
    started: str
    recipe: Recipe
    manifest: Manifest
    schema_version: int = 1


@dataclass(kw_only=True)
class Work:
    """A build that this process holds. As a context it lets go, and tidies up after a failure.

    Attributes:
        folder: the output folder.
        typed: as the person wrote it.
        state: as it is on the disk.
        made: the topmost folder that did not exist before; None for a resumed one.
        resumed: it was here before: whatever happens, it stays.
    """

    folder: Path
    typed: str
    state: State
    made: Path | None = None
    resumed: bool = False
    _lock: Any = field(default=None, repr=False)

    @property
    def training(self) -> Path:
        """Where everything unfinished lies."""
        return self.folder / TRAINING

    @property
    def checkpoints(self) -> Path:
        """Where the loop keeps its checkpoints."""
        return self.training / "checkpoints"

    @property
    def teachers(self) -> Path:
        """Where the outputs of the teachers are cached."""
        return self.training / TEACHERS

    @property
    def journal(self) -> Path:
        """The losses, one JSON object a line."""
        return self.training / "training.jsonl"

    @property
    def recipe(self) -> Recipe:
        """What is built."""
        return self.state.recipe

    @property
    def phase(self) -> Phase:
        """What is done."""
        return self.state.phase

    def reached(self, phase: Phase) -> bool:
        """Whether a phase is behind us."""
        return _ORDER.index(self.phase) >= _ORDER.index(phase)

    def mark(self, phase: Phase) -> None:
        """Record that a phase is done, durably."""
        self._record(msgspec.structs.replace(self.state, phase=phase))

    def check_manifest(self, current: Manifest) -> tuple[str, ...]:
        """Compare what is there now with what the build began with.

        Returns:
            What a person should know although it goes on: other versions of libraries.

        Raises:
            InputError: other teachers, another student or changed data.
        """
        found = differences(self.state.manifest, current)
        if found:
            raise InputError(
                f"{self.typed!r} cannot go on: {'; '.join(found)}.",
                "Put back what it began with, or start anew: "
                f"zoo {self.recipe.command} ... -o NEW-FOLDER",
            )
        return version_notes(self.state.manifest, current)

    def close(self) -> None:
        """Let other processes have it."""
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def discard(self) -> None:
        """Remove everything that the build has written, and the folders that it made."""
        self.close()
        shutil.rmtree(self.training, ignore_errors=True)
        (self.folder / RECIPE).unlink(missing_ok=True)
        if self.made is None:
            return
        folder = self.folder
        with suppress(OSError):  # somebody else has put something there
            while folder != self.made.parent:
                folder.rmdir()
                folder = folder.parent

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        del error, trace
        interrupted = kind is not None and not issubclass(kind, Exception)
        if kind is not None and not self.resumed and not self._resumable(cached=interrupted):
            self.discard()
        self.close()

    def _resumable(self, *, cached: bool) -> bool:
        """Whether there is work to go on from: a checkpoint, or what teachers said if it counts."""
        said = (self.teachers, self.training / ANSWERS) if cached else ()
        places = (self.checkpoints, *said)
        return self.reached("trained") or any(_holds_files(place) for place in places)

    def _record(self, state: State) -> None:
        write_atomically(self.training / _STATE, msgspec.json.encode(state))
        self.state = state


def check_place(place: Path, typed: str) -> None:
    """Find out, before the work, that a model may be built there.

    Args:
        place: the folder.
        typed: as the person wrote it.

    Raises:
        InputError: it may not, and what to do.
    """
    if place.is_dir():
        _check_folder(place, typed)
        return
    if place.exists() or place.is_symlink():
        raise InputError(f"{typed!r} is a file, not a folder.", "-o NEW-FOLDER")
    above = next(folder for folder in place.absolute().parents if folder.exists())
    if not above.is_dir():
        raise InputError(f"{typed!r} cannot be made: {above} is a file.", "-o NEW-FOLDER")
    if not os.access(above, os.W_OK):
        raise InputError(f"{typed!r} cannot be made: nothing may be written in {above}.")


def start(place: Path, typed: str, recipe: Recipe, manifest: Manifest) -> Work:
    """Claim a new or empty folder.

    Raises:
        InputError: as :func:`check_place`, or another process was faster.
        ZooError: nothing can be written there.
    """
    check_place(place, typed)
    place = place.absolute()
    made = _topmost_missing(place)
    state = State(
        phase="started",
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        recipe=recipe,
        manifest=manifest,
    )
    work = Work(folder=place, typed=typed, state=state, made=made)
    try:
        work.training.mkdir(parents=True, exist_ok=True)
        work._lock = _acquired(work.training, typed)  # noqa: SLF001 -- made here
        check_place(place, typed)  # somebody may have been faster
        work.mark("started")
        write_atomically(place / RECIPE, to_yaml(recipe).encode())
    except OSError as error:
        work.discard()
        raise ZooError(
            f"{typed!r} cannot be written: {error.strerror or error}.", "-o NEW-FOLDER"
        ) from error
    return work


def open_unfinished(place: Path, typed: str) -> Work:
    """Hold a build again that was interrupted.

    Raises:
        InputError: there is none, it is finished, it is damaged, or another process holds it.
    """
    place = place.absolute()
    if not place.is_dir():
        what = "is a file, not a folder" if place.exists() else "does not exist"
        raise InputError(f"{typed!r} {what}.", "zoo resume FOLDER, as it was given to -o.")
    path = place / TRAINING / _STATE
    if not path.is_file():
        raise InputError(*_nothing_to_resume(place, typed))
    lock = _acquired(path.parent, typed)
    try:
        state = _read(path, typed)
    except InputError:
        lock.release()
        raise
    work = Work(folder=place, typed=typed, state=state, resumed=True, _lock=lock)
    if state.phase == "published":
        clear_training(work)
        raise InputError(f"{typed!r} is finished already.", f"zoo predict {typed} DATA")
    return work


def clear_training(work: Work) -> None:
    """Remove the unfinished things of a published model, its state last."""
    work.close()
    for path in sorted(work.training.iterdir()):
        if path.name == _STATE:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    (work.training / _STATE).unlink()
    work.training.rmdir()


def _check_folder(place: Path, typed: str) -> None:
    if (place / TRAINING / _STATE).exists():
        try:
            finished = _read(place / TRAINING / _STATE, typed).phase == "published"
        except InputError:
            finished = False
        if not finished:
            raise InputError(
                f"{typed!r} holds an unfinished run.",
                f"zoo resume {typed} goes on with it; -o NEW-FOLDER begins another.",
            )
    if (place / "config.json").exists():
        raise InputError(f"{typed!r} holds a finished model.", "-o NEW-FOLDER")
    strangers = sorted(path.name for path in place.iterdir() if not _is_remains(path))
    if strangers:
        raise InputError(f"the folder {typed!r} holds other things ({strangers[0]}).", "-o NEW")
    if not os.access(place, os.W_OK):
        raise InputError(f"nothing may be written in {typed!r}.", "-o NEW-FOLDER")


def _is_remains(path: Path) -> bool:
    """Whether a process that was killed as it claimed the folder left this behind."""
    if path.name != TRAINING or not path.is_dir():
        return False
    return all(each.name == _LOCK or each.name.startswith(".state-") for each in path.iterdir())


def _left_to_do(place: Path, typed: str) -> str:
    """Say what a recipe wanted beside the model and nobody made, if it was interrupted there."""
    try:
        recipe = load_recipe(place / RECIPE)
    except InputError:
        return f"zoo predict {typed} DATA"
    if recipe.onnx and not (place / "onnx").exists():
        return f"Its graph is missing: zoo export ./{typed} -o {typed}/onnx"
    if recipe.calibrate and not (place / "calibration.json").exists():
        return f"It is not calibrated: zoo calibrate ./{typed} --data DATA"
    return f"zoo predict {typed} DATA"


def _nothing_to_resume(place: Path, typed: str) -> tuple[str, str]:
    if (place / "config.json").exists():
        return f"{typed!r} is finished already.", _left_to_do(place, typed)
    return (
        f"{typed!r} holds no run: it has no {TRAINING}/{_STATE}.",
        "zoo resume FOLDER, as it was given to -o.",
    )


def _read(path: Path, typed: str) -> State:
    try:
        return msgspec.json.decode(path.read_bytes(), type=State)
    except (OSError, msgspec.MsgspecError) as error:
        raise InputError(
            f"{typed!r} is damaged: {TRAINING}/{_STATE} cannot be read ({error}).",
            "Remove the folder, and begin again with the recipe in its run.yaml.",
        ) from error


def _acquired(training: Path, typed: str) -> Any:
    """Hold the lock; a killed holder has let go.

    Raises:
        InputError: another process holds it.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(training / _LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise InputError(
            f"another process is building in {typed!r}.", "Wait for it, or stop it first."
        ) from None
    except OSError as error:
        if error.errno not in {errno.EACCES, errno.EROFS}:
            raise
        raise InputError(f"nothing may be written in {typed!r}: {error.strerror}.") from error
    return lock


def _topmost_missing(place: Path) -> Path | None:
    missing = None
    for folder in (place, *place.parents):
        if folder.exists():
            break
        missing = folder
    return missing


def _holds_files(folder: Path) -> bool:
    return folder.is_dir() and any(path.is_file() for path in folder.rglob("*"))
