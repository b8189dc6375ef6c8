"""What the styles have learnt: counts, and the newest examples with their ids."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bot.blocks.text import section
from bot.domain.safe_text import escape, shorten
from bot.texts import learning as texts

#: A message has room for 50 blocks.
MAX_STYLES = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownExample:
    """One example of a list; `completion` is empty when it must not be shown any more."""

    example_id: str
    status: str
    completion: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExampleOverview:
    """A style's counts by state (in the states' own words), and its newest examples."""

    style_name: str
    counts: Mapping[str, int]
    newest: tuple[ShownExample, ...]


def examples_blocks(overviews: Sequence[ExampleOverview]) -> list[dict[str, Any]]:
    if not overviews:
        return [section(texts.NO_EXAMPLES())]
    return [section(_lines(overview)) for overview in overviews[:MAX_STYLES]]


def _lines(overview: ExampleOverview) -> str:
    counts = overview.counts
    lines = [
        texts.example_counts(
            overview.style_name, counts["proposed"], counts["approved"], counts["rejected"], counts["withdrawn"]
        )
    ]
    for example in overview.newest:
        preview = escape(shorten(example.completion, 80)) or "…"
        lines.append(texts.example_line(example.example_id, example.status, preview))
    return "\n".join(lines if overview.newest else [*lines, texts.NO_EXAMPLES()])
