"""One checkpoint that a person named: where it is, which runtime opens it, and opening it here."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from zoo.errors import CheckpointError, InputError, PluginError, ZooError
from zoo.events import Event, Listener, ignore
from zoo.types.model import ModelEntry
from zoo.types.runtimes import OnDevice, RuntimeOptions

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from zoo.catalogue import Catalogue
    from zoo.settings import Settings
    from zoo.types.model import Candidate, Checkpoint
    from zoo.types.protocols import Source
    from zoo.types.runtimes import Backbone
    from zoo.types.specs import RuntimeSpec


def locate(
    model: str,
    settings: Settings,
    catalogue: Catalogue,
    *,
    trust_remote_code: Sequence[str] = (),
    base: Path | None = None,
    on_event: Listener = ignore,
) -> tuple[Candidate, Source]:
    """Find the checkpoint that a text means, in the registry or as a reference of its own.

    Relative folders start from ``base``, by default the working directory.

    Raises:
        InputError: nothing answers to it.
    """
    from zoo.plan import source_of
    from zoo.registry import answers, candidate_for, find_registry, load_registry
    from zoo.sources import open_sources

    registry = load_registry(find_registry(settings.registry))
    candidate = candidate_for(model, registry, base=base or Path.cwd())
    trusted = any(answers(candidate.entry, text) for text in trust_remote_code)
    candidate = msgspec.structs.replace(candidate, trust_remote_code=trusted)
    scheme = candidate.entry.parsed.source
    # The others may need packages that are not installed where models only predict.
    only = scheme if scheme in catalogue.provided("source") else ""
    return candidate, source_of(candidate, open_sources(catalogue, settings, on_event, only=only))


def inspected(candidate: Candidate, source: Source) -> Candidate:
    """Complete the entry of a candidate; no weight is read.

    Raises:
        PluginError: the source gives something else.
    """
    entry = source.inspect(candidate)
    if not isinstance(entry, ModelEntry):
        raise PluginError(
            f"{candidate.model}: its source gives {entry!r}, which is no ModelEntry.",
            f"zoo plugins show {candidate.entry.parsed.source} says whose it is.",
        )
    return msgspec.structs.replace(candidate, entry=entry)


def able_runtimes(
    entry: ModelEntry, modality: str | None, settings: Settings, catalogue: Catalogue
) -> list[RuntimeSpec]:
    """List the runtimes that open a checkpoint: the one a person named, or all that can."""
    library = entry.library or "transformers"
    if settings.runtime != "auto":
        spec: RuntimeSpec = catalogue.spec("runtime", settings.runtime)
        return [spec] if library in spec.libraries else []
    return [
        spec
        for spec in catalogue.specs("runtime").values()
        if library in spec.libraries and (modality is None or modality in spec.modalities)
    ]


def fitting_runtimes(
    entry: ModelEntry, modality: str | None, settings: Settings, catalogue: Catalogue
) -> list[RuntimeSpec]:
    """List the runtimes that open a checkpoint, as :func:`able_runtimes`; at least one.

    Raises:
        InputError: the one that was named cannot.
        CheckpointError: none can.
    """
    library = entry.library or "transformers"
    fitting = able_runtimes(entry, modality, settings, catalogue)
    if not fitting and settings.runtime != "auto":
        opens = catalogue.spec("runtime", settings.runtime).libraries
        raise InputError(
            f"the runtime {settings.runtime!r} does not open {library} checkpoints such as "
            f"{entry.ref}, but {', '.join(opens)}.",
            "Leave --runtime out.",
        )
    if not fitting:
        raise CheckpointError(
            f"no runtime opens {modality or 'such'} checkpoints of {library}: {entry.ref}.",
            "zoo plugins list --hook zoo_runtimes",
        )
    return fitting


def named_by_plugins(
    entry: ModelEntry, fitting: Sequence[RuntimeSpec], settings: Settings, catalogue: Catalogue
) -> RuntimeSpec | None:
    """Ask the plugins which of several runtimes to take."""
    if len(fitting) < 2:
        return None
    name = catalogue.host.first(
        "zoo_select_runtime", entry=entry, device=settings.device, available=tuple(fitting)
    )
    return next((spec for spec in fitting if spec.name == name), None)


def choose_runtime(
    entry: ModelEntry, modality: str | None, settings: Settings, catalogue: Catalogue
) -> RuntimeSpec:
    """Choose what opens a checkpoint: the person, then a plugin, then the first that can."""
    fitting = fitting_runtimes(entry, modality, settings, catalogue)
    return named_by_plugins(entry, fitting, settings, catalogue) or fitting[0]


@contextmanager
def opened(
    checkpoint: Checkpoint,
    spec: RuntimeSpec,
    runtime: Any,
    *,
    modality: str,
    settings: Settings,
    on_event: Listener = ignore,
) -> Iterator[tuple[Backbone, str]]:
    """Open a checkpoint in this process, for one block, and say on which device it runs.

    Raises:
        InputError: this machine has no such device.
        CheckpointError: with the reason and a hint; or it runs elsewhere than was asked for.
    """
    from zoo.engine.machine import usable_cores

    if settings.precision == "int8" and "precision" not in checkpoint.entry.tags:
        raise InputError(
            f"{checkpoint.model} does not run in int8, which exists only in an exported graph.",
            "zoo export MODEL -o DIR --precision int8, then use DIR.",
        )
    device = device_here(settings.device)
    options = RuntimeOptions(
        device=device,
        threads=settings.threads if settings.threads > 1 else settings.jobs or usable_cores(),
        precision=settings.precision,
        cache=str(graphs(settings)),
        extras={"modality": modality},
    )
    with guarded(spec, "open", checkpoint.model):
        backbone: Backbone = runtime.open(checkpoint, options)
    try:
        real = backbone.device if isinstance(backbone, OnDevice) else device
        if real == "cpu" and settings.device.startswith("cuda"):
            raise CheckpointError(
                f"the runtime {spec.name!r} runs {checkpoint.model} on cpu, not on {device}.",
                "--device cpu, or another --runtime.",
            )
        why = " (auto: no GPU found)" if settings.device == "auto" and device == "cpu" else ""
        numbers = checkpoint.entry.tags.get("precision", settings.precision)
        where = f"{spec.name} on {real}" + (f" in {numbers}" if numbers != "fp32" else "")
        on_event(Event(kind="note", message=f"{checkpoint.model}: {where}{why}"))
        yield backbone, real
    finally:
        backbone.close()


@contextmanager
def guarded(spec: RuntimeSpec, doing: str, model: str) -> Iterator[None]:
    """Turn whatever a runtime raises beyond its contract into one sentence."""
    try:
        yield
    except (ZooError, MemoryError):
        raise
    except Exception as error:
        said = (str(error).strip().splitlines() or [""])[0].rstrip(".")
        why = f"{type(error).__name__}: {said}" if said else type(error).__name__
        raise PluginError(
            f"the runtime {spec.name!r} failed to {doing} {model} ({why}).",
            "zoo plugins check tells whether it keeps its promises; ZOO_DEBUG=1 shows where.",
        ) from error


def graphs(settings: Settings) -> Path:
    """Where runtimes keep what is costly to make."""
    return settings.folder / "graphs"


def device_here(text: str) -> str:
    """Choose the device, importing a framework to count GPUs only where there may be one."""
    from zoo.engine.devices import check_device, choose_devices
    from zoo.engine.machine import may_have_gpu

    name = check_device(text)
    if name == "cpu" or not may_have_gpu():
        return choose_devices(name, 0)[0]
    if name != "auto":
        return name
    from zoo.engine.worker import find_gpus

    return choose_devices(name, find_gpus(None))[0]
