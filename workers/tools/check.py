"""`python -m workers.tools.check`: are the models and countries of the settings known? Nothing is loaded or fetched.

With `-Q gpu.detect,cpu.ocr`: what workers of these queues need is loaded, the code of their stages, the detectors of
`plates` and `text`, the recognizers, the model of `chat` and what reads speech; weights of `objects` are downloaded, by
`python -m workers.tools.fetch`.

Exit status: 0 all is there, 2 something is not.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from sightline.errors import ModelError, SightlineError
from sightline.pipelines.chat import CHAT_QUEUE
from sightline.pipelines.queues import DETECT_QUEUE, OCR_QUEUE
from sightline.pipelines.speech import TRANSCRIBE_QUEUE
from sightline.settings import PREFIX, Settings, load_settings


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m workers.tools.check", description=__doc__)
    parser.add_argument("-Q", "--queues", help="load what workers of these queues need; names, separated by commas")
    queues: str | None = parser.parse_args(arguments).queues
    try:
        settings = load_settings()
        if queues is None:
            _look_up(settings)
        else:
            _load(queues.split(","), settings)
    except SightlineError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def _look_up(settings: Settings) -> None:
    from workers.models.registry import find_model
    from workers.recognizers.formats import open_formats

    for setting in ("plates_model", "objects_model", "text_model"):
        name = getattr(settings, setting)
        try:
            find_model(name, settings)
        except ModelError as error:
            raise ModelError(f"{PREFIX}{setting.upper()}: {error}", model=name) from error
    open_formats(settings)


def _load(queues: Sequence[str], settings: Settings) -> None:
    from workers.app import load_stages

    load_stages(queues)
    if DETECT_QUEUE in queues:
        from workers.detectors import open_detector

        for name in (settings.plates_model, settings.text_model):
            open_detector(name, settings).warm()
    if OCR_QUEUE in queues:
        from workers.recognizers import open_plates_recognizer, open_recognizer

        open_plates_recognizer(settings, open_recognizer(settings))
    if CHAT_QUEUE in queues:
        from workers.chat import opening as chat_opening

        chat_opening.open_engine(settings).close()
    if TRANSCRIBE_QUEUE in queues:
        from workers.speech import opening as speech_opening

        speech_opening.open_engine(settings)


if __name__ == "__main__":
    raise SystemExit(main())
