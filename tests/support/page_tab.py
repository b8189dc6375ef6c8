"""A browser tab on the page, without the browser: it follows the live feed and acts, as PAGE's TypeScript does."""

from __future__ import annotations

import json
import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Self

import httpx
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
from websockets.typing import Origin

from tests.support.wait import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    from bot.rehearsal.workspace import Workspace

Json = dict[str, Any]


class Tab:
    """One person's tab. `state` is what it would draw; `frames` is everything that came over the wire."""

    def __init__(self, workspace: Workspace, user: str) -> None:
        self.user = user
        self.frames: list[Json] = []
        self.state: Json = {}
        self._http = httpx.Client(
            base_url=workspace.url, headers={"Origin": workspace.url}, timeout=30.0, trust_env=False
        )
        url = workspace.url.replace("http", "ws", 1)
        self._open = ExitStack()
        live = connect(f"{url}/page/live?as={user}", origin=Origin(workspace.url), max_size=None, proxy=None)
        self._socket = self._open.enter_context(live)
        self._thread = threading.Thread(target=self._follow, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        wait_until(lambda: self.state, what="the first frame")
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()
        if self._thread.ident is not None:
            self._thread.join(timeout=5)
        self._http.close()

    @property
    def is_connected(self) -> bool:
        return self._thread.is_alive()

    def act(self, action: str, **args: Any) -> Any:
        """Do it; returns the result. An error is an AssertionError with the sentence."""
        answer = self.try_to(action, **args)
        assert answer["ok"], answer["error"]
        return answer["result"]

    def try_to(self, action: str, **args: Any) -> Json:
        """Do it; returns the whole answer."""
        answer: Json = self._http.post("/page/act", json={"as": self.user, "action": action, **args}).json()
        return answer

    def get(self, path: str) -> httpx.Response:
        return self._http.get(path)

    def sees(self, look: Callable[[Json], Any], *, seconds: float = 10.0, what: str = "") -> Any:
        """Wait until the tab's state shows it."""
        return wait_until(lambda: look(self.state), seconds=seconds, what=what)

    def messages(self, channel: str) -> list[Json]:
        found: list[Json] = self.state["messages"].get(channel, [])
        return found

    def find(self, channel: str, **fields: Any) -> Json | None:
        """The last message in this channel with these fields."""
        inside = [*self.messages(channel), *self.state["ephemerals"].get(channel, [])]
        return next((m for m in reversed(inside) if fields.items() <= m.items()), None)

    @property
    def wire(self) -> str:
        """Everything that this tab was ever sent."""
        return json.dumps(self.frames)

    # --- following ---------------------------------------------------------------------------------

    def _follow(self) -> None:
        try:
            for text in self._socket:
                frame = json.loads(text)
                self.frames.append(frame)
                if frame["type"] == "state":
                    self.state = frame["state"]
                else:
                    state = json.loads(json.dumps(self.state))
                    for change in frame["changes"]:
                        apply(state, change)
                    self.state = state
        except ConnectionClosed:
            return


def apply(state: Json, change: Json) -> None:
    """What the page does with one change."""
    kind = change["type"]
    if kind in ("message", "ephemeral"):
        inside = state["messages" if kind == "message" else "ephemerals"].setdefault(change["channel"], [])
        _upsert(inside, change["message"], "ts")
        inside.sort(key=lambda m: str(m["ts"]))
    elif kind == "stream":
        message = next(m for m in state["messages"][change["channel"]] if m["ts"] == change["ts"])
        message["text"] += change["append"]
    elif kind in ("message_deleted", "ephemeral_deleted"):
        inside = state["messages" if kind == "message_deleted" else "ephemerals"].get(change["channel"], [])
        inside[:] = [m for m in inside if m["ts"] != change["ts"]]
    elif kind == "channel":
        _upsert(state["channels"], change["channel"], "id")
        if "messages" in change:
            state["messages"][change["channel"]["id"]] = change["messages"]
    elif kind == "channel_gone":
        state["channels"] = [c for c in state["channels"] if c["id"] != change["channel"]]
        state["messages"].pop(change["channel"], None)
        state["ephemerals"].pop(change["channel"], None)
    elif kind == "person":
        _upsert(state["people"], change["person"], "id")
    elif kind == "views":
        state["views"] = change["views"]
    elif kind == "home":
        state["home"] = change["view"]
    elif kind in ("status", "session"):
        _set(state["statuses" if kind == "status" else "sessions"], _key(change), change[kind])
    elif kind == "prompts":
        _set(state["prompts"], change["channel"], change["prompts"])
    elif kind == "read":
        _set(state["read"], change["channel"], change["ts"])
    else:
        raise AssertionError(f"the page knows no change of type {kind}")


def _upsert(inside: list[Json], one: Json, key: str) -> None:
    for position, other in enumerate(inside):
        if other[key] == one[key]:
            inside[position] = one
            return
    inside.append(one)


def _key(change: Json) -> str:
    return f"{change['channel']}/{change['thread_ts']}"


def _set(inside: Json, key: str, value: Any) -> None:
    if value is None:
        inside.pop(key, None)
    else:
        inside[key] = value
