"""docs/gate.md and its pictures, from what `gate`, `looks`, `settling`, `moves_down` and `teams` measured into
docs/ladder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from config.resampling import EFFECTIVE
from tests.benchmarks.ladder.gate import CHALLENGERS, GAINS, SHARED, share_interval
from tests.benchmarks.ladder.looks import LOOKS
from tests.benchmarks.ladder.teams import LEAST, Outcome
from trainer.promotion import PAIRS_FOR_POWER, Policy

#: The promise for one run: at most so many promoted by luck, and the upper 95 % bound of what was measured at most
#: so many.
MOST_FALSE, MOST_FALSE_BOUND = 0.05, 0.065
#: How often a verdict is to be right.
RIGHT = 0.95
COLOURS = {"heavy tails": "#1264a3", "skewed": "#e01e5a", "very skewed": "#9aa5b1", "real pairs": "#2eb67d"}
Json = dict[str, Any]


def write_gate_page(stored: Path, page: Path) -> bool:
    """False when the gate was never simulated."""
    file = stored / "gate.json"
    if not file.exists():
        return False
    gate: Json = json.loads(file.read_text(encoding="utf-8"))
    others = {name: _read(stored / f"{name}.json") for name in ("looks", "settling", "moves_down", "teams")}
    page.write_text(_page(gate, others), encoding="utf-8")
    _draw([row for row in gate["rows"] if not _has_groups(row)], stored / "gate.png")
    if (judged := others["teams"]) is not None:
        _draw_verdicts(judged, stored / "verdict.png")
    return True


def _read(file: Path) -> Json | None:
    return json.loads(file.read_text(encoding="utf-8")) if file.exists() else None


def _has_groups(row: Json) -> bool:
    return bool(row.get("groups", row["pairs"]) < row["pairs"])


def keeps_promise(false: int, simulations: int) -> bool:
    """At most 5 % of single runs promote by luck, the upper 95 % bound at most 6.5 %."""
    share, _, high = share_interval(false, simulations)
    return share <= MOST_FALSE and high <= MOST_FALSE_BOUND


def _page(gate: Json, others: dict[str, Json | None]) -> str:
    policy, rows = Policy(), gate["rows"]
    single, in_groups = ([row for row in rows if _has_groups(row) is one] for one in (False, True))
    return f"""# The gate, measured

What the gate promotes by luck, and what it finds, in simulated evaluations that go through the gate itself. This page
and its pictures are made by `python -m tests.benchmarks.ladder.report` (`make ladder-report`) from gate.json,
looks.json, settling.json, moves_down.json and teams.json in docs/ladder, which
`python -m tests.benchmarks.ladder.gate` and its neighbours of those names measure.

## The rule

All candidates are scored on the same unseen pairs. A challenger is promoted when the lower bound of its gain in bits
per byte (bits that it saves over all pairs, divided by their bytes) is above zero; of several the one with the
largest gain. Fewer than {policy.min_pairs} unrelated pairs never promote anything.

- Pairs that tell about one another (near-duplicates, one conversation, one author's burst: what keeps them on one side
  of the split) are a group, and a group is evidence once. So the interval resamples groups, whose bits and bytes are
  summed first (the cluster bootstrap; Field & Welsh 2007; Cameron, Gelbach & Miller 2008), and groups are counted. The
  verdict says so where they are clearly fewer than the pairs. Scorecards from before groups were kept have none: there
  each pair stands for itself.
- Where groups are uneven they count for {EFFECTIVE} times their effective number at most (Kish 1965: n² over the sum of
  their squared sizes): an interval over 20 groups of which one holds half of the pairs hangs on that one.
- The bootstrap is studentised (Efron & Tibshirani 1993, chapter 12.5), {policy.resamples} resamples; the standard error
  is that of a ratio of sums (Cochran 1977).
- Several challengers share one chance of error: what the largest deviation of all of them reaches widens every
  interval (max-t; Westfall & Young 1993).
- An interval is two-sided and asked one-sidedly. On {PAIRS_FOR_POWER} unrelated pairs or more it is one of
  {policy.confidence(PAIRS_FOR_POWER):.0%}, so {_aim(policy, PAIRS_FOR_POWER):.1%} is what is aimed at; on fewer it is a
  wider one, of {policy.confidence(20):.1%} on 20, where {_aim(policy, 20):.2%} is. The rest, up to the
  {MOST_FALSE:.0%} that is promised for a run, is for what a bootstrap on few pairs cannot know: how far the differences
  can lie apart that it has not seen. With one aim for every number of pairs, 20 real ones promoted by luck in up to
  6.8% of runs.
