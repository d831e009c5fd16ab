"""Plates as text and as boxes, and what many readings say together. Pure: no SQL here."""
