"""A file of texts, text pairs, image paths or encoded images."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo.errors import InputError
from zoo.probes import files
from zoo.probes.build import build
from zoo.probes.rows import Origin
from zoo.typed_paths import is_file, typed_path

if TYPE_CHECKING:
    from zoo.types.probe import Probe
    from zoo.types.protocols import ProbeOptions


class TableLoader:
    """CSV, TSV, JSON lines, JSON and parquet; ``.gz`` too."""

    def claims(self, data: str) -> bool:
        """Whether it is a file with such a name."""
        path = typed_path(data)
        return bool(files.kind_of(path)) and is_file(path)

    def load(self, data: str, options: ProbeOptions) -> Probe:
        """Read the file; a column called ``split`` is honoured."""
        path = typed_path(data)
        origin = Origin(name=path.stem, source=data, base=path.absolute().parent)
        probe = build(files.read([path], origin), options)
        if options.split and probe.split is None:
            raise InputError(
                f"{data!r} has no splits, so there is no split {options.split!r}.",
                "Leave --split out, or name the file of that split.",
            )
        return probe
