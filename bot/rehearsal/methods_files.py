"""Uploading as files_upload_v2 does it: a URL, the bytes, the completion; the file appears a moment later."""

from __future__ import annotations

import mimetypes
import time
from typing import TYPE_CHECKING, Any

from bot.rehearsal import messages
from bot.rehearsal.errors import ApiError
from bot.rehearsal.state import channel_kind, public

if TYPE_CHECKING:
    from collections.abc import Callable

    from bot.rehearsal.options import Json
    from bot.rehearsal.state import State

_SHARES = {"channel": "public", "group": "private", "im": "private", "mpim": "private"}


def get_upload_url(state: State, args: Json) -> Json:
    name = args.get("filename")
    try:
        length = int(args.get("length") or 0)
    except ValueError:
        length = 0
    if not name or length <= 0:
        raise ApiError("invalid_arguments", messages=["filename and a length above 0 are required"])
    mimetype = mimetypes.guess_type(name)[0] or "application/octet-stream"
    file_id = state.new_id("F")
    file: Json = {
        "id": file_id,
        "created": int(time.time()),
        "timestamp": int(time.time()),
        "name": name,
        "title": name,
        "mimetype": mimetype,
        "filetype": str(name).rsplit(".", 1)[-1],
        "user": state.bot,
        "size": length,
        "mode": "hosted",
        "is_external": False,
        "url_private": f"{state.url}/files/{file_id}/{name}",
        "permalink": f"{state.url}/files/{file_id}/{name}",
        "shares": {},
        "channels": [],
        "_alt_txt": args.get("alt_txt"),
        "_state": "waiting",
    }
    state.save_file(file)
    return {"file_id": file_id, "upload_url": f"{state.url}/upload/v1/{file_id}"}


def receive(state: State, file_id: str, content: bytes) -> bool:
    """The upload URL's work; False when these are not the bytes that were announced."""
    file = state.files.get(file_id)
    if file is None or file["_state"] != "waiting" or len(content) != file["size"]:
        return False
    file["_state"] = "uploaded"
    state.save_file(file, content)
    return True


def complete_upload(state: State, args: Json) -> Json:
    asked = args.get("files")
    if not isinstance(asked, list) or not asked:
        raise ApiError("invalid_arguments", messages=["files is required"])
    files = [_uploaded(state, item) for item in asked]
    for file, item in zip(files, asked, strict=True):
        file["title"] = item.get("title") or file["name"]
        file["_state"] = "complete"
        state.save_file(file)
    refs = [args["channel_id"]] if args.get("channel_id") else []
    refs += [c for c in str(args.get("channels") or "").split(",") if c]
    if refs:
        if refs[0] not in state.channels and refs[0] not in state.users:
            # An id is needed here; a channel's name is not one.
            raise ApiError("channel_not_found")
        channel = state.joined_channel(refs[0])
        thread_ts = args.get("thread_ts")
        if thread_ts is not None:
            thread_ts = messages.check_thread(state, channel["id"], thread_ts)
        comment = str(args.get("initial_comment") or "")
        state.deliveries.later(state.options.share_seconds, lambda: _share(state, channel, files, comment, thread_ts))
    return {"files": [public(file) for file in files]}


def _uploaded(state: State, item: Any) -> Json:
    file = state.files.get(item.get("id", "")) if isinstance(item, dict) else None
    if file is None or file["_state"] != "uploaded":
        raise ApiError("file_not_found")
    return file


def _share(state: State, channel: Json, files: list[Json], comment: str, thread_ts: str | None) -> None:
    with state.transaction():
        # Slack takes files with alt_txt and then silently does not share them (python-slack-sdk #1818).
        sharable = [file for file in files if not file["_alt_txt"]]
        if not sharable:
            return
        content = {"text": comment, "subtype": "file_share", "files": [public(f) for f in sharable]}
        message = messages.post(state, channel, content, user=state.bot, thread_ts=thread_ts)
        for file in sharable:
            kind = _SHARES[channel_kind(channel)]
            share = {"ts": message["ts"], "thread_ts": thread_ts} if thread_ts else {"ts": message["ts"]}
            file["shares"].setdefault(kind, {}).setdefault(channel["id"], []).append(share)
            file["channels"].append(channel["id"])
            state.save_file(file)


def files_info(state: State, args: Json) -> Json:
    file = state.files.get(str(args.get("file")))
    if file is None or file["_state"] != "complete" or not is_seen_by_app(state, file):
        raise ApiError("file_not_found")
    return {"file": public(file)}


def is_seen_by_app(state: State, file: Json) -> bool:
    """The app sees its own files, and those that are shared where it is a member."""
    shared = [state.channels[channel] for channel in file["channels"] if channel in state.channels]
    return file["user"] == state.bot or any(state.bot in state.members(channel) for channel in shared)


#: What Slack sends instead of a file to whom it does not know: a page to sign in on, as a success.
SIGN_IN_PAGE = "<!DOCTYPE html><html><head><title>Sign in</title></head><body>Sign in to see this file.</body></html>"


METHODS: dict[str, Callable[[State, Json], Json]] = {
    "files.getUploadURLExternal": get_upload_url,
    "files.completeUploadExternal": complete_upload,
    "files.info": files_info,
}
