"""docs/gate.md and its picture, from docs/ladder/gate.json and teams.json, which `gate` and `teams` measure."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from tests.benchmarks.ladder.gate import CHALLENGERS, GAINS, share_interval
from tests.benchmarks.ladder.teams import LEAST, Outcome
from trainer.promotion import PAIRS_FOR_POWER, Policy

#: The promise: at most so many promoted by luck, and the upper 95 % bound of what was measured at most so many.
MOST_FALSE, MOST_FALSE_BOUND = 0.05, 0.065
COLOURS = {"heavy tails": "#1264a3", "skewed": "#e01e5a", "very skewed": "#9aa5b1", "real pairs": "#2eb67d"}
Json = dict[str, Any]


def write_gate_page(stored: Path, page: Path) -> bool:
    """False when the gate was never simulated."""
    file = stored / "gate.json"
    if not file.exists():
        return False
    rows = json.loads(file.read_text(encoding="utf-8"))["rows"]
    teams = stored / "teams.json"
    judged = json.loads(teams.read_text(encoding="utf-8")) if teams.exists() else None
    page.write_text(_page(rows, judged), encoding="utf-8")
    _draw(rows, stored / "gate.png")
    return True


def keeps_promise(false: int, simulations: int) -> bool:
    """At most 5 % promoted by luck, the upper 95 % bound at most 6.5 %."""
    share, _, high = share_interval(false, simulations)
    return share <= MOST_FALSE and high <= MOST_FALSE_BOUND


def _page(rows: list[Json], judged: Json | None) -> str:
    policy = Policy()
    return f"""# The gate, measured

What the gate promotes by luck, and what it finds, in simulated evaluations that go through the gate itself. This page
and its picture are made by `python -m tests.benchmarks.ladder.report` (`make ladder-report`) from
docs/ladder/gate.json, which `python -m tests.benchmarks.ladder.gate` measures.

## The rule

All candidates are scored on the same unseen pairs. A challenger is promoted when the lower bound of its gain in bits
per byte (bits that it saves over all pairs, divided by their bytes) is above zero; of several the one with the
largest gain. Fewer than {policy.min_pairs} pairs never promote anything.

- The interval is a studentised bootstrap over whole pairs (Efron & Tibshirani 1993, chapter 12.5), {policy.resamples}
  resamples; the standard error is that of a ratio of sums (Cochran 1977).
- Several challengers share one chance of error: what the largest deviation of all of them reaches widens every
  interval (max-t; Westfall & Young 1993).
- A 95 % interval is two-sided and asked one-sidedly, so 2.5 % is what is aimed at. The rest, up to the
  {MOST_FALSE:.0%} that is promised, is for what a bootstrap on few pairs cannot know.
- **Moving down.** A lower rung whose interval stays above −{policy.margin_bits} bits per byte is as good
  (non-inferiority): the verdict says so, and a person may move down. The gate itself promotes only what is better.
- **After a failed probe** the gate decides once more among the candidates that fail none. Probes never look at the
  unseen pairs, so which candidates those are tells nothing of their luck on them; and whatever is promoted in either
  round stands out of this smaller set by that set's own bound. So both rounds together have one round's chance of
  error.
- **How many more pairs would settle it**: n · ((q + 0.84) · s / g)² − n, where g ± s is the gain with its standard
  error on n pairs and q · s is how far the interval reaches below g. On so many pairs a gain as large as g is found
  in 8 of 10 cases.

## What it promotes by luck

No challenger is truly better. Of the simulated evaluations, the share in which the gate promotes one (95 % interval),
and the share in which percentile intervals with Bonferroni's correction, the gate before, would have:

{_false_table(rows)}

The promise is at most {MOST_FALSE:.0%}, the upper bound at most {MOST_FALSE_BOUND:.1%}: {_promise(rows)}

{_families(rows)}

## What it finds

One challenger is truly better, by a share of the pair-to-pair spread of the difference; the others are no better. The
share of simulated evaluations in which that one is promoted:

{_power_table(rows)}

{_documented(rows)}

![Promoted by luck, and found, by number of unseen pairs](ladder/gate.png)

## The verdict, held against the truth

