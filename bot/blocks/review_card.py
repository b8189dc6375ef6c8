"""The card that reviewers see: the pair, who proposed it, how far it is, and what can be done about it.

A card of a withdrawn example shows no text any more.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from bot.blocks.changes import Before, changes_blocks
from bot.blocks.text import context, markdown, plain, section
from bot.domain.safe_text import escape, shorten
from bot.texts import learning as texts
from bot.texts import review as review_texts
from config.prompt_sources import PromptSource

#: Causes that are stored as reasons: another example was kept in place of this one, at its review and after it.
KEPT_OTHER = "kept-other"
REPLACED = "replaced"
_OWN_REASON = re.compile(rf"(?P<cause>{KEPT_OTHER}|{REPLACED}):(?P<example_id>ex_[0-9a-z]+)")
PROMPT_SHOWN = 1_500
COMPLETION_SHOWN = 2_900
#: Who decided about an example whose message was deleted: nobody, but the row and the log say what did.
MESSAGE_DELETED = "message_deleted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What a card shows; `status` in the words of the example's states."""

    example_id: str
    version: int
    style_name: str
    status: str
    prompt: str
    completion: str
    proposed_by: str
    author_id: str | None
    permalink: str | None
    voter_ids: tuple[str, ...]
    approvals_required: int
    decided_by: str | None = None
    reason: str | None = None
    #: Where the request came from, when it was not simply typed.
    prompt_source: PromptSource | None = None
    #: The texts before the last edit.
    before: Before | None = None
    #: While it waits: terms that stand in the output although the style never says them.
    never_said: tuple[str, ...] = ()


def card_text(card: Card) -> str:
    """What notifications and screen readers say."""
    return texts.card_heading(card.style_name, card.status)


def card_blocks(card: Card) -> list[dict[str, Any]]:
    blocks: list[dict[str, Any]] = [{"type": "header", "text": plain(card_text(card), 150)}]
    if card.status != "withdrawn":
        blocks += _shown(texts.ASKED(), card.prompt, PROMPT_SHOWN)
        blocks += _shown(texts.GOOD_OUTPUT(), card.completion, COMPLETION_SHOWN)
    blocks.append(
        context(
            texts.provenance(
                card.example_id,
                f"<@{card.proposed_by}>",
                f"<@{card.author_id}>" if card.author_id else None,
                card.permalink,
                card.version if card.status == "proposed" else 1,
            )
        )
    )
    if card.prompt_source is not None and (said := texts.prompt_came_from(card.prompt_source)):
        blocks.append(context(said))
    if card.before is not None and card.status != "withdrawn":
        blocks += changes_blocks(card.before, card.prompt, card.completion)
    if card.status == "proposed":
        blocks += never_said_blocks(card)
        blocks.append(context(votes_line(card)))
        blocks.append(_buttons(card))
    else:
        blocks.append(section(decided_line(card)))
    return blocks


def votes_line(card: Card) -> str:
    voters = [f"<@{user_id}>" for user_id in card.voter_ids]
    return texts.votes(len(voters), card.approvals_required, voters)


def never_said_blocks(card: Card) -> list[dict[str, Any]]:
    if not card.never_said:
        return []
    return [context(review_texts.never_said(escape(card.style_name), card.never_said))]


def spoken_reason(reason: str) -> str:
    """A person's reason as it is; one of ours, which is stored as its cause, as a sentence."""
    found = _OWN_REASON.fullmatch(reason)
    if found is None:
        return reason
    said = review_texts.kept_other if found["cause"] == KEPT_OTHER else review_texts.kept_this
    return said(found["example_id"])


def decided_line(card: Card) -> str:
    if card.decided_by == MESSAGE_DELETED:
        return texts.WITHDRAWN_WITH_MESSAGE()
    reason = escape(shorten(spoken_reason(card.reason), 500)) if card.reason else None
    return texts.decided(card.status, _person(card.decided_by), reason)


def card_value(example_id: str, version: int) -> str:
    """A button's value: the row's id, and the version that the card showed, so that nobody approves unseen text."""
    return f"{example_id}/{version}"


def read_card_value(value: str) -> tuple[str, int | None]:
    example_id, _, version = value.partition("/")
    return example_id, int(version) if version.isdecimal() else None


def reject_view(metadata: str) -> dict[str, Any]:
    """The modal that asks why."""
    return {
        "type": "modal",
        "callback_id": "reject_example",
        "private_metadata": metadata,
        "title": plain(texts.REJECT_TITLE(), 24),
        "submit": plain(texts.REJECT(), 24),
        "close": plain(texts.CANCEL(), 24),
        "blocks": [
            {
                "type": "input",
                "block_id": "reason",
                "label": plain(texts.REASON_LABEL(), 2_000),
                "hint": plain(texts.REASON_HINT(), 2_000),
                "element": {"type": "plain_text_input", "action_id": "text", "multiline": True, "max_length": 1_000},
            }
        ],
    }


def _shown(heading: str, text: str, most: int) -> list[dict[str, Any]]:
    blocks: list[dict[str, Any]] = [context(heading), {"type": "section", "text": plain(text, most)}]
    if len(text) > most:
        blocks.append(context(texts.shown_part(most, len(text))))
    return blocks


def _buttons(card: Card) -> dict[str, Any]:
    value = card_value(card.example_id, card.version)
    return {
        "type": "actions",
        # Changes with every version: Slack asks for a new block_id when a message is updated.
        "block_id": f"review:{value}",
        "elements": [
            _button("approve_example", texts.APPROVE(), value, style="primary"),
            _button("edit_example", texts.EDIT(), value),
            _button("reject_example", texts.REJECT(), value, style="danger"),
        ],
    }


def _button(action_id: str, label: str, value: str, **more: str) -> dict[str, Any]:
    return {"type": "button", "action_id": action_id, "text": plain(label, 75), "value": value, **more}


def _person(user_id: str | None) -> str | None:
    """A mention for a person; `operator` and other parts of the program by their word."""
    if user_id is None:
        return None
    return f"<@{user_id}>" if user_id[:1] in ("U", "W") else user_id


__all__ = ["Card", "card_blocks", "card_text", "card_value", "markdown", "read_card_value", "reject_view"]
