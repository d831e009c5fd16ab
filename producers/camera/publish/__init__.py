"""From frames of many cameras to jobs."""
