"""Explanations: reporters read a case, record evidence, and claim what the evidence holds."""

from __future__ import annotations

from zoo.explaining.ledger import Ledger

__all__ = ["Ledger"]
