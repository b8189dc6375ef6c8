"""The model server: OpenAI's chat completions, models and embeddings, plus a health page. Nothing else answers.

It listens before the model is loaded and says so. Models are named, never given as paths; an adapter is verified
before its first token, and one that fails verification never writes any. Every answer carries the digest of the
adapter that wrote it in `system_fingerprint`.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
import os
import signal
import sys
import threading
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import structlog
import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from config.base_names import base_model_id
from trainer.artifacts.store import has_adapter, list_adapters
from trainer.base_models import prepare_embedding_model
from trainer.errors import AdapterNameInvalid, AdapterUnknown, TrainerError
from trainer.serving.answers import NO_CACHE, Answer, head
from trainer.serving.bases import WantedBases
from trainer.serving.refusals import Refusal, refusal_for, unknown_model
from trainer.serving.requests import ChatRequest, EmbeddingRequest, read_body
from trainer.serving.withdrawals import Withdrawals

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from starlette.requests import Request

    from config.settings import Settings
    from trainer.serving.adapters import AdapterSource
    from trainer.serving.bases import Bases
    from trainer.serving.classifiers import Classifiers
    from trainer.serving.embedder import Embedder
    from trainer.serving.engine import Engine, Generation
    from trainer.serving.full_models import FullModels
    from trainer.serving.scoring import ScoredChoices
    from trainer.serving.withdrawals import Holder

log = structlog.get_logger()

_SECONDS_TO_LOAD_WHILE_STOPPING = 2.0
#: How often it is looked whether something was taken out of the store.
_HEARTBEATS_BETWEEN_LOOKS = 3


class _Server:
    """The routes, and the models behind them once those are loaded."""

    def __init__(self, settings: Settings, engine: Engine | None, embedder: Embedder | None) -> None:
        self.settings = settings
        self.engine = engine
        self.embedder = embedder
        self._wanted = WantedBases(settings)
        self._withdrawals = Withdrawals(
            settings.data_dir / "cache", settings.resolved_artifact_url, self._holders,
            seconds_between_looks=_HEARTBEATS_BETWEEN_LOOKS * settings.heartbeat_seconds,
        )  # fmt: skip
        self.bases = self._make_bases(engine) if engine else None
        self.state = "ready" if engine and embedder else "loading"
        self.reason = "" if engine and embedder else "The model is loading; this takes seconds."
        self._owns_engine = engine is None
        self._classifiers: Classifiers | None = None
        #: By what their base model is called.
        self._full_models: dict[str, FullModels] = {}
        self._making = threading.Lock()
        self._key = settings.model_api_key.get_secret_value() if settings.model_api_key else ""
        self._started_at = int(time.time())

    # -------------------------------------------------------------------------------------- life

    @asynccontextmanager
    async def lifespan(self, app: Starlette) -> AsyncIterator[None]:
        loader = threading.Thread(target=self._load, name="loader", daemon=True)
        loader.start()
        yield
        for full in list(self._full_models.values()):
            await run_in_threadpool(full.close)
        await run_in_threadpool(loader.join, _SECONDS_TO_LOAD_WHILE_STOPPING)
        await run_in_threadpool(self._withdrawals.close)
        if self.bases is not None:
            await run_in_threadpool(self.bases.close)
            await run_in_threadpool(self._wanted.close)
        if self._owns_engine and self.engine is not None:
            await run_in_threadpool(self.engine.close)

    def _load(self) -> None:
        """Load what was not handed in. Torch is imported here, so that /health answers from the first second."""
        settings = self.settings
        try:
            if self.engine is None:
                from trainer.serving.bases import make_engine

                self.engine = make_engine(settings, settings.base_model, is_checked=False)
            if self.embedder is None:
                from trainer.serving.embedder import Embedder

                path = prepare_embedding_model(settings.embedding_model, settings.models_dir)
                self.embedder = Embedder(path, name=settings.embedding_model)
        except Exception as exc:
            log.exception("serving.load_failed")
            self.state = "failed"
            self.reason = str(exc) if isinstance(exc, TrainerError) else "The model did not load; see the log."
        else:
            self.bases = self.bases or self._make_bases(self.engine)
            self.bases.start()
            self._withdrawals.start()
            self.state, self.reason = "ready", ""
            log.info("serving.ready", model=self.engine.base_id)

    def _make_bases(self, own: Engine) -> Bases:
        from trainer.serving.bases import Bases, make_engine

        settings = self.settings
        return Bases(
            own, settings.base_model, store_url=settings.resolved_artifact_url, wanted=self._wanted,
            make=lambda name: make_engine(settings, name), seconds_between_looks=settings.heartbeat_seconds,
            may_go=self._has_idle_full_models, on_gone=self._forget_full_models,
        )  # fmt: skip

    def _holders(self) -> list[Holder]:
        """Those of whole models let go by themselves (trainer/serving/full_models.py)."""
        engines = self.bases.engines() if self.bases else []
        return [*(engine.adapters for engine in engines), *([self._classifiers] if self._classifiers else [])]

    # -------------------------------------------------------------------------------------- routes

    def routes(self) -> list[Route]:
        return [
            Route("/health", self.health),
            Route("/v1/models", self._guarded(self.list_models)),
            Route("/v1/models/{name}", self._guarded(self.get_model)),
            Route("/v1/chat/completions", self._guarded(self.chat), methods=["POST"]),
            Route("/v1/embeddings", self._guarded(self.embed), methods=["POST"]),
        ]

    def _guarded(self, route: Callable[[Request], Awaitable[Response]]) -> Callable[..., Awaitable[Response]]:
        """Key first, then readiness, then the route; whatever it raises becomes an answer in OpenAI's shape."""

        async def guarded(request: Request) -> Response:
            if not self._has_key(request):
                return Refusal(
                    status=401,
                    message="The API key is missing or wrong; set HUISSTIJL_MODEL_API_KEY on both sides.",
                    type="invalid_request_error",
                    code="invalid_api_key",
                ).to_response()
            if self.state != "ready":
                return Refusal(
                    status=503, message=self.reason, type="server_error", code=f"model_{self.state}"
                ).to_response()
            try:
                return await route(request)
            except TrainerError as exc:
                log.info("serving.refused", error=type(exc).__name__)
                return refusal_for(exc).to_response()

        return guarded

    def _has_key(self, request: Request) -> bool:
        given = request.headers.get("authorization", "")
        return not self._key or hmac.compare_digest(given.encode(), f"Bearer {self._key}".encode())

    async def health(self, request: Request) -> Response:
        body: dict[str, Any] = {"status": self.state, "reason": self.reason}
        if self.engine is not None and self.state == "ready":
            engines = self._bases().engines()
            body |= {
                "model": self.engine.base_id, "base_models": [engine.base_id for engine in engines],
                "loaded_adapters": [name for engine in engines for name in engine.adapters.names()],
                "loaded_models": [name for full in list(self._full_models.values()) for name in full.names()],
            }  # fmt: skip
        return JSONResponse(body, status_code=200 if self.state == "ready" else 503)

    async def list_models(self, request: Request) -> Response:
        bases = self._bases()
        bases.look_soon()
        names = await run_in_threadpool(list_adapters, self.settings.resolved_artifact_url)
        parents = await run_in_threadpool(lambda: [bases.base_of(name) for name in names])
        cards = [self._card(engine.base_id) for engine in bases.engines()]
        cards += [self._card(name, parent) for name, parent in zip(names, parents, strict=True)]
        if self.embedder is not None:
            cards.append(self._card(self.embedder.model_id))
        return JSONResponse({"object": "list", "data": cards})

    async def get_model(self, request: Request) -> Response:
        """One model's card; of a whole model only where it is in memory or would fit."""
        name = request.path_params["name"]
        own = {*(engine.base_id for engine in self._bases().engines()), self.embedder.model_id if self.embedder else ""}
        if name in own:
            return JSONResponse(self._card(name))
        if not await run_in_threadpool(has_adapter, self.settings.resolved_artifact_url, name):
            return unknown_model(name).to_response()
        engine, _ = await run_in_threadpool(self._bases().find, name)
        models = self._find_full_models(engine)
        if await run_in_threadpool(models.has, name):
            await run_in_threadpool(models.check_room, name)
        return JSONResponse(self._card(name, engine.base_id))

    def _card(self, name: str, parent: str | None = None) -> dict[str, Any]:
        card = {"id": name, "object": "model", "created": self._started_at, "owned_by": "huisstijl"}
        return card | ({"parent": parent} if parent else {})

    async def embed(self, request: Request) -> Response:
        body = await read_body(request, EmbeddingRequest)
        if isinstance(body, Refusal):
            return body.to_response()
        assert self.embedder is not None, "ready means that the embedder is loaded"
        if body.model not in {self.embedder.model_id, self.settings.embedding_model}:
            return unknown_model(body.model).to_response()
        texts = [body.input] if isinstance(body.input, str) else body.input
        vectors, tokens = await run_in_threadpool(self.embedder.embed, texts)
        is_packed = body.encoding_format == "base64"
        rows = vectors.numpy().astype("<f4")
        data = [
            {
                "object": "embedding",
                "index": index,
                "embedding": base64.b64encode(row.tobytes()).decode() if is_packed else row.tolist(),
            }
            for index, row in enumerate(rows)
        ]
        usage = {"prompt_tokens": tokens, "total_tokens": tokens}
        return JSONResponse({"object": "list", "model": self.embedder.model_id, "data": data, "usage": usage})

    async def chat(self, request: Request) -> Response:
        body = await read_body(request, ChatRequest)
        if isinstance(body, Refusal):
            return body.to_response()
        engine, adapter = await run_in_threadpool(self._bases().find, body.model)
        if body.choice:
            return await self._choose(body, engine, adapter)
        answer = Answer(body, asyncio.get_running_loop())
        try:
            answer.generation = await run_in_threadpool(self._submit, answer, engine, adapter)
        except (AdapterUnknown, AdapterNameInvalid):
            return unknown_model(body.model).to_response()
        if body.stream:
            # The first event decides the status: a request that fails at once is an error, not a stream.
            first = await answer.events.get()
            if isinstance(first, Exception):
                raise first
            return StreamingResponse(answer.stream(first), media_type="text/event-stream", headers=NO_CACHE)
        return await answer.whole(request)

    def _submit(self, answer: Answer, engine: Engine, name: str | None) -> Generation:
        """To the engine of the model of this name, or to the base model's with this adapter."""
        models = self._find_full_models(engine)
        if name is None or not models.has(name):
            return answer.submit(engine, name)
        with models.borrowed(name) as own:
            return answer.submit(own, None)

    def _score(self, engine: Engine, name: str | None, messages: Any, texts: list[str]) -> ScoredChoices:
        classifiers, models = self._find_classifiers(), self._find_full_models(engine)
        if name is not None and classifiers.has(name):
            return classifiers.score_choices(messages, texts, name)
        if name is None or not models.has(name):
            return engine.score_choices(messages, texts, name)
        with models.borrowed(name) as own:
            return own.score_choices(messages, texts, None)

    async def _choose(self, body: ChatRequest, engine: Engine, adapter: str | None) -> Response:
        """The likeliest of the texts given, exactly and without dice, with `n` the likeliest so many."""
        from trainer.serving.scoring import choices_response

        messages: Any = [message.to_chat() for message in body.messages]
        try:
            scored = await run_in_threadpool(self._score, engine, adapter, messages, body.choice)
        except (AdapterUnknown, AdapterNameInvalid):
            return unknown_model(body.model).to_response()
        return choices_response(scored, body.model, body.n or 1, head("chat.completion"))

    def _find_full_models(self, base: Engine) -> FullModels:
        """Those that were trained from this base model."""
        from trainer.serving.full_models import FullModels

        with self._making:
            if base.base_id not in self._full_models:
                kind = "full" if base is self.engine else f"full-{base.base_id}"
                self._full_models[base.base_id] = FullModels(
                    _source(self.settings, kind), base, idle_seconds=self.settings.full_idle_minutes * 60
                )
            return self._full_models[base.base_id]

    def _has_idle_full_models(self, base: Engine) -> bool:
        with self._making:
            models = self._full_models.get(base.base_id)
        return models is None or models.is_idle

    def _forget_full_models(self, base: Engine) -> None:
        with self._making:
            models = self._full_models.pop(base.base_id, None)
        if models is not None:
            models.close()

    def _find_classifiers(self) -> Classifiers:
        from trainer.serving.classifiers import Classifiers

        if self._classifiers is None:
            assert self.embedder is not None, "ready means that the embedder is loaded"
            settings = self.settings
            cache_dir = settings.data_dir / "cache" / "classifiers"
            self._classifiers = Classifiers(settings.resolved_artifact_url, cache_dir, settings.keys_dir, self.embedder)
        return self._classifiers

    def _bases(self) -> Bases:
        assert self.bases is not None, "ready means that the engine is loaded"
        return self.bases


