"""The teachers themselves, asked all at once: what a single student is measured against."""

from __future__ import annotations


class Ensemble:
    """Ask every teacher and let the surest of their joint logits win; nothing is trained.

    How the logits are brought on one scale is decided by the targets, as for a student. It costs
    the forward passes of all teachers at every prediction.
    """
