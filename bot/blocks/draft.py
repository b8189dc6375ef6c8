"""A draft in a thread: its text, what shaped it, and what can be said about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bot.blocks.rating import rating_block
from bot.blocks.text import context, plain
from bot.domain.drafting import SafeStream
from bot.domain.safe_text import clip, escape, neutralise, shorten
from bot.texts import drafting as texts

Blocks = list[dict[str, Any]]

#: Slack's limit for the top-level text is far higher; this is what a notification shows.
FALLBACK_CHARS = 3_000
LINKED_EXAMPLES = 8
#: Slack takes 12,000 characters of markdown in a message.
MARKDOWN_CHARS = 11_800


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What shaped a draft: its style, rung, adapter, and examples as (id, permalink)."""

    style: str
    rung: str
    adapter: str | None = None
    examples: tuple[tuple[str, str | None], ...] = ()
    notes: tuple[str, ...] = ()


def shape_line(shape: Shape) -> str:
    links = [
        f"<{link}|{number}>" if link and _is_plain_link(link) else f"`{example_id}`"
        for number, (example_id, link) in enumerate(shape.examples[:LINKED_EXAMPLES], start=1)
    ]
    return texts.shaped_by(shape.style, shape.rung, shape.adapter, links, shape.notes)


def _is_plain_link(link: str) -> bool:
    return link.startswith(("https://", "http://")) and not set(link) & set("<>| \n") and len(link) < 250


def closing_blocks(draft_id: str, shape: Shape) -> Blocks:
    """What stands under a complete draft."""
    buttons = [
        _button("keep_draft", texts.KEEP(), draft_id, style="primary"),
        _button("edit_draft", texts.EDIT(), draft_id),
        _button("discard_draft", texts.DISCARD(), draft_id),
    ]
    return [rating_block(draft_id), context(shape_line(shape)), {"type": "actions", "elements": buttons}]


def decided_blocks(text: str, shape: Shape, sentence: str) -> Blocks:
    """A draft about which somebody has decided: no buttons any more."""
    return whole_blocks(text, [context(shape_line(shape)), context(sentence)])


def ended_blocks(sentence: str) -> Blocks:
    """What stands under a draft that was not completed."""
    return [context(escape(sentence))]


def whole_blocks(text: str, closing: Blocks) -> Blocks:
    """A draft as one message. `text` is the model's own: it is made safe here."""
    safe = safe_whole(text)
    return [{"type": "markdown", "text": safe}, *closing] if safe else closing


def safe_whole(text: str) -> str:
    """A whole text as the stream would have shown it."""
    stream = SafeStream()
    return clip((stream.feed(text) + stream.finish()).strip(), MARKDOWN_CHARS)


def fallback_text(text: str) -> str:
    """What notifications and screen readers say of a draft."""
    return shorten(escape(safe_whole(text)), FALLBACK_CHARS) or texts.DRAFT_TEXT()


def asked_text(name: str, style: str, request: str) -> str:
    """The message that a `/draft` command opens its thread with."""
    return texts.asked(_quiet(name, 80), style, "\n".join(f"> {line}" for line in _quiet_lines(request)))


def _quiet(text: str, most: int) -> str:
    return escape(neutralise(shorten(text, most)))


def _quiet_lines(request: str) -> Sequence[str]:
    shown = request if len(request) <= 600 else f"{request[:599]}…"
    return [escape(neutralise(line)) for line in shown.splitlines()[:12]] or [""]


def _button(action_id: str, label: str, value: str, **more: str) -> dict[str, Any]:
    return {"type": "button", "action_id": action_id, "text": plain(label, 75), "value": value, **more}
