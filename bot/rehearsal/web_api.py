"""The Web API: reads arguments as Slack does, checks the token, the scope and armed faults, calls the method.

Every call ends up in the journal with its answer. A method is a function (State, args) -> fields of the answer.
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
from dataclasses import dataclass
from email.utils import formatdate
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from starlette.responses import JSONResponse, Response

from bot.rehearsal import methods_chat, methods_conversations, methods_files, methods_people, methods_streams
from bot.rehearsal import methods_views as views
from bot.rehearsal.errors import ApiError
from bot.rehearsal.journal import Call
from bot.rehearsal.scopes import METHOD_SCOPES, require

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

    from bot.rehearsal.options import Json
    from bot.rehearsal.socket_mode import SocketHub
    from bot.rehearsal.state import State

#: Arguments that are JSON inside a form field.
_JSON_FIELDS = frozenset(
    {"blocks", "view", "metadata", "chunks", "attachments", "prompts", "files", "loading_messages", "unfurls"}
)
_METHODS: dict[str, Callable[[State, Json], Json]] = {
    **methods_chat.METHODS,
    **methods_streams.METHODS,
    **methods_conversations.METHODS,
    **methods_people.METHODS,
    **methods_files.METHODS,
    **views.METHODS,
}


@dataclass(slots=True, kw_only=True)
class Fault:
    """Something that goes wrong with the next `times` calls of a method.

    status 429 answers ratelimited with Retry-After; 500 and 503 answer without JSON; 200 with `error` answers
    that error; `hang_seconds` first keeps the caller waiting. `after` true: the call takes effect before it fails.
    """

    method: str
    times: int = 1
    status: int = 429
    retry_after_seconds: int = 1
    error: str = ""
    hang_seconds: float = 0.0
    after: bool = False


class WebApi:
    """All methods behind one entrance."""

    def __init__(self, state: State, hub: SocketHub) -> None:
        self._state = state
        self._hub = hub
        self._faults: list[Fault] = []
        self._faults_lock = threading.Lock()

    def arm(self, fault: Fault) -> None:
        with self._faults_lock:
            self._faults.append(fault)

    def disarm(self) -> None:
        with self._faults_lock:
            self._faults.clear()

    async def endpoint(self, request: Request) -> Response:
        began = time.monotonic()
        method = str(request.path_params["method"])
        args = read_args(await request.body(), request.headers.get("content-type", ""), request.url.query)
        token = _token(request, args)
        fault = self._take_fault(method)
        if fault is not None and fault.hang_seconds:
            await asyncio.sleep(fault.hang_seconds)
        if fault is not None and not fault.after and (fault.status != 200 or fault.error):
            return self._fail(method, args, fault, began)
        answer = self._answer(method, args, token)
        if fault is not None and fault.after:
            return self._fail(method, args, fault, began)
        self._record(method, args, 200, answer, began)
        return JSONResponse(answer, headers=self._headers())

    def _headers(self) -> dict[str, str]:
        """The app's scopes, and the time by the workspace's clock: both are in every answer of Slack's."""
        date = formatdate(self._state.now(), usegmt=True)
        return {"x-oauth-scopes": ",".join(self._state.app.scopes), "Date": date}

    def _answer(self, method: str, args: Json, token: str | None) -> Json:
        state = self._state
        try:
            with state.transaction():
                self._check_token(method, token)
                if method == "apps.connections.open":
                    url = state.url.replace("http", "ws", 1)
                    return {"ok": True, "url": f"{url}/link/?ticket={self._hub.issue_ticket()}"}
                function = _METHODS.get(method)
                if function is None:
                    raise ApiError("unknown_method", req_method=method)
                if method in METHOD_SCOPES:
                    require(state, METHOD_SCOPES[method])
                return {"ok": True, **function(state, args)}
        except ApiError as error:
            return {"ok": False, "error": error.error, **error.fields}

    def _check_token(self, method: str, token: str | None) -> None:
        tokens = self._state.tokens
        if method == "api.test":
            return
        if not token:
            raise ApiError("not_authed")
        if token not in (tokens["bot_token"], tokens["app_token"]):
            raise ApiError("invalid_auth")
        if not self._state.installed:
            raise ApiError("account_inactive")
        if (token == tokens["app_token"]) != (method == "apps.connections.open"):
            raise ApiError("not_allowed_token_type")

    def _take_fault(self, method: str) -> Fault | None:
        with self._faults_lock:
            for fault in self._faults:
                if fault.method in (method, "*"):
                    fault.times -= 1
                    if fault.times <= 0:
                        self._faults.remove(fault)
                    return fault
        return None

    def _fail(self, method: str, args: Json, fault: Fault, began: float) -> Response:
        if fault.status == 429:
            answer: Json = {"ok": False, "error": "ratelimited"}
            self._record(method, args, 429, answer, began)
            return JSONResponse(answer, 429, headers={"Retry-After": str(fault.retry_after_seconds)})
        if fault.status == 200:
            answer = {"ok": False, "error": fault.error}
            self._record(method, args, 200, answer, began)
            return JSONResponse(answer)
        self._record(method, args, fault.status, {"ok": False, "error": f"http {fault.status}"}, began)
        return Response("upstream error", fault.status, media_type="text/plain")

    def _record(self, method: str, args: Json, status: int, answer: Json, began: float) -> None:
        took = time.monotonic() - began
        call = Call(method=method, args=args, status=status, result=answer, at=time.time() - took, seconds=took)
        self._state.journal.add_call(call)


def read_args(body: bytes, content_type: str, query: str) -> Json:
    """Arguments from the query, a form or a JSON body; the token is left in place for the caller to take."""
    args: Json = dict(parse_qsl(query, keep_blank_values=True))
    if content_type.startswith("application/json"):
        try:
            parsed = json.loads(body or b"{}")
        except ValueError:
            parsed = {}
        args |= parsed if isinstance(parsed, dict) else {}
    else:
        args |= dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
    for name in _JSON_FIELDS & args.keys():
        args[name] = _parse(args[name])
    return args


def _parse(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


def _token(request: Request, args: Json) -> str | None:
    """The bearer token, or the `token` argument, which is taken out so that no journal holds it."""
    argument = args.pop("token", None)
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token:
        return token
    return argument if isinstance(argument, str) else None
