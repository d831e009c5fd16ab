"""What answers questions, and how much of it at once."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, JsonValue, SecretStr

from sightline.settings.group import Count, Group, Seconds


class ChatSettings(Group):
    """What workers of `chat` answer with."""

    title = "Chat"

    chat_engine: Literal["openvino", "openai", "stub"] = Field(
        "openvino",
        description="What answers: `openvino`, a model in the worker; `openai`, any server that speaks OpenAI's "
        "language; `stub` says back what it is asked, for tests.",
    )
    chat_model: str = Field(
        "smollm2",
        description="The model: a name of the model registry, or the path of a GGUF file or of a folder prepared for "
        "OpenVINO. With `openai`, a name that the server knows.",
    )
    chat_concurrency: Count = Field(
        32, description="Bulk jobs that a chat worker holds at once; others get 25 % extra threads."
    )
    chat_max_in_engine: Count = Field(
        32, description="Answers that are worked on at once, at most. A server that says 429 gets fewer."
    )
    chat_bulk_beside: Count = Field(
        1,
        description="Of these, bulk's while answers of higher lanes are worked on; each more makes every token of the "
        "others later. `openvino` lets other bulk answers stand still meanwhile. A server cannot: those that it has go "
        "on, and no more are begun until five seconds later.",
    )
    chat_context_tokens: Annotated[int, Field(ge=0)] = Field(
        0, description="Tokens of a question and its answer together, at most; 0: as many as the model was made for."
    )
    chat_answer_tokens: Annotated[int, Field(ge=0)] = Field(
        1024,
        description="Tokens of an answer whose question says nothing of them (`max_tokens`), at most; 0: as many as "
        "there is room for. Small models may repeat themselves for ever.",
    )
    chat_cache_gb: Count = Field(
        1,
        description="Memory of `openvino` for what was read and said, in gigabytes; what prompts share is kept there.",
    )
    chat_device: str = Field(
        "CPU", description="Where `openvino` runs: `CPU`, `GPU`, `GPU.1`, or several: `HETERO:GPU.0,GPU.1`."
    )
    chat_properties: dict[str, JsonValue] = Field(
        {},
        description='Properties of OpenVINO for that, as JSON: `{"MODEL_DISTRIBUTION_POLICY": "PIPELINE_PARALLEL"}` '
        'shares a model among the devices of `HETERO`, `{"KV_CACHE_PRECISION": "u8"}` halves its cache.',
    )
    chat_url: str = Field(
        "", description="Where the server of `openai` is: `http://10.0.0.5:8000/v1`.", pattern=r"^(https?://\S+)?$"
    )
    chat_api_key: SecretStr = Field(SecretStr(""), description="Key for that server.")
    chat_sees_pictures: bool = Field(
        False,
        description="The model of `openai` sees: it is shown the pictures of `ask`, beside what was found there. Needs "
        "OpenCV in the chat worker (`pip install -e '.[cpu]'`).",
    )
    chat_picture_px: Count = Field(
        1024, description="Longest side of pictures that it is shown, in pixels; larger ones are made smaller."
    )
    chat_timeout_s: Seconds = Field(
        60, description="Seconds that server may be silent, from one token to the next too."
    )
    chat_retries: Annotated[int, Field(ge=0, le=10)] = Field(
        3, description="How often it is asked again where it failed before the first token."
    )

    @property
    def chat_model_name(self) -> str:
        """As answers name the model, and clients ask for it: of a path, the file's name or the folder's."""
        is_path = self.chat_engine == "openvino" and "/" in self.chat_model
        return self.chat_model.rstrip("/").rpartition("/")[2].removesuffix(".gguf") if is_path else self.chat_model
