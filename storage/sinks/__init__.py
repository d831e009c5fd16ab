"""Who is told of what: sinks, the outbox, and what waits in it."""
