"""docs/ladder.md and its pictures, from what `study` stored: `python -m tests.benchmarks.ladder.report`.

The stored scores are the source; nothing here is measured or typed in by hand. Also calls what makes the other pages of
docs/ladder/*.json.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from config.rungs import Rung
from tests.benchmarks.ladder import preferences, recipes, sections_report
from tests.benchmarks.ladder.commands import RECORDS, command, data_named, numbers
from tests.benchmarks.ladder.costs import cost_part, draw_cost
from tests.benchmarks.ladder.forecast_report import Outcome, forecast_part, load_outcomes
from tests.benchmarks.ladder.gate_page import write_gate_page
from tests.benchmarks.ladder.growth import Growth, draw_curve, growth_part, load_growth
from tests.benchmarks.ladder.intervals import Floats, crossed_interval
from trainer.metrics import Interval
from trainer.recipe import load_recipe

DOCS = Path(__file__).resolve().parents[3] / "docs"
STORED = DOCS / "ladder"

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """All seeds of one number of training pairs, on the same unseen pairs."""

    train: int
    seeds: list[Json]

    def rungs(self) -> list[str]:
        return [rung.value for rung in Rung if all(rung.value in seed["cards"] for seed in self.seeds)]

    def drawn(self, rung: str, name: str) -> Floats:
        """(seeds, pairs): one column of the scorecards."""
        values: Floats = np.array([seed["cards"][rung][name] for seed in self.seeds], dtype=float)
        return values

    def column(self, rung: str, name: str) -> NDArray[np.float64]:
        """One value a pair, the mean over the seeds."""
        mean: NDArray[np.float64] = self.drawn(rung, name).mean(axis=0)
        return mean

    def bits(self, rung: str) -> Floats:
        """(seeds, pairs): what each unseen pair's reference needs."""
        found: Floats = self.drawn(rung, "nll_nats") / math.log(2)
        return found

    def bits_by_seed(self, rung: str) -> list[float]:
        size = self.column(rung, "reference_bytes").sum()
        return [float(bits) for bits in self.bits(rung).sum(axis=1) / size]

    def interval(self, rung: str) -> Interval:
        """Bits per byte, over pairs and draws; with one draw over pairs alone."""
        return crossed_interval(self.bits(rung), self.column(rung, "reference_bytes"))

    def gain(self, lower: str, upper: str) -> Interval:
        """By how many bits per byte the upper one is better, on the same pairs and draws."""
        return crossed_interval(self.bits(lower) - self.bits(upper), self.column(lower, "reference_bytes"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """All that is stored for docs/ladder.md."""

    sizes: list[Size]
    #: The same on many more unseen pairs.
    truths: list[Size]
    outcomes: list[Outcome]
    growth: Growth | None
    knobs: Json | None
    preferences: Json | None


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--stored", type=Path, default=STORED, help="the folder with the measurements")
    made.add_argument("--docs", type=Path, default=DOCS, help="where the pages go; pictures into `ladder` under it")
    return made


def main(argv: Sequence[str] | None = None) -> int:
    chosen = parser().parse_args(argv)
    (chosen.docs / "ladder").mkdir(parents=True, exist_ok=True)
    if write_gate_page(chosen.stored, chosen.docs / "gate.md"):
        sys.stdout.write("gate.md and its picture are written.\n")
    if sections_report.write(chosen.stored, chosen.docs):
        sys.stdout.write("ladder-labels.md and its pictures are written.\n")
    found = load_all(chosen.stored)
    if not found.sizes:
        sys.stderr.write(f"No study is stored in {chosen.stored}: run {command('study')} for ladder.md.\n")
        return 0
    (chosen.docs / "ladder.md").write_text(page(found), encoding="utf-8")
    pictures = chosen.docs / "ladder"
    draw_curve(found.growth, found.sizes[-1], found.outcomes, pictures / "curve.png")
    draw_cost(found.sizes[-1], pictures / "cost.png")
    sys.stdout.write("ladder.md and two pictures are written.\n")
    return 0


def load_all(folder: Path) -> Found:
    return Found(
        sizes=load(folder), truths=load(folder, "truth"), outcomes=load_outcomes(folder), growth=load_growth(folder),
        knobs=_read(folder / "recipes.json"), preferences=_read(folder / "preferences.json"),
    )  # fmt: skip


def _read(file: Path) -> Json | None:
    found: Json | None = json.loads(file.read_text(encoding="utf-8")) if file.exists() else None
    return found


def load(folder: Path, name: str = "synopsis") -> list[Size]:
    """The studies of this name by size, ascending."""
    found: dict[int, list[Json]] = defaultdict(list)
    for file in sorted(folder.glob(f"{name}-*.json")):
        result = json.loads(file.read_text(encoding="utf-8"))
        found[result["train"]].append(result)
    return [Size(train=train, seeds=seeds) for train, seeds in sorted(found.items())]


# ------------------------------------------------------------------------------------------------ the page


def page(found: Found) -> str:
    largest = found.sizes[-1]
    one = largest.seeds[0]
    alike = [largest, *(truth for truth in found.truths if truth.train == largest.train)]
    versions = ", ".join(f"{name} {version}" for name, version in sorted(one["versions"].items()))
    return f"""# The ladder, measured

Every rung on real pairs: Debian's package descriptions and their one-line synopses, a style that nobody wrote down
on the page. The model is {one["base_model"].removeprefix("embedded:")}, the recipe `{one["recipe"]}`. The
{one["unseen"]} unseen pairs are of package families that no training pair belongs to, one pair a family; they are the
same for every seed and size. {_by_seeds(largest)}
{data_named(sections_report.SHORT)}
Figures are of {one["cores"]} cores; {versions}.
Other work may have run beside it, so seconds are to be compared within a column only, and with care; all else does not
depend on it.

This page and its pictures are made by `python -m tests.benchmarks.ladder.report` from docs/ladder/*.json. The command
under a table measured it; what is stored is not measured again, so to repeat one give it another folder (`--stored
FOLDER`).

## What this does not show

- **One public data set**, which the base model may have met in its pre-training; descriptions of at most 700
  characters ({_thousands(sections_report.SHORT)} of {_thousands(RECORDS)} records), and unseen pairs of
  unrelated families only.
- **One model**, of 135 million parameters, on CPUs. What a model of 1 to 8 billion does is not measured: no GPU was
  at hand.
- **Few draws** of the training pairs: an interval that resamples three of them sees less luck than there is.
- **Rungs that are not measured here**: `knowledge` (documents), `full` (all weights; trainer/LOG.md has one draw).
  **Knobs that are not**: rsLoRA, r 32, warm-up, and whatever stands in neither table below.

## {largest.train} training pairs

{_table(largest)}

{_study_command(largest, "synopsis")}

Bits per byte of the reference, lower is better. Intervals are 95 %, over unseen pairs and draws of training pairs
together: both are resampled (with {len(largest.seeds)} draws the luck of a draw is still seen too small). "Against
the rung before" is by how many bits per byte a rung is better than the one above it in this table. The best step is
the one that the validation pairs chose, of all that were made; in brackets how many pairs these were, seed by seed.

{_order(largest)}

{_truth_part(found.truths)}{_luck_part(alike)}{_drafts_table(largest)}

{cost_part(largest, picture="ladder/cost.png")}\
{growth_part(found.growth, picture="ladder/curve.png")}\
{forecast_part(found.outcomes)}
{_knobs_part(found.knobs)}{_preferences_part(found.preferences)}## A look at the drafts

{_examples(largest)}
"""


def _thousands(count: int) -> str:
    return f"{count:,}"


def _by_seeds(size: Size) -> str:
    return f"{len(size.seeds)} seeds: each draws its own training pairs and starts its adapter from its own weights."


def _study_command(size: Size, name: str) -> str:
    one = size.seeds[0]
    drafts = len(one["cards"]["zero_shot"]["chrf"])
    named = () if name == "synopsis" else ("--name", name)
    seeds = numbers(seed["seed"] for seed in size.seeds)
    return command(
        "study", "--train", size.train, "--seeds", *seeds, "--unseen", one["unseen"], "--drafts", drafts, *named
    )


def _table(size: Size) -> str:
    lines = [
        "| rung | bits per byte | seed by seed | of `zero_shot` | against the rung before | best step (chosen by) |",
        "|---|---|---|---|---|---|",
    ]
    before: str | None = None
    base = size.interval("zero_shot").mean
    for rung in size.rungs():
        own = size.interval(rung)
        by_seed = ", ".join(f"{bits:.3f}" for bits in size.bits_by_seed(rung))
        gain = _signed(size.gain(before, rung)) if before else ""
        lines.append(
            f"| `{rung}` | {_plain(own)} | {by_seed} | {own.mean / base:.2f} | {gain} | {_steps(size, rung)} |"
        )
        before = rung
    return "\n".join(lines)


def _steps(size: Size, rung: str) -> str:
    """Seed by seed: the step that was kept, of how many, and how many pairs chose it."""
    return ", ".join(
        f"{seed['trained'][rung]['best_step']} of {seed['trained'][rung]['steps']} ({seed['validation']})"
        for seed in size.seeds if rung in seed["trained"]
    )  # fmt: skip


def _order(size: Size) -> str:
    """Does each rung of the ladder beat the one below it, beyond the noise over pairs and draws?"""
    over = "" if len(size.seeds) > 1 else " on this one draw"
    said = []
    for lower, upper in itertools.pairwise(size.rungs()):
        gain = size.gain(lower, upper)
        if gain.low > 0:
            verdict = "is better than"
        elif gain.high < 0:
            verdict = "is **worse** than"
        else:
            verdict = "**cannot be told from**"
        said.append(f"- `{upper}` {verdict} `{lower}`{over}: {_signed(gain)}.")
    return "\n".join(said)


def _truth_part(truths: list[Size]) -> str:
    """The same on many more pairs, without drafts: what the simulated teams of the gate's page draw theirs from."""
    parts = []
    for size in truths:
        unseen, draws = size.seeds[0]["unseen"], len(size.seeds)
        drawn = "one draw" if draws == 1 else f"{draws} draws"
        intervals = "over pairs alone, for there is one draw" if draws == 1 else "over pairs and draws"
        parts.append(
            f"And on {unseen:,} unseen pairs, with {drawn} of {size.train} training pairs. The unseen pairs above are "
            f"the first of these, so\nonly the training pairs are drawn anew; intervals are {intervals}:\n\n"
            f"{_table(size)}\n\n{_study_command(size, 'truth')}\n\n{_order(size)}\n\n"
        )
    return "".join(parts)


def _luck_part(sizes: list[Size]) -> str:
    """Steps of the ladder whose sign depends on which training pairs were drawn, which no interval over pairs shows."""
    said = []
    for lower, upper in itertools.pairwise(sizes[0].rungs()):
        by_size = [
            [one - other for one, other in zip(size.bits_by_seed(lower), size.bits_by_seed(upper), strict=True)]
            for size in sizes
        ]
        gains = list(itertools.chain.from_iterable(by_size))
        if min(gains) > 0 or max(gains) < 0:
            continue
        listed = ", ".join(f"{gain:+.3f}" for gain in gains)
        most = max(sizes, key=lambda size: len(size.bits(lower)[0]))
        reversed_there = (np.mean(by_size[sizes.index(most)]) > 0) != (np.mean(by_size[0]) > 0)
        on_most = (
            f" On the largest sample,\n{most.seeds[0]['unseen']:,} pairs, the order is reversed."
            if reversed_there
            else ""
        )
        said.append(
            f"**Whether `{upper}` is better than `{lower}` cannot be told.** Over the {len(gains)} draws of training "
            f"pairs the gain is {listed}:\non average {np.mean(gains):+.3f}, with a standard deviation of "
            f"{np.std(gains, ddof=1):.3f} from draw to draw.{on_most}\n\n{_confounded_part(sizes, lower, upper)}"
        )
    return "".join(said)


def _confounded_part(sizes: list[Size], lower: str, upper: str) -> str:
    """An adapter that goes on from another one has also been trained for longer: its gain beside where that stopped."""
    if (lower, upper) != (Rung.LORA.value, Rung.LORA_RETRIEVED.value):
        return ""
    rows = sorted(
        (seed["trained"][lower]["best_step"], seed["trained"][upper]["best_step"], one - other)
        for size in sizes
        for seed, one, other in zip(size.seeds, size.bits_by_seed(lower), size.bits_by_seed(upper), strict=True)
    )
    lines = [f"| `{lower}` kept step | `{upper}` went on for | gain of `{upper}` |", "|---|---|---|"]
    lines += [f"| {stopped} | {more} steps | {gain:+.3f} |" for stopped, more, gain in rows]
    table = "\n".join(lines)
    return f"""\
Why it differs so: `{upper}` is `{lower}` at its best step plus a few steps more, on prompts with examples. Its gain
is large where `{lower}` was stopped early, and gone where it was not:

{table}

So **more training and retrieved examples are confounded here**. {len(rows)} draws suggest that the steps are what
helps, and do not prove it; as many more steps without examples, which would tell, were not run.

"""


def _drafts_table(size: Size) -> str:
    drafts = len(size.seeds[0]["cards"]["zero_shot"]["chrf"])
    if not drafts:
        return ""
    lines = [
        f"Of {drafts} of the unseen pairs a draft was written, greedily, of {_cap(size)} tokens at most. One of that",
        "length counts as cut: what is measured of it is measured of its beginning, so a rung with many of them is not",
        "compared fairly with one that has few.",
        f"Seconds are shares of a batch on {_threads(size)}; a single draft takes longer.",
        "",
        "| rung | chrF | over the rung before | over `zero_shot` | exact | edit similarity | in | out | cut | s |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    before: str | None = None
    for rung in size.rungs():
        step = _signed(_chrf_gain(size, before, rung), digits=1) if before else ""
        gain = _signed(_chrf_gain(size, "zero_shot", rung), digits=1) if before else ""
        lines.append(
            f"| `{rung}` | {size.column(rung, 'chrf').mean():.1f} | {step} | {gain} "
            f"| {size.column(rung, 'exact').mean():.1%} | {size.column(rung, 'edit_similarity').mean():.3f} "
            f"| {size.column(rung, 'prompt_tokens').mean():.0f} "
            f"| {size.column(rung, 'completion_tokens').mean():.0f} | {_cut(size, rung):.0%} "
            f"| {_seconds(size, rung):.2f} |"
        )
        before = rung
    return "\n".join([*lines, "", _study_command(size, "synopsis"), "", _chrf_order(size)])


def _chrf_gain(size: Size, lower: str, upper: str) -> Interval:
    return crossed_interval(size.drawn(upper, "chrf") - size.drawn(lower, "chrf"))


def _chrf_order(size: Size) -> str:
    """Which steps of the ladder chrF sees, beside bits per byte."""
    told: list[str] = []
    untold: list[str] = []
    for lower, upper in itertools.pairwise(size.rungs()):
        gain = _chrf_gain(size, lower, upper)
        said = f"`{upper}` over `{lower}` {_signed(gain, digits=1)}"
        (told if gain.low > 0 or gain.high < 0 else untold).append(said)
    return (
        f"In chrF these steps are beyond the noise: {'; '.join(told) or 'none'}.\n"
        f"These are not: {'; '.join(untold) or 'none'}.\n\n"
        "In, out: tokens of the prompt and of the draft; cut: the share of drafts that were; s: seconds a draft."
    )


def _cap(size: Size) -> int:
    """Tokens of a draft at most, by the recipe."""
    return load_recipe(size.seeds[0]["recipe"]).evaluation.max_new_tokens


def _cut(size: Size, rung: str) -> float:
    """The share of the drafts, over all seeds, that are as long as one may be."""
    tokens = [one for seed in size.seeds for one in seed["cards"][rung]["completion_tokens"]]
    return float(sum(one >= _cap(size) for one in tokens) / len(tokens))


def _threads(size: Size) -> str:
    """As each seed was measured."""
    by_seed = [str(seed["threads"]) for seed in size.seeds if "threads" in seed]
    return f"{', '.join(by_seed)} threads (seed by seed)" if by_seed else "threads that were not kept"


def _seconds(size: Size, rung: str) -> float:
    return float(np.mean([seed["cards"][rung]["seconds_per_draft"] for seed in size.seeds]))


def _knobs_part(stored: Json | None) -> str:
    if stored is None:
        return ""
    commands = "\n".join(f"- {one}" for one in recipes.commands(stored))
    return f"""## Knobs of training

{recipes.table(stored)}
{recipes.LEGEND}

{commands}

"""


def _preferences_part(stored: Json | None) -> str:
    if stored is None:
        return ""
    return f"""## A second stage from preferences

{preferences.table(stored)}
One draw, {len(stored["points"][0]["nll_nats"])} unseen pairs; intervals are over pairs and hold for all rows together.

{command("preferences", "--train", stored["train"], "--seed", stored["seed"])}

"""


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


if __name__ == "__main__":
    sys.exit(main())
