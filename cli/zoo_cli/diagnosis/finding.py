"""What an examination found."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from zoo.errors import ZooError

if TYPE_CHECKING:
    from collections.abc import Callable

Status = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What one examination found.

    Attributes:
        detail: one sentence.
        hint: the command that mends it.
        facts: the same for programs: versions, bytes, seconds ...
    """

    check: str
    status: Status
    detail: str
    hint: str = ""
    facts: dict[str, Any] = field(default_factory=dict)


def attempt(check: str, examination: Callable[[], Diagnosis]) -> Diagnosis:
    """Examine; an examination that breaks is a finding as well."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return examination()
    except ZooError as error:
        return Diagnosis(check, "fail", error.message, error.hint)
    except (Exception, SystemExit) as error:  # noqa: BLE001 -- the doctor reports, whatever it is
        return Diagnosis(check, "fail", f"{type(error).__name__}: {_first_line(error)}")


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).strip().splitlines()), "")
