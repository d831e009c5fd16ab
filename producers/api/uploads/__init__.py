"""Images on their way in: forms, JSON, raw bodies, URLs."""
