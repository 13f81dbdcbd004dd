"""The Python API: the journeys of the command line as functions that return values."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from zoo.catalogue import Catalogue
from zoo.events import Listener, ignore
from zoo.host import PluginHost
from zoo.runs import Request, start_run
from zoo.settings import Settings, resolve
from zoo.types.protocols import ProbeOptions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from zoo.calibrating.fitting import CalibrationReport
    from zoo.outlines import Outline
    from zoo.pipeline import Prepared
    from zoo.prediction import Predictions
    from zoo.runs import Run
    from zoo.scoring import Scored
    from zoo.types.probe import Probe, Task
    from zoo.types.ranking import Ranking
    from zoo.types.runtimes import ExportReport, Precision


def recommend(
    data: str | Path,
    *,
    models: Sequence[str] = (),
    registry: str | Path = "",
    estimators: Sequence[str] = (),
    options: Mapping[str, Mapping[str, Any]] | None = None,
    layers: Literal["last", "all"] = "last",
    budget: float = 0.0,
    reference: str = "",
    label_encoders: Sequence[str] = (),
    pretext: str = "",
    finetune_top: int = 0,
    finetune_preset: Literal["paper", "balanced", "quick"] = "quick",
    probe: ProbeOptions | None = None,
    settings: Settings | None = None,
    on_event: Listener = ignore,
) -> Ranking:
    """Rank checkpoints for labelled data, without fine-tuning any of them before they are ranked.

    Args:
        data: an image folder, a file of texts, a data set folder or id; ``demo`` for the demo.
        models: references to rank; empty takes the registry.
        registry: a registry file; empty follows the search order.
        estimators: names, or ``all``; empty takes the default ones.
        options: estimator -> its options; those of a pretext by its name, too.
        layers: score the penultimate layer only, or every layer.
        budget: seconds to race within, on growing samples; 0 measures every model on all of them.
        reference: a model that some estimators compare the others with.
        label_encoders: names, or references of text checkpoints; empty takes the default ones.
        pretext: makes surrogate labels of images that have none; empty reads labels.
        finetune_top: how many leaders are fine-tuned afterwards, see ``Ranking.truth``.
        finetune_preset: of that.
        probe: how to read the data; guessed where it does not say.
        settings: how to run; read from file and environment when absent.
        on_event: is told what happens while it happens, from any thread.

    Returns:
        The ranking, with the failures of single models in it.

    Raises:
        ZooError: the question cannot be answered at all.
    """
    settings = settings or resolve().settings
    request = Request(
        data=str(data),
        probe=probe
        or ProbeOptions(
            samples=settings.probe_size or None, seed=settings.seed, offline=settings.offline
        ),
        folder=str(Path.cwd()),
        registry=str(registry),
        models=tuple(models),
        estimators=tuple(estimators),
        options={name: dict(each) for name, each in (options or {}).items()},
        layers=layers,
        budget=budget,
        reference=reference,
        label_encoders=tuple(label_encoders),
        pretext=pretext,
        finetune_top=finetune_top,
        finetune_preset=finetune_preset,
        permutations=settings.permutations,
        folds=settings.folds,
    )
    return execute(request, settings, open_catalogue(settings), on_event=on_event)


def score(
    source: str | Path | Mapping[str, npt.NDArray[Any]],
    estimators: Sequence[str] = (),
    *,
    options: Mapping[str, Mapping[str, Any]] | None = None,
    reference: str | Path | Mapping[str, npt.NDArray[Any]] | None = None,
    task: Task | None = None,
    settings: Settings | None = None,
) -> Scored:
    """Score features that you bring, as ``zoo score`` does.

    Args:
        source: an ``.npz`` file or its arrays: ``X`` (N, D) with ``y`` (N,) or ``Y`` (N, T).
        estimators: names; empty takes the default ones that do the task, ``all`` every one.
        options: estimator -> its options.
        reference: the same samples through another model: an ``.npz`` file or arrays with ``X``.
        task: overrides the guess.
        settings: permutations, folds and seed; read from file and environment when absent.

    Raises:
        InputError: the file, the arrays, a name or an option cannot be used.
    """
    from zoo.scoring import score_arrays

    settings = settings or resolve().settings
    return score_arrays(
        source,
        estimators,
        catalogue=open_catalogue(settings),
        options=options,
        reference=reference,
        task=task,
        permutations=settings.permutations,
        folds=settings.folds,
        seed=settings.seed,
    )


def export(
    model: str,
    folder: str | Path,
    *,
    precision: Precision = "fp32",
    taps: Sequence[str] = (),
    data: str | Path = "",
    probe: ProbeOptions | None = None,
    modality: str | None = None,
    tolerance: float | None = None,
    force: bool = False,
    settings: Settings | None = None,
    on_event: Listener = ignore,
) -> ExportReport:
    """Write a checkpoint that runs without its framework, compared with the original.

    Args:
        model: a reference, a folder or a name of the registry.
        folder: new or empty; nothing is left in it unless all went well.
        precision: of the weights and products.
        taps: names to expose beside the logits; empty exposes every one.
        data: real inputs to compare with and to calibrate with.
        probe: how to read the data; guessed where it does not say.
        modality: which side of a model that reads images and texts.
        tolerance: largest relative difference to accept.
        force: replace an earlier export.
        settings: how to run; read from file and environment when absent.
        on_event: is told what happens while it happens.

    Raises:
        InputError: the folder, the data, a tap or the runtime cannot be used.
        CheckpointError: it cannot be exported, or the export computes something else.
    """
    from zoo import exporting

    settings = settings or resolve().settings
    return exporting.export(
        model,
        folder,
        settings,
        open_catalogue(settings),
        precision=precision,
        taps=taps,
        data=str(data),
        probe=probe,
        modality=modality,
        tolerance=tolerance,
        force=force,
        on_event=on_event,
    )


def predict(
    model: str,
    data: str | Path,
    *,
    top: int = 1,
    batch: int = 0,
    probe: ProbeOptions | None = None,
    modality: str | None = None,
    calibration: bool = True,
    settings: Settings | None = None,
    on_event: Listener = ignore,
) -> Predictions:
    """Label data with a checkpoint's own head.

    Args:
        model: a reference, a folder, exported or not, or a name of the registry.
        data: an image, a folder of images, a file of texts, a table or a data set.
        top: labels to give for each input.
        batch: inputs of one forward pass; 0 takes what is comfortable.
        probe: how to read the data; guessed where it does not say.
        modality: what the model reads, where its entry does not say.
        calibration: use the one that :func:`calibrate` left in the model's folder.
        settings: how to run; read from file and environment when absent.
        on_event: is told what happens while it happens.

    Raises:
        InputError: the data cannot be read, or the device is not there.
        CheckpointError: the checkpoint cannot be used, or has no head.
    """
    from zoo import prediction

    settings = settings or resolve().settings
    return prediction.predict(
        model,
        str(data),
        settings,
        open_catalogue(settings),
        top=top,
        batch=batch,
        probe=probe,
        modality=modality,
        calibration=calibration,
        on_event=on_event,
    )


def calibrate(
    model: str | Path,
    data: str | Path,
    *,
    evaluation: str | Path = "",
    settings: Settings | None = None,
    **how: Any,
) -> CalibrationReport:
    """Make the probabilities of a classifier in a folder honest; its weights stay as they are.

    Args:
        model: the folder.
        data: images or texts without labels.
        evaluation: labelled data: one half chooses, the other judges.
        settings: how to run; read from file and environment when absent.
        **how: as :func:`zoo.calibrating.fitting.calibrate` takes it: ``method``, ``options``,
            ``samples``, ``batch``, ``probe``, ``modality`` and ``on_event``.

    Raises:
        InputError: folder, data, method, option or device cannot be used.
        CheckpointError: the checkpoint cannot be used, or has no head.
    """
    from zoo.calibrating import calibrate as fit

    settings = settings or resolve().settings
    return fit(model, data, settings, open_catalogue(settings), evaluation=evaluation, **how)


def taps(model: str, *, modality: str | None = None, settings: Settings | None = None) -> Outline:
    """Name the points of a checkpoint that can be read, with their shapes; no weight is needed.

    Args:
        model: a reference, a folder or a name of the registry.
        modality: which side of a model that reads images and texts.
        settings: how to run; read from file and environment when absent.

    Raises:
        InputError: no such model.
        CheckpointError: it cannot be read.
    """
    from zoo.outlines import outline

    settings = settings or resolve().settings
    return outline(model, settings, open_catalogue(settings), modality=modality)


def execute(
    request: Request, settings: Settings, catalogue: Catalogue, *, on_event: Listener = ignore
) -> Ranking:
    """Answer a request as a recorded run; an interruption leaves it resumable."""
    from zoo.pipeline import prepare

    prepared = prepare(request, settings, catalogue)
    run = start_run(settings.folder, request)
    return carry_out(run, prepared, settings, catalogue, on_event=on_event)


def carry_out(
    run: Run,
    prepared: Prepared,
    settings: Settings,
    catalogue: Catalogue,
    *,
    on_event: Listener = ignore,
) -> Ranking:
    """Do what a run asks for, or go on with it, and record the answer."""
    from zoo.pipeline import recommend as measure_and_rank

    run.mark("running")
    try:
        ranking = measure_and_rank(prepared, settings, catalogue, run=run.name, on_event=on_event)
        if prepared.request.finetune_top:
            from zoo.truth import find_truth

            run.mark("running", ranking)
            ranking = find_truth(run, ranking, prepared, settings, catalogue, on_event=on_event)
    except KeyboardInterrupt:
        run.mark("interrupted")
        raise
    except Exception:
        run.mark("failed")
        raise
    run.mark("done", ranking)
    return ranking


def load_probe(data: str | Path, *, settings: Settings | None = None, **options: Any) -> Probe:
    """Read labelled data as ``zoo probes show`` does.

    Args:
        data: as in :func:`recommend`.
        settings: read from file and environment when absent.
        **options: fields of :class:`zoo.types.ProbeOptions`.

    Raises:
        InputError: with what is wrong with the data, where, and what to do.
    """
    from zoo.probes import load

    settings = settings or resolve().settings
    defaults = {"samples": settings.probe_size, "seed": settings.seed, "offline": settings.offline}
    return load(str(data), ProbeOptions(**{**defaults, **options}), open_catalogue(settings))


def open_catalogue(settings: Settings) -> Catalogue:
    """Load the installed plugins."""
    host = PluginHost(strict=settings.strict, disabled=settings.disable_plugins).discover()
    return Catalogue(host)
