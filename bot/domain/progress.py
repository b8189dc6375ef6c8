"""How far a run is, as values that a message shows. Pure: a run's progress in, a bar and its words' figures out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

BAR_WIDTH = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What the latest news says; None for what it does not say."""

    stage: str
    #: Of the whole run, 0 to 1.
    fraction: float
    rung: str | None = None
    step: int | None = None
    total_steps: int | None = None
    loss: float | None = None
    eval_loss: float | None = None
    tokens_per_second: float | None = None
    seconds_left: float | None = None


def read_figures(status: str, progress: Mapping[str, Any]) -> Figures:
    """The figures of a run's progress; values that make no sense are left out, never shown."""
    step, total = _number(progress.get("step")), _number(progress.get("total_steps"))
    fraction = _number(progress.get("fraction"))
    if fraction is None:
        fraction = step / total if step is not None and total else 0.0
    return Figures(
        stage=str(progress.get("stage") or status),
        fraction=min(max(fraction, 0.0), 1.0),
        rung=str(progress["rung"]) if progress.get("rung") else None,
        step=None if step is None else int(step),
        total_steps=int(total) if total else None,
        loss=_number(progress.get("loss")),
        eval_loss=_number(progress.get("eval_loss")),
        tokens_per_second=_number(progress.get("tokens_per_second")) or None,
        seconds_left=_number(progress.get("seconds_left")),
    )


def draw_bar(fraction: float, width: int = BAR_WIDTH) -> str:
    """`▓▓▓░░░`: full only when it is done, and never empty once something is."""
    full = int(fraction * width)
    if 0 < fraction < 1:
        full = min(max(full, 1), width - 1)
    return "▓" * full + "░" * (width - full)


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        return None
    return float(value) if abs(value) != float("inf") else None
