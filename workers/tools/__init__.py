"""Commands for people: check the settings, fetch weights, explain a photo, time the models."""
