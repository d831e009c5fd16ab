"""`/v1/models`: what answers questions here."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel

from producers.api.access.auth import require
from producers.api.middleware.problems import NotFoundError
from producers.api.openai.errors import described
from producers.api.services import Given
from sightline.settings import ChatSettings
from storage.access.keys import Role

ALWAYS: Final = described(400, 401, 403, 429, 503)

router = APIRouter(prefix="/v1/models", tags=["chat"], responses=ALWAYS, dependencies=[Depends(require(Role.VIEWER))])


class ChatModel(BaseModel):
    """A model that can be asked."""

    id: str
    object: Literal["model"] = "model"
    created: int = 0  #: epoch seconds; nobody knows it
    owned_by: str = "sightline"


class ChatModelList(BaseModel):
    """The models that can be asked."""

    object: Literal["list"] = "list"
    data: list[ChatModel]


@router.get("", summary="Models that can be asked")
def list_models(services: Given) -> ChatModelList:
    """The one of `SIGHTLINE_CHAT_MODEL`, which has to be the same for the API and for the workers that answer."""
    return ChatModelList(data=[ChatModel(id=services.settings.chat_model_name)])


@router.get("/{model}", summary="One model", responses=described(404))
def get_model(model: Annotated[str, Path(max_length=255)], services: Given) -> ChatModel:
    """To ask whether it is there."""
    require_model(model, services.settings)
    return ChatModel(id=services.settings.chat_model_name)


def require_model(model: str, settings: ChatSettings) -> None:
    """Raises NotFoundError: there is none of this name; says which there are."""
    if model not in ("default", settings.chat_model_name):
        raise NotFoundError("model", model, hint=f"there is {settings.chat_model_name!r}, which `default` means too")
