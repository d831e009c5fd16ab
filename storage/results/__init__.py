"""The one writer of results, and the questions to what it wrote."""
