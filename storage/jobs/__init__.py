"""Jobs and what was found on their frames, as rows."""
