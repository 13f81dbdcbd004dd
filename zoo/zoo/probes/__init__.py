"""A person's data -> a :class:`zoo.types.Probe`: what it is, which columns, which sample.

Images stay encoded: decoding to RGB and turning by the EXIF flag are the runtime's part.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo.catalogue import build as create
from zoo.errors import InputError, PluginError, ZooError
from zoo.host import PLUGIN_ERRORS
from zoo.probes.files import KINDS, is_image
from zoo.probes.saved import save
from zoo.probes.words import nearest
from zoo.running import running
from zoo.typed_paths import is_file, is_folder, typed_path
from zoo.types.failure import Failure
from zoo.types.probe import Probe
from zoo.types.ranking import ProbeSummary

if TYPE_CHECKING:
    from pathlib import Path

    from zoo.catalogue import Catalogue, Provided
    from zoo.types.protocols import ProbeLoader, ProbeOptions

__all__ = ["load", "save", "summary"]

_LAYOUTS = (
    "Zoo reads folders of images, data set folders, CSV, TSV, JSONL, parquet, .npz, and Hub ids "
    "such as hub:org/name."
)


def load(data: str, options: ProbeOptions, catalogue: Catalogue) -> Probe:
    """Ask the loaders, by priority, and let the first that knows the layout read it.

    Raises:
        InputError: what is wrong with the data, where, and what to do.
        PluginError: a third party's loader broke.
    """
    if options.seed < 0:
        raise InputError(f"the seed {options.seed} is negative.", "--seed 0")
    asked = catalogue.provided("probe").values()
    for provided in sorted(asked, key=lambda each: each.spec.priority):
        loader = _claiming(provided, data, catalogue)
        if loader:
            return _loaded(loader, provided, data, options, catalogue)
    raise _unclaimed(data)


def summary(probe: Probe) -> ProbeSummary:
    """Describe a probe as a ranking remembers it."""
    return ProbeSummary(
        name=probe.name,
        source=probe.source,
        task=probe.task,
        modality=probe.modality,
        samples=probe.samples,
        classes=probe.classes,
        fingerprint=probe.fingerprint,
        seed=probe.seed,
        rows=probe.rows,
        split=probe.split,
        notes=probe.notes,
        labels=tuple(probe.label_names) if probe.classes is not None else (),
    )


def _claiming(provided: Provided, data: str, catalogue: Catalogue) -> ProbeLoader | None:
    """Give the loader if it claims the data; one that breaks is a failure of its plugin."""
    try:
        with running(provided.plugin):
            loader: ProbeLoader = create(provided.spec)
            return loader if loader.claims(data) else None
    except PermissionError as error:
        raise InputError(f"{data!r} may not be read: {error.strerror}.") from error
    except PLUGIN_ERRORS as error:
        if _is_ours(provided):
            raise
        said = Failure.of(error, stage="").error.rstrip(".")
        message = f"the probe loader {provided.spec.name!r} failed: {said}."
        catalogue.host.refuse(message, plugin=provided.plugin, stage="zoo_probes")
        return None


def _loaded(
    loader: ProbeLoader,
    provided: Provided,
    data: str,
    options: ProbeOptions,
    catalogue: Catalogue,
) -> Probe:
    try:
        with running(provided.plugin):
            probe = loader.load(data, options)
        if not isinstance(probe, Probe):
            raise TypeError(f"it gives {probe!r}, which is no Probe")
    except ZooError:
        raise
    except PermissionError as error:
        raise InputError(
            f"{error.filename or data!r} may not be read: {error.strerror}."
        ) from error
    except PLUGIN_ERRORS as error:
        if _is_ours(provided):
            raise
        whose = f"{provided.plugin} {catalogue.host.version_of(provided.plugin)}".rstrip()
        said = Failure.of(error, stage="").error.rstrip(".")
        raise PluginError(
            f"the probe loader {provided.spec.name!r} of {whose} failed on {data!r}: {said}.",
            f"zoo plugins check {provided.plugin.partition(':')[0]}",
        ) from error
    return probe


def _is_ours(provided: Provided) -> bool:
    return provided.plugin.startswith("zoo-reuse:")


def _unclaimed(data: str) -> InputError:
    path = typed_path(data)
    if is_file(path):
        if is_image(path.name):
            return InputError(f"{data!r} is a single image; labelled data has more.", _LAYOUTS)
        kind = repr(path.suffix) if path.suffix else "files without an ending"
        kinds = ", ".join([*KINDS, ".npz"])
        return InputError(f"{data!r}: Zoo cannot read {kind}.", f"It reads {kinds}, and folders.")
    return missing(data, _LAYOUTS)


def missing(data: str, layouts: str) -> InputError:
    """Say that there is no such file or folder, and what was probably meant."""
    if not data.strip():
        return InputError("DATA is empty.", layouts)
    sibling = _sibling(typed_path(data))
    return InputError(f"there is no file or folder {data!r}.{sibling}", _hint(data) or layouts)


def _sibling(path: Path) -> str:
    """Find what was meant among the entries of the nearest folder that exists."""
    missing = path
    while not is_folder(missing.parent):
        missing = missing.parent
    try:
        known = [each.name for each in missing.parent.iterdir() if each.name[0] != "."]
    except OSError:
        return ""
    guess = nearest(missing.name, known)
    if guess:
        return f" Did you mean {str(missing.parent / guess)!r}?"
    return f" The folder {str(missing.parent)!r} is there." if missing != path else ""


def _hint(data: str) -> str:
    parts = data.split("/")
    if len(parts) == 2 and all(parts) and parts[0] not in {".", "..", "~"}:
        return f"For a data set of the Hub: hub:{data}"
    return ""
