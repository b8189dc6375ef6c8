"""A person in the workspace, driven from any process over HTTP: what a browser page, a test and a rehearsal use.

A person can do what Slack's client lets them do, and raises PersonError where it would not.
"""

from __future__ import annotations

import base64
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx

from bot.rehearsal.errors import PersonError

if TYPE_CHECKING:
    from collections.abc import Callable

    from bot.rehearsal.options import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Submitted:
    """What became of a submission: complaints by block_id (the modal stays), or the view now on top, or neither.

    `sent` is False when Slack's client found the complaints and the app never heard of it.
    """

    errors: dict[str, str] | None
    view: Json | None
    sent: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """Whether the app acknowledged in time, and the message that came with a command's acknowledgement."""

    ok: bool
    error: str | None = None
    response: Any = None
    message: Json | None = None


class Person:
    """One person at their Slack client. Thread-safe."""

    def __init__(self, url: str, user_id: str, client_token: str, bot_user_id: str) -> None:
        self.id = user_id
        self._bot = bot_user_id
        #: The modal that was waited for last, and the one that was when this person last clicked outside of a modal.
        self._found_modal = self._old_modal = ""
        headers = {"Authorization": f"Bearer {client_token}"}
        self._http = httpx.Client(base_url=url, headers=headers, timeout=30.0, trust_env=False)

    # --- saying ------------------------------------------------------------------------------------

    def post(self, channel: str, text: str, thread_ts: str | None = None) -> Json:
        """Post a message; returns it. `&`, `<` and `>` are escaped as Slack's client does, mentions are kept."""
        return self._get("post", channel=channel, text=text, thread_ts=thread_ts)

    def upload(self, channel: str, name: str, content: bytes, text: str = "") -> Json:
        """Share a file."""
        encoded = base64.b64encode(content).decode()
        return self._get("upload", channel=channel, name=name, content_base64=encoded, text=text)

    def mention_bot(self, channel: str, text: str, thread_ts: str | None = None) -> Json:
        return self.post(channel, f"<@{self._bot}> {text}", thread_ts)

    def dm_bot(self, text: str, thread_ts: str | None = None) -> Json:
        """Post in the direct message with the bot; the message's `channel` says which channel that is."""
        return self._get("dm_bot", text=text, thread_ts=thread_ts)

    def edit(self, channel: str, ts: str, text: str) -> Json:
        return self._get("edit", channel=channel, ts=ts, text=text)

    def delete(self, channel: str, ts: str) -> None:
        self._do("delete", channel=channel, ts=ts)

    def react(self, channel: str, ts: str, name: str) -> bool:
        """Add an emoji; False if it was there already."""
        return bool(self._do("react", channel=channel, ts=ts, name=name))

    def unreact(self, channel: str, ts: str, name: str) -> bool:
        return bool(self._do("react", channel=channel, ts=ts, name=name, remove=True))

    # --- doing -------------------------------------------------------------------------------------

    def slash(self, command: str, text: str, channel: str) -> Answered:
        """Run a slash command; its acknowledgement may carry a message."""
        self._old_modal = self._found_modal
        return Answered(**self._do("slash", command=command, text=text, channel=channel))

    def shortcut(self, callback_id: str, channel: str | None = None, ts: str | None = None) -> Answered:
        """A message shortcut on a message, or a global shortcut without one."""
        self._old_modal = self._found_modal
        return Answered(**self._do("shortcut", callback_id=callback_id, channel=channel, ts=ts))

    def click(self, channel: str, ts: str, action_id: str, value: str | None = None, selected: Any = None) -> Answered:
        """Click in a message (also one that only this person sees). `value` picks a side of feedback buttons."""
        args = {"channel": channel, "ts": ts, "action_id": action_id, "value": value, "selected": selected}
        self._old_modal = self._found_modal
        return Answered(**self._do("click", **args))

    def stop_stream(self, channel: str, ts: str) -> None:
        """Press the stop button under a streaming answer."""
        self._do("stop_stream", channel=channel, ts=ts)

    def stop_session(self, channel: str, thread_ts: str) -> None:
        """Press the stop button beside a thread that the app is working on, with or without text in it."""
        self._do("stop_session", channel=channel, thread_ts=thread_ts)

    def session(self, channel: str, thread_ts: str) -> Json:
        """A thread's agent session as its reader sees it: `status`, `title`, and `line` while the app works."""
        return self._get("session", channel=channel, thread_ts=thread_ts)

    def join(self, channel: str) -> None:
        self._do("join", channel=channel)

    def invite(self, channel: str, user_id: str) -> None:
        self._do("invite", channel=channel, user=user_id)

    def invite_bot(self, channel: str) -> None:
        self.invite(channel, self._bot)

    def look_at(self, channel: str) -> None:
        """Look at a channel while the app is open beside it: the app hears app_context_changed."""
        self._do("look_at", channel=channel)

    # --- modals and Home ---------------------------------------------------------------------------

    def open_view(self) -> Json | None:
        """The modal on top, if any."""
        view: Json | None = self._do("open_view")
        return view

    def wait_for_modal(self, seconds: float = 5.0, *, after: Json | None = None) -> Json:
        """The modal that opens (or, with `after`, takes the place of that one). Raises PersonError if none does.

        One that was waited for before the last click is not what that click opens.
        """
        seen = after["hash"] if after else None

        def opened() -> Json | None:
            view = self.open_view()
            is_old = view is None or view["hash"] == seen or (after is None and view["id"] == self._old_modal)
            return None if is_old else view

        view = self._wait(opened, seconds, "no modal opened")
        self._found_modal = view["id"]
        return view

    def type_in(self, view: Json, values: Json) -> None:
        """Type into a modal (by block_id or action_id) without sending anything: the app does not hear of it."""
        self._do("type_view", view_id=view["id"], values=values)

    def submit(self, view: Json, values: Json) -> Submitted:
        """Fill in (by block_id or action_id) and submit a modal."""
        return Submitted(**self._do("submit", view_id=view["id"], values=values))

    def close_view(self, view: Json, *, everything: bool = False) -> None:
        self._do("close_view", view_id=view["id"], everything=everything)

    def click_view(
        self,
        view: Json,
        action_id: str,
        value: str | None = None,
        selected: Any = None,
        values: Json | None = None,
    ) -> Answered:
        """Click in a modal or on the Home tab; `values` are what the other inputs hold meanwhile."""
        args = {"action_id": action_id, "value": value, "selected": selected, "values": values}
        return Answered(**self._do("click_view", view_id=view["id"], **args))

    def open_home(self, seconds: float = 5.0) -> Json:
        """Open the app's Home tab and wait until the app has published it anew."""
        before = self._do("open_home", tab="home")["view"]
        seen = before["hash"] if before else None

        def published() -> Json | None:
            view: Json | None = self._do("home")["view"]
            return view if view is not None and view["hash"] != seen else None

        return self._wait(published, seconds, "the app published no Home tab")

    def home_view(self) -> Json | None:
        """The Home tab as it stands, without opening it anew: the app hears nothing."""
        view: Json | None = self._do("home")["view"]
        return view

    def open_messages_tab(self) -> str:
        """Open the app's Messages tab; returns the channel of the direct message."""
        return str(self._do("open_home", tab="messages")["channel"])

    def suggested_prompts(self) -> Json | None:
        prompts: Json | None = self._do("home")["prompts"]
        return prompts

    # --- looking -----------------------------------------------------------------------------------

    def messages(self, channel: str, thread_ts: str | None = None) -> list[Json]:
        """A channel's top-level messages, or a thread with its root, oldest first."""
        found: list[Json] = self._do("messages", channel=channel, thread_ts=thread_ts)
        return found

    def ephemerals(self, channel: str) -> list[Json]:
        """Messages that only this person sees."""
        found: list[Json] = self._do("ephemerals", channel=channel)
        return found

    def files(self, channel: str) -> list[Json]:
        found: list[Json] = self._do("files", channel=channel)
        return found

    def download(self, file: Json) -> bytes:
        answer = self._http.get(file["url_private"])
        answer.raise_for_status()
        return answer.content

    def channels(self) -> list[Json]:
        found: list[Json] = self._do("channels")
        return found

    def close(self) -> None:
        self._http.close()

    def _get(self, verb: str, **args: Any) -> Json:
        result: Json = self._do(verb, **args)
        return result

    def _do(self, verb: str, **args: Any) -> Any:
        given = {k: v for k, v in args.items() if v is not None}
        answer = self._http.post(f"/client/{verb}", json={"as": self.id, **given}).json()
        if not answer["ok"]:
            raise PersonError(answer["error"])
        return answer["result"]

    @staticmethod
    def _wait(look: Callable[[], Json | None], seconds: float, otherwise: str) -> Json:
        deadline, pause = time.monotonic() + seconds, threading.Event()
        while (found := look()) is None:
            if time.monotonic() > deadline:
                raise PersonError(f"{otherwise} within {seconds} s")
            pause.wait(0.01)
        return found
