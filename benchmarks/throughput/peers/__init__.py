"""The same pipeline as others build it."""