- **Moving down.** A lower rung whose interval stays above −{policy.margin_bits} bits per byte is as good
  (non-inferiority): the verdict says so, and a person may move down. The gate itself promotes only what is better.
- **After a failed probe** the gate decides once more among the candidates that fail none. Probes never look at the
  unseen pairs, so which candidates those are tells nothing of their luck on them; and whatever is promoted in either
  round stands out of this smaller set by that set's own bound. So both rounds together have one round's chance of
  error.
- **How many more pairs would settle it**: n · ((q + 0.84) · s / g)² − n, where g ± s is the gain with its standard
  error on n pairs and q · s is how far the interval reaches below g. On so many pairs a gain as large as g is found
  in 8 of 10 cases. Whether the gain is as large as measured is another matter (below).

## What one run promotes by luck

No challenger is truly better. Of the simulated evaluations, the share in which the gate promotes one (95 % interval),
and the share in which percentile intervals with Bonferroni's correction, the gate before, would have:

{_false_table(single)}

The promise is at most {MOST_FALSE:.0%} per run, the upper bound at most {MOST_FALSE_BOUND:.1%}: {_promise(single)}

{_families(single)}

{_in_groups(in_groups)}

### Every rung against every other

{_pairings(gate.get("pairings", []))}

## Run after run

{_looks(others["looks"])}

## What it finds

One challenger is truly better, by a share of the pair-to-pair spread of the difference; the others are no better. The
share of simulated evaluations in which that one is promoted (95 % interval):

{_power_table(rows)}

{_documented(single)}

![Promoted by luck, and found, by number of unseen pairs](ladder/gate.png)

## "So many more unseen pairs would settle it"

{_settling(others["settling"])}

## The advice to move down

{_moves(others["moves_down"])}

## The verdict, held against the truth

{_teams(others["teams"])}
"""


def _aim(policy: Policy, pairs: int) -> float:
    """The chance of error that the lower bound aims at."""
    return (1 - policy.confidence(pairs)) / 2


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


def _in_groups(rows: list[Json]) -> str:
    if not rows:
        return "Pairs that come in groups were not simulated yet."
    lines = []
    for row in rows:
        said = _share(row["false"], row["simulations"])
        shown = said if keeps_promise(row["false"], row["simulations"]) else f"**{said}**"
        lines.append(f"| {row['family']} | {row['challengers']} | {row['pairs']} | {row['groups']} | {shown} |")
    table = "\n".join(lines)
    return f"""The same where pairs come in groups that tell about one another:

| differences | challengers | unseen pairs | groups | promoted by luck |
|---|---|---|---|---|
{table}

The promise: {_promise(rows)}

{_families(rows)}"""


def _looks(looks: Json | None) -> str:
    if looks is None:
        return "Not simulated yet (`python -m tests.benchmarks.ladder.looks`)."
    sizes = looks["sizes"]
    lines = []
    for row in looks["rows"]:
        shares = " | ".join(_share(row["promoted"][str(count)], row["teams"]) for count in LOOKS)
        lines.append(f"| {row['again']} | {row['challengers']} | {shares} |")
    table, head = "\n".join(lines), " | ".join("one run" if count == 1 else f"{count} runs" for count in LOOKS)
    return f"""The {MOST_FALSE:.0%} are those of **one run**. A style is trained again and again, and every run looks
anew: at largely the same pairs, and a few that have come since. Simulated teams have {looks["first"]} unseen pairs in
their first run and a tenth more in each later one ({sizes[-1]} in the twelfth), and no challenger is ever truly
better. The share of teams in which **any** run has promoted something after so many:

| later runs have | challengers | {head} |
|---|---|{"---|" * len(LOOKS)}
{table}

- *the same challengers*: prompts, which stay what they are; only the pairs that have come are new.
- *trained anew*: the pairs of before and new ones, but each run's challengers are right and wrong in other places; what
  the champion finds hard stays the same ({SHARED:.0%} of the variance).
- *other pairs each time*: no run looks at a pair that an earlier one judged by.

