"""What is stored of what a question is about, which the API looks up."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sightline.chat.lookups.named import Found
from sightline.chat.lookups.rules import may_be_about_rows
from sightline.client.http import call_api
from sightline.settings import Settings

#: Of a question for which rows are looked up.
_MOST_CHARS: Final = 2000


def look_up(question: str, settings: Settings, asked_at: datetime | None = None) -> list[Found]:
    """`asked_at`: by the clock of whom today is today; None: of this machine, now.

    Raises:
        BadMessageError: the API refuses the key, or the question.
        RetryableError: it does not answer.
    """
    if not may_be_about_rows(question):
        return []
    moment = asked_at or datetime.now().astimezone()
    asked = {"question": question[:_MOST_CHARS], "asked_at": moment.isoformat()}
    answer = call_api(settings, "GET", "/lookups/of-question", query=asked)
    return [Found.model_validate(one) for one in answer["found"]]
