"""Learning curves with intervals: the part of docs/ladder.md that is made from what `forecast` and `study` stored, and
its picture.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from tests.benchmarks.ladder.commands import command
from tests.benchmarks.ladder.intervals import Floats, crossed_interval
from trainer.metrics import Interval

if TYPE_CHECKING:
    from tests.benchmarks.ladder.forecast_report import Outcome
    from tests.benchmarks.ladder.report import Size

COLOURS = {
    "zero_shot": "#9aa5b1", "few_shot": "#ecb22e", "retrieved": "#2eb67d", "lora": "#1264a3",
    "lora_retrieved": "#e01e5a",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """`lora` on nested subsets of several draws of training pairs, on the same unseen pairs."""

    seeds: tuple[int, ...]
    #: (draws, pairs) bits by training pairs.
    bits: dict[int, Floats]
    #: (pairs,)
    reference_bytes: Floats

    def interval(self, size: int) -> Interval:
        return crossed_interval(self.bits[size], self.reference_bytes)

    def gain(self, smaller: int, larger: int) -> Interval:
        return crossed_interval(self.bits[smaller] - self.bits[larger], self.reference_bytes)

    def by_draw(self, size: int) -> Floats:
        found: Floats = self.bits[size].sum(axis=1) / self.reference_bytes.sum()
        return found


def load_growth(folder: Path) -> Growth | None:
    """Every seed that has all sizes; None where none is stored."""
    found = [json.loads(path.read_text(encoding="utf-8")) for path in folder.glob("forecast-*.json")]
    sizes = sorted({int(size) for one in found for size in one["points"]})
    whole = sorted((one for one in found if len(one["points"]) == len(sizes)), key=lambda one: one["seed"])
    if not whole:
        return None
    return Growth(
        seeds=tuple(one["seed"] for one in whole),
        bits={size: np.array([one["points"][str(size)]["nll_nats"] for one in whole]) / math.log(2) for size in sizes},
        reference_bytes=np.array(whole[0]["reference_bytes"], dtype=float),
    )


def growth_part(growth: Growth | None, *, picture: str) -> str:
    """A section in Markdown; empty while nothing is stored."""
    if growth is None:
        return ""
    draws, pairs = len(growth.seeds), len(growth.reference_bytes)
    lines = [
        "| training pairs | bits per byte | spread from draw to draw | against the size before |",
        "|---|---|---|---|",
    ]
    before = None
    for size in sorted(growth.bits):
        own, spread = growth.interval(size), float(growth.by_draw(size).std(ddof=1)) if draws > 1 else 0.0
        gain = growth.gain(before, size) if before else None
        shown = f"{gain.mean:+.3f} ({gain.low:+.3f} to {gain.high:+.3f})" if gain else ""
        lines.append(f"| {size} | **{own.mean:.3f}** ({own.low:.3f} to {own.high:.3f}) | {spread:.3f} | {shown} |")
        before = size
    table = "\n".join(lines)
    return f"""## How `lora` grows with the number of pairs

{table}

{command("forecast", "--seeds", *growth.seeds, "--sizes", *sorted(growth.bits))}

{draws} draws of training pairs, the smaller sets being the beginnings of the larger; {pairs} unseen pairs, the same
for all. Intervals are 95 %, over draws and pairs together; the spread is a standard deviation. Of the other rungs one
size is stored, so they have a point and no curve: how prompts grow with their examples is **not** measured.

![Bits per byte against training pairs]({picture})

"""


def draw_curve(growth: Growth | None, largest: Size, outcomes: Sequence[Outcome], path: Path) -> None:
    """Left the curve of `lora` among the other rungs, right what was foreseen of its last point."""
    if growth is None:
        return
    figure = Figure(figsize=(11, 4.8), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)  # draws without a display and without pyplot's global state
    left, right = figure.subplots(1, 2)
    sizes = sorted(growth.bits)
    for axes in (left, right):
        for draw in range(len(growth.seeds)):
            scores = [growth.by_draw(size)[draw] for size in sizes]
            axes.plot(sizes, scores, color=COLOURS["lora"], lw=0.6, alpha=0.4)
    measured = [growth.interval(size) for size in sizes]
    for axes in (left, right):
        _points(axes, sizes, measured, "lora", label=f"lora, {len(growth.seeds)} draws: mean, 95 %", line=2.0)
    for number, rung in enumerate(largest.rungs()):
        # Side by side, so that intervals do not hide each other.
        beside = largest.train * 1.05 ** (number + 1)
        _points(left, [beside], [largest.interval(rung)], rung, label=f"{rung}, the study", mark="s")
    for number, one in enumerate(outcomes):
        beside = sizes[-1] * 1.06 * 1.035**number
        for foreseen, width in ((one.foreseen, 0.8), (one.foreseen_here, 2.4)):
            error = [[foreseen.mean - foreseen.low], [foreseen.high - foreseen.mean]]
            right.errorbar(
                [beside], [foreseen.mean], yerr=error, color=COLOURS["lora_retrieved"], marker="_", lw=width, ms=6
            )
    right.errorbar(
        [], [], yerr=[], color=COLOURS["lora_retrieved"], marker="_",
        label=f"foreseen at {sizes[-1]} from {' and '.join(map(str, sizes[:-1]))}, 90 %\n"
        "(thick: without the luck of which pairs are unseen)",
    )  # fmt: skip
    left.set_title("measured: lora by size, all rungs at the largest", fontsize=10)
    right.set_title("foreseen, draw by draw", fontsize=10)
    for axes in (left, right):
        axes.set_xscale("log")
        axes.set_xticks(sizes, [str(size) for size in sizes])
        axes.minorticks_off()
        axes.set_xlabel("training pairs (points at the largest are set beside each other)")
        axes.grid(alpha=0.25)
    left.set_ylim(top=left.get_ylim()[1] + 0.18)
    left.legend(frameon=False, fontsize=8, ncols=2, loc="upper left")
    right.legend(frameon=False, fontsize=8, loc="lower left")
    left.set_ylabel("bits per byte (lower is better)")
    figure.savefig(path, metadata={"Software": None})


def _points(
    axes: Any, sizes: Sequence[float], found: Sequence[Interval], rung: str, *, label: str, mark: str = "o",
    line: float = 0.0,
) -> None:  # fmt: skip
    error = [[one.mean - one.low for one in found], [one.high - one.mean for one in found]]
    axes.errorbar(
        sizes, [one.mean for one in found], yerr=error, color=COLOURS[rung], marker=mark, ms=5, capsize=3, lw=line,
        elinewidth=1.4, label=label,
    )  # fmt: skip
