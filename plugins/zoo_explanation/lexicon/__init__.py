"""The lexicon: names and kinds of any graph as arrays, and what is measured on them."""

from __future__ import annotations

from zoo_explanation.lexicon.caching import lexicon_of
from zoo_explanation.lexicon.nearest import Nearest, best_lin, random_leaves
from zoo_explanation.lexicon.nodes import Lexicon, Path

__all__ = ["Lexicon", "Nearest", "Path", "best_lin", "lexicon_of", "random_leaves"]
