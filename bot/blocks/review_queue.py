"""The review queue: what waits for this person's decision, one line an example, as a part of App Home or as a modal.

A private channel's examples are shown in that channel alone; everywhere else only their number.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from bot.blocks.text import context, plain, section
from bot.domain.safe_text import escape, shorten
from bot.texts import review as texts

#: Slack's limit for a select.
MAX_OPTIONS = 100
#: Each is compared with everything that its style has: so many at most while somebody waits for the answer.
MAX_LOOKED_AT = 500
#: Stands for "no filter": an option's value cannot be empty.
ANY = "-"
PROMPT_SHOWN = 140
COMPLETION_SHOWN = 240
MAX_ELSEWHERE = 5
OPEN_ACTION = "review_open"
Block = dict[str, Any]


class QueueAge(StrEnum):
    """Least age of a proposal, in days."""

    ANY = "0"
    DAY = "1"
    WEEK = "7"
    MONTH = "30"


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueFilter:
    """What of the queue somebody wants to see; empty: everything."""

    style_id: str = ""
    proposed_by: str = ""
    age: QueueAge = QueueAge.ANY
    only_warned: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueItem:
    """A proposal in one line. The last three count what its reviewer should look at."""

    example_id: str
    version: int
    style_name: str
    prompt: str
    completion: str
    proposed_by: str
    age_days: int
    approvals: int
    approvals_required: int
    has_voted: bool = False
    is_own: bool = False
    contradictions: int = 0
    lookalikes: int = 0
    sensitive: int = 0
    never_said: int = 0

    @property
    def has_warnings(self) -> bool:
        return bool(self.contradictions or self.lookalikes or self.sensitive or self.never_said)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportBatch:
    """Examples of one style that came from files and that nobody has edited."""

    style_id: str
    style_name: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewQueue:
    """One page of what waits for a person; `total` counts what the filter leaves, `waiting` everything."""

    items: tuple[QueueItem, ...] = ()
    total: int = 0
    waiting: int = 0
    #: With `only_warned`: how many were looked at for it; fewer than wait when very many do.
    looked_at: int = 0
    page: int = 0
    pages: int = 1
    wanted: QueueFilter = field(default_factory=QueueFilter)
    #: (style_id, name) and (user_id, name): what can be filtered by.
    styles: tuple[tuple[str, str], ...] = ()
    proposers: tuple[tuple[str, str], ...] = ()
    #: (channel_id, number) of what waits in private channels.
    elsewhere: tuple[tuple[str, int], ...] = ()
    imports: tuple[ImportBatch, ...] = ()
    #: Does this person decide about any style's examples?
    is_reviewer: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueState:
    """What a queue's modal remembers of itself between clicks: where it was opened, the filter, the page."""

    place: str = ""
    wanted: QueueFilter = field(default_factory=QueueFilter)
    page: int = 0

    def as_metadata(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_metadata(cls, metadata: str) -> QueueState:
        return cls.from_dict(json.loads(metadata)) if metadata else cls()

    @classmethod
    def from_dict(cls, about: dict[str, Any]) -> QueueState:
        wanted = dict(about["wanted"])
        return cls(
            place=about["place"], page=about["page"],
            wanted=QueueFilter(**(wanted | {"age": QueueAge(wanted["age"])})),
        )  # fmt: skip


def review_queue_blocks(queue: ReviewQueue) -> list[Block]:
    """The queue as a part of App Home: the first of what waits, and the way to all of it. Empty for who reviews
    nothing."""
    if not queue.is_reviewer:
        return []
    blocks: list[Block] = [{"type": "header", "text": plain(texts.QUEUE_TITLE(), 150)}]
    blocks.append(context(texts.queue_count(queue.waiting)))
    blocks += [_item(item) for item in queue.items]
    blocks += _elsewhere(queue)
    if queue.waiting:
        blocks.append({"type": "actions", "elements": [_button("review_queue", texts.OPEN_QUEUE(), "all")]})
    return blocks


def review_queue_view(queue: ReviewQueue, state: QueueState, notice: str = "") -> dict[str, Any]:
    """The queue as a modal: filter, page through, open. `notice` (mrkdwn) says what was done a moment ago."""
    blocks: list[Block] = [section(notice)] if notice else []
    blocks += _filters(queue)
    filtered = queue.wanted != QueueFilter()
    if queue.wanted.only_warned and queue.looked_at == MAX_LOOKED_AT < queue.waiting:
        found = texts.queue_looked_at(queue.total, queue.looked_at, queue.waiting)
    else:
        found = texts.queue_found(queue.total, queue.waiting) if filtered else texts.queue_count(queue.total)
    blocks.append(context(found))
    blocks += [_item(item) for item in queue.items]
    blocks += _elsewhere(queue)
    blocks += _paging(queue)
    blocks += [_import(batch) for batch in queue.imports]
    return {
        "type": "modal",
        "callback_id": "review_queue",
        "private_metadata": state.as_metadata(),
        "title": plain(texts.QUEUE_TITLE(), 24),
        "close": plain(texts.CLOSE(), 24),
        "blocks": blocks,
    }


def _item(item: QueueItem) -> Block:
    lines = [
        texts.queue_item(
            escape(item.style_name), person(item.proposed_by), item.age_days, item.approvals, item.approvals_required
        ),
        texts.queue_pair(
            escape(shorten(item.prompt, PROMPT_SHOWN)) or "…", escape(shorten(item.completion, COMPLETION_SHOWN)) or "…"
        ),
    ]
    if item.has_warnings:
        lines.append(texts.warnings(item.contradictions, item.lookalikes, item.sensitive, item.never_said))
    if item.is_own:
        lines.append(texts.YOURS())
    elif item.has_voted:
        lines.append(texts.YOU_APPROVED())
    return section("\n".join(lines)) | {
        "block_id": f"queue:{item.example_id}/{item.version}/{item.approvals}",
        "accessory": _button(f"{OPEN_ACTION}:{item.example_id}", texts.OPEN(), item.example_id),
    }


def _elsewhere(queue: ReviewQueue) -> list[Block]:
    return [context(texts.waits_elsewhere(f"<#{channel}>", n)) for channel, n in queue.elsewhere[:MAX_ELSEWHERE]]


def _filters(queue: ReviewQueue) -> list[Block]:
    wanted = queue.wanted
    ages = [(age.value, label()) for age, label in zip(QueueAge, texts.AGES, strict=True)]
    styles = [(ANY, texts.ALL_STYLES()), *queue.styles]
    people = [(ANY, texts.ALL_PEOPLE()), *queue.proposers]
    selects = [
        _select("queue_style", texts.FILTER_STYLE(), styles, wanted.style_id or ANY),
        _select("queue_proposer", texts.FILTER_PROPOSER(), people, wanted.proposed_by or ANY),
        _select("queue_age", texts.FILTER_AGE(), ages, wanted.age.value),
    ]  # fmt: skip
    option = {"text": plain(texts.ONLY_WARNED(), 75), "value": "yes"}
    boxes: Block = {"type": "checkboxes", "action_id": "queue_warned", "options": [option]}
    if wanted.only_warned:
        boxes["initial_options"] = [option]
    return [
        {"type": "actions", "block_id": "queue_filters", "elements": selects},
        {"type": "actions", "block_id": "queue_flags", "elements": [boxes]},
    ]


def _paging(queue: ReviewQueue) -> list[Block]:
    if queue.pages <= 1:
        return []
    buttons = []
    if queue.page > 0:
        buttons.append(_button("queue_previous", texts.PREVIOUS(), str(queue.page - 1)))
    if queue.page + 1 < queue.pages:
        buttons.append(_button("queue_next", texts.NEXT(), str(queue.page + 1)))
    return [{"type": "actions", "elements": buttons}, context(texts.page(queue.page + 1, queue.pages))]


def _import(batch: ImportBatch) -> Block:
    return section(texts.import_waits(escape(batch.style_name), batch.count)) | {
        "accessory": _button(f"bulk_open:{batch.style_id}", texts.BULK_OPEN(), batch.style_id)
    }


def bulk_view(batch: ImportBatch, warned: int, newest_id: str, under: str, state: QueueState) -> dict[str, Any]:
    """The modal that asks before many examples are approved at once. `warned` is -1 where nobody has looked yet."""
    metadata = {"style_id": batch.style_id, "newest_id": newest_id, "under": under, "queue": asdict(state)}
    option = {"text": plain(texts.BULK_TRUST(), 75), "value": "yes"}
    name = escape(batch.style_name)
    question = (
        texts.bulk_question_of_many(name, batch.count)
        if warned < 0
        else texts.bulk_question(name, batch.count - warned, warned)
    )
    blocks: list[Block] = [section(question)]
    if batch.count > warned:
        blocks.append(
            {
                "type": "input",
                "block_id": "trust",
                "label": plain(texts.BULK_LABEL(), 2_000),
                "hint": plain(texts.BULK_HINT(), 2_000),
                "element": {"type": "checkboxes", "action_id": "trust", "options": [option]},
            }
        )
    view: dict[str, Any] = {
        "type": "modal",
        "callback_id": "approve_imports",
        "private_metadata": json.dumps(metadata),
        "title": plain(texts.BULK_TITLE(), 24),
        "close": plain(texts.CANCEL(), 24),
        "blocks": blocks,
    }
    return view | {"submit": plain(texts.BULK_SUBMIT(), 24)} if batch.count > warned else view


def person(user_id: str) -> str:
    """A mention for a person; `operator` and other parts of the program by their word."""
    return f"<@{user_id}>" if user_id[:1] in ("U", "W") else escape(user_id)


def _select(action_id: str, label: str, options: list[tuple[str, str]], chosen: str) -> Block:
    shown = {value: {"text": plain(name, 75), "value": value} for value, name in options[:MAX_OPTIONS]}
    element: Block = {
        "type": "static_select", "action_id": action_id, "placeholder": plain(label, 150),
        "options": list(shown.values()),
    }  # fmt: skip
    return element | {"initial_option": shown[chosen]} if chosen in shown else element


def _button(action_id: str, label: str, value: str, **more: str) -> Block:
    return {"type": "button", "action_id": action_id, "text": plain(label, 75), "value": value, **more}
