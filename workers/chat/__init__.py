"""Engines that answer questions with language models. Each is given them one by one and works on many at once."""
