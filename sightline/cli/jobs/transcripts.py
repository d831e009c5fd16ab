"""Transcripts where and as one wants them: `--out meeting.srt`, `--format vtt`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from sightline.cli.output import out
from sightline.errors import BadMessageError, SourceError
from sightline.pipelines import registry
from sightline.pipelines.speech import TranscribeResult
from sightline.pipelines.transcripts import FORMS
from sightline.types import ItemResult

Form = StrEnum("Form", list(FORMS))


@dataclass(frozen=True)
class Transcripts:
    """`to`: a file, or a folder in which each recording has one; None: they are printed."""

    form: str
    to: Path | None

    def write(self, name: str, result: ItemResult) -> str | None:
        """Returns what is to be said of it. Raises SourceError: it cannot be written."""
        assert isinstance(result, TranscribeResult)
        text = FORMS[self.form](result)
        if self.to is None:
            out.file.write(text)
            return None
        path = self.to / f"{Path(name).stem or 'sound'}.{self.form}" if self.to.is_dir() else self.to
        try:
            path.write_text(text, "utf-8")
        except OSError as error:
            raise SourceError(f"--out: {path}: {error.strerror}") from error
        lost = f"; {len(result.missing)} pieces could not be read" if result.missing else ""
        return f"{path}{lost}"


def gives_transcripts(pipeline: str) -> bool:
    return issubclass(registry().get(pipeline).result, TranscribeResult)


def wanted(pipeline: str, to: Path | None, form: str | None, recordings: int) -> Transcripts | None:
    """What `--out` and `--format` say. The folder for several recordings is made where there is none.

    Raises:
        BadMessageError: that cannot be done.
        SourceError: the folder cannot be made.
    """
    if to is None and form is None:
        return None
    option = "--out" if form is None else "--format"
    if not gives_transcripts(pipeline):
        raise BadMessageError(f"{option}: {pipeline} makes no transcripts; give --json, or --pipeline transcribe")
    suffix = "" if to is None else to.suffix.lower().removeprefix(".")
    if to is not None and recordings > 1:
        if to.is_file() or (suffix in FORMS and not to.is_dir()):
            raise BadMessageError(f"--out: {str(to)!r} is one file for {recordings} recordings; name a folder")
        if form is None:
            raise BadMessageError(f"--out: {str(to)!r} is a folder; say what to write in it, as --format srt")
        _make_folder(to)
    form = form or (suffix if suffix in FORMS else None)
    if form is None:
        raise BadMessageError(f"--out: {str(to)!r} does not end in .{', .'.join(FORMS)}; name it so, or give --format")
    if to is not None and not to.parent.is_dir():
        raise BadMessageError(f"--out: there is no folder {str(to.parent)!r}; make it: mkdir -p {to.parent}")
    return Transcripts(form, to)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SourceError(f"--out: {folder}: {error.strerror}") from error
