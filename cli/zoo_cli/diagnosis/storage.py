"""The Hub, and the folders that things are kept in."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.render.quantities import size_text, some
from zoo_cli.diagnosis.environment import without_credentials
from zoo_cli.diagnosis.finding import Diagnosis

if TYPE_CHECKING:
    from collections.abc import Callable

    from zoo_cli.context import Context

_TIMEOUT = 3.0
_LOW_SPACE = 2e9
_REFUSED = frozenset({401, 403, 407, 429})
_PATIENCE = 1.0
GRAPHS = "graphs"


def _hub(name: str, context: Context) -> Diagnosis:
    from huggingface_hub import constants, get_session, get_token

    endpoint = without_credentials(constants.ENDPOINT)
    known = bool(get_token())
    token = "with a token" if known else "no token"
    facts = {"endpoint": endpoint, "token": known, "offline": context.settings.offline}
    if context.settings.offline:
        return Diagnosis(name, "ok", f"offline: {endpoint} is not asked, {token}", facts=facts)
    started = time.perf_counter()
    try:
        answer = get_session().head(constants.ENDPOINT, timeout=_TIMEOUT)
    except Exception as error:  # noqa: BLE001 -- the client's HTTP library has its own hierarchy
        detail = f"{endpoint} cannot be reached ({type(error).__name__}), {token}"
        hint = "cached and local checkpoints still work; --offline spares the waiting"
        return Diagnosis(name, "warn", detail, hint, facts | {"reached": False})
    waited = time.perf_counter() - started
    facts |= {"reached": True, "http_status": answer.status_code, "seconds": waited}
    detail = f"{endpoint} answers {answer.status_code} after {waited:.1f} s, {token}"
    if answer.status_code in _REFUSED or answer.status_code >= 500:
        hint = "check HF_ENDPOINT and HTTPS_PROXY, or: hf auth login"
        return Diagnosis(name, "warn", detail, hint, facts)
    return Diagnosis(name, "ok", detail, facts=facts)


def _hub_cache(name: str, context: Context) -> Diagnosis:
    del context
    from huggingface_hub import constants

    folder = Path(constants.HF_HUB_CACHE)
    return _space(name, folder, "hf cache prune", "HF_HOME=/other/folder")


def _store(name: str, context: Context) -> Diagnosis:
    return _space(name, context.settings.folder, "zoo cache prune", "ZOO_HOME=/other/folder")


def _graphs(name: str, context: Context) -> Diagnosis:
    folder = context.settings.folder / GRAPHS
    return _space(name, folder, "zoo cache prune", "ZOO_HOME=/other/folder")


def _space(name: str, folder: Path, remedy: str, elsewhere: str) -> Diagnosis:
    existing = next(each for each in (folder, *folder.parents) if each.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        detail = f"{folder}: {existing} cannot be written to"
        return Diagnosis(name, "fail", detail, elsewhere)
    free = shutil.disk_usage(existing).free
    size, files, whole = folder_size(folder)
    facts = {"folder": str(folder), "bytes": size, "files": files, "free": free, "whole": whole}
    held = "nothing in it" if whole and not files else f"{size_text(size)} in {some(files, 'file')}"
    detail = f"{folder}: {'' if whole else 'more than '}{held}, {size_text(free)} free"
    if free < _LOW_SPACE:
        return Diagnosis(name, "warn", detail, f"{remedy}, or {elsewhere}", facts)
    return Diagnosis(name, "ok", detail, facts=facts)


def folder_size(folder: Path, patience: float = _PATIENCE) -> tuple[int, int, bool]:
    """Bytes and number of files, links not followed, and whether there was time for all."""
    size = files = 0
    end = time.monotonic() + patience
    for path, _, names in os.walk(folder):
        for each in names:
            try:
                facts = os.lstat(os.path.join(path, each))  # noqa: PTH118 -- 100,000 files
            except OSError:
                continue
            size, files = size + facts.st_size, files + 1
        if time.monotonic() > end:
            return size, files, False
    return size, files, True


EXAMINATIONS: dict[str, Callable[[str, Context], Diagnosis]] = {
    "hub": _hub,
    "hub cache": _hub_cache,
    "store": _store,
    "graphs": _graphs,
}
