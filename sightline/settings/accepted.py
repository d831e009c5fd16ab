"""What is accepted."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from sightline.settings.group import Group, Seconds


class AcceptedSettings(Group):
    """Bounds of what comes in, checked before anything is decoded."""

    title = "What is accepted"

    max_image_mb: Seconds = Field(20, description="Largest image file.")
    max_image_mpx: Seconds = Field(50, description="Largest image in megapixels, read from the header before decoding.")
    max_sound_mb: Seconds = Field(100, description="Largest recording, as its file.")
    max_sound_s: Seconds = Field(4 * 3600, description="Longest recording; a longer one is refused before it is read.")
    max_text_mb: Seconds = Field(1, description="Longest text, as UTF-8.")
    max_upload_mb: Seconds = Field(64, description="Largest request body; a larger one is refused before it is read.")
    max_files_per_job: Annotated[int, Field(ge=1, le=64)] = Field(64, description="Files in one API request.")
