"""What the stages find, read, hear and answer with."""
