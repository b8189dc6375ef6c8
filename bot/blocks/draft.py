"""A draft in a thread: its text, what shaped it, and what can be said about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bot.blocks.draft_buttons import Buttons, buttons_block
from bot.blocks.label_buttons import label_blocks
from bot.blocks.rating import rating_block
from bot.blocks.text import context
from bot.domain.drafting import SafeStream
from bot.domain.safe_text import clip, escape, neutralise, shorten
from bot.texts import drafting as texts
from bot.texts import styles, trials, variants

Blocks = list[dict[str, Any]]

#: Slack's limit for the top-level text is far higher; this is what a notification shows.
FALLBACK_CHARS = 3_000
LINKED_EXAMPLES = 8
#: Slack takes 12,000 characters of markdown in a message, and some 13,000 in all of its blocks.
MARKDOWN_CHARS = 10_400
LONGEST_LINK = 150
LONGEST_SOURCE = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What shaped a draft; its examples as (id, permalink), its passages as (source, permalink)."""

    style: str
    rung: str
    adapter: str | None = None
    examples: tuple[tuple[str, str | None], ...] = ()
    passages: tuple[tuple[str, str | None], ...] = ()
    notes: tuple[str, ...] = ()
    #: Of a variant: which, and where the draft stands that it is a version of.
    variant: str | None = None
    parent_link: str | None = None
    #: Nobody is to know yet what made it: a blind trial is running.
    is_hidden: bool = False
    #: Terms that stand in it although the style never says them.
    never_said: tuple[str, ...] = ()


def shape_line(shape: Shape) -> str:
    if shape.is_hidden:
        return trials.hidden_shape(shape.style)
    links = [
        f"<{link}|{number}>" if link and _is_plain_link(link) else f"`{example_id}`"
        for number, (example_id, link) in enumerate(shape.examples[:LINKED_EXAMPLES], start=1)
    ]
    facts = [
        f"<{link}|{_label(source)}>" if link and _is_plain_link(link) else _label(source)
        for source, link in dict.fromkeys(shape.passages)
    ]
    notes = (*_parent_notes(shape), *shape.notes)
    return texts.shaped_by(shape.style, shape.rung, shape.adapter, links, facts, notes)


def _label(source: str) -> str:
    """People name documents as they like; in a link's label a bar would end it."""
    return _quiet(source, LONGEST_SOURCE).replace("|", "¦")


def _parent_notes(shape: Shape) -> tuple[str, ...]:
    if shape.variant is None:
        return ()
    if shape.parent_link and _is_plain_link(shape.parent_link):
        return (variants.shaped_by_linked_parent(shape.variant, shape.parent_link),)
    return (variants.SHAPED_BY_PARENT[shape.variant](),)


def _is_plain_link(link: str) -> bool:
    return link.startswith(("https://", "http://")) and not set(link) & set("<>| \n") and len(link) < LONGEST_LINK


def closing_blocks(shape: Shape, buttons: Buttons) -> Blocks:
    """What stands under a complete draft."""
    above = [context(variants.ONLY_YOU())] if buttons.is_private else []
    if not buttons.is_private and not buttons.is_asking:
        above.append(rating_block(buttons.draft_id))
    labels = label_blocks(buttons.draft_id, buttons.offered or (), is_sure=buttons.is_sure) if buttons.is_open else []
    if buttons.is_asking:
        above, labels = [*labels, *above], []
    return [*above, *_shape_blocks(shape), *labels, *_actions(buttons)]


def _actions(buttons: Buttons) -> Blocks:
    """The buttons; none where nothing is left to be done, because Slack takes no empty row."""
    block = buttons_block(buttons)
    return [block] if block["elements"] else []


def decided_blocks(text: str, shape: Shape, sentences: Sequence[str], buttons: Buttons) -> Blocks:
    """A draft about which somebody has decided: what was said of it, and what can still be done with it."""
    said = [variants.ONLY_YOU()] if buttons.is_private else []
    closing = [*map(context, said), *_shape_blocks(shape), *map(context, sentences)]
    return whole_blocks(text, [*closing, *_actions(buttons)])


def _shape_blocks(shape: Shape) -> Blocks:
    """What shaped it, and one quiet line where it holds what the style never says."""
    holds = [context(styles.never_said(shape.style, shape.never_said))] if shape.never_said else []
    return [context(shape_line(shape)), *holds]


def used_blocks(text: str, sentence: str) -> Blocks:
    """A draft as somebody's choice: its text, and whose choice it is."""
    return whole_blocks(text, [context(sentence)])


def shared_blocks(text: str, sentence: str, shape: Shape, buttons: Buttons) -> Blocks:
    """A private draft for everybody in the channel."""
    return [context(sentence), *whole_blocks(text, closing_blocks(shape, buttons))]


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
