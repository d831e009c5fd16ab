"""What counts as an image, and what its header says. Nothing is decoded here."""
