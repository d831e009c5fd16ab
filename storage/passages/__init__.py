"""Vehicles that passed: which readings are of one, where it stands on lists, and how it is found again."""