{_teams(judged)}
"""


def _false_table(rows: list[Json]) -> str:
    lines = [
        "| differences | challengers | unseen pairs | promoted by luck | by percentiles |", "|---|---|---|---|---|",
    ]  # fmt: skip
    for row in rows:
        kept = keeps_promise(row["false"], row["simulations"])
        said = _share(row["false"], row["simulations"])
        before = f"{row['by_percentiles'] / row['simulations']:.1%}"
        shown = said if kept else f"**{said}**"
        lines.append(f"| {row['family']} | {row['challengers']} | {row['pairs']} | {shown} | {before} |")
    return "\n".join(lines)


def _promise(rows: list[Json]) -> str:
    broken = [row for row in rows if not keeps_promise(row["false"], row["simulations"])]
    if not broken:
        return "kept in every case."
    named = ", ".join(f"{one['family']} at {one['pairs']} pairs with {one['challengers']}" for one in broken)
    return f"kept except where the share is in bold type ({named})."


def _families(rows: list[Json]) -> str:
    described = dict.fromkeys((row["family"], row["described"], row["simulations"]) for row in rows)
    return "\n".join(f"- *{name}*: {words}; {count:,} simulations a case." for name, words, count in described)


def _power_table(rows: list[Json]) -> str:
    head = " | ".join(f"{gain} spreads" for gain in GAINS)
    lines = [f"| differences | challengers | unseen pairs | {head} |", "|---|---|---|" + "---|" * len(GAINS)]
    for row in rows:
        found = " | ".join(f"{row['found'][str(gain)] / row['tries']:.0%}" for gain in GAINS)
        lines.append(f"| {row['family']} | {row['challengers']} | {row['pairs']} | {found} |")
    return "\n".join(lines)


def _documented(rows: list[Json]) -> str:
    at = [row for row in rows if row["pairs"] == PAIRS_FOR_POWER and row["challengers"] == max(CHALLENGERS)]
    named = ", ".join(f"{row['found']['0.5'] / row['tries']:.0%} ({row['family']})" for row in at)
    return (
        f"The documented number of unseen pairs is {PAIRS_FOR_POWER}: a gain of half the spread is then to be found\n"
        f"in 8 of 10 cases, also where it is one of {max(CHALLENGERS)} challengers that has it. Measured: {named}."
    )


def _teams(judged: Json | None) -> str:
    if judged is None:
        return (
            f"Not measured yet: it takes a study with {LEAST:,} unseen pairs (`python -m tests.benchmarks.ladder.study "
            f"--data FILE --unseen {LEAST} --drafts 0 --name truth`), then `python -m tests.benchmarks.ladder.teams`."
        )
    said = (
        f"{judged['teams']} simulated teams for each number of pairs draw theirs from the {judged['unseen']:,} unseen "
        f"pairs of stored studies ({judged['seeds']} of them; `python -m tests.benchmarks.ladder.teams`). All of these "
        "pairs are taken as the truth. A team's champion is one of the rungs in turn. **Right** is strict: the rung "
        f"that the verdict names is not worse than the truly best one by more than {judged['margin']} bits per byte. "
        "**Undecided** stays for want of pairs and says so, with how many more it takes. **Wrong** is everything else. "
        "The last column asks for more than a verdict promises: the truly best rung itself, however near the next one."
    )
    lines = [
        said,
        "",
        "| unseen pairs | right | undecided, and said so | wrong | the very best is named |",
        "|---|---|---|---|---|",
    ]
    for pairs in dict.fromkeys(row["pairs"] for row in judged["rows"]):
        mine = [row for row in judged["rows"] if row["pairs"] == pairs]
        counts = [sum(row["outcome"] == one.value for row in mine) for one in Outcome]
        counts.append(sum(row["named"] == row["best"] for row in mine))
        lines.append(f"| {pairs} | {' | '.join(_share(count, len(mine)) for count in counts)} |")
    truths = "; ".join(", ".join(f"`{rung}` {bits:.3f}" for rung, bits in one.items()) for one in judged["truth"])
    return "\n".join([*lines, "", f"The truth in bits per byte, seed by seed: {truths}."])


def _share(count: int, of: int) -> str:
    share, low, high = share_interval(count, of)
    return f"{share:.1%} ({low:.1%} to {high:.1%})"


def _draw(rows: list[Json], path: Path) -> None:
    figure = Figure(figsize=(9, 4.2), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)  # draws without a display and without pyplot's global state
    luck, power = figure.subplots(1, 2)
    for family in dict.fromkeys(row["family"] for row in rows):
        mine = [row for row in rows if row["family"] == family and row["challengers"] == 4]
        at, colour = [row["pairs"] for row in mine], COLOURS.get(family, "#000000")
        luck.plot(at, [r["false"] / r["simulations"] for r in mine], color=colour, marker="o", label=family)
        before = [row["by_percentiles"] / row["simulations"] for row in mine]
        luck.plot(at, before, color=colour, linestyle=":", marker=".")
        power.plot(at, [row["found"]["0.5"] / row["tries"] for row in mine], color=colour, marker="o", label=family)
    luck.axhline(MOST_FALSE, color="#611f69", linewidth=0.8)
    power.axhline(0.8, color="#611f69", linewidth=0.8)
    luck.set_title("promoted by luck, four challengers\n(dotted: percentile intervals)", fontsize=10)
    power.set_title("a gain of half the spread found,\nfour challengers", fontsize=10)
    for axes in (luck, power):
        axes.set_xscale("log")
        axes.set_xticks(sorted({row["pairs"] for row in rows}), [str(n) for n in sorted({r["pairs"] for r in rows})])
        axes.minorticks_off()
        axes.set_xlabel("unseen pairs")
        axes.set_ylim(bottom=0)
        axes.grid(alpha=0.25)
        axes.legend(frameon=False, fontsize=8)
    figure.savefig(path, metadata={"Software": None})
