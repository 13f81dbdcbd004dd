"""Data sets of the Hub, through the ``datasets`` library; their code is never run."""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.errors import HubError, InputError, OfflineError, ZooError
from zoo.probes import files
from zoo.probes.build import build
from zoo.probes.dataset import of_dataset
from zoo.probes.rows import Origin
from zoo.probes.words import IMAGE_SUFFIXES, choose_split, listed, split_note

if TYPE_CHECKING:
    from zoo.probes.rows import Rows
    from zoo.types.probe import Probe
    from zoo.types.protocols import ProbeOptions

_PART = r"[\w][\w.-]*"
_ID = re.compile(
    rf"(?P<hub>hub:)?(?P<name>{_PART}(/{_PART})?)(:(?P<config>[^@:]+))?(@(?P<revision>[\w./-]+))?"
)
_COMMIT = re.compile(r"[0-9a-f]{40}")
_VARIABLES = ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE")


@dataclass(frozen=True, slots=True)
class DatasetRef:
    """``hub:org/name:config@revision``, taken apart."""

    name: str
    config: str | None
    revision: str | None


class HubDatasetLoader:
    """``org/name``, ``hub:org/name``, either with ``:config`` and ``@revision``."""

    def claims(self, data: str) -> bool:
        """Whether it is such an id; without ``hub:`` nothing here may have that name."""
        match = _ID.fullmatch(data)
        if not match:
            return False
        if match["hub"]:
            return True
        here = Path(match["name"])
        if files.kind_of(here) or here.suffix in {".npz", *IMAGE_SUFFIXES}:
            return False  # a file that is not there
        return "/" in match["name"] and not here.exists() and not here.parent.exists()

    def load(self, data: str, options: ProbeOptions) -> Probe:
        """Download, or take from the cache, one split."""
        return build(self.rows(data, options), options)

    def rows(self, data: str, options: ProbeOptions) -> Rows:
        """Give the rows of one split, before anything is guessed."""
        ref = parse(data)
        offline = options.offline or any(_is_set(name) for name in _VARIABLES)
        if offline:
            os.environ.update(dict.fromkeys(_VARIABLES, "1"))
        try:
            builder = _builder(ref, data, offline=offline)
            splits = tuple(str(s) for s in builder.info.splits or builder.config.data_files or ())
            split = choose_split(options.split, splits, data)
            builder.download_and_prepare()
            found = builder.as_dataset(split=split or "train")
        except ZooError:
            raise
        except Exception as error:
            said = explained(error, ref, data, offline=offline)
            if not data.startswith("hub:"):
                said = type(said)(
                    f"there is no folder {data!r} here, and {said.message}", said.hint
                )
            raise said from error
        copy = "Read the newest copy on this machine, revision" if offline else "Revision"
        notes = (*split_note(split, splits), *([f"{copy} {builder.hash}."] if builder.hash else ()))
        origin = Origin(name=ref.name, source=data, split=split, splits=splits, notes=notes)
        return of_dataset(found, origin)


def parse(data: str) -> DatasetRef:
    """Take an id apart."""
    match = _ID.fullmatch(data)
    assert match, data
    return DatasetRef(match["name"], match["config"], match["revision"])


def _is_set(name: str) -> bool:
    return os.environ.get(name, "").lower() in {"1", "true", "yes", "on"}


def _builder(ref: DatasetRef, data: str, *, offline: bool) -> Any:
    import datasets

    if not sys.stderr.isatty():
        datasets.disable_progress_bars()
    if offline:
        datasets.logging.set_verbosity_error()  # our note says which copy was read
    # hf:// names the Hub alone: a folder of the same name here must not be read instead.
    path = f"hf://datasets/{ref.name}"
    builder = datasets.load_dataset_builder(path, ref.config, revision=ref.revision)
    pinned = _COMMIT.fullmatch(ref.revision or "")
    if pinned and builder.hash != ref.revision:
        # The library falls back to whichever copy it has.
        raise _absent(ref, data)
    return builder


def explained(error: Exception, ref: DatasetRef, data: str, *, offline: bool) -> ZooError:
    """Put what the ``datasets`` library raised into one sentence."""
    text = " ".join(str(error).split())
    name, kind = ref.name, type(error).__name__
    if "Config name is missing" in text or "BuilderConfig" in text:
        return _wrong_config(ref, text)
    if "scripts are no longer supported" in text:
        return InputError(
            f"the data set {name!r} is a program, and Zoo does not run code of data sets.",
            "Look for a copy of it in parquet files.",
        )
    if offline:
        return _absent(ref, data)
    if kind in {"DatasetNotFoundError", "RepositoryNotFoundError"}:
        return _not_found(ref, data, text)
    lost = ("Connect", "Timeout", "find cache")
    reached = not (isinstance(error, ConnectionError) or any(word in kind + text for word in lost))
    what = "cannot be read" if reached else "cannot be fetched: the Hub did not answer"
    return HubError(f"the data set {name!r} {what} ({kind}).", text[:200])


def _absent(ref: DatasetRef, data: str) -> OfflineError:
    which = f" in revision {ref.revision}" if ref.revision else ""
    which += f" (configuration {ref.config!r})" if ref.config else ""
    return OfflineError(
        f"the data set {ref.name!r}{which} is not on this machine, and the network was not asked.",
        f"Without --offline: zoo probes show {data}",
    )


def _wrong_config(ref: DatasetRef, text: str) -> InputError:
    known = re.findall(r"'([^']+)'", text.partition("[")[2].partition("]")[0])
    what = f"has no configuration {ref.config!r}, but" if ref.config else "has the configurations"
    has = f" {listed(known)}" if known else " others"
    hint = f"hub:{ref.name}:{known[0]}" if known else ""
    return InputError(f"the data set {ref.name!r} {what}{has}.", hint)


def _not_found(ref: DatasetRef, data: str, text: str) -> InputError:
    if "gated" in text:
        return InputError(
            f"the data set {ref.name!r} is gated: its owner lets people in one by one.",
            f"Ask on its page, then: hf auth login, and zoo probes show {data}",
        )
    if "Revision" in text:
        return InputError(f"the data set {ref.name!r} has no revision {ref.revision!r}.")
    return InputError(
        f"there is no data set {ref.name!r} on the Hub, or it is private.",
        f"For a private one: hf auth login, then zoo probes show {data}",
    )
