"""docs/ladder.md and its pictures, from what `study` stored: `python -m tests.benchmarks.ladder.report`.

The stored scores are the source; nothing here is measured or typed in by hand.
"""

from __future__ import annotations

import itertools
import json
import math
import sys
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from config.rungs import Rung
from tests.benchmarks.ladder import sections_report
from tests.benchmarks.ladder.forecast_report import forecast_part, load_outcomes
from tests.benchmarks.ladder.gate_page import write_gate_page
from trainer.metrics import Interval, PairScore, Scorecard, bits_per_byte_gain, paired_bootstrap

DOCS = Path(__file__).resolve().parents[3] / "docs"
STORED, PAGE = DOCS / "ladder", DOCS / "ladder.md"
COLOURS = {
    "zero_shot": "#9aa5b1", "few_shot": "#ecb22e", "retrieved": "#2eb67d", "lora": "#1264a3",
    "lora_retrieved": "#e01e5a",
}  # fmt: skip

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """All seeds of one number of training pairs, on the same unseen pairs."""

    train: int
    seeds: list[Json]

    def rungs(self) -> list[str]:
        return [rung.value for rung in Rung if all(rung.value in seed["cards"] for seed in self.seeds)]

    def column(self, rung: str, name: str) -> NDArray[np.float64]:
        """One value a pair, the mean over the seeds."""
        values: NDArray[np.float64] = np.array([seed["cards"][rung][name] for seed in self.seeds], dtype=float)
        mean: NDArray[np.float64] = values.mean(axis=0)
        return mean

    def card(self, rung: str) -> Scorecard:
        """The likelihoods of each pair, averaged over the seeds."""
        nll, size = self.column(rung, "nll_nats"), self.column(rung, "reference_bytes")
        pairs = tuple(
            PairScore(example_id=str(n), nll_nats=float(a), reference_bytes=int(b), prompt_tokens=0)
            for n, (a, b) in enumerate(zip(nll, size, strict=True))
        )
        return Scorecard(rung=rung, pairs=pairs, seconds_per_draft=0.0, scoring_seconds=0.0)

    def bits_by_seed(self, rung: str) -> list[float]:
        return [
            sum(seed["cards"][rung]["nll_nats"]) / math.log(2) / sum(seed["cards"][rung]["reference_bytes"])
            for seed in self.seeds
        ]

    def interval(self, rung: str) -> Interval:
        """Bits per byte with its interval over pairs."""
        card = self.card(rung)
        nothing = Scorecard(
            rung="", seconds_per_draft=0.0, scoring_seconds=0.0,
            pairs=tuple(
                PairScore(example_id=p.example_id, nll_nats=0.0, reference_bytes=p.reference_bytes, prompt_tokens=0)
                for p in card.pairs
            ),
        )  # fmt: skip
        return bits_per_byte_gain(card, nothing)


def main() -> int:
    if write_gate_page(STORED, DOCS / "gate.md"):
        sys.stdout.write("gate.md and its picture are written.\n")
    if sections_report.write(STORED, DOCS / "ladder-labels.md"):
        sys.stdout.write("ladder-labels.md and its pictures are written.\n")
    sizes = load(STORED)
    if not sizes:
        sys.stderr.write(
            f"No study is stored in {STORED}: run `python -m tests.benchmarks.ladder.study` for ladder.md.\n"
        )
        return 0
    PAGE.write_text(page(sizes, load(STORED, "truth")), encoding="utf-8")
    draw_curve(sizes, STORED / "curve.png")
    draw_cost(sizes[-1], STORED / "cost.png")
    sys.stdout.write(f"{PAGE.name} and two pictures are written.\n")
    return 0


def load(folder: Path, name: str = "synopsis") -> list[Size]:
    """The studies of this name by size, ascending."""
    found: dict[int, list[Json]] = defaultdict(list)
    for file in sorted(folder.glob(f"{name}-*.json")):
        result = json.loads(file.read_text(encoding="utf-8"))
        found[result["train"]].append(result)
    return [Size(train=train, seeds=seeds) for train, seeds in sorted(found.items())]


# ------------------------------------------------------------------------------------------------ the page


