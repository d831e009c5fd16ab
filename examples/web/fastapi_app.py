"""FastAPI: the async client, opened and closed with the app. Waiting holds no thread."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, HTTPException, Request, UploadFile

from sightline import AsyncSightline, BadImageError, RetryableError, WaitTimeoutError


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with AsyncSightline() as client:
        app.state.sightline = client
        yield


app = FastAPI(lifespan=lifespan)


@app.post("/read")
async def read(photo: UploadFile, request: Request) -> dict[str, list[str]]:
    client: AsyncSightline = request.app.state.sightline
    try:
        job = await client.submit(await photo.read(), source_id="reception")
        result = await job.wait(timeout_s=10)
    except BadImageError as error:
        raise HTTPException(422, str(error)) from error
    except WaitTimeoutError as error:
        raise HTTPException(504, str(error)) from error
    except RetryableError as error:
        raise HTTPException(503, str(error), headers={"Retry-After": "5"}) from error
    return {"plates": [reading.text for reading in result.readings]}
