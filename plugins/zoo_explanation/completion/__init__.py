"""Expecting links that a graph lacks: text vectors, a graph encoder, three decoders."""

from __future__ import annotations
