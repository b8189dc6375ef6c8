"""Every HTTP and websocket route of the workspace, on one page, and who may use it.

`/api`, `/upload` and `/link` are Slack's. `/client` and `/control` are ours: they take the client token, which
only people and tests on this machine have. `/response` URLs are their own secret. The page's routes are in page/.
"""

from __future__ import annotations

import hmac
import json
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute

from bot.rehearsal import interactions, methods_files
from bot.rehearsal.client_actions import active
from bot.rehearsal.client_reading import ALL_VERBS
from bot.rehearsal.errors import ApiError, WorkspaceError
from bot.rehearsal.web_api import Fault, WebApi

if TYPE_CHECKING:
    from starlette.requests import Request

    from bot.rehearsal.options import Json
    from bot.rehearsal.page.endpoints import Page
    from bot.rehearsal.socket_mode import SocketHub
    from bot.rehearsal.state import State


class Routes:
    """The endpoints, around one state."""

    def __init__(self, state: State, hub: SocketHub, web_api: WebApi, page: Page) -> None:
        self._state = state
        self._hub = hub
        self._web_api = web_api
        self._page = page

    def asgi(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/api/{method}", self._web_api.endpoint, methods=["GET", "POST"]),
                WebSocketRoute("/link/", self._hub.serve),
                Route("/upload/v1/{file_id}", self._upload, methods=["POST"]),
                Route("/files/{file_id}/{name:path}", self._download),
                Route("/response/{key}", self._respond, methods=["POST"]),
                Route("/client/{verb}", self._client, methods=["POST"]),
                Route("/control/{verb}", self._control, methods=["POST"]),
                Route("/healthz", self._health),
                *self._page.routes(),
            ]
        )

    async def _health(self, request: Request) -> Response:
        return JSONResponse({"ok": True, "connections": self._hub.connections})

    async def _upload(self, request: Request) -> Response:
        content = await request.body()
        with self._state.transaction():
            taken = methods_files.receive(self._state, request.path_params["file_id"], content)
        return PlainTextResponse(f"OK - {len(content)}" if taken else "bad upload", 200 if taken else 400)

    async def _download(self, request: Request) -> Response:
        tokens = self._state.tokens
        if not _bears(request, tokens["bot_token"], tokens["client_token"]):
            return PlainTextResponse("sign in first", 403)
        file_id = request.path_params["file_id"]
        content, file = self._state.file_bytes.get(file_id), self._state.files.get(file_id)
        if content is None or file is None:
            return PlainTextResponse("no such file", 404)
        if _bears(request, tokens["bot_token"]):
            is_allowed = "files:read" in self._state.app.scopes and methods_files.is_seen_by_app(self._state, file)
            if not is_allowed:
                return HTMLResponse(methods_files.SIGN_IN_PAGE)
        return Response(content, media_type=file["mimetype"])

    async def _respond(self, request: Request) -> Response:
        body = _json_object(await request.body())
        try:
            with self._state.transaction():
                interactions.use_response_url(self._state, request.path_params["key"], body)
        except ApiError as error:
            status = 404 if error.error in ("used_url", "expired_url") else 200
            return JSONResponse({"ok": False, "error": error.error, **error.fields}, status)
        return PlainTextResponse("ok")

    async def _client(self, request: Request) -> Response:
        if not _bears(request, self._state.tokens["client_token"]):
            return JSONResponse({"ok": False, "error": "not_authed"}, 403)
        verb = ALL_VERBS.get(request.path_params["verb"])
        if verb is None:
            return JSONResponse({"ok": False, "error": "unknown verb"}, 404)
        args = _json_object(await request.body())
        user = str(args.pop("as", ""))
        try:
            active(self._state, user)
            # A thread, because the verb may wait for the app, which calls this server meanwhile.
            result = await run_in_threadpool(verb, self._state, user, args)
        except KeyError as error:
            return JSONResponse({"ok": False, "error": f"missing argument {error}"}, 400)
        except WorkspaceError as error:
            return JSONResponse({"ok": False, "error": str(error)}, 400)
        return JSONResponse({"ok": True, "result": result})

    async def _control(self, request: Request) -> Response:
        if not _bears(request, self._state.tokens["client_token"]):
            return JSONResponse({"ok": False, "error": "not_authed"}, 403)
        args = _json_object(await request.body())
        verb = request.path_params["verb"]
        if verb == "fail":
            known = {f.name for f in fields(Fault)}
            self._web_api.arm(Fault(**{k: v for k, v in args.items() if k in known}))
        elif verb == "heal":
            self._web_api.disarm()
        elif verb == "disconnect":
            self._hub.ask_to_reconnect(str(args.get("reason", "refresh_requested")))
        elif verb == "drop":
            self._hub.drop_all()
        elif verb == "turn_clock":
            self._state.turned_seconds += float(args.get("seconds", 0))
        elif verb in ("calls", "deliveries"):
            return JSONResponse({"ok": True, "result": self._journal(verb, args)})
        else:
            return JSONResponse({"ok": False, "error": "unknown verb"}, 404)
        return JSONResponse({"ok": True, "result": None})

    def _journal(self, verb: str, args: Json) -> list[Any]:
        journal = self._state.journal
        if verb == "deliveries":
            return [d.as_json() for d in journal.deliveries(args.get("type"))]
        return [
            {"method": c.method, "args": c.args, "status": c.status, "result": c.result, "at": c.at}
            for c in journal.calls(args.get("method"))
        ]


def _bears(request: Request, *tokens: str) -> bool:
    given = request.headers.get("authorization", "").removeprefix("Bearer ")
    return any(hmac.compare_digest(given.encode(), token.encode()) for token in tokens)


def _json_object(body: bytes) -> Json:
    try:
        parsed = json.loads(body or b"{}")
    except ValueError:
        return {}
    return parsed if isinstance(parsed, dict) else {}
