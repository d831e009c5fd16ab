"""Whoever waits for an answer and goes away: then nobody wants it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable
from typing import Final, TypeVar

from starlette.requests import ClientDisconnect, Request

from producers.api.middleware.problems import NotFoundError
from producers.api.routes.jobs import look
from producers.api.services import ApiServices
from sightline.errors import BrokerUnavailableError
from sightline.types import JobResult

log = logging.getLogger(__name__)

T = TypeVar("T")
_LOOK_EVERY_S: Final = 15.0


class Waiter:
    """Of one request and its job. What it waits for holds no thread."""

    def __init__(self, request: Request, services: ApiServices, job_id: str, *, keeps_job: bool) -> None:
        self._request = request
        self._services = services
        self._job_id = job_id
        self._keeps_job = keeps_job  #: the client may go, and the job goes on

    async def result(self) -> JobResult:
        """The result of the job, however long that takes. Raises as `unless_gone` does."""
        return await self.unless_gone(self._result())

    async def unless_gone(self, awaited: Awaitable[T]) -> T:
        """What is waited for.

        Raises:
            ClientDisconnect: the client went first; its job is cancelled.
        """
        waiting, leaving = asyncio.ensure_future(awaited), asyncio.ensure_future(self._leave())
        try:
            await asyncio.wait((waiting, leaving), return_when=asyncio.FIRST_COMPLETED)
            if waiting.done():
                return waiting.result()
            raise ClientDisconnect
        except (ClientDisconnect, asyncio.CancelledError):
            self.give_up()
            raise
        finally:
            waiting.cancel()
            leaving.cancel()

    def give_up(self) -> None:
        """Have the job cancelled, unless it is to go on. Waits for nothing: the request may be on its way out."""
        if not self._keeps_job:
            asyncio.get_running_loop().run_in_executor(None, self._cancel)

    def _cancel(self) -> None:
        try:
            self._services.publisher.ledger.cancel(self._job_id)
        except BrokerUnavailableError as error:
            log.warning("job %s goes on, though its client left: %s", self._job_id, error)

    async def _leave(self) -> None:
        while (await self._request.receive())["type"] != "http.disconnect":
            pass

    async def _result(self) -> JobResult:
        while True:
            answer = await look(self._services, self._job_id, _LOOK_EVERY_S)
            if answer is None:
                raise NotFoundError("job", self._job_id, hint="it was erased")
            if answer.result is not None:
                return answer.result
