"""How well forecasts come true: the part of docs/ladder.md that is made from what `forecast` stored.

A resampling is one seed: other training pairs, other first weights. Its forecast sees the first half of the unseen
pairs under the two smallest sizes, and says what the largest size will score; that is held against the score on these
very pairs, and on the second half, which the forecast has not seen.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tests.benchmarks.ladder.commands import command
from tests.benchmarks.ladder.intervals import least_share
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

    def guesses(self) -> dict[str, float]:
        """What somebody would say without `trainer/forecast.py`, by how they would come to it."""
        smaller, here, there = sorted(self.scores)[-3:]
        before, now = self.scores[smaller], self.scores[here]
        doublings = math.log(there / here) / math.log(here / smaller)
        return {
            f'"it stays as it is with {here}"': now,
            "a line through both points, over the logarithm of the pairs": now + (now - before) * doublings,
            "a power law through both points, without a floor": now * (now / before) ** doublings,
        }


def moved(interval: Interval, to: float) -> Interval:
    """As wide as this one, around another value."""
    low, high = to - (interval.mean - interval.low), to + (interval.high - interval.mean)
    return Interval(mean=to, low=low, high=high, n=interval.n)


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
    forecast_row = (
        f"| the forecast | **{held} of {n}**; on pairs that it had not seen {held_elsewhere} of {n} | "
        f"**{held_here} of {n}** | {error:.3f} |"
    )
    guesses = "\n".join(_guess_row(name, outcomes) for name in outcomes[0].guesses())
    return f"""## How many more examples? What was foreseen, and what came true

From `lora` on {" and ".join(str(size) for size in sizes[:-1])} training pairs the score on {sizes[-1]} is foreseen by
what a run uses (`trainer/forecast.py`), with an interval that should hold {CONFIDENCE:.0%} of the time. Not exactly
as a run does it: one with `cpu-small` has three points, a quarter, a half and all of its training pairs, this study
two. Each seed draws other training pairs; the unseen pairs are the same for all: {pairs} that are scored, and {pairs}
others besides. So the seeds say whether an interval holds the luck with training pairs; whether it holds the luck
with unseen pairs, which the wider one allows for, they say hardly more than once.

| | held, as a run states it | held, without the luck of which pairs are unseen | mean error |
|---|---|---|---|
{forecast_row}
{guesses}
| mean width | {width:.3f} | {width_here:.3f} | |

Each guess has an interval as wide as the forecast's. Where two rows hold as often, the interval is too wide to tell
them apart. {held} of {n} is compatible with an interval that holds {least_share(held, n):.0%} of the time (95 %,
exact), so {n} draws do not establish {CONFIDENCE:.0%}. And one of the forecast's own assumptions comes from this data
set, model and task: how much a doubling of the examples saves (`DROP` in trainer/forecast.py, about 8 % of the score
at one standard deviation; 6 % had been measured from 50 to 100 and from 100 to 200 pairs). Another style may be steeper
or flatter; that is **not** measured.

{table}

Bits per byte; "elsewhere" are the pairs that the forecast never saw.

{command("forecast", "--seeds", *(one.seed for one in outcomes), "--sizes", *sizes)}
"""


def _guess_row(name: str, outcomes: Sequence[Outcome]) -> str:
    made = [(one, one.guesses()[name]) for one in outcomes]
    held = sum(_holds(moved(one.foreseen, guess), one.measured) for one, guess in made)
    here = sum(_holds(moved(one.foreseen_here, guess), one.measured) for one, guess in made)
    error = float(np.mean([abs(guess - one.measured) for one, guess in made]))
    return f"| {name} | {held} of {len(made)} | {here} of {len(made)} | {error:.3f} |"


def _holds(interval: Interval, value: float) -> bool:
    return interval.low <= value <= interval.high


def _marked(interval: Interval, value: float) -> str:
    return f"{value:.3f}" if _holds(interval, value) else f"**{value:.3f}**, outside"
