"""What people read of what is measured while a style is in use: edits, and pairs that are predicted one by one."""

from __future__ import annotations

from collections.abc import Sequence

from bot.domain.effort import MIN_DRAFTS, Effort
from bot.domain.prequential import MIN_EXAMPLES, Prequential
from bot.language import apart, say, say_count


def effort_by_candidate(efforts: Sequence[tuple[str, str, Effort]], *, weeks: int) -> str:
    """`efforts`: (rung, adapter or "", what people changed). Empty without any."""
    if not efforts:
        return ""
    return say(
        "What people changed of the drafts that they kept in the last {weeks} weeks: {efforts}.",
        weeks=weeks, efforts=apart([_effort(*one) for one in efforts]),
    )  # fmt: skip


def _effort(rung: str, adapter_name: str, effort: Effort) -> str:
    name = f"`{adapter_name or rung}`"
    if effort.n < MIN_DRAFTS:
        return say_count(
            effort.n,
            "{name} not enough yet ({count} draft of {needed})",
            "{name} not enough yet ({count} drafts of {needed})",
            name=name, needed=MIN_DRAFTS,
        )  # fmt: skip
    return say_count(
        effort.n,
        "{name} {mean:.0%} ({low:.0%} to {high:.0%}, {count} draft)",
        "{name} {mean:.0%} ({low:.0%} to {high:.0%}, {count} drafts)",
        name=name, mean=effort.mean, low=effort.low, high=effort.high,
    )  # fmt: skip


def prequential_said(figure: Prequential | None) -> str:
    """What the champion foretold of newly approved examples; empty of none."""
    if figure is None:
        return ""
    if figure.n < MIN_EXAMPLES:
        return say_count(
            figure.n,
            "Prequential (each newly approved example is predicted before it counts): not enough yet, {count} example "
            "of {needed}.",
            "Prequential (each newly approved example is predicted before it counts): not enough yet, {count} examples "
            "of {needed}.",
            needed=MIN_EXAMPLES,
        )  # fmt: skip
    if figure.is_share_right:
        return say_count(
            figure.n,
            "Prequential (each newly approved example is predicted before it counts): {mean:.0%} of the labels right "
            "({low:.0%} to {high:.0%}), {count} example since the champion serves.",
            "Prequential (each newly approved example is predicted before it counts): {mean:.0%} of the labels right "
            "({low:.0%} to {high:.0%}), {count} examples since the champion serves.",
            mean=figure.mean, low=figure.low, high=figure.high,
        )  # fmt: skip
    return say_count(
        figure.n,
        "Prequential (each newly approved example is predicted before it counts): {mean:.3f} bits per byte ({low:.2f} "
        "to {high:.2f}), {count} example since the champion serves.",
        "Prequential (each newly approved example is predicted before it counts): {mean:.3f} bits per byte ({low:.2f} "
        "to {high:.2f}), {count} examples since the champion serves.",
        mean=figure.mean, low=figure.low, high=figure.high,
    )  # fmt: skip
