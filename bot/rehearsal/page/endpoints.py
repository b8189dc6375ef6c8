"""Every route of the page. The guard stands before each of them; what a person may see is decided in sight.py.

The built page lies in `static/` and is served as it is: no Node and no network are needed to run it.
"""

from __future__ import annotations

import asyncio
import json
import mimetypes
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocketDisconnect

from bot.language import speaking
from bot.rehearsal.client_actions import active
from bot.rehearsal.client_reading import ALL_VERBS
from bot.rehearsal.errors import ApiError, WorkspaceError
from bot.rehearsal.page.guard import is_local, is_own_page
from bot.rehearsal.page.sight import Sight, may_see_file
from bot.rehearsal.page.words import words
from bot.texts import workspace as texts

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request
    from starlette.routing import BaseRoute
    from starlette.websockets import WebSocket

    from bot.rehearsal.options import Json
    from bot.rehearsal.page.underneath import Underneath
    from bot.rehearsal.state import State

STATIC = Path(__file__).parent / "static"
#: Changes that come within this are sent together; a streamed answer still looks like typing.
GATHER_SECONDS = 0.02
#: How often the side panel looks.
INSPECT_SECONDS = 0.25
MAX_BODY_BYTES = 16_000_000
#: What a person does; the verbs that only look are answered by the state.
ACTIONS = frozenset(
    {
        "post", "upload", "edit", "delete", "react", "slash", "shortcut", "click", "click_view", "submit", "close_view",
        "options", "open_home", "look_at", "stop_stream", "mark_read", "join", "invite",
    }
)  # fmt: skip
_SAFE = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' data: blob:; style-src 'self' 'unsafe-inline'; connect-src 'self'; "
        "font-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
}
#: Pictures that a browser shows without running anything.
_SHOWN_INLINE = ("image/png", "image/jpeg", "image/gif", "image/webp")


class Page:
    """The page's endpoints around one state."""

    def __init__(self, state: State, underneath: Underneath, static: Path = STATIC) -> None:
        self._state = state
        self._underneath = underneath
        self._static = static

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/", _local(self._index)),
            Route("/archives/{channel}/p{digits:int}", _local(self._permalink)),
            Route("/page/words", _local(self._words)),
            Route("/page/state", _local(self._whole)),
            Route("/page/act", _own(self._act), methods=["POST"]),
            Route("/page/file/{file_id}", _local(self._file)),
            WebSocketRoute("/page/live", self._live),
            Route("/page/inspect", _local(self._inspect)),
            WebSocketRoute("/page/inspect/live", self._inspect_live),
            Route("/page/{path:path}", _local(self._asset)),
        ]

    # --- the built page ----------------------------------------------------------------------------

    async def _index(self, request: Request) -> Response:
        try:
            content = (self._static / "index.html").read_bytes()
        except FileNotFoundError:
            return PlainTextResponse("The page is not part of this installation.", 404)
        return Response(content, media_type="text/html", headers={"Cache-Control": "no-cache"})

    async def _asset(self, request: Request) -> Response:
        path = (self._static / request.path_params["path"]).resolve()
        if not path.is_relative_to(self._static.resolve()) or not path.is_file():
            return PlainTextResponse("There is no such file.", 404)
        # The build puts a digest of their content into the names of what is in assets/.
        is_fixed = path.parent.name == "assets"
        kept = "public, max-age=31536000, immutable" if is_fixed else "no-cache"
        kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        return Response(path.read_bytes(), media_type=kind, headers={"Cache-Control": kept})

    async def _words(self, request: Request) -> Response:
        return JSONResponse(words(), headers={"Cache-Control": "no-cache"})

    async def _permalink(self, request: Request) -> Response:
        digits = str(request.path_params["digits"])
        place = {"channel": request.path_params["channel"], "ts": f"{digits[:-6]}.{digits[-6:]}"}
        if "thread_ts" in request.query_params:
            place["thread_ts"] = request.query_params["thread_ts"]
        return RedirectResponse(f"/?{urlencode(place)}", 302)

    # --- looking -----------------------------------------------------------------------------------

    async def _whole(self, request: Request) -> Response:
        sight = Sight(self._state, request.query_params.get("as", ""))
        try:
            return JSONResponse({"ok": True, **await run_in_threadpool(sight.whole)})
        except WorkspaceError as error:
            return _refusal(str(error))

    async def _file(self, request: Request) -> Response:
        state, user = self._state, request.query_params.get("as", "")
        with state.lock:
            file = state.files.get(request.path_params["file_id"])
            content = state.file_bytes.get(request.path_params["file_id"])
            if user not in state.users or file is None or content is None or not may_see_file(state, user, file):
                return PlainTextResponse("There is no such file.", 404)
        inline = file["mimetype"] in _SHOWN_INLINE
        headers = {"Cache-Control": "private, no-cache", "Content-Disposition": "inline" if inline else "attachment"}
        return Response(content, media_type=file["mimetype"] if inline else "application/octet-stream", headers=headers)

    async def _live(self, websocket: WebSocket) -> None:
        """The whole state, then every change, until the page goes."""
        if not is_own_page(websocket):
            await websocket.close(code=1008)
            return
        sight = Sight(self._state, websocket.query_params.get("as", ""))
        bell, loop = asyncio.Event(), asyncio.get_running_loop()

        def ring() -> None:
            with suppress(RuntimeError):  # the server has just stopped
                loop.call_soon_threadsafe(bell.set)

        end = self._state.changes.listen(ring)
        await websocket.accept()
        sender = asyncio.create_task(_send_changes(websocket, sight, bell))
        try:
            while True:
                await websocket.receive_text()
        except (WebSocketDisconnect, RuntimeError):
            pass
        finally:
            end()
            sender.cancel()

    async def _inspect(self, request: Request) -> Response:
        try:
            limit = min(max(int(request.query_params.get("limit", 200)), 1), 2_000)
        except ValueError:
            return _refusal("limit is a number")
        _, entries = await run_in_threadpool(partial(self._underneath.entries, limit=limit))
        return JSONResponse({"ok": True, "entries": entries, "sources": self._underneath.sources})

    async def _inspect_live(self, websocket: WebSocket) -> None:
        """What happened underneath, and then what happens, a few times a second."""
        if not is_own_page(websocket):
            await websocket.close(code=1008)
            return
        await websocket.accept()
        sender = asyncio.create_task(self._send_entries(websocket))
        try:
            while True:
                await websocket.receive_text()
        except (WebSocketDisconnect, RuntimeError):
            pass
        finally:
            sender.cancel()

    async def _send_entries(self, websocket: WebSocket) -> None:
        version, is_first = 0, True
        with suppress(WebSocketDisconnect, RuntimeError):
            while True:
                version, entries = await run_in_threadpool(partial(self._underneath.entries, since=version))
                if entries or is_first:
                    frame: Json = {"type": "entries", "entries": entries}
                    await _send(websocket, frame | ({"sources": self._underneath.sources} if is_first else {}))
                is_first = False
                await asyncio.sleep(INSPECT_SECONDS)

    # --- doing -------------------------------------------------------------------------------------

    async def _act(self, request: Request) -> Response:
        args = await _json_body(request)
        user, action = str(args.pop("as", "")), str(args.pop("action", ""))
        if action not in ACTIONS:
            return _refusal(f"there is no action {action}")
        # A refusal is read by whoever tried.
        with speaking(self._state.users.get(user, {}).get("locale")):
            return await self._try(user, action, args)

    async def _try(self, user: str, action: str, args: Json) -> Response:
        try:
            active(self._state, user)
            # A thread, because the action may wait for the app, which calls this server meanwhile.
            result = await run_in_threadpool(ALL_VERBS[action], self._state, user, args)
        except KeyError as error:
            return _refusal(f"missing argument {error}")
        except ApiError as error:
            return _refusal(texts.refused(str(error)))
        except WorkspaceError as error:
            return _refusal(str(error))
        return JSONResponse({"ok": True, "result": result})


