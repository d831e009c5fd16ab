"""Folders that cameras drop photos into: watched, each photo read once."""