def page(sizes: list[Size], truths: list[Size]) -> str:
    largest = sizes[-1]
    one = largest.seeds[0]
    versions = ", ".join(f"{name} {version}" for name, version in sorted(one["versions"].items()))
    return f"""# The ladder, measured

Every rung on real pairs: Debian's package descriptions and their one-line synopses, a style that nobody wrote down
on the page. The model is {one["base_model"].removeprefix("embedded:")}, the recipe `{one["recipe"]}`. The
{one["unseen"]} unseen pairs are of package families that no training pair belongs to, one pair a family; they are the
same for every seed and size. {_by_seeds(largest)} Figures are of {one["cores"]} cores; {versions}.
Other work may have run beside it, so seconds are to be compared within a column only, and with care; all else does not
depend on it.

This page and its pictures are made by `python -m tests.benchmarks.ladder.report` from docs/ladder/*.json, which
`python -m tests.benchmarks.ladder.study --data FILE` measures.

## {largest.train} training pairs

{_table(largest)}

Bits per byte of the reference, lower is better; intervals are 95 % by paired bootstrap over the unseen pairs, each
pair's value the mean over the seeds. "Against the rung before" is by how many bits per byte a rung is better than
the one above it in this table.

{_order(largest)}

{_truth_part(truths)}{_drafts_table(largest)}

![Bits per byte against prompt tokens](ladder/cost.png)

## How it grows with the number of pairs

{_sizes_table(sizes)}

![Bits per byte against training pairs](ladder/curve.png)

{forecast_part(load_outcomes(STORED))}
## A look at the drafts

{_examples(largest)}
"""


def _by_seeds(size: Size) -> str:
    return f"{len(size.seeds)} seeds: each draws its own training pairs and starts its adapter from its own weights."


def _table(size: Size) -> str:
    lines = [
        "| rung | bits per byte | seed by seed | of `zero_shot` | against the rung before |",
        "|---|---|---|---|---|",
    ]
    before: str | None = None
    base = size.card("zero_shot").bits_per_byte
    for rung in size.rungs():
        own = size.interval(rung)
        by_seed = ", ".join(f"{bits:.3f}" for bits in size.bits_by_seed(rung))
        gain = _signed(bits_per_byte_gain(size.card(before), size.card(rung))) if before else ""
        lines.append(f"| `{rung}` | {_plain(own)} | {by_seed} | {own.mean / base:.2f} | {gain} |")
        before = rung
    return "\n".join(lines)


def _order(size: Size) -> str:
    """Does each rung of the ladder beat the one below it, beyond the noise?"""
    rungs = size.rungs()
    said = []
    for lower, upper in itertools.pairwise(rungs):
        gain = bits_per_byte_gain(size.card(lower), size.card(upper))
        if gain.low > 0:
            verdict = "is better than"
        elif gain.high < 0:
            verdict = "is **worse** than"
        else:
            verdict = "cannot be told from"
        said.append(f"- `{upper}` {verdict} `{lower}`: {_signed(gain)}.")
    return "\n".join(said)


def _truth_part(truths: list[Size]) -> str:
    """The same on many more pairs, without drafts: what the simulated teams of the gate's page draw theirs from."""
    parts = []
    for size in truths:
        drawn = "one draw" if len(size.seeds) == 1 else f"{len(size.seeds)} draws"
        parts.append(
            f"And on {size.seeds[0]['unseen']:,} unseen pairs, which {drawn} of {size.train} training pairs left:\n\n"
            f"{_table(size)}\n\n{_order(size)}\n\n"
        )
    return "".join(parts)


def _drafts_table(size: Size) -> str:
    drafts = len(size.seeds[0]["cards"]["zero_shot"]["chrf"])
    if not drafts:
        return ""
    lines = [
        f"Of {drafts} of the unseen pairs a draft was written, greedily:",
        "",
        "| rung | chrF | against `zero_shot` | exact | edit similarity | tokens in | tokens out | seconds a draft |",
        "|---|---|---|---|---|---|---|---|",
    ]
    base = size.column("zero_shot", "chrf")
    for rung in size.rungs():
        chrf = size.column(rung, "chrf")
        gain = "" if rung == "zero_shot" else _signed(paired_bootstrap(chrf, base), digits=1)
        lines.append(
            f"| `{rung}` | {chrf.mean():.1f} | {gain} | {size.column(rung, 'exact').mean():.1%} "
            f"| {size.column(rung, 'edit_similarity').mean():.3f} | {size.column(rung, 'prompt_tokens').mean():.0f} "
            f"| {size.column(rung, 'completion_tokens').mean():.0f} | {_seconds(size, rung):.2f} |"
        )
    return "\n".join(lines)


