"""Finds and reads displays with red digits: an example of a detector and a recognizer of one's own."""
