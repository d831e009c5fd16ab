"""What the database says about where every frame ended."""
