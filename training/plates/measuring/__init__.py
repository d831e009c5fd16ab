"""How good they are."""
