"""Conversations with a language model: whose they are, what was said, and how they go again."""
