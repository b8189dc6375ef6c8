"""What the model server answers instead: errors in OpenAI's shape, each with its HTTP status."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from starlette.responses import JSONResponse

from trainer.errors import (
    AdapterNameInvalid,
    AdapterRejected,
    AdapterUnknown,
    BaseModelLoading,
    BaseModelTooLarge,
    EngineBusy,
    EngineStopped,
    ModelTooLarge,
    PromptTooLong,
    TrainerError,
    VerifyKeyMissing,
)

#: Error class → HTTP status, OpenAI's error type, code. The first match counts.
_ERRORS: list[tuple[type[TrainerError], int, str, str]] = [
    (AdapterUnknown, 404, "invalid_request_error", "model_not_found"),
    (AdapterNameInvalid, 404, "invalid_request_error", "model_not_found"),
    (AdapterRejected, 424, "adapter_rejected", "adapter_rejected"),
    (VerifyKeyMissing, 424, "adapter_rejected", "verify_key_missing"),
    (ModelTooLarge, 424, "adapter_rejected", "model_too_large"),
    (PromptTooLong, 400, "invalid_request_error", "context_length_exceeded"),
    (BaseModelLoading, 503, "server_error", "model_loading"),
    (BaseModelTooLarge, 507, "server_error", "base_model_too_large"),
    (EngineBusy, 429, "rate_limit_error", "engine_busy"),
    (EngineStopped, 503, "server_error", "engine_stopped"),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """An error in OpenAI's shape."""

    status: int
    message: str
    type: str
    code: str

    @property
    def body(self) -> dict[str, Any]:
        return {"error": {"message": self.message, "type": self.type, "param": None, "code": self.code}}

    def to_response(self) -> JSONResponse:
        headers = {"retry-after": "2"} if self.status in {429, 503} else None
        return JSONResponse(self.body, status_code=self.status, headers=headers)


def refusal_for(error: Exception) -> Refusal:
    """What a client reads of this error; of one that is not ours, only that the log has more."""
    for kind, status, error_type, code in _ERRORS:
        if isinstance(error, kind):
            return Refusal(status=status, message=str(error), type=error_type, code=code)
    message = str(error) if isinstance(error, TrainerError) else "The model server failed; its log says why."
    return Refusal(status=500, message=message, type="server_error", code="server_error")


def malformed(message: str) -> Refusal:
    return Refusal(status=400, message=message, type="invalid_request_error", code="malformed_request")


def unknown_model(name: str) -> Refusal:
    return Refusal(
        status=404,
        message=f"There is no model {name[:120]!r} here; GET /v1/models lists those there are.",
        type="invalid_request_error",
        code="model_not_found",
    )
