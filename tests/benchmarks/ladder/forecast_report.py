"""How well forecasts come true: the part of docs/ladder.md that is made from what `forecast` stored.

A resampling is one seed: other training pairs, other first weights. Its forecast sees the first half of the unseen
pairs under the two smallest sizes, and says what the largest size will score; that is held against the score on these
very pairs, and on the second half, which the forecast has not seen.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from trainer.forecast import CONFIDENCE, Curve, fit, score_at
from trainer.metrics import Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One resampling: what was foreseen and what was measured, bits per byte."""

    seed: int
    #: Score by size, on the pairs that the forecast saw; the largest size is the one foreseen.
    scores: dict[int, float]
    foreseen: Interval
    #: The same without the luck of which pairs are unseen: for the pairs that it saw.
    foreseen_here: Interval
    #: The largest size on the pairs that the forecast never saw.
    elsewhere: float

    @property
    def measured(self) -> float:
        return self.scores[max(self.scores)]


def load_outcomes(folder: Path) -> list[Outcome]:
    """Every seed that is complete, in their order."""
    found = [json.loads(path.read_text(encoding="utf-8")) for path in folder.glob("forecast-*.json")]
    return [outcome_of(one) for one in sorted(found, key=lambda one: one["seed"]) if len(one["points"]) >= 3]


def outcome_of(stored: dict[str, Any]) -> Outcome:
    sizes = sorted(int(size) for size in stored["points"])
    bits = np.array([stored["points"][str(size)]["nll_nats"] for size in sizes]) / np.log(2)
    size_bytes = np.array(stored["reference_bytes"], dtype=float)
    half = len(size_bytes) // 2
    known = Curve(sizes=tuple(sizes[:-1]), bits=bits[:-1, :half])
    seed = int(stored["seed"])
    others = score_at(fit(known, size_bytes[:half], seed=seed), sizes[-1], pairs=half, seed=seed)
    here = score_at(fit(known, size_bytes[:half], seed=seed, resample=False), sizes[-1], pairs=half, seed=seed)
    scores = bits[:, :half].sum(axis=1) / size_bytes[:half].sum()
    return Outcome(
        seed=seed, scores=dict(zip(sizes, map(float, scores), strict=True)), foreseen=others, foreseen_here=here,
        elsewhere=float(bits[-1, half:].sum() / size_bytes[half:].sum()),
    )  # fmt: skip


def forecast_part(outcomes: Sequence[Outcome]) -> str:
    """A section in Markdown; empty while nothing is stored."""
    if not outcomes:
        return ""
    sizes = sorted(outcomes[0].scores)
    held = sum(_holds(one.foreseen, one.measured) for one in outcomes)
    held_here = sum(_holds(one.foreseen_here, one.measured) for one in outcomes)
    held_elsewhere = sum(_holds(one.foreseen, one.elsewhere) for one in outcomes)
    width = float(np.mean([one.foreseen.high - one.foreseen.low for one in outcomes]))
    width_here = float(np.mean([one.foreseen_here.high - one.foreseen_here.low for one in outcomes]))
    error = float(np.mean([abs(one.foreseen.mean - one.measured) for one in outcomes]))
    unmoved = float(np.mean([abs(one.scores[sizes[-2]] - one.measured) for one in outcomes]))
    columns = ["seed", *(f"{size} pairs" for size in sizes[:-1]), f"foreseen at {sizes[-1]}", "measured", "elsewhere"]
    lines = [f"| {' | '.join(columns)} |", "|" + "---|" * len(columns)]
    for one in outcomes:
        known = " | ".join(f"{one.scores[size]:.3f}" for size in sizes[:-1])
        foreseen = f"{one.foreseen.mean:.3f} ({one.foreseen.low:.3f} to {one.foreseen.high:.3f})"
        lines.append(
            f"| {one.seed} | {known} | {foreseen} | {_marked(one.foreseen, one.measured)} | "
            f"{_marked(one.foreseen, one.elsewhere)} |"
        )
    n, pairs = len(outcomes), outcomes[0].foreseen.n
    table = "\n".join(lines)
    return f"""## How many more examples? What was foreseen, and what came true

From `lora` on {" and ".join(str(size) for size in sizes[:-1])} training pairs the score on {sizes[-1]} is foreseen,
as a run does it (`trainer/forecast.py`), with an interval that should hold {CONFIDENCE:.0%} of the time. Each seed
draws other training pairs; {pairs} unseen pairs are scored, and {pairs} others besides.
**The interval held in {held} of {n} resamplings**, on pairs that the forecast had not seen in {held_elsewhere} of {n}.
The narrower interval that leaves out which pairs are unseen held in {held_here} of {n} on these very pairs.

{table}

Bits per byte. Mean width of the interval {width:.3f}, of the narrower one {width_here:.3f}; mean error {error:.3f},
where "it stays as it is with {sizes[-2]}" would be off by {unmoved:.3f}.
`python -m tests.benchmarks.ladder.forecast --data FILE` measures it.
"""


def _holds(interval: Interval, value: float) -> bool:
    return interval.low <= value <= interval.high


def _marked(interval: Interval, value: float) -> str:
    return f"{value:.3f}" if _holds(interval, value) else f"**{value:.3f}**, outside"