def _source(settings: Settings, kind: str) -> AdapterSource:
    from trainer.serving.adapters import AdapterSource

    return AdapterSource(
        store_url=settings.resolved_artifact_url, cache_dir=settings.data_dir / "cache" / kind,
        keys_dir=settings.keys_dir,
    )  # fmt: skip


async def _on_http_exception(request: Request, exc: Exception) -> Response:
    status = exc.status_code if isinstance(exc, HTTPException) else 500
    known = {404: "There is nothing here; see /v1/models.", 405: "This method is not allowed here."}
    return Refusal(
        status=status,
        message=known.get(status, "The request could not be handled."),
        type="invalid_request_error",
        code="not_found" if status == 404 else "not_allowed",
    ).to_response()


async def _on_crash(request: Request, exc: Exception) -> Response:
    log.error("serving.crashed", exc_info=exc)
    return refusal_for(exc).to_response()


def build_server(settings: Settings, engine: Engine | None = None, embedder: Embedder | None = None) -> Starlette:
    """The ASGI app. What is not handed in is loaded in the background once it starts."""
    return _app(_Server(settings, engine, embedder))


def _app(server: _Server) -> Starlette:
    return Starlette(
        routes=server.routes(),
        lifespan=server.lifespan,
        exception_handlers={HTTPException: _on_http_exception, Exception: _on_crash},
    )


def serve(settings: Settings) -> None:
    """Answer on `serve_host:serve_port` until SIGTERM or SIGINT, then exit with 0.

    Requests under way get five seconds. A model that is still being prepared is left half prepared, which the next
    start finds and mends.
    """
    server = _Server(settings, None, None)

    def leave(number: int, frame: object) -> None:
        log.info("serving.stopped", signal=signal.Signals(number).name)
        if server.state == "loading":  # its thread cannot be asked to stop
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(0)
        sys.exit(0)

    # uvicorn takes these over while it runs, and raises the signal once more when it has stopped.
    signal.signal(signal.SIGTERM, leave)
    signal.signal(signal.SIGINT, leave)
    log.info("serving.starting", model=base_model_id(settings.base_model), port=settings.serve_port)
    uvicorn.run(
        _app(server),
        host=settings.serve_host,
        port=settings.serve_port,
        log_level="warning",
        timeout_graceful_shutdown=5,
    )
