"""Items of many jobs, worked on together."""
