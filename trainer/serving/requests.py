"""What the model server is asked: OpenAI's bodies, and vLLM's field for an answer out of a choice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from trainer.serving.refusals import Refusal, malformed

if TYPE_CHECKING:
    from starlette.requests import Request

_MAX_BODY_BYTES = 4 << 20


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


Body = TypeVar("Body", bound=RequestBody)


async def read_body(request: Request, kind: type[Body]) -> Body | Refusal:
    """The validated body, or why it cannot be used; never more than the cap in memory."""
    data = b""
    async for chunk in request.stream():
        data += chunk
        if len(data) > _MAX_BODY_BYTES:
            return malformed(f"The body is larger than {_MAX_BODY_BYTES} bytes; send less.")
    try:
        return kind.model_validate_json(data)
    except ValidationError as exc:
        first = exc.errors(include_input=False, include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        return malformed(f"The body is malformed{' at ' + where if where else ''}: {first['msg']}.")
