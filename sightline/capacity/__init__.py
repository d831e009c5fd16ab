"""How many cameras? Measured service times, a simulated queue, and a search; see docs/how-to/capacity.md."""
