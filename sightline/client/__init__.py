"""Sightline for other Python services and for the command line."""
