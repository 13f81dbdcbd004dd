"""The Python API of what makes models: amalgamation, distillation, fine-tuning, and going on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from zoo.api import open_catalogue
from zoo.events import Listener, ignore
from zoo.settings import Settings, resolve

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zoo.types.built import BuiltModel

Preset = Literal["paper", "balanced", "quick"]


def amalgamate(
    teachers: Mapping[str, str] | Sequence[str],
    student: str | Path,
    data: str | Path,
    folder: str | Path,
    *,
    method: str = "auto",
    preset: Preset | None = None,
    evaluation: str | Path = "",
    options: Mapping[str, Any] | None = None,
    config: str | Path | None = None,
    settings: Settings | None = None,
    on_event: Listener = ignore,
    **recipe: Any,
) -> BuiltModel:
    """Make one student of several teachers, from data without labels.

    Args:
        teachers: alias -> reference, folder or name of the registry; or a sequence of these.
        student: what is trained; empty for methods that only merge weights.
        data: images or texts without labels.
        folder: new or empty; nothing is left in it unless there is something to resume.
        method: name of an amalgamator; ``auto`` takes what fits.
        preset: fills what nothing else says; ``balanced`` unless the file says another.
        evaluation: labelled data to judge by.
        options: of the method.
        config: a ``run.yaml``, whole or a few keys; what is given here wins.
        settings: how to run; read from file and environment when absent.
        on_event: is told what happens while it happens.
        **recipe: further keys of the recipe, such as ``epochs=5`` or ``label_map="union"``.

    Returns:
        The model with its metrics; or, where it was interrupted, as far as it came.

    Raises:
        Problems: everything that can be known to be wrong before a weight is fetched.
        ZooError: what went wrong later.
    """
    flags = _said(
        "amalgamate",
        teachers,
        student=student,
        data=data,
        method=method,
        preset=preset,
        evaluation=evaluation,
        options=dict(options or {}),
    )
    return _make(flags | recipe, folder, config, settings, on_event)


def distill(
    teachers: Mapping[str, str] | Sequence[str],
    student: str | Path,
    data: str | Path,
    folder: str | Path,
    *,
    method: str = "auto",
    labels: bool = False,
    preset: Preset | None = None,
    evaluation: str | Path = "",
    options: Mapping[str, Mapping[str, Any]] | None = None,
    calibrate: str = "",
    config: str | Path | None = None,
    settings: Settings | None = None,
    on_event: Listener = ignore,
    **recipe: Any,
) -> BuiltModel:
    """Move what teachers know into a student of any architecture.

    Args:
        teachers: alias -> reference, folder or name of the registry; or a sequence of these.
        student: what is trained.
        data: images or texts; their labels are looked at with ``labels`` alone.
        folder: new or empty; nothing is left in it unless there is something to resume.
        method: names of methods that add up, each with a weight where it is to have another than
            its own, ``kd,rkd,hkd:3``; ``auto`` takes what fits.
        labels: learn the labels of the data, too.
        preset: fills what nothing else says; ``balanced`` unless the file says another.
        evaluation: labelled data to judge by.
        options: method -> its options; those of the calibrator by its name, too.
        calibrate: name of what makes the finished model's probabilities honest.
        config: a ``run.yaml``, whole or a few keys; what is given here wins.
        settings: how to run; read from file and environment when absent.
        on_event: is told what happens while it happens.
        **recipe: further keys of the recipe, such as ``epochs=5`` or ``temperature=2.0``.

    Returns:
        The model with its metrics; or, where it was interrupted, as far as it came.

    Raises:
        Problems: everything that can be known to be wrong before a weight is fetched.
        ZooError: what went wrong later.
    """
    flags = _said(
        "distill",
        teachers,
        student=student,
        data=data,
        method=method,
        labelled=labels,
        preset=preset,
        evaluation=evaluation,
        options={name: dict(each) for name, each in (options or {}).items()},
        calibrate=calibrate,
    )
    return _make(flags | recipe, folder, config, settings, on_event)


def finetune(
    model: str | Path,
    data: str | Path,
    folder: str | Path,
    *,
    method: str = "auto",
    head: Literal["auto", "keep", "new"] = "auto",
    preset: Preset | None = None,
    evaluation: str | Path = "",
    options: Mapping[str, Mapping[str, Any]] | None = None,
    calibrate: str = "",
    config: str | Path | None = None,
    settings: Settings | None = None,
    on_event: Listener = ignore,
    **recipe: Any,
) -> BuiltModel:
    """Train a model on, with the labels of the data.

    Args:
        model: what is trained.
        data: labelled images or texts.
        folder: new or empty; nothing is left in it unless there is something to resume.
        method: names of methods that need no teacher, beside the labels.
        head: ``auto`` keeps the trained head where its labels are the classes of the data.
        preset: fills what nothing else says; ``balanced`` unless the file says another.
        evaluation: labelled data to judge by; a tenth of the data is held out without it.
        options: method -> its options; those of the calibrator by its name, too.
        calibrate: name of what makes the finished model's probabilities honest.
        config: a ``run.yaml``, whole or a few keys; what is given here wins.
        settings: how to run; read from file and environment when absent.
        on_event: is told what happens while it happens.
        **recipe: further keys of the recipe, such as ``epochs=5`` or ``samples=500``.

    Returns:
        The model with its metrics, of ``start`` too where its head was kept; or, where it was
        interrupted, as far as it came.

    Raises:
        Problems: everything that can be known to be wrong before a weight is fetched.
        ZooError: what went wrong later.
    """
    flags = _said(
        "finetune",
        student=model,
        data=data,
        method=method,
        head=head,
        preset=preset,
        evaluation=evaluation,
        options={name: dict(each) for name, each in (options or {}).items()},
        calibrate=calibrate,
    )
    return _make(flags | recipe, folder, config, settings, on_event)


def resume(
    folder: str | Path, *, settings: Settings | None = None, on_event: Listener = ignore
) -> BuiltModel:
    """Go on with a model whose making was interrupted.

    Args:
        folder: as it was given to what began it, such as :func:`distill`.
        settings: how to run; read from file and environment when absent.
        on_event: is told what happens while it happens.

    Raises:
        InputError: nothing was interrupted there, or what it is made of is not what it was.
        ZooError: what went wrong.
    """
    from zoo.building.journey import resume as go_on

    settings = settings or resolve().settings
    return go_on(folder, settings, open_catalogue(settings), on_event=on_event)


def _said(
    command: str, teachers: Mapping[str, str] | Sequence[str] = (), **given: Any
) -> dict[str, Any]:
    """Leave out what was not said, which a file may say."""
    named = [*teachers]
    if isinstance(teachers, Mapping):
        named = [f"{alias}={model}" for alias, model in teachers.items()]
    said = {
        name: str(value) if isinstance(value, Path) else value
        for name, value in {"teachers": named, **given}.items()
        if value and value != "auto"
    }
    return {"command": command, **said}


def _make(
    flags: Mapping[str, Any],
    folder: str | Path,
    config: str | Path | None,
    settings: Settings | None,
    on_event: Listener,
) -> BuiltModel:
    """Settle the recipe and carry it out."""
    from zoo.building.journey import build
    from zoo.building.preflight import prepare
    from zoo.building.recipes import assemble

    settings = settings or resolve().settings
    assembled = assemble(flags, Path(config) if config else None)
    catalogue = open_catalogue(settings)
    prepared = prepare(
        assembled.recipe,
        settings,
        catalogue,
        place=Path(folder).expanduser(),
        on_event=on_event,
        free=assembled.free,
    )
    return build(prepared, folder, settings, catalogue, on_event=on_event)
