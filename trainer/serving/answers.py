"""One chat completion on its way out: what the engine says, as one answer or as OpenAI's stream of events."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse, Response

from trainer.serving.refusals import refusal_for

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request

    from trainer.serving.engine import Engine, Event, Generation
    from trainer.serving.requests import ChatRequest

#: Headers of a stream.
NO_CACHE = {"cache-control": "no-cache", "x-accel-buffering": "no"}


def head(kind: str) -> dict[str, Any]:
    """What every answer begins with."""
    return {"id": f"chatcmpl-{uuid.uuid4().hex}", "object": kind, "created": int(time.time())}


class Answer:
    """One chat completion on its way out: the engine's events, carried over to the event loop."""

    def __init__(self, body: ChatRequest, loop: asyncio.AbstractEventLoop) -> None:
        self.events: asyncio.Queue[Event] = asyncio.Queue()
        self.generation: Generation | None = None
        self._body = body
        self._loop = loop
        self._id = f"chatcmpl-{uuid.uuid4().hex}"
        self._created = int(time.time())

    def submit(self, engine: Engine, adapter: str | None) -> Generation:
        from trainer.serving.text import Sampling

        body = self._body
        stop = (body.stop,) if isinstance(body.stop, str) else tuple(body.stop or ())
        sampling = Sampling(
            max_tokens=body.max_completion_tokens or body.max_tokens,
            temperature=1.0 if body.temperature is None else body.temperature,
            top_p=1.0 if body.top_p is None else body.top_p,
            stop=stop,
            seed=body.seed,
        )
        messages: Any = [message.to_chat() for message in body.messages]
        return engine.submit(messages, adapter, sampling, on_event=self._report)

    def _report(self, event: Event) -> None:
        with suppress(RuntimeError):  # the loop is closed: the server has stopped, nobody listens
            self._loop.call_soon_threadsafe(self.events.put_nowait, event)

    async def whole(self, request: Request) -> Response:
        gone = asyncio.create_task(_wait_for_disconnect(request))
        collected = asyncio.create_task(self._collect())
        try:
            await asyncio.wait({gone, collected}, return_when=asyncio.FIRST_COMPLETED)
            if not collected.done():
                return Response(status_code=499)  # nobody is there to read it
            text, end = collected.result()
        finally:
            self._cancel()
            gone.cancel()
            collected.cancel()
        choice = {
            "index": 0,
            "message": {"role": "assistant", "content": text},
            "logprobs": None,
            "finish_reason": end.reason,
        }
        head = self._head("chat.completion")
        return JSONResponse(head | {"choices": [choice], "usage": _usage(end)})

    async def _collect(self) -> tuple[str, Any]:
        pieces: list[str] = []
        while True:
            event = await self.events.get()
            if isinstance(event, Exception):
                raise event
            if not isinstance(event, str):
                return "".join(pieces), event
            pieces.append(event)

    async def stream(self, first: Event) -> AsyncIterator[str]:
        """Server-sent events, as OpenAI sends them; closing it cancels the generation."""
        try:
            yield self._chunk({"role": "assistant", "content": ""}, None)
            event = first
            while isinstance(event, str):
                yield self._chunk({"content": event}, None)
                event = await self.events.get()
            if isinstance(event, Exception):
                yield _sse(refusal_for(event).body)
                return
            yield self._chunk({}, event.reason)
            if self._body.stream_options and self._body.stream_options.include_usage:
                yield _sse(self._head("chat.completion.chunk") | {"choices": [], "usage": _usage(event)})
            yield "data: [DONE]\n\n"
        finally:
            self._cancel()

    def _cancel(self) -> None:
        if self.generation is not None:
            self.generation.cancel()

    def _chunk(self, delta: dict[str, str], reason: str | None) -> str:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
        return _sse(self._head("chat.completion.chunk") | {"choices": [choice]})

    def _head(self, kind: str) -> dict[str, Any]:
        digest = self.generation.adapter_digest if self.generation is not None else ""
        return {
            "id": self._id,
            "object": kind,
            "created": self._created,
            "model": self._body.model,
            "system_fingerprint": digest or None,
        }


async def _wait_for_disconnect(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _usage(end: Any) -> dict[str, int]:
    return {
        "prompt_tokens": end.prompt_tokens,
        "completion_tokens": end.completion_tokens,
        "total_tokens": end.prompt_tokens + end.completion_tokens,
    }


def _sse(body: dict[str, Any]) -> str:
    return f"data: {json.dumps(body, ensure_ascii=False)}\n\n"
