"""What a rung costs: the part of docs/ladder.md about minutes, seconds and tokens, and its picture."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from tests.benchmarks.ladder.growth import COLOURS

if TYPE_CHECKING:
    from tests.benchmarks.ladder.report import Size

#: For the money column, and stated there: what an hour of a host costs. An example, not a measurement.
PRICE_PER_HOUR = 0.10
#: The best rung that needs no training: what a trained one is cheaper than, or not.
UNTRAINED = "retrieved"


def seconds_of_drafts(size: Size, rung: str) -> list[float]:
    """One a seed; 0 where no drafts were written."""
    return [float(seed["cards"][rung]["seconds_per_draft"]) for seed in size.seeds]


def training_seconds(size: Size, rung: str) -> list[float]:
    """One a seed, of the training steps with their looks at validation. `lora_retrieved` goes on from `lora`, so what
    that took is in it."""
    needed = {"lora": ("lora",), "lora_retrieved": ("lora", "lora_retrieved")}.get(rung, ())
    return [float(sum(seed["trained"][name]["seconds"] for name in needed)) for seed in size.seeds]


def pays_after(size: Size, rung: str) -> int | None:
    """Drafts until the host's time for training has come back in the time of drafts, against UNTRAINED; None where a
    draft takes no less time."""
    saved = float(np.mean(seconds_of_drafts(size, UNTRAINED))) - float(np.mean(seconds_of_drafts(size, rung)))
    trained = float(np.mean(training_seconds(size, rung)))
    return round(trained / saved) if trained and saved > 0 else None


def cost_part(size: Size, *, picture: str) -> str:
    """A section in Markdown."""
    lines = [
        f"| rung | minutes of training | prompt tokens | seconds a draft | 1,000 drafts | pays over `{UNTRAINED}` |",
        "|---|---|---|---|---|---|",
    ]
    for rung in size.rungs():
        drafts, trained = seconds_of_drafts(size, rung), training_seconds(size, rung)
        in_minutes = [one / 60 for one in trained]
        minutes = f"{np.mean(in_minutes):.0f} ({_range(in_minutes, 0)})" if any(trained) else "none"
        money = float(np.mean(drafts)) * 1000 / 3600 * PRICE_PER_HOUR
        after = pays_after(size, rung)
        pays = f"after {after:,} drafts" if after else "never" if any(trained) else ""
        lines.append(
            f"| `{rung}` | {minutes} | {size.column(rung, 'prompt_tokens').mean():.0f} "
            f"| {np.mean(drafts):.2f} ({_range(drafts, 2)}) | {money:.3f} | {pays} |"
        )
    table = "\n".join(lines)
    return f"""## What it costs

{table}

Means of the draws, in brackets the least and the most. Minutes are of the training alone: a run also scores, probes
and trains the points of its forecast. `lora_retrieved` goes on from `lora`, so its minutes contain those. The money
is at a price of {PRICE_PER_HOUR:.2f} an hour of the host, **an example**; after how many drafts a run pays for itself
does not depend on it as long as training and drafting are on the same host. Seconds a draft are shares of a batch and
were measured beside other work, with other numbers of threads from draw to draw (see above), so the last column is
good for its order of magnitude. It counts time, not that the drafts are better.

![Bits per byte against prompt tokens and seconds a draft]({picture})

"""


def draw_cost(size: Size, path: Path) -> None:
    """How good a rung is, against the prompt tokens of a draft and against its seconds."""
    figure = Figure(figsize=(11, 4.6), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)  # draws without a display and without pyplot's global state
    tokens, seconds = figure.subplots(1, 2, sharey=True)
    for rung in size.rungs():
        own, drafts = size.interval(rung), seconds_of_drafts(size, rung)
        error = [[own.mean - own.low], [own.high - own.mean]]
        mean = float(np.mean(drafts))
        tokens.errorbar(
            [size.column(rung, "prompt_tokens").mean()], [own.mean], yerr=error, color=COLOURS[rung], marker="o",
            capsize=4, label=rung,
        )  # fmt: skip
        seconds.errorbar(
            [mean], [own.mean], yerr=error, xerr=[[mean - min(drafts)], [max(drafts) - mean]], color=COLOURS[rung],
            marker="o", capsize=4, label=rung,
        )  # fmt: skip
    tokens.set_xlabel("prompt tokens a draft")
    tokens.set_ylabel("bits per byte (lower is better)")
    seconds.set_xlabel("seconds a draft, in a batch (bars: the least and the most of the draws)")
    for axes in (tokens, seconds):
        axes.grid(alpha=0.25)
        axes.set_xlim(left=0)
    tokens.legend(frameon=False)
    figure.savefig(path, metadata={"Software": None})


def _range(values: list[float], digits: int) -> str:
    return f"{min(values):.{digits}f} to {max(values):.{digits}f}"
