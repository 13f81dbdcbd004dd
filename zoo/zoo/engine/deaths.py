"""What became of a worker that did not answer, in words a person can act on."""

from __future__ import annotations

import signal

from zoo.types.failure import Failure

_MEMORY = "Use fewer workers (ZOO_JOBS=1), a smaller checkpoint, or more memory."


def explain(error: BaseException, *, stage: str, model: str, timeout: float) -> Failure:
    """Turn the end of a worker into a failure of the model it was at."""
    code = getattr(error, "exitcode", None)
    if isinstance(error, TimeoutError):
        text = f"it took longer than {timeout:g} s."
        hint = "Raise the limit with ZOO_TIMEOUT (0 means none), or leave the model out."
    elif code is not None and code < 0:
        text = f"its worker process was ended by {_signal_name(-code)}"
        killed = -code == getattr(signal, "SIGKILL", None)
        text += ", most likely because memory ran out." if killed else "."
        hint = _MEMORY if killed else "The libraries crashed on this checkpoint; leave it out."
    elif code is not None:
        text, hint = f"its worker process ended with status {code}.", _MEMORY
    else:
        text, hint = f"its worker process could not run: {error}.", "zoo doctor"
    return Failure(stage=stage, error=text, hint=hint, model=model)


def _signal_name(number: int) -> str:
    try:
        return f"signal {number} ({signal.Signals(number).name})"
    except ValueError:
        return f"signal {number}"
