"""The one training loop. Imports torch: load it only where something is trained."""
