"""The stages, and how each treats a message."""
