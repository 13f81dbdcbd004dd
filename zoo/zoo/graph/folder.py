"""The folder of a graph: which of its stores is the current one, and what that holds.

Whatever is large is loaded into a store of its own beside the current one, and ``graphs.json``,
which is written last and atomically, says which one counts. What an interrupted process left is
a store that nothing points at; the next one to open the graph takes it away.
"""

from __future__ import annotations

import gc
import shutil
from typing import TYPE_CHECKING, Any

import msgspec

from zoo.errors import ZooError
from zoo.files import write_atomically

if TYPE_CHECKING:
    from pathlib import Path

FILE = "graphs.json"
_STORE, _SCRATCH = "store-", "scratch-"


class GraphInfo(msgspec.Struct, frozen=True, kw_only=True):
    """One named graph of the store.

    Attributes:
        source: the file, folder or place that it was made of.
        sha256: of that.
        loaded: UTC, ISO 8601.
    """

    name: str
    triples: int
    source: str = ""
    version: str = ""
    license: str = ""
    credit: str = ""
    sha256: str = ""
    loaded: str = ""


class Contents(msgspec.Struct, frozen=True, kw_only=True):
    """``graphs.json``.

    Attributes:
        store: the folder that counts; any other is what an interruption left.
        graphs: what it holds, by name.
    """

    store: str = f"{_STORE}0"
    graphs: dict[str, GraphInfo] = {}
    schema_version: int = 1


def read_contents(folder: Path) -> Contents:
    """Read ``graphs.json``; a new folder has nothing in it.

    Raises:
        ZooError: it is damaged.
    """
    try:
        return msgspec.json.decode((folder / FILE).read_bytes(), type=Contents)
    except FileNotFoundError:
        return Contents()
    except msgspec.DecodeError as error:
        raise damaged(folder, error) from error


def write_contents(folder: Path, contents: Contents) -> None:
    """Write ``graphs.json``: from here on its store is the one that counts."""
    write_atomically(folder / FILE, msgspec.json.encode(contents))


def open_store(folder: Path, contents: Contents) -> Any:
    """Open the store that counts.

    Raises:
        ZooError: it is damaged, or gone.
    """
    from pyoxigraph import Store

    path = folder / contents.store
    if contents.graphs and not path.is_dir():
        raise damaged(folder, f"{contents.store} is missing")
    try:
        return Store(str(path))
    except (OSError, RuntimeError) as error:
        if "current process" not in str(error):
            raise damaged(folder, error, contents) from error
    gc.collect()  # an answer that nobody reads any more keeps a closed store open
    try:
        return Store(str(path))
    except (OSError, RuntimeError) as error:
        raise ZooError(f"this process is still reading the graph in {folder}.") from error


def next_store(folder: Path) -> str:
    """Name a store that is not there yet."""
    taken = [path.name.removeprefix(_STORE) for path in folder.glob(f"{_STORE}*")]
    return f"{_STORE}{max([int(each) for each in taken if each.isdecimal()], default=0) + 1}"


def scratch_name(name: str) -> str:
    """Name a file of the folder that does not outlive whoever holds the graph."""
    return f"{_SCRATCH}{name}"


def sweep(folder: Path, contents: Contents) -> None:
    """Take away what nothing points at; only for whoever holds the lock."""
    for path in folder.iterdir():
        if path.name.startswith(_STORE) and path.name != contents.store:
            shutil.rmtree(path, ignore_errors=True)
        elif path.name.startswith(_SCRATCH):
            path.unlink(missing_ok=True)


def damaged(folder: Path, why: object, contents: Contents | None = None) -> ZooError:
    """Say that the graph cannot be read, and how to get it back."""
    held = [name for name in (contents.graphs if contents else ()) if not name.startswith("run:")]
    again = f" (it held {', '.join(held)})" if held else ""
    reason = str(why).strip().rstrip(".").partition("\n")[0]
    return ZooError(
        f"the graph in {folder} is damaged: {reason}.",
        f"Delete that folder and load its graphs again{again}; runs come back by themselves.",
    )
