"""Places that checkpoints come from."""
