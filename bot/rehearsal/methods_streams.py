"""chat.startStream, appendStream, stopStream, and the agent methods around a streamed answer.

A stream lives `stream_seconds` however often it is appended to; then append and stop are refused and the
message stays half-finished until chat.update repairs it. `_stream` is open, stopped_by_user, done, expired
or repaired.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bot.rehearsal import events, messages
from bot.rehearsal.errors import ApiError
from bot.rehearsal.methods_chat import own_message
from bot.rehearsal.state import channel_kind, public

if TYPE_CHECKING:
    from collections.abc import Callable

    from bot.rehearsal.options import Json
    from bot.rehearsal.state import State

_SESSION_STATUSES = ("processing", "active", "suspended", "closed")
_TASK_STATUSES = ("pending", "in_progress", "complete", "error")
MAX_STREAM_BLOCKS = 50


def start(state: State, args: Json) -> Json:
    channel = state.joined_channel(args.get("channel"))
    if not args.get("thread_ts"):
        raise ApiError("invalid_arguments", messages=["missing required field: thread_ts"])
    kind = channel_kind(channel)
    if kind == "mpim":
        raise ApiError("channel_type_not_supported")
    if kind != "im":
        if not args.get("recipient_team_id"):
            raise ApiError("missing_recipient_team_id")
        if not args.get("recipient_user_id"):
            raise ApiError("missing_recipient_user_id")
        recipient = state.get_user(args["recipient_user_id"])
        if recipient["team_id"] != args["recipient_team_id"]:
            raise ApiError("invalid_arguments", messages=["recipient_team_id is not the recipient's team"])
    if args.get("task_display_mode") not in (None, "timeline", "plan"):
        raise ApiError("invalid_arguments", messages=["task_display_mode must be timeline or plan"])
    thread_ts = messages.check_thread(state, channel["id"], args["thread_ts"])
    text, blocks = _read_chunks(args)
    content: Json = {
        "text": text,
        "_blocks": blocks,
        "_stream": "open",
        "_stream_until": state.now() + state.options.stream_seconds,
        "streaming_state": "in_progress",
    }
    message = messages.post(state, channel, content, user=state.bot, thread_ts=thread_ts)
    return {"channel": channel["id"], "ts": message["ts"]}


def append(state: State, args: Json) -> Json:
    channel, message = _open_stream(state, args)
    if message["_stream"] == "stopped_by_user":
        raise ApiError("stopped_by_user")
    text, blocks = _read_chunks(args, required=True)
    message["text"] += text
    message["_blocks"] = _at_most_50(message["_blocks"] + blocks)
    state.save_message(channel["id"], message)
    return {"channel": channel["id"], "ts": message["ts"]}


def stop(state: State, args: Json) -> Json:
    channel, message = _open_stream(state, args)
    text, more = _read_chunks(args)
    closing = messages.check_blocks(args["blocks"]) if args.get("blocks") else []
    status = args.get("session_status")
    if status is not None and status not in _SESSION_STATUSES:
        raise ApiError("invalid_arguments", messages=["session_status is not one of Slack's"])
    before = dict(message)
    message["text"] += text
    said: list[Json] = [{"type": "markdown", "text": message["text"]}] if message["text"] else []
    middle = _at_most_50(message.pop("_blocks") + more)
    message["blocks"] = messages.fill_ids([*said, *middle]) + closing
    message |= {"_stream": "done", "_own_blocks": True, "streaming_state": "completed"}
    if args.get("metadata") is not None:
        message["metadata"] = args["metadata"]
    state.save_message(channel["id"], message)
    if status is not None:
        _set_session(state, channel["id"], message["thread_ts"], status, {})
    events.message_changed(state, channel, before, message)
    return {"channel": channel["id"], "ts": message["ts"], "message": public(message)}


def _open_stream(state: State, args: Json) -> tuple[Json, Json]:
    channel, message = own_message(state, args, "message_not_owned_by_app")
    if message.get("_stream") in ("open", "stopped_by_user") and state.now() > message["_stream_until"]:
        message["_stream"] = "expired"
        state.save_message(channel["id"], message)
    if message.get("_stream") not in ("open", "stopped_by_user"):
        raise ApiError("message_not_in_streaming_state")
    return channel, message


def _read_chunks(args: Json, *, required: bool = False) -> tuple[str, list[Json]]:
    """The text and blocks that markdown_text or chunks carry."""
    markdown, chunks = args.get("markdown_text"), args.get("chunks")
    if markdown and chunks:
        raise ApiError("invalid_arguments", messages=["markdown_text and chunks exclude each other"])
    if required and not markdown and not chunks:
        raise ApiError("no_text")
    if markdown:
        return _limited(markdown), []
    if chunks is None:
        return "", []
    if not isinstance(chunks, list):
        raise ApiError("invalid_chunks")
    texts: list[str] = []
    blocks: list[Json] = []
    for chunk in chunks:
        text, more = _read_chunk(chunk)
        texts.append(text)
        blocks += more
    return _limited("".join(texts)), _at_most_50(blocks)


def _read_chunk(chunk: Any) -> tuple[str, list[Json]]:
    kind = chunk.get("type") if isinstance(chunk, dict) else None
    if kind == "markdown_text" and isinstance(chunk.get("text"), str):
        return chunk["text"], []
    if kind == "blocks" and isinstance(chunk.get("blocks"), list):
        return "", messages.check_blocks(chunk["blocks"])
    if kind == "plan_update" and isinstance(chunk.get("title"), str):
        return "", []
    if kind == "task_update":
        named = isinstance(chunk.get("id"), str) and isinstance(chunk.get("title"), str)
        if named and chunk.get("status") in _TASK_STATUSES:
            return "", []
    raise ApiError("invalid_chunks")


def _limited(text: Any) -> str:
    if not isinstance(text, str):
        raise ApiError("invalid_arguments", messages=["markdown_text must be a string"])
    if len(text) > messages.MAX_MARKDOWN_CHARS:
        raise ApiError("msg_too_long")
    return text


def _at_most_50(blocks: list[Json]) -> list[Json]:
    if len(blocks) > MAX_STREAM_BLOCKS:
        raise ApiError("invalid_blocks", messages=[f"no more than {MAX_STREAM_BLOCKS} blocks in chunks"])
    return blocks


def set_session_status(state: State, args: Json) -> Json:
    channel = state.joined_channel(args.get("channel_id"))
    status = args.get("status")
    if status not in _SESSION_STATUSES:
        raise ApiError("invalid_arguments", messages=["status is not one of Slack's"])
    if len(str(args.get("title", ""))) > 200:
        raise ApiError("invalid_arguments", messages=["title must be at most 200 characters"])
    fields: Json = {k: args[k] for k in args.keys() & {"title", "initiator_user_id"}}
    _set_session(state, channel["id"], args.get("thread_ts"), status, fields)
    if not events.hears(state, "agent_session_stopped"):
        return {"warning": "missing_agent_session_stopped_event_subscription"}
    return {}


def rename_session(state: State, args: Json) -> Json:
    channel = state.joined_channel(args.get("channel_id"))
    title = args.get("title")
    if not isinstance(title, str) or not 1 <= len(title) <= 200:
        raise ApiError("invalid_arguments", messages=["title must be 1 to 200 characters"])
    key = f"{channel['id']}/{args.get('thread_ts') or ''}"
    if key not in state.sessions:
        raise ApiError("session_not_found")
    state.save_session(key, state.sessions[key] | {"title": title})
    return {}


def _set_session(state: State, channel: str, thread_ts: Any, status: str, fields: Json) -> None:
    key = f"{channel}/{thread_ts or ''}"
    state.save_session(key, state.sessions.get(key, {}) | fields | {"status": status})


def set_status(state: State, args: Json) -> Json:
    channel = state.joined_channel(args.get("channel_id"))
    thread_ts = messages.check_thread(state, channel["id"], args.get("thread_ts"))
    loading = args.get("loading_messages")
    if loading is not None and (not isinstance(loading, list) or len(loading) > 10):
        raise ApiError("invalid_arguments", messages=["at most 10 loading_messages"])
    key, status = f"{channel['id']}/{thread_ts}", args.get("status", "")
    if status:
        until = state.now() + state.options.status_seconds
        state.statuses[key] = {"status": status, "loading_messages": loading or [], "until": until}
    else:
        state.statuses.pop(key, None)
    return {}


def set_title(state: State, args: Json) -> Json:
    channel = state.joined_channel(args.get("channel_id"))
    thread_ts = messages.check_thread(state, channel["id"], args.get("thread_ts"))
    _set_session(state, channel["id"], thread_ts, "active", {"title": str(args.get("title", ""))})
    return {}


def set_suggested_prompts(state: State, args: Json) -> Json:
    channel = state.joined_channel(args.get("channel_id"))
    prompts = args.get("prompts")
    whole = isinstance(prompts, list) and all(
        isinstance(p, dict) and p.get("title") and p.get("message") for p in prompts
    )
    if not whole or not prompts or len(prompts) > 4:
        raise ApiError("invalid_arguments", messages=["1 to 4 prompts, each with title and message"])
    # In the agent view a thread_ts makes this call do nothing, and say nothing.
    if not args.get("thread_ts"):
        state.prompts[channel["id"]] = {"title": args.get("title"), "prompts": prompts}
    return {}


METHODS: dict[str, Callable[[State, Json], Json]] = {
    "chat.startStream": start,
    "chat.appendStream": append,
    "chat.stopStream": stop,
    "agents.sessions.setStatus": set_session_status,
    "agents.sessions.rename": rename_session,
    "assistant.threads.setStatus": set_status,
    "assistant.threads.setTitle": set_title,
    "assistant.threads.setSuggestedPrompts": set_suggested_prompts,
}
