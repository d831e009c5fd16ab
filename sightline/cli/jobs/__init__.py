"""Commands that give work and follow it."""
