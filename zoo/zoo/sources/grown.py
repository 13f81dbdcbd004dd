"""``grow:MODEL:width=2x,depth=+1``: a checkpoint made larger, wherever a checkpoint is named.

The larger checkpoint lies in the store, under what decides it: the weights it is made from, the
sizes, the method and the seed. It is made when its weights are fetched, and proven as
``zoo grow`` proves it.
"""

from __future__ import annotations

import hashlib
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from zoo import __version__
from zoo.errors import CheckpointError, InputError, UnknownModelError, unknown_name
from zoo.events import Listener, ignore
from zoo.files import write_atomically
from zoo.hub import files as layout
from zoo.hub.inspect import describe
from zoo.sources.folder import FolderFiles, FolderSource, home_folder
from zoo.types.growing import Deepen, Widen
from zoo.types.model import Checkpoint

if TYPE_CHECKING:
    from zoo.catalogue import Catalogue
    from zoo.growing.prepared import GrowthRequest, PreparedGrowth
    from zoo.settings import Settings
    from zoo.types.model import Candidate, ModelEntry

#: Folder of the store that holds what was grown.
GROWN = "grown"
_OPTION = re.compile(r"[a-z_]+=[^:,=]+")
_LOCAL = re.compile(r"(?P<grown>(?:grow:)*)(?P<path>\..*)")
_WIDER = ("width", "hidden", "heads", "kv_heads", "mlp")
_WORDS = (*_WIDER, "depth", "place", "method", "seed")


class GrownSource:
    """Makes larger checkpoints of others; implements :class:`zoo.types.protocols.Source`.

    Args:
        home: folder of the store; empty takes the one of the settings.
        offline: never ask the network for the smaller checkpoint.
        on_event: is told what happens.
    """

    def __init__(
        self, *, home: str = "", offline: bool = False, on_event: Listener = ignore
    ) -> None:
        self._home, self._offline, self._on_event = home, offline, on_event
        self._prepared: dict[tuple[str, str], PreparedGrowth] = {}

    def inspect(self, candidate: Candidate) -> ModelEntry:
        """Complete an entry from the larger configuration; nothing is grown.

        Raises:
            InputError: the text says no growth, or one that cannot be.
            CheckpointError: the smaller checkpoint cannot be used.
        """
        return self.describe(candidate).entry

    def describe(self, candidate: Candidate) -> Checkpoint:
        """Write the larger configuration and the preprocessing; no weight is read.

        Raises:
            InputError, CheckpointError: as :meth:`inspect`.
        """
        prepared = self._prepare(candidate)
        folder = self._folder(prepared) / "described"
        if not (folder / layout.CONFIG).exists():
            folder.mkdir(parents=True, exist_ok=True)
            _copy_small(Path(prepared.described.folder), folder)
            config = prepared.drawing.config.to_json_string(use_diff=True)
            write_atomically(folder / layout.CONFIG, config.encode())
        entry = describe(candidate.entry, FolderFiles(folder, candidate.model)).entry
        known = msgspec.structs.replace(
            entry,
            parameters=prepared.plan.after.parameters,
            bytes=prepared.plan.after.bytes,
            license=prepared.entry.license,
        )
        digest = hashlib.sha256(self._key(prepared).encode()).hexdigest()
        return Checkpoint(entry=known, folder=str(folder), digest=digest)

    def missing_bytes(self, candidate: Candidate) -> int:
        """Bytes of the smaller checkpoint that are not here yet."""
        prepared = self._prepare(candidate)
        made = (self._folder(prepared) / "checkpoint").exists()
        return 0 if made else prepared.plan.download

    def fetch(self, candidate: Candidate) -> Checkpoint:
        """Grow it, unless that was done before.

        Raises:
            CheckpointError: the larger network computes something else.
            ZooError: what else went wrong.
        """
        from zoo.growing.journey import grow_checkpoint

        prepared = self._prepare(candidate)
        folder = self._folder(prepared) / "checkpoint"
        settings, catalogue = self._surroundings()
        if not folder.exists():
            try:
                grow_checkpoint(
                    prepared,
                    str(folder),
                    settings,
                    catalogue,
                    on_event=self._on_event,
                    quietly=True,
                )
            except InputError:
                if not folder.exists():  # else somebody was faster, and made the same
                    raise
        local = msgspec.structs.replace(
            candidate, entry=msgspec.structs.replace(candidate.entry, ref=str(folder), files={})
        )
        found = FolderSource(home=str(settings.folder)).fetch(local)
        entry = msgspec.structs.replace(found.entry, ref=candidate.model)
        return msgspec.structs.replace(found, entry=entry)

    def _prepare(self, candidate: Candidate) -> PreparedGrowth:
        """Settle the growth, once for every text and place that it starts from."""
        known = (candidate.model, candidate.base)
        if known not in self._prepared:
            from zoo.growing.prepared import prepare_growth

            settings, catalogue = self._surroundings()
            request = parse(candidate)
            try:
                self._prepared[known] = prepare_growth(
                    request, "", settings, catalogue, on_event=self._on_event
                )
            except CheckpointError:
                raise
            except InputError as error:  # there is no such model, and others go on
                raise UnknownModelError(error.message, error.hint) from error
        return self._prepared[known]

    def _surroundings(self) -> tuple[Settings, Catalogue]:
        from zoo.api import open_catalogue
        from zoo.settings import resolve

        settings = resolve().settings
        home = self._home or settings.home
        offline = self._offline or settings.offline
        settings = msgspec.structs.replace(settings, home=home, offline=offline)
        return settings, open_catalogue(settings)

    def _folder(self, prepared: PreparedGrowth) -> Path:
        digest = hashlib.blake2b(self._key(prepared).encode(), digest_size=12).hexdigest()
        return home_folder(self._home) / GROWN / digest

    def _key(self, prepared: PreparedGrowth) -> str:
        """Everything that decides what the larger checkpoint is."""
        request = prepared.request
        parts = (
            prepared.entry.ref,
            prepared.described.digest,
            *sorted(prepared.entry.files.items()),
            *request.steps,
            prepared.method.name,
            request.seed,
            __version__,
        )
        return repr(parts)


