"""Mergers: element-wise combinations of the weights of one architecture, without data."""
