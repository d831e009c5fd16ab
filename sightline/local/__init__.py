"""One machine: its processes, its own Redis, and the checkout they run from."""
