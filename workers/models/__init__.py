"""Weights: which there are, where they come from, what executes them."""