async def _send_changes(websocket: WebSocket, sight: Sight, bell: asyncio.Event) -> None:
    try:
        await _send(websocket, {"type": "state", "state": await run_in_threadpool(sight.whole)})
        while True:
            await bell.wait()
            await asyncio.sleep(GATHER_SECONDS)
            bell.clear()
            changes = await run_in_threadpool(sight.changes)
            if changes is None:
                await _send(websocket, {"type": "state", "state": await run_in_threadpool(sight.whole)})
            elif changes:
                await _send(websocket, {"type": "changes", "version": sight.version, "changes": changes})
    except WorkspaceError:  # there is no such person any more
        await websocket.close(code=1008)
    except (WebSocketDisconnect, RuntimeError):
        return


async def _send(websocket: WebSocket, frame: Json) -> None:
    await websocket.send_text(json.dumps(frame, ensure_ascii=False))


def _local(endpoint: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    """For a browser on this machine."""
    return _guarded(endpoint, is_local, 421, "This page is only for this machine, at its loopback address.")


def _own(endpoint: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    """For the page itself: requests of other sites are refused."""
    return _local(_guarded(endpoint, is_own_page, 403, "This request did not come from the page."))


def _guarded(
    endpoint: Callable[[Request], Awaitable[Response]],
    is_welcome: Callable[[Any], bool],
    status: int,
    refusal: str,
) -> Callable[[Request], Awaitable[Response]]:
    async def guarded(request: Request) -> Response:
        if not is_welcome(request):
            return PlainTextResponse(refusal, status, headers=_SAFE)
        response = await endpoint(request)
        response.headers.update(_SAFE)
        return response

    return guarded


async def _json_body(request: Request) -> Json:
    if int(request.headers.get("content-length") or 0) > MAX_BODY_BYTES:
        return {}
    try:
        parsed = json.loads(await request.body() or b"{}")
    except ValueError:
        return {}
    return parsed if isinstance(parsed, dict) else {}


def _refusal(error: str) -> Response:
    return JSONResponse({"ok": False, "error": error}, 400)
