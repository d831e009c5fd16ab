"""Pictures of plates that no car carries, and of cars that carry them."""
