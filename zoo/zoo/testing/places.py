"""What several kits ask: where an example lies, whether it stays, how things are refused."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.errors import OfflineError, ZooError
from zoo.host import PLUGIN_ERRORS
from zoo.testing.promises import BrokenPromiseError, NotTriedError, described
from zoo.testing.watching import origin

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping


def placed(example: Any) -> str:
    """Give an example as a text; a path that starts where the person works becomes absolute."""
    text = str(example)
    path = origin() / Path(text).expanduser()
    return str(path) if text.strip() and path.exists() else text


def contents(place: str | Path) -> dict[str, str]:
    """Map the files at a place, a file or a folder, to their digests; empty where nothing is."""
    path = Path(place)
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    return {
        str(file.relative_to(path)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in files
        if file.is_file()
    }


def touched(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[str]:
    """Say which files have changed, come or gone."""
    for name in sorted({*before, *after}):
        if before.get(name) != after.get(name):
            verb = "makes" if name not in before else "changes" if name in after else "removes"
            yield f"it {verb} the file {name!r}" if name != "." else f"it {verb} the file"


def need_network(promise: BrokenPromiseError) -> None:
    """Tell an example that is not on this machine from a broken promise.

    Raises:
        NotTriedError: the network would have to be asked.
    """
    if isinstance(promise.__cause__, OfflineError):
        why = promise.__cause__.message.rstrip(".")
        raise NotTriedError(f"its example cannot be had: {why}") from promise


def refused(
    what: str, ask: Callable[[], Any], kind: type[ZooError] = ZooError, *, must: bool = True
) -> Iterator[str]:
    """Say what is wrong with how something is refused.

    Args:
        what: what is asked, for the sentence.
        ask: asks it.
        kind: what has to be raised.
        must: it has to be refused; else it may work as well.
    """
    try:
        ask()
    except kind as error:
        yield from (f"{what} {wrong}" for wrong in _unclear(error))
    except PLUGIN_ERRORS as error:
        yield f"{what} raises {described(error)}; a person needs a zoo.{kind.__name__}"
    else:
        if must:
            yield f"{what} raises nothing, where a zoo.{kind.__name__} is due"


def _unclear(error: ZooError) -> Iterator[str]:
    """Say why a message cannot be shown to a person as it is."""
    if not error.message.strip():
        yield f"raises a {type(error).__name__} without a word"
    elif "\n" in error.message.strip():
        yield f"raises a {type(error).__name__} of several lines; one sentence is shown"
