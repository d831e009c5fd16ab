"""Which photos of watched folders were read, so that none is read twice, also after a restart."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any, Final

from producers.camera.photos.folder import DroppedFile
from sightline.redis.connection import broker_errors

if TYPE_CHECKING:
    import redis

_KEY: Final = "sightline:camera_photos:"
_AT_ONCE: Final = 1000


class KnownPhotos:
    """Notes in Redis, those of each camera by place of the file: the edition that was read.

    What Redis forgets is read again and gives the same frames, which make no second row. All methods raise
    `BrokerUnavailableError`.
    """

    def __init__(self, redis: redis.Redis) -> None:
        self._redis = redis

    def of(self, camera_id: str) -> dict[str, str]:
        """Editions by place."""
        with broker_errors():
            found: Any = self._redis.hgetall(_KEY + camera_id)
        return dict(found)

    def add(self, camera_id: str, place: str, edition: str) -> None:
        with broker_errors():
            self._redis.hset(_KEY + camera_id, place, edition)

    def drop(self, camera_id: str, places: Collection[str]) -> None:
        gone = list(places)
        with broker_errors():
            for first in range(0, len(gone), _AT_ONCE):
                self._redis.hdel(_KEY + camera_id, *gone[first : first + _AT_ONCE])

    def forget(self, camera_id: str) -> None:
        """The camera is gone."""
        with broker_errors():
            self._redis.delete(_KEY + camera_id)


class Memory:
    """What the watcher of one folder knows: the notes of before, and its own."""

    def __init__(self, camera_id: str, photos: KnownPhotos) -> None:
        """Raises `BrokerUnavailableError`."""
        self._camera_id = camera_id
        self._photos = photos
        self._editions = photos.of(camera_id)

    def has(self, file: DroppedFile) -> bool:
        return self._editions.get(file.place) == file.edition

    def add(self, file: DroppedFile) -> None:
        """Raises `BrokerUnavailableError`; here it is known all the same."""
        self._editions[file.place] = file.edition
        self._photos.add(self._camera_id, file.place, file.edition)

    def keep_only(self, places: Collection[str]) -> None:
        """Forget the files that are gone. Raises `BrokerUnavailableError`.

        Where all are gone, it may be the disk or the share that is away, and nothing is forgotten.
        """
        gone = self._editions.keys() - places if places else ()
        for place in gone:
            del self._editions[place]
        if gone:
            self._photos.drop(self._camera_id, gone)
