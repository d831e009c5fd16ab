"""Pictures with what was found drawn on them."""
