"""Looks at a whole installation: each check says ok, warn or bad, and what to do. Changes nothing but one picture."""
