"""The ladder as a message: a fixed-width table that also reads well aloud."""

from __future__ import annotations

from typing import Any

from bot.domain.ladder import Ladder, label_ladder_lines, ladder_lines
from bot.domain.safe_text import clip, escape
from bot.language import figures as beside
from bot.texts import labels, probes
from bot.texts import ladder as texts

Blocks = list[dict[str, Any]]

#: Rows shown at most: every rung once, and the champion if it is an older adapter, are six.
MOST_ROWS = 20


def ladder_table(ladder: Ladder) -> Blocks:
    """The table with its legend."""
    lines = ladder_lines(ladder, [column() for column in texts.LADDER_COLUMNS])[: MOST_ROWS + 1]
    legend = [texts.LADDER_LEGEND(), probes.LEGEND() if any(rank.has_failed_probe for rank in ladder.ranks) else ""]
    blocks = _fixed_width(lines, beside(legend))
    of_labels = label_ladder_lines(ladder, [column() for column in labels.LADDER_COLUMNS])[: MOST_ROWS + 1]
    return [*_fixed_width(of_labels, labels.LADDER_LEGEND()), *blocks] if of_labels else blocks


def _fixed_width(lines: list[str], legend: str) -> Blocks:
    return [
        {
            "type": "rich_text",
            "elements": [{"type": "rich_text_preformatted", "elements": [{"type": "text", "text": "\n".join(lines)}]}],
        },
        {"type": "context", "elements": [{"type": "mrkdwn", "text": legend}]},
    ]


def ladder_message(ladder: Ladder) -> tuple[str, Blocks]:
    """Text and blocks of `/huisstijl ladder`."""
    title = texts.ladder_title(ladder)
    blocks: Blocks = [
        {"type": "section", "text": {"type": "mrkdwn", "text": f"*{title}*"}},
        *ladder_table(ladder),
    ]
    says = [clip(escape(one), 2900) for one in texts.ladder_says(ladder)]
    blocks += [{"type": "section", "text": {"type": "mrkdwn", "text": one}} for one in says]
    return texts.ladder_text(title, says), blocks
