"""Who may do what, how often, and what of it is noted."""
