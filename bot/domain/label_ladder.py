"""The ladder of a style that classifies: how often each candidate is right, and what its certainty is worth. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bot.domain.safe_text import shorten_apart
from bot.language import number

#: Of a candidate's name in a table, where that tells it from the others.
NAME_CHARS = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelFigures:
    """Shares from 0 to 1; an interval is the 95 % bootstrap over the unseen pairs."""

    accuracy: float
    accuracy_interval: tuple[float, float]
    macro_f1: float
    macro_f1_interval: tuple[float, float]
    #: Expected calibration error.
    ece: float
    #: The share of the texts that would be answered, and how much of that is right; None where nothing is.
    coverage: float
    accuracy_answered: float | None


def read_label_figures(summary: Mapping[str, Any]) -> LabelFigures | None:
    """From a stored scorecard's summary; None when its answers are no labels."""
    values = summary.get("labels")
    if values is None:
        return None
    return LabelFigures(
        accuracy=values["accuracy"], accuracy_interval=tuple(values["accuracy_interval"]),
        macro_f1=values["macro_f1"], macro_f1_interval=tuple(values["macro_f1_interval"]), ece=values["ece"],
        coverage=values["coverage"], accuracy_answered=values["accuracy_answered"],
    )  # fmt: skip


def label_lines(rows: Sequence[tuple[str, bool, LabelFigures]], columns: Sequence[str]) -> list[str]:
    """A fixed-width table of (candidate, is champion, figures) under the columns' names, in the given order."""
    names = shorten_apart([name for name, _, _ in rows], NAME_CHARS)
    cells = [("", *columns), *(_cells(name, *row[1:]) for name, row in zip(names, rows, strict=True))]
    widths = [max(len(row[column]) for row in cells) for column in range(len(columns) + 1)]
    return [
        "  ".join(
            cell.ljust(width) if column < 2 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in cells
    ]


def _cells(name: str, is_champion: bool, figures: LabelFigures) -> tuple[str, ...]:
    return (
        "★" if is_champion else "",
        name,
        number(figures.accuracy, ".0%"),
        _range(figures.accuracy_interval),
        number(figures.macro_f1, ".2f"),
        f"{number(figures.macro_f1_interval[0], '.2f')}–{number(figures.macro_f1_interval[1], '.2f')}",
        number(figures.ece, ".2f"),
        number(figures.coverage, ".0%"),
        "–" if figures.accuracy_answered is None else number(figures.accuracy_answered, ".0%"),
    )


def _range(interval: tuple[float, float]) -> str:
    return f"{number(interval[0], '.0%')}–{number(interval[1], '.0%')}"