def _seconds(size: Size, rung: str) -> float:
    return float(np.mean([seed["cards"][rung]["seconds_per_draft"] for seed in size.seeds]))


def _sizes_table(sizes: list[Size]) -> str:
    measured = {rung for size in sizes for rung in size.rungs()}
    rungs = [rung.value for rung in Rung if rung.value in measured]
    lines = ["| training pairs | seeds | " + " | ".join(f"`{rung}`" for rung in rungs) + " |"]
    lines.append("|" + "---|" * (len(rungs) + 2))
    for size in sizes:
        known = size.rungs()
        cells = [f"{size.card(rung).bits_per_byte:.3f}" if rung in known else "" for rung in rungs]
        lines.append(f"| {size.train} | {len(size.seeds)} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _examples(size: Size) -> str:
    cards = size.seeds[0]["cards"]
    lines = ["| rung | " + " | ".join(f"pair {n + 1}" for n in range(3)) + " |", "|---|---|---|---|"]
    for rung in size.rungs():
        drafts = [_cell(text) for text in cards[rung]["drafts"][:3]]
        lines.append(f"| `{rung}` | " + " | ".join(drafts) + " |")
    return "\n".join(lines)


def _cell(text: str) -> str:
    words = " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")
    return words if len(words) <= 120 else words[:119] + "…"


def _plain(interval: Interval) -> str:
    return f"**{interval.mean:.3f}** ({interval.low:.3f} to {interval.high:.3f})"


def _signed(interval: Interval, digits: int = 3) -> str:
    return f"{interval.mean:+.{digits}f} ({interval.low:+.{digits}f} to {interval.high:+.{digits}f})"


# ------------------------------------------------------------------------------------------------ pictures


def draw_curve(sizes: list[Size], path: Path) -> None:
    """Bits per byte against the number of training pairs: the mean with its interval, and every seed as a dot."""
    figure, axes = _figure()
    for rung in (rung.value for rung in Rung):
        known = [size for size in sizes if rung in size.rungs()]
        if not known:
            continue
        at = [size.train for size in known]
        middle = [size.interval(rung) for size in known]
        axes.plot(at, [m.mean for m in middle], color=COLOURS[rung], marker="o", label=rung)
        axes.fill_between(at, [m.low for m in middle], [m.high for m in middle], color=COLOURS[rung], alpha=0.12)
        for size in known:
            axes.scatter([size.train] * len(size.seeds), size.bits_by_seed(rung), color=COLOURS[rung], s=9, alpha=0.7)
    axes.set_xscale("log")
    axes.set_xticks([size.train for size in sizes], [str(size.train) for size in sizes])
    axes.minorticks_off()
    _finish(figure, axes, path, x="training pairs")


def draw_cost(size: Size, path: Path) -> None:
    """What a draft costs in prompt tokens, against how good the rung is."""
    figure, axes = _figure()
    for rung in size.rungs():
        own, tokens = size.interval(rung), size.column(rung, "prompt_tokens").mean()
        error = [[own.mean - own.low], [own.high - own.mean]]
        axes.errorbar([tokens], [own.mean], yerr=error, color=COLOURS[rung], marker="o", capsize=4, label=rung)
    _finish(figure, axes, path, x="prompt tokens a draft")


def _figure() -> tuple[Figure, Any]:
    figure = Figure(figsize=(8, 4.5), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)  # draws without a display and without pyplot's global state
    return figure, figure.subplots()


def _finish(figure: Figure, axes: Any, path: Path, *, x: str) -> None:
    axes.set_xlabel(x)
    axes.set_ylabel("bits per byte (lower is better)")
    axes.grid(alpha=0.25)
    axes.legend(frameon=False)
    figure.savefig(path, metadata={"Software": None})


if __name__ == "__main__":
    sys.exit(main())
