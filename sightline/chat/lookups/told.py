"""What was looked up, as a model is told it with its question, and as people read it below the answer."""

from __future__ import annotations

from collections.abc import Sequence

from sightline.chat.lookups.named import Found


def prompt_of(question: str, found: Sequence[Found]) -> str:
    """The question with what was looked up before it; without that, the question."""
    if not found:
        return question
    told = "\n".join(f"- {one.text}" for one in found)
    return f"Looked up for this question:\n{told}\n\nAnswer by that alone, in a sentence.\n\nQuestion: {question}"


def sources_of(found: Sequence[Found]) -> str:
    """A line each: the query and what it found."""
    return "\n".join(f"{one.label}: {one.text}" for one in found)