So the longer a style is in use, the likelier it was once promoted by luck; nothing is promised about all runs
together. What limits the harm: the next run measures it again, and a person can roll back. How much worse it then is
was not measured. Judging by pairs that no earlier run looked at makes an error easier to see the next time, since it
does not repeat itself, but no rarer: the last lines of the table are the worst. To promise something over all runs each
would have to get its share of one chance of error (Lan & DeMets 1983), and every true gain would then take more pairs
to find. The gate does not do that."""


def _moves(moves: Json | None) -> str:
    if moves is None:
        return "Not simulated yet (`python -m tests.benchmarks.ladder.moves_down`)."
    rows, margin = moves["rows"], moves["margin"]
    losses = sorted(rows[0]["advised"], key=float)
    lines = []
    for row in rows:
        shares = []
        for loss in losses:
            count, is_error = row["advised"][loss], float(loss) == margin
            of = row["simulations"] if is_error else row["tries"]
            said = _share(count, of) if is_error else f"{count / of:.0%}"
            shares.append(f"**{said}**" if is_error and not keeps_promise(count, of) else said)
        lines.append(f"| {row['family']} | {row['challengers']} | {row['pairs']} | {' | '.join(shares)} |")
    table, head = "\n".join(lines), " | ".join(f"worse by {float(loss):g}" for loss in losses)
    most = max(row["advised"][f"{margin:g}"] / row["simulations"] for row in rows)
    return f"""The lower rungs are truly worse than the champion by so many bits per byte. By {margin:g}, the margin,
the advice is an error, and as likely as it gets; by nothing it is right. The share of simulated evaluations in which
the verdict is to move down, to any of them:

| differences | lower rungs | unseen pairs | {head} |
|---|---|---|{"---|" * len(losses)}
{table}

At most {most:.1%} at the margin. The spread of a difference is several times the margin here, so on few pairs the
advice is rarely given where it would be right; that costs tokens, not quality."""


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
        found = " | ".join(_rounded(row["found"][str(gain)], row["tries"]) for gain in GAINS)
        lines.append(f"| {row['family']} | {row['challengers']} | {row['pairs']} | {found} |")
    return "\n".join(lines)


def _documented(rows: list[Json]) -> str:
    at = [row for row in rows if row["pairs"] == PAIRS_FOR_POWER and row["challengers"] == max(CHALLENGERS)]
    named = ", ".join(
        f"{row['found']['0.5'] / row['tries']:.0%} ({row['family']}, where it is {row['spread'] / 2:.2f})" for row in at
    )
    return f"""The documented number of unseen pairs is {PAIRS_FOR_POWER}, unrelated ones: a gain of half the spread is
then to be found in 8 of 10 cases, also where it is one of {max(CHALLENGERS)} challengers that has it. Measured, with
the half spread in bits per byte: {named}.
A smaller gain takes more pairs."""


def _pairings(studies: list[Json]) -> str:
    if not studies:
        return "Not simulated yet."
    lines = []
    for study in studies:
        for row in study["rows"]:
            again = _share(row["again"], 2 * row["simulations"])
            again = again if keeps_promise(row["again"], 2 * row["simulations"]) else f"**{again}**"
            lines.append(
                f"| {study['study']} ({study['unseen']:,} pairs) | {row['pairs']} | "
                f"{row['median'] / row['simulations']:.1%} | {row['most'] / row['simulations']:.1%} | "
                f"`{row['challenger']}` over `{row['champion']}` | {again} |"
            )
    table = "\n".join(lines)
    return f"""Real differences are skewed in one pairing of rungs and not in another. So each of the
{studies[0]["rows"][0]["pairings"]} pairings of a champion with one challenger was simulated on the pairs of each stored
study, moved so that neither is better. The largest share of so many is partly luck itself: its pairing was simulated
once more, with other draws.

| study | unseen pairs | the middle pairing | the largest | which | again |
|---|---|---|---|---|---|
{table}

