"""Posting, changing and removing messages, whoever does it: the one place where a message comes to be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bot.rehearsal import events
from bot.rehearsal.blockkit import BlocksTooLong, InvalidBlocks, validate_blocks
from bot.rehearsal.errors import ApiError

if TYPE_CHECKING:
    from bot.rehearsal.options import Json
    from bot.rehearsal.state import State

MAX_TEXT_CHARS = 40_000
MAX_MARKDOWN_CHARS = 12_000


def check_blocks(blocks: Any) -> list[Json]:
    """These blocks with every id filled in, or the error that Slack answers."""
    try:
        validate_blocks(blocks, "message")
    except BlocksTooLong as error:
        raise ApiError("msg_blocks_too_long", messages=error.errors) from error
    except InvalidBlocks as error:
        raise ApiError("invalid_blocks", messages=error.errors) from error
    return fill_ids(blocks)


def fill_ids(blocks: list[Json]) -> list[Json]:
    """Slack gives every block a block_id and every interactive element an action_id."""
    filled: list[Json] = []
    for number, block in enumerate(blocks):
        block = {"block_id": f"b{number}~{len(blocks)}", **block}
        for name in ("element", "accessory"):
            if isinstance(block.get(name), dict):
                block[name] = _with_action_id(block[name], f"a{number}~{name}")
        if block["type"] in ("actions", "context_actions"):
            block["elements"] = [
                _with_action_id(element, f"a{number}~{n}") for n, element in enumerate(block["elements"])
            ]
        filled.append(block)
    return filled


def _with_action_id(element: Json, otherwise: str) -> Json:
    return element if element.get("type") == "image" else {"action_id": otherwise, **element}


def read_content(args: Json, *, required: bool = True) -> Json:
    """text, blocks, markdown_text and metadata of a chat.* call, checked: the content fields of a message."""
    text, blocks, markdown = args.get("text"), args.get("blocks"), args.get("markdown_text")
    if markdown is not None and (text or blocks):
        raise ApiError("markdown_text_conflict")
    if required and not (text or blocks or markdown or args.get("attachments")):
        raise ApiError("no_text")
    content: Json = {}
    if text is not None:
        if not isinstance(text, str):
            raise ApiError("invalid_arguments", messages=["text must be a string"])
        if len(text) > MAX_TEXT_CHARS:
            raise ApiError("msg_too_long")
        content["text"] = text
    if blocks is not None:
        content |= {"blocks": check_blocks(blocks), "_own_blocks": True}
    if markdown is not None:
        content |= markdown_content(markdown)
    if args.get("attachments"):
        content["attachments"] = args["attachments"]
    if args.get("metadata") is not None:
        content["metadata"] = _check_metadata(args["metadata"])
    return content


def markdown_content(markdown: Any) -> Json:
    if not isinstance(markdown, str) or not markdown:
        raise ApiError("no_text")
    if len(markdown) > MAX_MARKDOWN_CHARS:
        raise ApiError("msg_too_long")
    blocks = fill_ids([{"type": "markdown", "text": markdown}])
    return {"text": markdown, "blocks": blocks, "_own_blocks": False}


def _check_metadata(metadata: Any) -> Json:
    if (
        not isinstance(metadata, dict)
        or not isinstance(metadata.get("event_type"), str)
        or not isinstance(metadata.get("event_payload"), dict)
    ):
        raise ApiError("invalid_metadata_format")
    return metadata


def check_thread(state: State, channel: str, thread_ts: Any) -> str:
    """The thread's root, which must be there and be a root."""
    root = state.find_message(channel, thread_ts)
    if root is None:
        raise ApiError("thread_not_found")
    if root.get("thread_ts", root["ts"]) != root["ts"]:
        raise ApiError("cannot_reply_to_message")
    return str(root["ts"])


def post(state: State, channel: Json, content: Json, *, user: str, thread_ts: str | None = None) -> Json:
    """Put a message into a channel and tell the app, if it hears of it."""
    message: Json = {"type": "message", "user": user, "text": "", "ts": state.next_ts()}
    message |= {"team": state.seed.team_id} | content
    if user == state.bot:
        message |= {"bot_id": state.seed.bot_id, "app_id": state.seed.app_id}
    else:
        message["client_msg_id"] = state.new_id("M")
    home_team = state.users[user]["team_id"]
    if home_team != state.seed.team_id:
        message |= {"user_team": home_team, "source_team": home_team}
    if thread_ts is not None:
        message["thread_ts"] = thread_ts
        root = state.messages[channel["id"]][thread_ts]
        root["thread_ts"] = thread_ts
        root["reply_count"] = root.get("reply_count", 0) + 1
        root["latest_reply"] = message["ts"]
        state.save_message(channel["id"], root)
        if user == state.bot:
            state.statuses.pop(f"{channel['id']}/{thread_ts}", None)
    state.save_message(channel["id"], message)
    events.message_posted(state, channel, message)
    return message


def change(state: State, channel: Json, message: Json, content: Json, *, by: str) -> Json:
    """Replace a message's content, mark it edited, and tell the app."""
    before = dict(message)
    message |= content
    message["edited"] = {"user": by, "ts": state.next_ts()}
    state.save_message(channel["id"], message)
    events.message_changed(state, channel, before, message)
    return message


def remove(state: State, channel: Json, message: Json, *, by: str) -> None:
    """Delete a message; the root of a thread with replies stays as a tombstone."""
    before = dict(message)
    if message.get("reply_count"):
        for name in ("blocks", "files", "attachments", "metadata", "reactions"):
            message.pop(name, None)
        message |= {"subtype": "tombstone", "text": "This message was deleted.", "hidden": True}
        state.save_message(channel["id"], message)
        events.message_changed(state, channel, before, message)
        return
    state.drop_message(channel["id"], message["ts"])
    root = state.find_message(channel["id"], message.get("thread_ts"))
    if root is not None and root is not message:
        root["reply_count"] = max(0, root.get("reply_count", 0) - 1)
        state.save_message(channel["id"], root)
    events.message_deleted(state, channel, before, by)
