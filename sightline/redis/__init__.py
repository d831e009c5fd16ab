"""How every process connects to Redis."""
