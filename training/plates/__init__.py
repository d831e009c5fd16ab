"""Drawn licence plates, crops of them, and the recognizer trained on these."""