def parse(candidate: Candidate) -> GrowthRequest:
    """Read ``grow:MODEL:width=2x,depth=+1``.

    Raises:
        InputError: it names no size, or one that there is not.
    """
    from zoo.growing.prepared import GrowthRequest

    text = candidate.model.removeprefix("grow:")
    model, _, said = text.rpartition(":")
    options = said.split(",")
    unsaid = InputError(
        f"{candidate.model!r} does not say how a model is to grow.",
        "Write grow:MODEL:width=2x, or grow:MODEL:hidden=512,depth=+2.",
    )
    if not model or not all(_OPTION.fullmatch(each) for each in options):
        raise unsaid
    values = dict(each.split("=", 1) for each in options)
    if len(values) < len(options):
        raise InputError(f"{candidate.model!r} says a size twice.", "grow:MODEL:width=2x,depth=+1")
    for name in values:
        if name not in _WORDS:
            raise unknown_name("size", name, _WORDS, "grow:MODEL:width=2x,depth=+1")
    steps: list[Widen | Deepen] = []
    wider = Widen(**{name: values[name] for name in _WIDER if name in values})
    if wider != Widen():
        steps.append(wider)
    if "depth" in values:
        place = values.get("place", "end")
        if place not in {"end", "between"}:
            raise unknown_name("place", place, ("end", "between"))
        steps.append(Deepen(depth=values["depth"], place="end" if place == "end" else "between"))
    if not steps:
        raise unsaid
    seed = values.get("seed", "0")
    if not seed.isdigit():
        raise InputError(f"the seed {seed!r} is no number.", "grow:MODEL:width=2x,seed=1")
    trusted = (model,) if candidate.trust_remote_code else ()
    if candidate.base and (local := _LOCAL.fullmatch(model)):
        model = local["grown"] + str(Path(candidate.base) / local["path"])
    return GrowthRequest(
        model=model,
        steps=tuple(steps),
        method=values.get("method", ""),
        seed=int(seed),
        trust_remote_code=trusted,
    )


def _copy_small(origin: Path, folder: Path) -> None:
    """Copy everything but weights, configuration and card."""
    for path in origin.rglob("*"):
        name = path.relative_to(origin)
        if (
            path.is_file()
            and not layout.is_weights(name.name)
            and not name.name.endswith(".safetensors.index.json")
            and str(name) not in {layout.CONFIG, layout.CARD}
            and name.parts[0] not in {"onnx", ".git"}
        ):
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
