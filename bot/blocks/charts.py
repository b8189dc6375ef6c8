"""Charts, drawn by Slack itself: `data_visualization` blocks, for messages only and two to a message at most.

Whoever shows one says its figures in words as well: not everybody sees a chart. Source of the limits:
docs.slack.dev/reference/block-kit/blocks/data-visualization-block (16 June 2026).
"""

from __future__ import annotations

from typing import Any

from bot.domain.safe_text import shorten
from bot.domain.weeks import WeekSeries
from bot.texts import overview as texts

MAX_TITLE_CHARS = 50
MAX_LABEL_CHARS = 20
MAX_POINTS = 20
MAX_CHARTS = 2


def week_chart(kind: str, title: str, name: str, series: WeekSeries, *, x_label: str, y_label: str) -> dict[str, Any]:
    """A `line`, `bar` or `area` chart of one value a week. Weeks without a value are left out; there must be one."""
    points = [(texts.week_label(week), round(value, 3)) for week, value in series.known[-MAX_POINTS:]]
    return {
        "type": "data_visualization",
        "title": shorten(title, MAX_TITLE_CHARS),
        "chart": {
            "type": kind,
            "series": [
                {
                    "name": shorten(name, MAX_LABEL_CHARS),
                    "data": [{"label": label, "value": value} for label, value in points],
                }
            ],
            "axis_config": {
                "categories": [label for label, _ in points],
                "x_label": shorten(x_label, MAX_TITLE_CHARS),
                "y_label": shorten(y_label, MAX_TITLE_CHARS),
            },
        },
    }
