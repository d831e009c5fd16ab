"""Texts of others on a terminal."""


def printable(text: str) -> str:
    """Without what could steer the terminal."""
    return "".join(sign if sign.isprintable() else f"\\x{ord(sign):02x}" for sign in text)
