"""All checks of one kind at once, of an object that its author may have made with options."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zoo.testing.kit import Kit, Trial, run_check

if TYPE_CHECKING:
    from zoo.types.specs import Spec


@dataclass(frozen=True, slots=True, kw_only=True)
class _Given(Trial):
    method: Any

    def make(self) -> Any:
        """Give what its author made."""
        return self.method


def problems_of(noun: str, kit: Kit, spec: Spec, method: object = None) -> list[str]:
    """Ask every check of a kit that this spec promises; the others only where the first is kept.

    Args:
        noun: the kind.
        kit: its checks; the first says whether the object has its methods.
        spec: what the plugin advertises.
        method: its object; None makes one with the default options.

    Returns:
        One sentence a broken promise, the name of the spec first.
    """
    trial = Trial(noun=noun, spec=spec)
    if method is not None:
        trial = _Given(noun=noun, spec=spec, method=method)
    found: list[str] = []
    for check in kit.checks:
        if check.applies(trial):
            found += run_check(check, trial).problems
        if found and check is kit.checks[0]:
            break
    return [f"{spec.name}: {each}." for each in dict.fromkeys(found)]
