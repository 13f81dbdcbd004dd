"""A checkpoint with gradients, and a calibrator that is kept to its side of the contract."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from zoo.checkpoints import device_here, fitting_runtimes, graphs, guarded
from zoo.errors import InputError, OutOfMemoryError, PluginError, ZooError
from zoo.types.runtimes import RuntimeOptions
from zoo.types.training import Trains

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt
    from torch import Tensor

    from zoo.catalogue import Catalogue
    from zoo.settings import Settings
    from zoo.types.model import Checkpoint, ModelEntry
    from zoo.types.specs import CalibratorSpec, RuntimeSpec
    from zoo.types.training import TrainableNetwork


def gradient_runtime(
    entry: ModelEntry, modality: str | None, settings: Settings, catalogue: Catalogue
) -> tuple[RuntimeSpec, Trains]:
    """Find what opens a checkpoint with gradients.

    Raises:
        InputError: nothing does, or what was named does not.
        CheckpointError: nothing opens it at all.
    """
    for spec in fitting_runtimes(entry, modality, settings, catalogue):
        runtime = catalogue.create("runtime", spec.name)
        if isinstance(runtime, Trains):
            return spec, runtime
    named = settings.runtime != "auto"
    who = f"the runtime {settings.runtime!r} computes no" if named else "nothing here computes"
    exported = entry.library != "transformers"
    raise InputError(
        f"{who} gradients of {entry.ref}{f' ({entry.library})' if exported else ''}, which a "
        "calibration needs.",
        "Leave --runtime out."
        if named
        else "Name the checkpoint that it was exported from."
        if exported
        else "zoo plugins list --hook zoo_runtimes",
    )


def open_network(
    checkpoint: Checkpoint, spec: RuntimeSpec, runtime: Trains, modality: str, settings: Settings
) -> tuple[TrainableNetwork, str]:
    """Open it frozen, in eval mode and float32, and say on which device.

    Raises:
        InputError: this machine has no such device.
        CheckpointError: with the reason and a hint.
    """
    from zoo.engine.machine import usable_cores

    device = device_here(settings.device)
    options = RuntimeOptions(
        device=device,
        threads=settings.threads if settings.threads > 1 else settings.jobs or usable_cores(),
        cache=str(graphs(settings)),
        extras={"modality": modality},
    )
    with guarded(spec, "open", checkpoint.model):
        return runtime.open_teacher(checkpoint, options, modality), device


@contextmanager
def kept_to(spec: CalibratorSpec, model: str) -> Iterator[None]:
    """Turn whatever a calibrator raises beyond its contract into one sentence."""
    import torch

    try:
        yield
    except ZooError:
        raise
    except (MemoryError, torch.OutOfMemoryError) as error:
        raise _too_large(model) from error
    except Exception as error:
        if "allocate memory" in str(error):  # how the allocator of the cpu says it
            raise _too_large(model) from error
        said = (str(error).strip().splitlines() or [""])[0].rstrip(".")
        raise PluginError(
            f"the calibrator {spec.name!r} failed on {model} ({type(error).__name__}: {said}).",
            "ZOO_DEBUG=1 shows where; another --method.",
        ) from error


def rows_of(found: Tensor, shape: tuple[int, int], spec: CalibratorSpec) -> npt.NDArray[Any]:
    """Check (B, C) probabilities of a calibrator: float64, each finite row sums to one.

    Raises:
        PluginError: they are something else.
    """
    import numpy as np

    rows = found.detach().cpu().double().numpy()
    if rows.shape != shape:
        raise PluginError(
            f"the calibrator {spec.name!r} gave probabilities of shape {rows.shape}, not {shape}."
        )
    sums = rows[np.isfinite(rows).all(axis=1)].sum(axis=1)
    if not np.allclose(sums, 1, atol=1e-4):
        raise PluginError(f"the calibrator {spec.name!r} gave rows that do not sum to one.")
    return rows


def _too_large(model: str) -> OutOfMemoryError:
    return OutOfMemoryError(
        f"calibrating {model} needs more memory than there is.", "--batch 4, or --set size=500"
    )
