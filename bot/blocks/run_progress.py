"""The one message of a run: its progress while it lasts, its result at the end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bot.blocks.ladder import ladder_table
from bot.domain.ladder import Ladder
from bot.domain.progress import Figures
from bot.domain.safe_text import clip, escape
from bot.texts import ladder as ladder_texts
from bot.texts import training as texts
from bot.texts.economy import economy_says
from bot.texts.measured import drafts_said, forms_said
from config.run_kinds import RunKind

Blocks = list[dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunCard:
    """A run that has not ended, as far as its message is concerned."""

    run_id: str
    style_name: str
    reason: str
    figures: Figures
    kind: RunKind = RunKind.TRAIN
    #: What keeps it from going on; None while it goes on.
    waiting: str | None = None
    attempt: int = 0
    is_cancelling: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEnd:
    """A run that has ended."""

    style_name: str
    #: succeeded, failed or cancelled.
    status: str
    kind: RunKind = RunKind.TRAIN
    #: Why it was queued.
    reason: str = ""
    is_promoted: bool = False
    #: The gate's sentence, or why it failed.
    sentence: str = ""
    ladder: Ladder | None = None
    receipt: Mapping[str, Any] | None = None
    quote: Mapping[str, Any] | None = None


def progress_message(card: RunCard) -> tuple[str, Blocks]:
    """Text and blocks while the run lasts."""
    state = card.waiting or texts.progress_state(card.figures)
    if card.is_cancelling:
        state = texts.CANCELLING()
    lines = [texts.progress_title(card.style_name, card.kind), texts.progress_bar(card.figures, state)]
    figures = texts.progress_figures(card.figures)
    if figures and card.waiting is None:
        lines.append(figures)
    blocks: Blocks = [
        _section("\n".join(lines)),
        _context(texts.progress_reason(clip(card.reason, 500), card.attempt)),
    ]
    if not card.is_cancelling:
        blocks.append({"type": "actions", "elements": [_cancel_button(card.run_id)]})
    return texts.progress_text(card.style_name, card.kind, card.figures, state), blocks


def end_message(end: RunEnd) -> tuple[str, Blocks]:
    """Text and blocks of the result, the failure or the cancellation. They stay, and carry no button."""
    sentence = clip(escape(end.sentence), 2900)
    if end.status == "succeeded":
        title = texts.result_title(end.style_name, end.kind, is_promoted=end.is_promoted)
    elif end.status == "failed":
        title, sentence = texts.failed_title(end.style_name, end.kind), sentence or texts.NO_REASON()
    else:
        title, sentence = texts.cancelled(end.style_name, end.kind), ""
    blocks: Blocks = [_section(title)]
    if sentence:
        blocks.append(_section(sentence))
    if end.ladder is not None and end.ladder.ranks:
        blocks += ladder_table(end.ladder)
        blocks += [_context(clip(one, 2900)) for one in (drafts_said(end.ladder), forms_said(end.ladder)) if one]
        if end.ladder.forecast:
            blocks.append(_section(escape(end.ladder.forecast)))
        if not end.ladder.is_enough:
            blocks.append(_section(ladder_texts.not_enough_pairs(end.ladder)))
        blocks += [_section(escape(one)) for one in economy_says(end.ladder.economy)]
        blocks += [_context(clip(escape(one), 2900)) for one in end.ladder.probes]
    if end.kind is RunKind.MEASURE and end.reason:
        blocks.append(_context(texts.progress_reason(clip(end.reason, 500), 0)))
    took = texts.receipt(end.receipt, end.quote) if end.receipt else ""
    if took:
        blocks.append(_context(took))
    return texts.end_text(title, sentence), blocks


def _cancel_button(run_id: str) -> dict[str, Any]:
    return {
        "type": "button",
        "action_id": "cancel_run",
        "value": run_id,
        "text": _plain(texts.CANCEL_RUN_BUTTON()),
        "confirm": {
            "title": _plain(texts.CANCEL_RUN_TITLE()),
            "text": _plain(texts.CANCEL_RUN_QUESTION()),
            "confirm": _plain(texts.CANCEL_RUN_YES()),
            "deny": _plain(texts.CANCEL_RUN_NO()),
        },
    }


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}}


def _context(text: str) -> dict[str, Any]:
    return {"type": "context", "elements": [{"type": "mrkdwn", "text": text}]}


def _plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text}
