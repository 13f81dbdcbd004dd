"""Write a checkpoint in a runtime's own format, compared with the original; whole or not at all."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from zoo.appearing import appearing
from zoo.checkpoints import fitting_runtimes, graphs, guarded, inspected, locate
from zoo.errors import InputError, PluginError
from zoo.events import Event, Listener, ignore
from zoo.hub.exported import MANIFEST, Manifest
from zoo.probes.decoding import decode
from zoo.probes.unlabelled import read_inputs
from zoo.types.probe import ImageInput
from zoo.types.runtimes import ExportReport, ExportRequest, Exports

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zoo.catalogue import Catalogue
    from zoo.probes.unlabelled import Inputs
    from zoo.settings import Settings
    from zoo.types.model import ModelEntry
    from zoo.types.protocols import ProbeOptions
    from zoo.types.runtimes import Precision
    from zoo.types.specs import RuntimeSpec

#: Real inputs to compare with, and to calibrate the ranges of whole numbers with.
_COMPARED = 64
_CALIBRATED = 128


def export(
    model: str,
    folder: str | Path,
    settings: Settings,
    catalogue: Catalogue,
    *,
    precision: Precision = "fp32",
    taps: Sequence[str] = (),
    data: str = "",
    probe: ProbeOptions | None = None,
    modality: str | None = None,
    tolerance: float | None = None,
    force: bool = False,
    trust_remote_code: Sequence[str] = (),
    on_event: Listener = ignore,
) -> ExportReport:
    """Export a checkpoint into a new folder; what goes wrong leaves no trace of it.

    Args:
        model: a reference, a folder or a name of the registry.
        folder: new or empty.
        settings: how to run; its runtime says the format.
        catalogue: what the plugins provide.
        precision: of the weights and products.
        taps: names to expose beside the logits; empty exposes every one.
        data: real inputs to compare with; empty takes those that come with the runtime.
        probe: how to read the data; guessed where it does not say.
        modality: which tower of a model that has several.
        tolerance: largest relative difference to accept.
        force: replace an earlier export.
        trust_remote_code: references that may run their own code.
        on_event: is told what happens.

    Raises:
        InputError: the folder, the data, a tap or the runtime cannot be used.
        CheckpointError: it cannot be exported, or the export computes something else.
    """
    place = Path(folder).expanduser().absolute()
    check_place(place, str(folder), force=force)
    candidate, source = locate(
        model, settings, catalogue, trust_remote_code=trust_remote_code, on_event=on_event
    )
    candidate = inspected(candidate, source)
    entry = candidate.entry
    wanted = modality or entry.modality
    spec, runtime = _exporter(entry, wanted, settings, catalogue)
    inputs: Sequence[Any] = ()
    if data:
        found = read_inputs(data, wanted, probe, model=entry.ref)
        inputs, broken = _sample(found, _CALIBRATED if precision == "int8" else _COMPARED)
        for name in broken:
            on_event(Event(kind="note", message=f"{name} cannot be read, and is left out"))
        on_event(Event(kind="note", message=f"{data}: {len(inputs)} of {len(found)} inputs"))
    checkpoint = source.fetch(candidate)
    if (Path(checkpoint.folder) / MANIFEST).exists():
        raise InputError(f"{model} is an export already.", f"zoo predict {model} DATA")
    request = ExportRequest(
        precision=precision,
        taps=tuple(taps),
        inputs=inputs,
        modality=modality,
        cache=str(graphs(settings)),
        tolerance=tolerance,
    )
    said = f"exporting with {spec.name}, then comparing; this takes up to a few minutes"
    on_event(Event(kind="note", model=entry.ref, message=f"{entry.ref}: {said}"))
    check = partial(check_place, place, str(folder), force=force)
    with appearing(place, check) as temporary:
        with guarded(spec, "export", entry.ref):
            report = runtime.export(checkpoint, temporary, request)
        if not (temporary / MANIFEST).is_file():
            raise PluginError(f"the runtime {spec.name!r} wrote no {MANIFEST}.")
    return msgspec.structs.replace(report, folder=str(folder))


def check_place(place: Path, typed: str, *, force: bool) -> None:
    """Find out, before the work, that an export may be written there.

    Raises:
        InputError: it may not, and what to do.
    """
    if not place.exists():
        return
    if not place.is_dir():
        raise InputError(f"{typed!r} is a file, not a folder.", "-o NEW-FOLDER")
    held = sorted(path.relative_to(place).as_posix() for path in place.rglob("*"))
    if not held:
        return
    if MANIFEST not in held:
        raise InputError(
            f"the folder {typed!r} holds other things ({held[0]}), and is no export.",
            "-o NEW-FOLDER; --force replaces exports only.",
        )
    if not force:
        raise InputError(f"{typed!r} holds an export already.", "--force replaces it.")
    strangers = [path for path in held if path not in _written(place, typed)]
    if strangers:
        raise InputError(
            f"{typed!r} holds an export and {strangers[0]}, which no export wrote.",
            "Move it away, or name another folder.",
        )


def _written(place: Path, typed: str) -> set[str]:
    """Name what the export in a folder consists of, folders included.

    Raises:
        InputError: its manifest is damaged, so that nobody knows.
    """
    try:
        manifest = msgspec.json.decode((place / MANIFEST).read_bytes(), type=Manifest)
    except (OSError, msgspec.MsgspecError) as error:
        raise InputError(
            f"{typed!r} holds a damaged export: {MANIFEST} cannot be read.",
            "Look into it and remove it yourself, or name another folder.",
        ) from error
    files = {MANIFEST, *manifest.files}
    return files | {str(above) for file in files for above in Path(file).parents}


def _exporter(
    entry: ModelEntry, modality: str | None, settings: Settings, catalogue: Catalogue
) -> tuple[RuntimeSpec, Exports]:
    """Find a runtime that opens the checkpoint and exports.

    Raises:
        InputError: the one that was named does not export, or none does.
    """
    for spec in fitting_runtimes(entry, modality, settings, catalogue):
        runtime = catalogue.create("runtime", spec.name)
        if isinstance(runtime, Exports):
            return spec, runtime
    if settings.runtime != "auto":
        raise InputError(f"the runtime {settings.runtime!r} does not export.", "Leave it out.")
    raise InputError(
        f"no runtime that opens {entry.ref} exports it.", "zoo plugins list --hook zoo_runtimes"
    )


def _sample(found: Inputs, most: int) -> tuple[list[Any], list[str]]:
    """Take a sample that is evenly spread over the data, so that sorted classes are all in it.

    Returns:
        The sample, and the names of images that would be in it if they could be read.
    """
    step = -(-len(found) // most)
    sample = [each for each in found.inputs[::step] if each is not None]
    if not sample:
        raise InputError(f"{found.source!r} holds nothing but empty rows.")
    good = [each for each in sample if not isinstance(each, ImageInput) or _is_readable(each)]
    if not good:
        decode(sample[0])  # says why
    return good, [each.name for each in sample if each not in good]


def _is_readable(image: ImageInput) -> bool:
    try:
        decode(image)
    except InputError:
        return False
    return True
