"""Reads speech: sound out of whatever container, cut where it is quiet, its spoken parts to an engine."""
