"""The weekly digest as a message: the figures in words, up to two charts that Slack draws, one button."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bot.blocks.home import champion_lines, chart_blocks, contributor_name, header, next_step
from bot.blocks.text import context, plain, section
from bot.domain.effort import Effort, Trend
from bot.domain.overview import Contributor, DraftCounts, StyleOverview
from bot.domain.safe_text import escape
from bot.language import lines
from bot.texts import budget
from bot.texts import digest as texts

Block = dict[str, Any]
MAX_THANKED = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    """A style's week: what happened in it, beside how the style stands now."""

    overview: StyleOverview
    since: datetime
    until: datetime
    drafts: DraftCounts
    effort: Effort | None
    trend: Trend
    new_examples: int
    taught: tuple[Contributor, ...]
    reviewed: tuple[Contributor, ...]
    cost: float


def digest_message(digest: Digest) -> tuple[str, list[Block]]:
    """Text and blocks."""
    style, name = digest.overview, escape(digest.overview.name)
    counts, spend = digest.drafts, digest.overview.spend
    month = budget.spent(spend.spent, spend.limit, spend.currency)
    blocks = [
        header(texts.title(style.name)),
        context(texts.span(digest.since, digest.until)),
        section(lines(*champion_lines(style))),
        section(
            lines(
                texts.drafts(counts.made, counts.kept, counts.edited, counts.discarded, counts.posted),
                texts.effort(digest.effort, digest.trend),
                texts.examples(digest.new_examples, style.approved),
            )
        ),
        section(texts.thanks(_names(digest.taught), _names(digest.reviewed))),
        section(texts.cost(digest.cost, month, spend.currency)),
        section(next_step(style)),
        *chart_blocks(style),
        {"type": "actions", "elements": [_switch_off(style.style_id)]},
    ]
    return texts.text(name, counts.made, counts.used), blocks


def _names(contributors: tuple[Contributor, ...]) -> list[tuple[str, int]]:
    return [(contributor_name(one), one.count) for one in contributors[:MAX_THANKED]]


def _switch_off(style_id: str) -> Block:
    return {
        "type": "button",
        "action_id": "digest_off",
        "text": plain(texts.SWITCH_OFF(), 75),
        "value": style_id,
        "confirm": {
            "title": plain(texts.SWITCH_OFF_TITLE(), 100),
            "text": plain(texts.SWITCH_OFF_QUESTION(), 300),
            "confirm": plain(texts.SWITCH_OFF_YES(), 30),
            "deny": plain(texts.SWITCH_OFF_NO(), 30),
        },
    }
