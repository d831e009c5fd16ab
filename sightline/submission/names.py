"""File names as text. Those of a file system are bytes, which need not be any."""


def readable_name(name: str) -> str:
    """The name, or a text with names, as Python has it; what is no UTF-8 in it is replaced, so that it can be sent."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
