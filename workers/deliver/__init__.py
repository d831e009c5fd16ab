"""The deliver role: events leave the outbox for their sinks. `python -m workers.deliver` runs it."""
