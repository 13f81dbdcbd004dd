"""Probabilities that mean what they say: fitted to a model folder, kept in it, and applied."""

from zoo.calibrating.fitting import calibrate

__all__ = ["calibrate"]
