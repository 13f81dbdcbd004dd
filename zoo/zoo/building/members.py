"""The checkpoints of a recipe, looked at without their weights: configuration, headers, shapes."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from zoo.building.label_spaces import TeacherHead
from zoo.checkpoints import fitting_runtimes, guarded, locate
from zoo.errors import CheckpointError, InputError, unknown_name
from zoo.events import Listener, ignore
from zoo.hub import files as layout
from zoo.types.protocols import Describes
from zoo.types.runtimes import Head
from zoo.types.training import FeatureShape, StudentRequest, Trains

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zoo.building.recipe import Recipe, StudentChoice, TeacherChoice
    from zoo.catalogue import Catalogue
    from zoo.settings import Settings
    from zoo.types.model import Candidate, Checkpoint, ModelEntry
    from zoo.types.protocols import Source
    from zoo.types.runtimes import HeadKind
    from zoo.types.specs import RuntimeSpec

STUDENT, BASE = "student", "base"
#: Names that tables and results give to something else.
_TAKEN = frozenset({STUDENT, BASE, "teachers", "ensemble", "kd", "start", "joint"})
_ALIAS = re.compile(r"[A-Za-z0-9][\w.-]*")
_CONFIG = "config.json"


@dataclass(frozen=True, kw_only=True, eq=False)
class Member:
    """A checkpoint that takes part; no weight of it has been read.

    Attributes:
        alias: its short name; ``student`` and ``base`` for those.
        candidate: with the complete, pinned entry; what :meth:`zoo.types.protocols.Source.fetch`
            takes.
        described: its configuration and preprocessing, on this machine.
        runtime: what opens it.
        trains: that runtime.
        head: what its logits mean; None without a trained head.
        weights: whether there are weights to start from.
        layers: in the order of the forward pass, up to the tap that was asked for; empty where
            nobody has looked.
        parameters: number of weights, where it is known.
        download: bytes still to fetch.
    """

    alias: str
    candidate: Candidate
    source: Source
    described: Checkpoint
    runtime: RuntimeSpec
    trains: Trains
    head: Head | None = None
    weights: bool = True
    layers: tuple[FeatureShape, ...] = ()
    parameters: int | None = None
    download: int = 0

    @property
    def entry(self) -> ModelEntry:
        """What is known of it."""
        return self.candidate.entry

    @property
    def model(self) -> str:
        """Its reference."""
        return self.entry.ref


@dataclass(frozen=True, kw_only=True)
class Desk:
    """What looking at checkpoints needs."""

    recipe: Recipe
    settings: Settings
    catalogue: Catalogue
    on_event: Listener = ignore

    @property
    def base(self) -> Path:
        """Where relative paths of the recipe start."""
        return Path(self.recipe.folder) if self.recipe.folder else Path.cwd()


def look_at_teacher(desk: Desk, choice: TeacherChoice, alias: str) -> Member:
    """Find a teacher, its head and the runtime that trains with it.

    Raises:
        ZooError: it cannot be used, and why.
    """
    candidate, source = _located(desk, choice.model)
    candidate = msgspec.structs.replace(candidate, entry=source.inspect(candidate))
    return _member(desk, alias, candidate, source)


def look_at_student(desk: Desk, choice: StudentChoice) -> Member:
    """Find the student; a folder with only a ``config.json``, or that file, will do.

    Raises:
        ZooError: it cannot be used, and why.
    """
    model, alone = _folder_of(choice.model)
    candidate, source = _located(desk, model)
    wanted = "random" if alone and choice.initial == "auto" else choice.initial
    weights = wanted != "random"
    if weights:
        try:
            entry = source.inspect(candidate)
        except CheckpointError:
            if wanted == "pretrained" or _holds_weights(candidate):
                raise
            weights = False
    if not weights:
        if not isinstance(source, Describes):
            raise InputError(
                f"{choice.model}: its source brings nothing without the weights.",
                "--initial pretrained",
            )
        entry = source.describe(candidate).entry
    candidate = msgspec.structs.replace(candidate, entry=entry)
    return _member(desk, STUDENT, candidate, source, weights=weights)


def with_layers(
    member: Member, modality: str, *, tap: str = "auto", student: StudentRequest | None = None
) -> Member:
    """Add layers and parameters, from the configuration alone.

    Raises:
        UnknownNameError: it has no such tap.
        CheckpointError: the runtime cannot read the configuration.
    """
    with guarded(member.runtime, "name the layers of", member.model):
        found, parameters = member.trains.layers(member.described, modality, student)
    layers = tuple(found)
    names = [each.tap for each in layers]
    if tap != "auto":
        if tap not in names:
            raise unknown_name(f"tap of {member.alias}", tap, names, f"zoo taps {member.model}")
        layers = layers[: names.index(tap) + 1]
    return replace(member, layers=layers, parameters=parameters)


def aliases(teachers: Sequence[TeacherChoice]) -> tuple[list[str], list[InputError]]:
    """Give every teacher a short name, and say which of those that were typed will not do."""
    typed = Counter(each.alias for each in teachers if each.alias)
    problems = [
        InputError(
            f"{count} teachers are called {name!r}.", f"--teacher {name}-2=... for one of them."
        )
        for name, count in typed.items()
        if count > 1
    ]
    for name in typed:
        if not _ALIAS.fullmatch(name):
            problems.append(
                InputError(
                    f"{name!r} is no name for a teacher.",
                    "Write letters, digits, points, dashes and underscores: --teacher birds=MODEL",
                )
            )
        elif name in _TAKEN:
            problems.append(
                InputError(
                    f"a teacher cannot be called {name!r}: results have something else there.",
                    f"--teacher my-{name}=...",
                )
            )
    used = set(typed) | _TAKEN
    found = []
    for each in teachers:
        name = each.alias or _free_name(each.model, used)
        used.add(name)
        found.append(name)
    return found, problems


def head_of(member: Member) -> TeacherHead:
    """Describe what a teacher can say, for the label space."""
    head = member.head
    return TeacherHead(
        alias=member.alias,
        model=member.model,
        revision=member.entry.parsed.revision or "",
        labels=head.labels if head else (),
        kind=head.kind if head else "classification",
    )


def config_of(member: Member) -> dict[str, Any]:
    """Read the configuration; empty where there is none."""
    try:
        found = json.loads((Path(member.described.folder) / _CONFIG).read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _located(desk: Desk, model: str) -> tuple[Candidate, Source]:
    return locate(
        model,
        desk.settings,
        desk.catalogue,
        trust_remote_code=desk.recipe.trust_remote_code,
        base=desk.base,
        on_event=desk.on_event,
    )


def _member(
    desk: Desk, alias: str, candidate: Candidate, source: Source, *, weights: bool = True
) -> Member:
    if not isinstance(source, Describes):
        raise InputError(
            f"{candidate.model}: its source cannot show a configuration without the weights.",
            "zoo models pull MODEL, then name the folder.",
        )
    spec, trains = _trainer(candidate.entry, desk)
    described = source.describe(candidate)
    member = Member(
        alias=alias,
        candidate=candidate,
        source=source,
        described=described,
        runtime=spec,
        trains=trains,
        weights=weights,
        parameters=candidate.entry.parameters,
        download=source.missing_bytes(candidate) if weights else 0,
    )
    return replace(member, head=_head(member))


def _trainer(entry: ModelEntry, desk: Desk) -> tuple[RuntimeSpec, Trains]:
    """Find a runtime that opens the checkpoint for training.

    Raises:
        InputError: none does, or the one that was named does not.
    """
    for spec in fitting_runtimes(entry, entry.modality, desk.settings, desk.catalogue):
        runtime = desk.catalogue.create("runtime", spec.name)
        if isinstance(runtime, Trains):
            return spec, runtime
    if desk.settings.runtime != "auto":
        raise InputError(f"the runtime {desk.settings.runtime!r} does not train.", "Leave it out.")
    raise InputError(
        f"no runtime trains with {entry.ref} ({entry.library}).",
        "Name the checkpoint that it was exported from."
        if entry.library != "transformers"
        else "zoo plugins list --hook zoo_runtimes",
    )


def _head(member: Member) -> Head | None:
    width = member.entry.labels
    if not width:
        return None
    config = config_of(member)
    raw = config.get("id2label")
    try:
        names = {int(key): str(name) for key, name in raw.items()} if isinstance(raw, dict) else {}
    except ValueError as error:
        raise CheckpointError(
            f"{member.model}: id2label in its {_CONFIG} has a key that is no number.",
            "Number the classes from 0.",
        ) from error
    listed = config.get("label_names")
    if isinstance(listed, list) and not names:
        names = {number: str(name) for number, name in enumerate(listed)}
    labels = tuple(names.get(number, f"LABEL_{number}") for number in range(width))
    return Head(labels=labels, kind=_kind(config.get("problem_type"), width))


def _kind(problem: object, width: int) -> HeadKind:
    if problem == "multi_label_classification":
        return "multi-label"
    if problem == "regression" or (width == 1 and problem is None):
        return "regression"
    return "classification"


def _folder_of(model: str) -> tuple[str, bool]:
    """Give the folder of a configuration that was named by its file, and whether it was."""
    if not model.endswith(".json"):
        return model, False
    path = Path(model).expanduser()
    if path.name != _CONFIG:
        raise InputError(
            f"the student {model!r} is a file; a configuration is called {_CONFIG}.",
            f"--student FOLDER, with {_CONFIG} in it.",
        )
    folder = str(path.parent)
    return (folder if path.is_absolute() or folder.startswith((".", "~")) else f"./{folder}"), True


def _holds_weights(candidate: Candidate) -> bool:
    """Whether a folder has anything like weights, so that it is not a configuration alone."""
    folder = candidate.folder
    if folder is None:
        return True
    loaded = (".bin", ".pt", ".pth", ".pkl", ".ckpt")
    names = [path.name for path in folder.iterdir()] if folder.is_dir() else [""]
    return any(name.endswith(loaded) or layout.is_weights(name) for name in names)


def _free_name(model: str, used: set[str]) -> str:
    last = re.split(r"[/:]", model.partition("@")[0].partition("#")[0].rstrip("/"))[-1]
    name = re.sub(r"[^\w.-]+", "-", last).strip("-.") or "teacher"
    numbers = (f"{name}-{number}" for number in range(2, len(used) + 3))
    return next(each for each in (name, *numbers) if each not in used)