The promise: {_kept(studies)}
Where it is not, it is one pairing of twenty, on resamples of so few pairs that a few odd ones come again and again; the
middle pairing is far below."""


def _kept(studies: list[Json]) -> str:
    broken = [
        f"{study['study']} at {row['pairs']} pairs"
        for study in studies
        for row in study["rows"]
        if not keeps_promise(row["again"], 2 * row["simulations"])
    ]
    return f"kept except in {', '.join(broken)}." if broken else "kept in every case."


def _settling(settling: Json | None) -> str:
    if settling is None:
        return "Not simulated yet (`python -m tests.benchmarks.ladder.settling`)."
    lines = []
    for row in settling["rows"]:
        said = _rounded(row["undecided"], row["simulations"])
        settled = _rounded(row["settled"], row["asked"]) if row["asked"] else ""
        lines.append(f"| {row['family']} | {row['gain']:g} spreads | {said} | {row['median'] or 0:.0f} | {settled} |")
    table = "\n".join(lines)
    return f"""The number is the one that it takes if the gain is as large as measured, which nobody knows. Simulated
teams with {settling["first"]} unseen pairs and one challenger are told a number, come back with so many in all (where
it is {settling["most"]:,} at most), and ask again:

| differences | true gain | are told a number | the middle one | then promoted |
|---|---|---|---|---|
{table}

Where the gain is nothing, half of the teams are told a number all the same: the challenger looked better by luck, and
with more pairs it no longer does, which settles it, too, the other way."""


def _teams(judged: Json | None) -> str:
    if judged is None:
        return (
            f"Not measured yet: it takes a study with {LEAST:,} unseen pairs (`python -m tests.benchmarks.ladder.study "
            f"--data FILE --unseen {LEAST} --drafts 0 --name truth`), then `python -m tests.benchmarks.ladder.teams`."
        )
    parts = []
    for name, rungs in judged["sets"].items():
        lines = []
        for row in _of_set(judged, name):
            counts = [*(row[one.value] for one in Outcome), row["best_named"]]
            lines.append(f"| {row['pairs']} | {' | '.join(_share(count, row['teams']) for count in counts)} |")
        table = "\n".join(lines)
        parts.append(f"""### {name.capitalize()}

{_truths(judged, rungs)}

| unseen pairs | right | undecided, and said so | wrong | the very best is named |
|---|---|---|---|---|
{table}

{_by_champion(judged, name, rungs)}""")
    tables = "\n\n".join(parts)
    return f"""{_headline(judged)}

{judged["rows"][0]["teams"]} simulated teams for each number of pairs draw theirs from the
{judged["unseen"]:,} unseen pairs of stored studies ({judged["seeds"]} of them). All of these pairs are taken as the
truth. A team's champion is one of the rungs in turn.

- **Right**: the rung that the verdict names is not worse than the truly best one by more than {judged["margin"]} bits
  per byte, the margin.
- **Undecided** stays for want of pairs and says so, with how many more it takes.
- **Wrong** is everything else: a move to a rung that is worse by more than the margin, or to stay where the interval
  speaks against it. Where rungs lie far apart hardly any evaluation could come out so; the tables of luck above are the
  sharper test.
- The last column asks for more than a verdict promises: the truly best rung itself, however near the next one.

{tables}

What this does not show: these are one pair of adapters, of one draw of training pairs, and pairs of one kind of text.

![Wrong, undecided, and not the very best, by number of unseen pairs](ladder/verdict.png)"""


def _by_champion(judged: Json, name: str, rungs: list[str]) -> str:
    """How often the verdict is right, by what a team begins with: to leave one rung may be harder than another."""
    rows = _of_set(judged, name)
    lines = []
    for rung in rungs:
        shares = " | ".join(_share(*row["by_champion"][rung]) for row in rows)
        lines.append(f"| `{rung}` | {shares} |")
    head = " | ".join(f"{row['pairs']} pairs" for row in rows)
    table = "\n".join(lines)
    return f"""Right, by the champion that a team begins with:

| champion | {head} |
|---|{"---|" * len(rows)}
{table}"""


def _headline(judged: Json) -> str:
    """The least of all shares by champion, for each set."""
    said = []
    for name, rungs in judged["sets"].items():
        for row in _of_set(judged, name):
            right, of = min((row["by_champion"][rung] for rung in rungs), key=lambda one: one[0] / one[1])
            if right / of >= RIGHT:
                said.append(f"{name}: from {row['pairs']} pairs on")
                break
        else:
            said.append(f"{name}: with none of these numbers of pairs")
    return f"Right in {RIGHT:.0%} of teams **whatever their champion is**: {'; '.join(said)}."


def _of_set(judged: Json, name: str) -> list[Json]:
    return [row for row in judged["rows"] if row["set"] == name]


def _truths(judged: Json, rungs: list[str]) -> str:
    """What the set's rungs truly score, and how far the two best are apart."""
    shown = "; ".join(", ".join(f"`{rung}` {one[rung]:.3f}" for rung in rungs) for one in judged["truth"])
    gaps = []
    for one in judged["truth"]:
        best, second, *_ = sorted(one[rung] for rung in rungs)
        gaps.append(f"{second - best:.3f}")
    return f"The truth in bits per byte, seed by seed: {shown}. The best is ahead of the second by {', '.join(gaps)}."


