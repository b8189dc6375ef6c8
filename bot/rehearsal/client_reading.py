"""More of what Slack's client lets a person do: share a file, mark a channel read, ask an external select for options.

The same rules as in client_actions: only in channels they are in, and the app's answers are checked.
"""

from __future__ import annotations

import base64
import binascii
import mimetypes
import time
from typing import TYPE_CHECKING, Any

from bot.rehearsal import interactions, messages
from bot.rehearsal.clicks import interactive_elements
from bot.rehearsal.client_actions import CLIENT_VERBS, as_typed, seen_channel, seen_message
from bot.rehearsal.client_modals import shown_view
from bot.rehearsal.errors import PersonError
from bot.rehearsal.state import public
from bot.texts import workspace as texts

if TYPE_CHECKING:
    from collections.abc import Callable

    from bot.rehearsal.options import Json
    from bot.rehearsal.state import State

MAX_FILE_BYTES = 10_000_000
MAX_OPTIONS = 100
_EXTERNAL = ("external_select", "multi_external_select")


def upload(state: State, user: str, args: Json) -> Json:
    """Share a file (`content_base64`) in a channel, with a text or without."""
    try:
        content = base64.b64decode(str(args["content_base64"]), validate=True)
    except binascii.Error:
        raise PersonError("this file arrived damaged") from None
    if not 0 < len(content) <= MAX_FILE_BYTES:
        raise PersonError(texts.file_size(MAX_FILE_BYTES))
    with state.transaction():
        channel = seen_channel(state, user, args["channel"])
        thread_ts = args.get("thread_ts")
        if thread_ts is not None:
            thread_ts = messages.check_thread(state, channel["id"], thread_ts)
        file = _file(state, user, str(args["name"]).replace("/", "_"), len(content), channel["id"])
        state.save_file(file, content)
        typed: Json = as_typed(state, str(args["text"])) if args.get("text") else {"text": ""}
        typed |= {"subtype": "file_share", "files": [public(file)]}
        message = messages.post(state, channel, typed, user=user, thread_ts=thread_ts)
        shown: Json = public(message)
        return shown | {"channel": channel["id"]}


def _file(state: State, user: str, name: str, size: int, channel: str) -> Json:
    file_id, now = state.new_id("F"), int(time.time())
    url = f"{state.url}/files/{file_id}/{name}"
    return {
        "id": file_id, "created": now, "timestamp": now, "name": name, "title": name, "size": size, "user": user,
        "mimetype": mimetypes.guess_type(name)[0] or "application/octet-stream", "filetype": name.rsplit(".", 1)[-1],
        "mode": "hosted", "is_external": False, "url_private": url, "permalink": url,
        "shares": {}, "channels": [channel], "_state": "complete", "_alt_txt": None,
    }  # fmt: skip


def mark_read(state: State, user: str, args: Json) -> None:
    """This person has read the channel up to `ts`. The mark never moves back."""
    with state.transaction():
        channel, ts = seen_channel(state, user, args["channel"])["id"], str(args["ts"])
        try:
            moves = float(ts) > float(state.reads.get(f"{user}/{channel}", {}).get("ts", 0))
        except ValueError:
            raise PersonError(f"{ts} is not a message's time") from None
        if moves:
            state.save_read(user, channel, ts)


def options(state: State, user: str, args: Json) -> Json | list[Json]:
    """What the app offers in an external select for what was typed (`value`)."""
    with state.transaction():
        channel = None
        if args.get("view_id"):
            holder = shown_view(state, user, args)
        else:
            channel = seen_channel(state, user, args["channel"])
            holder = seen_message(state, channel, user, args["ts"])
        block_id, element = _external_select(holder.get("blocks", []), args)
        typed = str(args.get("value") or "")
        delivery = interactions.send_suggestion(state, user, element, block_id, typed, channel=channel, holder=holder)
    delivery.settled.wait(state.options.ack_seconds + 5)
    offered = delivery.response if delivery.state == "acked" else None
    if not isinstance(offered, dict) or not ("options" in offered or "option_groups" in offered):
        raise PersonError(texts.NO_RESULTS())
    found = [*(offered.get("options") or ()), *(o for g in offered.get("option_groups") or () for o in g["options"])]
    if len(found) > MAX_OPTIONS:
        raise PersonError(texts.NO_RESULTS())
    with state.transaction():
        # Every list that was shown can be chosen from: the answers to what was typed meet in any order.
        earlier = {option["value"]: option for option in element.get("_offered") or ()}
        element["_offered"] = list((earlier | {option["value"]: option for option in found}).values())
    return offered["options"] if "options" in offered else {"option_groups": offered["option_groups"]}


def _external_select(blocks: list[Json], args: Json) -> tuple[str, Json]:
    for block, element in interactive_elements(blocks):
        is_meant = element.get("action_id") == args["action_id"] and args.get("block_id") in (None, block["block_id"])
        if is_meant and element["type"] in _EXTERNAL:
            return block["block_id"], element
    raise PersonError(f"there is no select {args['action_id']} that asks the app for its options")


ALL_VERBS: dict[str, Callable[[State, str, Json], Any]] = {
    **CLIENT_VERBS,
    "upload": upload,
    "mark_read": mark_read,
    "options": options,
}
