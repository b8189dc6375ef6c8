"""One example as its reviewer sees it before deciding: whole texts, what an edit changed, what it clashes with, what
should be taken out of it, and the buttons for every way to decide.

User-made text is plain or rich text here, never mrkdwn: nothing in it is read as markup, a mention or a link.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from bot.blocks.changes import Before, changes_blocks, diff_pair
from bot.blocks.review_card import Card, card_value, decided_line, never_said_blocks, votes_line
from bot.blocks.review_queue import QueueState, person
from bot.blocks.text import context, plain, section
from bot.domain.clashes import ClashKind
from bot.domain.long_text import split_long_text
from bot.texts import learning
from bot.texts import review as texts

OTHER_SHOWN = 700
REDACT_BLOCK = "redact"
Block = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownClash:
    """Another example of the style beside which this one is looked at."""

    example_id: str
    version: int
    kind: ClashKind
    status: str
    proposed_by: str
    permalink: str | None
    prompt: str
    completion: str
    request_percent: int
    output_percent: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Detail:
    """Everything there is to see of one example before somebody decides about it."""

    card: Card
    before: Before | None
    clashes: tuple[ShownClash, ...]
    #: The texts without what should not be learnt, and how much of which kind was found (in the kinds' words).
    redacted_prompt: str
    redacted_completion: str
    found: Mapping[str, int]
    #: May this person's approval count? Not for their own, unless the style says so.
    may_approve: bool

    @property
    def has_warnings(self) -> bool:
        return bool(self.clashes or self.found or self.card.never_said)


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """Where a reviewer came from: the channel that scope is judged by, the modal beneath, and its queue."""

    place: str = ""
    under: str = ""
    queue: QueueState | None = None

    def as_metadata(self, value: str) -> str:
        """Together with the example's value, as a view's private_metadata."""
        return json.dumps({"value": value, **asdict(self)})

    @classmethod
    def from_metadata(cls, metadata: str) -> tuple[str, Where]:
        """The example's value, and where from."""
        about = json.loads(metadata)
        queue = QueueState.from_dict(about["queue"]) if about["queue"] else None
        return about["value"], cls(place=about["place"], under=about["under"], queue=queue)


def detail_view(detail: Detail, where: Where, notice: str = "") -> dict[str, Any]:
    card = detail.card
    value = card_value(card.example_id, card.version)
    is_open = card.status == "proposed"
    blocks: list[Block] = [section(notice)] if notice else []
    blocks.append({"type": "header", "text": plain(learning.card_heading(card.style_name, card.status), 150)})
    if card.status != "withdrawn":
        blocks += [context(texts.ASKED()), *_whole(card.prompt)]
        blocks += [context(texts.GOOD_OUTPUT()), *_whole(card.completion)]
    blocks.append(
        context(
            learning.provenance(
                card.example_id,
                person(card.proposed_by),
                person(card.author_id) if card.author_id else None,
                card.permalink,
                card.version,
            )
        )
    )
    if card.prompt_source is not None and (said := learning.prompt_came_from(card.prompt_source)):
        blocks.append(context(said))
    blocks.append(context(votes_line(card) if is_open else decided_line(card)))
    if detail.before is not None and card.status != "withdrawn":
        blocks += changes_blocks(detail.before, card.prompt, card.completion)
    if is_open:
        blocks += never_said_blocks(card)
        blocks += _redaction(detail, value)
        for clash in detail.clashes:
            blocks += _clash(clash, value, may_approve=detail.may_approve)
        blocks += [] if detail.may_approve else [context(texts.OWN_EXAMPLE())]
    blocks.append({"type": "actions", "block_id": f"decide:{value}", "elements": _buttons(detail, where, value)})
    return {
        "type": "modal",
        "callback_id": "review_detail",
        "private_metadata": where.as_metadata(value),
        "title": plain(texts.DETAIL_TITLE(), 24),
        "close": plain(texts.CLOSE(), 24),
        "blocks": [block for block in blocks if block.get("elements") != []],
    }


#: With the white space of a cut, a part stays within a section's 3,000 characters.
SECTION_CHARS = 2_900


def _whole(text: str) -> list[Block]:
    """All of a text, over as many sections as it needs."""
    pieces = [part.joint + part.text for part in split_long_text(text, SECTION_CHARS)]
    return [{"type": "section", "text": plain(piece if piece.strip() else "…")} for piece in pieces]


def _redaction(detail: Detail, value: str) -> list[Block]:
    if not detail.found:
        return []
    card = detail.card
    blocks = [section(texts.would_redact(dict(detail.found)))]
    cleaned = (detail.redacted_prompt, detail.redacted_completion)
    blocks += diff_pair((card.prompt, card.completion), cleaned, block_id="redacted")
    option = {"text": plain(texts.REDACT_OPTION(), 75), "value": "yes"}
    boxes: Block = {
        "type": "checkboxes",
        "action_id": "redact_choice",
        "options": [option],
        "initial_options": [option],
    }
    # Named after the version: another text asks anew.
    return [*blocks, {"type": "actions", "block_id": f"{REDACT_BLOCK}:{value}", "elements": [boxes]}]


def _clash(clash: ShownClash, value: str, *, may_approve: bool) -> list[Block]:
    name = f"<{clash.permalink}|{clash.example_id}>" if clash.permalink else f"`{clash.example_id}`"
    who = person(clash.proposed_by)
    if clash.kind is ClashKind.CONTRADICTION:
        sentence = texts.contradiction(name, who, clash.status, clash.request_percent)
    else:
        sentence = texts.lookalike(name, who, clash.status, clash.request_percent, clash.output_percent)
    buttons = [_button(f"keep_other:{clash.example_id}", texts.KEEP_OTHER(), value)]
    if may_approve:
        buttons.insert(0, _button(f"keep_this:{clash.example_id}", texts.KEEP_THIS(), value))
    return [
        section(sentence),
        {"type": "section", "text": plain(clash.prompt, OTHER_SHOWN)},
        {"type": "section", "text": plain(clash.completion, OTHER_SHOWN)},
        {"type": "actions", "block_id": f"clash:{value}:{clash.example_id}", "elements": buttons},
    ]


def _buttons(detail: Detail, where: Where, value: str) -> list[Block]:
    buttons: list[Block] = []
    if detail.card.status == "proposed":
        label = texts.KEEP_BOTH() if detail.clashes else texts.APPROVE()
        if detail.may_approve:
            buttons.append(_button("approve_example", label, value, style="primary"))
        buttons.append(_button("edit_example", texts.EDIT(), value))
        buttons.append(_button("reject_example", texts.REJECT(), value, style="danger"))
    if where.queue is not None:
        buttons.append(_button("review_back", texts.BACK(), value))
    return buttons


def _button(action_id: str, label: str, value: str, **more: str) -> Block:
    return {"type": "button", "action_id": action_id, "text": plain(label, 75), "value": value, **more}
