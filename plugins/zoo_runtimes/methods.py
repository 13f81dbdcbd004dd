"""What attributions are asked for, and the cells they end on. Imports no framework."""

from __future__ import annotations

from dataclasses import dataclass

from zoo.errors import unknown_name

#: The methods that read gradients; :data:`OCCLUSION` needs forward passes only.
GRADIENTS = ("gradient_x_input", "saliency", "lrp")
OCCLUSION = "occlusion"
METHODS = (*GRADIENTS, OCCLUSION)
#: How channels become one number: ``method:absmean`` takes the second.
REDUCTIONS = ("mean", "absmean")
#: Every image ends on a grid of so many cells a side, every text in so many spans.
GRID = 32
SPANS = 64


@dataclass(frozen=True)
class Method:
    """What a person names as ``gradient_x_input`` or ``saliency:absmean``."""

    name: str
    reduction: str

    @classmethod
    def parse(cls, text: str) -> Method:
        """Read the name, and how channels are reduced after a colon.

        Raises:
            UnknownNameError: no such method, or no such reduction.
        """
        name, _, reduction = text.partition(":")
        if name not in METHODS:
            raise unknown_name("attribution method", name, METHODS)
        if reduction and reduction not in REDUCTIONS:
            raise unknown_name("reduction of channels", reduction, REDUCTIONS)
        return cls(name, reduction or REDUCTIONS[0])

    @property
    def absolute(self) -> bool:
        """Whether relevance has no sign."""
        return self.name == "saliency" or self.reduction == "absmean"
