"""Networks whose every layer ends in a norm, as the first transformers did (post-norm).

What a norm gives is the stream itself, and a norm mixes no channels: nothing but whole copies of
the stream has the mean and the variance of it. A new layer cannot be silent either, as its norms
still act; but a norm without gain and shift leaves alone what another one has normalised, see
:class:`zoo.growing.depth.Deepened`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from zoo.growing.depth import stacked
from zoo.types.growing import Axis

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zoo.types.growing import Stack

#: Largest epsilon at which a second norm changes less than float64 is asked to show.
_IDEMPOTENT = 1e-10


def stream(name: str, old: int, new: int) -> Axis:
    """The stream of a network in which norms write it."""
    why = f"a norm writes it (post-norm), so that only multiples of {old} keep the function"
    return Axis(name=name, old=old, new=new, repetition="whole", why=why)


def layers(
    path: str,
    old: int,
    new: int,
    *,
    place: Literal["end", "between"],
    silent: Sequence[str],
    norms: Sequence[str],
    last_norm: str,
    epsilon: float,
) -> Stack:
    """Describe layers that end in a norm.

    A norm turns the variance v of its inputs into v / (v + epsilon), and the next one that into
    one again: what the first had left is lost, a relative change of the order of epsilon.

    Args:
        path: name of the list of layers.
        old: layers before.
        new: layers after.
        place: where the new ones go.
        silent: what ends the two halves of a layer.
        norms: those within a layer.
        last_norm: the one that ends it.
        epsilon: of the norms.
    """
    why = (
        f"a new layer ends in norms (post-norm), and with their epsilon of {epsilon:g} one norm "
        "after another is not quite one"
    )
    return stacked(
        path,
        old,
        new,
        place=place,
        silent=silent,
        norms=norms,
        last_norm=last_norm,
        why=why if epsilon > _IDEMPOTENT else "",
    )
