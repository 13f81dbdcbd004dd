"""Completing a graph: links that a model expects, kept apart from what is known.

What is predicted is stored as statements about statements, so that no query takes it for a fact;
:func:`zoo.completing.predictions.accept` makes a fact of one, with the name of who said so.
"""

from __future__ import annotations
