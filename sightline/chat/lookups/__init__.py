"""Questions about what is stored, by a few named queries that only read: never SQL from a model."""
