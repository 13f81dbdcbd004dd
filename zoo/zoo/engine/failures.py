"""Errors inside a worker, as answers."""

from __future__ import annotations

import errno

from zoo.types.failure import Failure

#: A library may call ``sys.exit()``, and the panic of one written in Rust is no ``Exception``.
ERRORS = (BaseException,)
_STORE_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES}
_HINTS = {
    "load": "zoo registry verify checks its files.",
    "extract": "zoo plugins check tells whether the runtime keeps its promises.",
    "attribute": "Its other scores stand.",
    "score": "zoo plugins check tells whether the estimator keeps its promises.",
}


def failure_of(error: BaseException, stage: str, model: str) -> Failure:
    """Turn an error into a failure of one model, with what to do about it."""
    hint = _HINTS[stage]
    if isinstance(error, MemoryError):
        hint = "Use fewer workers (ZOO_JOBS=1) or a smaller checkpoint."
    elif isinstance(error, OSError) and error.errno in _STORE_ERRORS:
        hint = "Free some space, or name another folder with ZOO_HOME."
    return Failure.of(error, stage=stage, model=model, hint=hint)
