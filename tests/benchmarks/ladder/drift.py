"""How often the drift detector alarms for nothing, and how soon it finds something: simulated.

    python -m tests.benchmarks.ladder.drift

Losses are bell-shaped, or skewed as bits per byte of real pairs are; of decisions three in five are 0. A rise is given
in standard deviations of the values. Prints the tables of docs/in-use.md.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from bot.domain.drift import FALSE_ALARMS, PER_VALUES, Alarm, Value, find_drift

TIMES = 400
MOST = 1_000
Draw = Callable[[np.random.Generator, int], NDArray[np.float64]]


def bell_shaped(rng: np.random.Generator, n: int) -> NDArray[np.float64]:
    """(n,) bits per byte."""
    found: NDArray[np.float64] = rng.normal(1.0, 0.3, n)
    return found


def skewed(rng: np.random.Generator, n: int) -> NDArray[np.float64]:
    """(n,) bits per byte."""
    found: NDArray[np.float64] = rng.lognormal(0.0, 0.5, n)
    return found


def decisions(rng: np.random.Generator, n: int) -> NDArray[np.float64]:
    """(n,) of 0 (kept), a part (edited), 1 (turned down)."""
    edited = rng.beta(2, 6, n)
    found: NDArray[np.float64] = np.where(rng.random(n) < 0.6, 0.0, np.where(rng.random(n) < 0.25, 1.0, edited))
    return found


def look(measured: Sequence[float], values: Sequence[float], trial: int) -> Alarm | None:
    return find_drift(measured, [Value(name=f"{trial}/{number}", loss=loss) for number, loss in enumerate(values)])


def false_alarms(draw: Draw, measured: int, *, times: int = TIMES, most: int = MOST) -> float:
    """The share of sequences of `most` values without any change that alarm at all."""
    return sum(_alarms(draw, measured, most, trial) for trial in range(times)) / times


def _alarms(draw: Draw, measured: int, most: int, trial: int) -> bool:
    rng = np.random.default_rng(trial)
    return look(list(draw(rng, measured)), list(draw(rng, most)), trial) is not None


def delays(draw: Draw, measured: int, quiet: int, rise: float, *, times: int = TIMES, most: int = MOST) -> list[int]:
    """Values after the change until the alarm, of each sequence; `most` where there was none. Alarms before the change
    are left out."""
    found = []
    spread = float(np.std(draw(np.random.default_rng(0), 100_000)))
    for trial in range(times):
        rng = np.random.default_rng(trial)
        before, after = draw(rng, measured + quiet), draw(rng, most) + rise * spread
        alarm = look(list(before[:measured]), [*before[measured:], *after], trial)
        if alarm is None or alarm.at > quiet:
            found.append(alarm.at - quiet if alarm else most)
    return found


def main() -> None:
    say(f"At most {FALSE_ALARMS:.0%} of {PER_VALUES} values.\n")
    say("| values | measured | sequences of 1,000 without a change that alarm |\n|---|---|---|")
    for draw, measured in ((bell_shaped, 30), (bell_shaped, 300), (skewed, 0), (skewed, 100), (decisions, 0)):
        say(f"| {draw.__name__} | {measured} | {false_alarms(draw, measured):.1%} |")
    say("\n| values | measured | quiet before | rise | found after (median; 9 of 10) | found within 1,000 |")
    say("|---|---|---|---|---|---|")
    for draw, measured, quiet in (
        (bell_shaped, 30, 0), (bell_shaped, 100, 0), (bell_shaped, 300, 0), (bell_shaped, 100, 200),
        (skewed, 100, 200), (decisions, 0, 100),
    ):  # fmt: skip
        for rise in (0.5, 1.0):
            took = np.array(delays(draw, measured, quiet, rise))
            middle, late = np.quantile(took, [0.5, 0.9])
            share = float((took < MOST).mean())
            cells = (draw.__name__, measured, quiet, rise, f"{middle:.0f}; {late:.0f}", f"{share:.0%}")
            say(f"| {' | '.join(map(str, cells))} |")


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
