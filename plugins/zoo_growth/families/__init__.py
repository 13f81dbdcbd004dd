"""Architectures: which sizes their configurations have, and what their parameters do."""
