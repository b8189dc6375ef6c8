"""What the model server is asked: OpenAI's bodies, and vLLM's field for an answer out of a choice."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator


class RequestBody(BaseModel):
    """What every request's body has in common."""

    # Unknown fields are ignored, as other servers of this protocol do; the client sends many.
    model_config = ConfigDict(extra="ignore")


class TextPart(RequestBody):
    type: Literal["text"]
    text: str


class Message(RequestBody):
    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[TextPart]

    def to_chat(self) -> dict[str, str]:
        text = self.content if isinstance(self.content, str) else "".join(part.text for part in self.content)
        return {"role": "system" if self.role == "developer" else self.role, "content": text}


class StreamOptions(RequestBody):
    include_usage: bool = False


class StructuredOutputs(RequestBody):
    """vLLM's field of this name; of what it offers, the choice alone."""

    choice: Annotated[list[Annotated[str, Field(min_length=1)]], Field(min_length=1, max_length=512)] | None = None


class ChatRequest(RequestBody):
    model: str
    messages: Annotated[list[Message], Field(min_length=1)]
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    max_completion_tokens: Annotated[int, Field(ge=1)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    stop: str | Annotated[list[str], Field(max_length=4)] | None = None
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)] | None = None
    n: Annotated[int, Field(ge=1, le=512)] | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    structured_outputs: StructuredOutputs | None = None

    @property
    def choice(self) -> list[str]:
        """The texts that an answer has to be one of; none where it may be any."""
        return list(dict.fromkeys(self.structured_outputs.choice or [])) if self.structured_outputs else []

    @model_validator(mode="after")
    def _check_answers(self) -> ChatRequest:
        if self.choice and self.stream:
            raise ValueError("an answer out of a choice is not streamed")
        if not self.choice and (self.n or 1) > 1:
            raise ValueError("n above 1 goes with structured_outputs.choice alone")
        return self


class EmbeddingRequest(RequestBody):
    model: str
    input: str | Annotated[list[str], Field(min_length=1, max_length=2048)]
    encoding_format: Literal["float", "base64"] | None = None