def _share(count: int, of: int) -> str:
    share, low, high = share_interval(count, of)
    return f"{share:.1%} ({low:.1%} to {high:.1%})"


def _rounded(count: int, of: int) -> str:
    share, low, high = share_interval(count, of)
    return f"{share:.0%} ({low:.0%} to {high:.0%})"


def _draw(rows: list[Json], path: Path) -> None:
    """Above one challenger, below several; left what is promoted by luck, right what is found."""
    figure = Figure(figsize=(9, 7.2), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)  # draws without a display and without pyplot's global state
    for (luck, power), challengers in zip(figure.subplots(2, 2), CHALLENGERS, strict=True):
        for family in dict.fromkeys(row["family"] for row in rows):
            mine = [row for row in rows if row["family"] == family and row["challengers"] == challengers]
            at, colour = [row["pairs"] for row in mine], COLOURS.get(family, "#000000")
            luck.plot(at, [r["false"] / r["simulations"] for r in mine], color=colour, marker="o", label=family)
            before = [row["by_percentiles"] / row["simulations"] for row in mine]
            luck.plot(at, before, color=colour, linestyle=":", marker=".")
            power.plot(at, [row["found"]["0.5"] / row["tries"] for row in mine], color=colour, marker="o", label=family)
        named = "one challenger" if challengers == 1 else f"{challengers} challengers"
        luck.axhline(MOST_FALSE, color="#611f69", linewidth=0.8)
        power.axhline(0.8, color="#611f69", linewidth=0.8)
        luck.set_title(f"promoted by luck, {named}\n(dotted: percentile intervals)", fontsize=10)
        power.set_title(f"a gain of half the spread found,\n{named}", fontsize=10)
        for axes in (luck, power):
            axes.set_ylabel("share of evaluations")
            _over_pairs(axes, sorted({row["pairs"] for row in rows}))
    figure.savefig(path, metadata={"Software": None})


def _over_pairs(axes: Axes, at: list[int]) -> None:
    """Shares against numbers of unseen pairs."""
    axes.set_xscale("log")
    axes.set_xticks(at, [str(n) for n in at])
    axes.minorticks_off()
    axes.set_xlabel("unseen pairs")
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.25)
    axes.legend(frameon=False, fontsize=8)


def _draw_verdicts(judged: Json, path: Path) -> None:
    figure = Figure(figsize=(9, 3.8), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    for axes, name in zip(figure.subplots(1, len(judged["sets"]), sharey=True), judged["sets"], strict=True):
        mine = _of_set(judged, name)
        at = [row["pairs"] for row in mine]
        lines = {
            "wrong": ([row[Outcome.WRONG] for row in mine], "#e01e5a"),
            "undecided, and said so": ([row[Outcome.UNDECIDED] for row in mine], "#1264a3"),
            "not the very best": ([row["teams"] - row["best_named"] for row in mine], "#9aa5b1"),
        }
        for label, (counts, colour) in lines.items():
            shares = [share_interval(count, row["teams"]) for count, row in zip(counts, mine, strict=True)]
            style = ":" if label == "not the very best" else "-"  # it may lie on the others
            axes.plot(at, [one[0] for one in shares], color=colour, marker="o", linestyle=style, label=label)
            axes.fill_between(at, [one[1] for one in shares], [one[2] for one in shares], color=colour, alpha=0.12)
        axes.axhline(MOST_FALSE, color="#611f69", linewidth=0.8)
        axes.set_title(f"verdicts of simulated teams,\n{name} (band: 95 %)", fontsize=10)
        axes.set_ylabel("share of teams")
        _over_pairs(axes, at)
    figure.savefig(path, metadata={"Software": None})
