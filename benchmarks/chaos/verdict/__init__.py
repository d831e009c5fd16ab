"""What is there after a run, and whether every promise was kept."""
