"""docs/ladder-labels.md and its pictures, from what `sections` stored. Called by `tests.benchmarks.ladder.report`."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from config.likeness import normalise
from tests.benchmarks.ladder.commands import command, data_named, numbers
from tests.benchmarks.ladder.intervals import (
    Floor,
    Share,
    calibration_floor,
    crossed_interval,
    share_of_pairs,
    wilson,
)  # fmt: skip
from trainer.label_metrics import bins_of, calibration_error, macro_f1, macro_f1_gain
from trainer.metrics import Interval, PairScore, Scorecard, bits_per_byte_gains
from trainer.run_labels import MOST_LEFT_OUT

COLOURS = {
    "neighbours": "#7c3aed", "logistic": "#0f766e", "zero_shot": "#9aa5b1", "few_shot": "#ecb22e",
    "retrieved": "#2eb67d", "lora": "#1264a3", "lora_retrieved": "#e01e5a",
}  # fmt: skip
CHEAP = ("neighbours", "logistic")
#: Records of the data with a description that is short enough; `pairs.load_records` counts them anew.
SHORT = 5_699

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """All seeds of one number of training pairs, on the same unseen pairs."""

    train: int
    seeds: list[Json]

    def rungs(self) -> list[str]:
        return list(self.seeds[0]["cards"])

    def cards(self, rung: str) -> list[Scorecard]:
        """One a seed."""
        return [_card(rung, seed["cards"][rung]) for seed in self.seeds]

    def right(self, rung: str) -> NDArray[np.float64]:
        """(seeds, pairs): 1 where the answer is right."""
        return np.array([[bool(pair.exact) for pair in card.pairs] for card in self.cards(rung)], dtype=float)

    def nats(self, rung: str) -> NDArray[np.float64]:
        """(seeds, pairs): what the right label costs."""
        return np.array([[pair.nll_nats for pair in card.pairs] for card in self.cards(rung)])

    def sure(self, rung: str) -> NDArray[np.float64]:
        """(seeds, pairs): the probability of the answer."""
        return np.array([[pair.confidence or 0.0 for pair in card.pairs] for card in self.cards(rung)])

    def accuracy(self, rung: str) -> Interval:
        """The share of right answers, with its interval over pairs and draws."""
        return crossed_interval(self.right(rung))

    def gain(self, rung: str, over: str) -> Interval:
        """How much more often one is right than the other, on the same pairs and draws."""
        return crossed_interval(self.right(rung) - self.right(over))

    def answered(self, rung: str) -> Share:
        """Of what is answered with the thresholds of each seed, all seeds together, how much is right."""
        thresholds = np.array([(card.calibration or {})["threshold"] for card in self.cards(rung)])
        return share_of_pairs(self.right(rung) > 0, self.sure(rung) >= thresholds[:, None])

    def floors(self, rung: str) -> list[Floor]:
        """One a seed: what a perfectly calibrated rung would show."""
        errors = [calibration_error(card.pairs) for card in self.cards(rung)]
        return [calibration_floor(sure, error) for sure, error in zip(self.sure(rung), errors, strict=True)]

    def mean(self, rung: str, of: Any) -> float:
        return float(np.mean([of(card) for card in self.cards(rung)]))


def load(folder: Path) -> list[Size]:
    """By size, ascending."""
    found: dict[int, list[Json]] = defaultdict(list)
    for file in sorted(folder.glob("sections-*.json")):
        result = json.loads(file.read_text(encoding="utf-8"))
        found[result["train"]].append(result)
    return [Size(train=train, seeds=seeds) for train, seeds in sorted(found.items())]


def _card(rung: str, stored: Json) -> Scorecard:
    """Its pairs in the order of their ids, whatever order they were scored in."""
    columns = (stored["ids"], stored["truths"], stored["answers"], stored["confidence"], stored["nll_nats"])
    pairs = tuple(
        PairScore(
            example_id=example_id, nll_nats=nats, reference_bytes=len(truth.encode()), prompt_tokens=0, draft=answer,
            exact=normalise(answer) == normalise(truth), truth=truth, confidence=confidence,
        )
        for example_id, truth, answer, confidence, nats in sorted(zip(*columns, strict=True))
    )  # fmt: skip
    return Scorecard(
        rung=rung, pairs=pairs, seconds_per_draft=stored["seconds_per_draft"], scoring_seconds=0.0,
        calibration=stored["calibration"],
    )  # fmt: skip


def write(stored: Path, docs: Path) -> bool:
    """False when nothing is stored."""
    sizes = load(stored)
    if not sizes:
        return False
    (docs / "ladder-labels.md").write_text(page(sizes), encoding="utf-8")
    _draw_reliability(sizes[-1], docs / "ladder" / "sections-reliability.png")
    _draw_coverage(sizes[-1], docs / "ladder" / "sections-coverage.png")
    return True


# ------------------------------------------------------------------------------------------------ the page


def page(sizes: list[Size]) -> str:
    largest = sizes[-1]
    one = largest.seeds[0]
    versions = ", ".join(f"{name} {version}" for name, version in sorted(one["versions"].items()))
    counts = numbers(len(seed["labels"]) for seed in largest.seeds)
    labels = str(counts[0]) if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    return f"""# Styles that classify, measured

A package's description → its section in Debian's archive ({labels} labels in training). The model is
{one["base_model"].removeprefix("embedded:")}, the recipe `{one["recipe"]}`, the embeddings all-MiniLM-L6-v2. The
{one["unseen"]} unseen pairs are of package families that no training pair belongs to, one pair a family, the same for
every draw; {one["validation"]} further pairs, drawn alike, calibrate and choose the threshold. {_unknown(largest)}
Seeds: {len(largest.seeds)}. Each draws its own training and validation pairs and is called a draw below.
{data_named(SHORT)}
Figures are of {one["cores"]} cores; {versions}.

This page and its pictures are made by `python -m tests.benchmarks.ladder.report` from docs/ladder/sections-*.json. What
the words mean: [styles that classify](labels.md). What one data set and one small model do not show: [the same page of
texts](ladder.md#what-this-does-not-show).

## {largest.train} training pairs

{_table(largest)}

{_command(largest)}

Intervals are 95 %, over pairs and draws together: both are resampled, and {len(largest.seeds)} draws show the luck of a
draw smaller than it is. "Against `logistic`" is by how much a rung is better than `logistic` on the same pairs and
draws. Log score: nats that the right label costs, lower is better; by it the gate decides. Seconds are shares of a
batch, measured beside other work.

{_verdict(largest)}

{_gate_part(largest)}

## Is it as sure as it should be?

{_calibration_table(largest)}

{_command(largest)}

"Before" is the error of the bare softmax over the labels; "after" is with what was fitted on the validation pairs: a
temperature, the share of the probability that all labels have alike ("even"), and in as many draws as "prior" says a
correction for labels that a rung always likes. `neighbours` learns nothing, so up to
{min(largest.train, MOST_LEFT_OUT)} training pairs calibrate it, too, each by the votes
of the others. **A rung whose probabilities are
exactly right shows an error too**, because {one["unseen"]} answers in ten bins scatter: for each rung outcomes were
drawn from its own probabilities 2,000 times, which gives the error to be expected of a perfect one, and the bound that
95 of 100 perfect ones stay under. "No": at least one draw's error is beyond such luck (at 5 % for all draws together).
"Not told from it" is no proof of calibration: errors below about the bound are not seen with {one["unseen"]} pairs.

{_worse(largest)}

## When it answers

{_answers_table(largest)}

{_command(largest)}

The threshold was chosen on the pairs that calibrate for {_percent(_target(largest))} right answers, "never" where
nothing was right often enough there. Answered and right are counts over all draws together, on the unseen
pairs; the interval is Wilson's, with fewer answers counted where a pair that is answered in several draws tells the
same again.

{_aim(largest)}

![Reliability diagrams](ladder/sections-reliability.png)

The points are bins of equally many answers of all draws together, with Wilson's interval; the dashed line is where a
rung is as sure as it is right.

![Accuracy against coverage](ladder/sections-coverage.png)
{_growth_part(sizes)}"""


def _command(size: Size) -> str:
    one = size.seeds[0]
    seeds = numbers(seed["seed"] for seed in size.seeds)
    return command("sections", "--train", size.train, "--seeds", *seeds, "--unseen", one["unseen"])


def _unknown(size: Size) -> str:
    shares = [
        np.mean([normalise(truth) not in {normalise(label) for label in seed["labels"]} for truth in truths])
        for seed in size.seeds
        for truths in [next(iter(seed["cards"].values()))["truths"]]
    ]
    share = _percent(float(np.mean(shares)))
    return f"{share} of the unseen pairs have\na label that training never saw: nobody can be right there."


def _table(size: Size) -> str:
    lines = [
        "| rung | accuracy | against `logistic` | macro-F1 | log score | against `logistic` | seconds an answer |",
        "|---|---|---|---|---|---|---|",
    ]
    for rung in sorted(size.rungs(), key=lambda name: -size.accuracy(name).mean):
        own = size.accuracy(rung)
        against = "" if rung == "logistic" else _signed(size.gain(rung, "logistic"))
        saved = crossed_interval(size.nats("logistic") - size.nats(rung))
        saved_shown = "" if rung == "logistic" else f"{saved.mean:+.3f} ({saved.low:+.3f} to {saved.high:+.3f})"
        seconds = size.mean(rung, lambda card: card.seconds_per_draft)
        lines.append(
            f"| `{rung}` | **{own.mean:.1%}** ({own.low:.1%} to {own.high:.1%}) | {against} "
            f"| {size.mean(rung, lambda card: macro_f1(card.pairs)):.3f} | {size.nats(rung).mean():.3f} "
            f"| {saved_shown} | {seconds:.3f} |"
        )
    return "\n".join(lines)


def _verdict(size: Size) -> str:
    """What the cheap rungs are worth, said plainly."""
    best = max((one for one in size.rungs() if one not in CHEAP), key=lambda one: size.accuracy(one).mean)
    cheap = max(CHEAP, key=lambda one: size.accuracy(one).mean)
    gain = size.gain(best, cheap)
    f1 = [macro_f1_gain(a, b) for a, b in zip(size.cards(cheap), size.cards(best), strict=True)]
    if gain.low > 0:
        said = f"`{best}`, the best rung with the language model, is right more often than `{cheap}`, the best without"
    elif gain.high < 0:
        said = f"**The cheap one wins:** `{cheap}` is right more often than `{best}`, the best with the language model"
    else:
        said = f"`{best}`, the best rung with the language model, cannot be told from `{cheap}`, the best without it"
    by_seed = ", ".join(f"{one.mean:+.3f} ({one.low:+.3f} to {one.high:+.3f})" for one in f1)
    return f"{said}: {_signed(gain)}.\nIn macro-F1, draw by draw: {by_seed}."


def _gate_part(size: Size) -> str:
    """What the gate makes of the two that come closest: its own intervals, in its own unit, draw by draw."""
    best = max((one for one in size.rungs() if one not in CHEAP), key=lambda one: size.accuracy(one).mean)
    said = []
    for champion, challenger in ((best, "logistic"), ("logistic", best)):
        rivals = [rung for rung in size.rungs() if rung != champion]
        gains, promoted = [], 0
        for draw in range(len(size.seeds)):
            card = size.cards(champion)[draw]
            found = bits_per_byte_gains(card, [size.cards(rung)[draw] for rung in rivals])
            gain = found[rivals.index(challenger)]
            gains.append(f"{gain.mean:+.3f} ({gain.low:+.3f} to {gain.high:+.3f})")
            promoted += any(one.low > 0 for one in found)
        said.append(
            f"With `{champion}` as champion the gain of `{challenger}`, in bits per byte of the label and wide enough "
            f"for\nall {len(rivals)} challengers, is {', '.join(gains)} draw by draw:\n"
            f"something is promoted in {promoted} of {len(size.seeds)} draws."
        )
    saved = size.nats(best) - size.nats("logistic")
    nats, by_pairs = crossed_interval(saved), crossed_interval(saved.mean(axis=0, keepdims=True))
    head = "is ahead of" if nats.low > 0 else "is behind" if nats.high < 0 else "cannot be told from"
    return (
        f"**What the gate would say.** By the log score `logistic` {head} `{best}`: {nats.mean:+.3f} nats "
        f"({nats.low:+.3f} to {nats.high:+.3f};\nover pairs alone {by_pairs.low:+.3f} to {by_pairs.high:+.3f}).\n"
        + "\n".join(said)
    )


def _calibration_table(size: Size) -> str:
    lines = [
        "| rung | before | after | draw by draw | a perfect one, bound | calibrated | temperature | even | prior |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for rung in size.rungs():
        known = [card.calibration or {} for card in size.cards(rung)]
        errors = [calibration_error(card.pairs) for card in size.cards(rung)]
        floors = size.floors(rung)
        lines.append(
            f"| `{rung}` | {_before(size, rung):.3f} | {np.mean(errors):.3f} "
            f"| {', '.join(f'{one:.3f}' for one in errors)} "
            f"| {np.mean([one.mean for one in floors]):.3f}, {np.mean([one.bound for one in floors]):.3f} "
            f"| {'not told from it' if _is_calibrated(floors) else '**no**'} "
            f"| {', '.join(format(one['temperature'], '.2f') for one in known)} "
            f"| {', '.join(format(one['even_share'], '.0%') for one in known)} "
            f"| {sum(bool(one['prior']) for one in known)} of {len(known)} |"
        )
    return "\n".join(lines)


def _is_calibrated(floors: list[Floor]) -> bool:
    """As far as these pairs can tell: no draw's error is beyond luck, at 5 % for all of them (Bonferroni)."""
    return min(one.chance for one in floors) * len(floors) >= 0.05


def _before(size: Size, rung: str) -> float:
    return size.mean(rung, lambda card: (card.calibration or {})["uncalibrated"]["ece"])


def _worse(size: Size) -> str:
    after = {rung: size.mean(rung, lambda card: calibration_error(card.pairs)) for rung in size.rungs()}
    worse = [
        f"`{rung}` ({_before(size, rung):.3f} → {error:.3f})" for rung, error in after.items()
        if error > _before(size, rung)
    ]  # fmt: skip
    good = [f"`{rung}`" for rung in size.rungs() if _is_calibrated(size.floors(rung))]
    bad = [f"`{rung}`" for rung in size.rungs() if f"`{rung}`" not in good]
    verb = "is" if len(bad) == 1 else "are"
    but = f", and {_listed(bad)}\n{verb} not calibrated" if bad else ""
    return f"So {_listed(good)} cannot be told from calibrated{but}.\n" + (
        f"Calibration makes {_listed(worse)} **worse**." if worse else "Calibration makes none worse."
    )


def _answers_table(size: Size) -> str:
    lines = [
        f"| rung | threshold | draws that answer | answered | of these right | {_percent(_target(size))} reached |",
        "|---|---|---|---|---|---|",
    ]
    for rung in size.rungs():
        thresholds = [(card.calibration or {})["threshold"] for card in size.cards(rung)]
        shown = ", ".join("never" if one > 1 else f"{one:.2f}" for one in thresholds)
        answering = int((size.sure(rung) >= np.array(thresholds)[:, None]).any(axis=1).sum())
        found, all_pairs = size.answered(rung), size.right(rung).size
        right = f"{found.count} of {found.of}: {found.share:.0%} ({found.low:.0%} to {found.high:.0%})"
        lines.append(
            f"| `{rung}` | {shown} | {answering} of {len(thresholds)} "
            f"| {found.of} of {all_pairs}, {found.of / all_pairs:.0%} "
            f"| {right if found.of else '–'} | {_reached(found, _target(size))} |"
        )
    return "\n".join(lines)


def _reached(found: Share, target: float) -> str:
    if not found.of:
        return "never answers"
    if found.low >= target:
        return "yes"
    if found.high < target:
        return "**no**"
    return f"{'yes' if found.share >= target else 'no'}, but not told from it"


def _aim(size: Size) -> str:
    """Which rungs came as far as was aimed at, by what was counted."""
    target, found = _target(size), {rung: size.answered(rung) for rung in size.rungs()}
    above = [f"`{rung}` ({one.count} of {one.of})" for rung, one in found.items() if one.of and one.share >= target]
    below = [f"`{rung}` ({one.count} of {one.of})" for rung, one in found.items() if one.of and one.share < target]
    return (
        f"So {_percent(target)} is reached by {_listed(above)}\nand not by {_listed(below)}.\n"
        f"An interval that holds {_percent(target)} leaves open which it is."
    )


def _listed(names: list[str]) -> str:
    if len(names) < 2:
        return names[0] if names else "none"
    return f"{', '.join(names[:-1])} and {names[-1]}"


def _target(size: Size) -> float:
    return float(next(iter(size.seeds[0]["cards"].values()))["calibration"]["target_precision"])


def _growth_part(sizes: list[Size]) -> str:
    """Accuracy by size; nothing where one size is stored."""
    if len(sizes) < 2:
        return ""
    rungs = sizes[-1].rungs()
    lines = ["| training pairs | draws | unseen | " + " | ".join(f"`{rung}`" for rung in rungs) + " |"]
    lines.append("|" + "---|" * (len(rungs) + 3))
    for size in sizes:
        cells = [f"{size.accuracy(rung).mean:.1%}" if rung in size.rungs() else "" for rung in rungs]
        lines.append(f"| {size.train} | {len(size.seeds)} | {size.seeds[0]['unseen']} | " + " | ".join(cells) + " |")
    commands = "\n".join(_command(size) for size in sizes)
    table = "\n".join(lines)
    return f"\n## How it grows with the number of pairs\n\n{table}\n\n{commands}\n"


def _percent(share: float) -> str:
    return f"{share:.0%}"


def _signed(interval: Interval) -> str:
    return f"{interval.mean:+.1%} ({interval.low:+.1%} to {interval.high:+.1%})"


# ------------------------------------------------------------------------------------------------ pictures


def _draw_reliability(size: Size, path: Path) -> None:
    """A panel a rung: share of right answers against confidence, in bins of equally many pairs, with intervals."""
    figure = Figure(figsize=(10, 5.6), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(2, 4, sharex=True, sharey=True).flat
    for rung in size.rungs():
        axes = next(panels)
        axes.plot([0, 1], [0, 1], color="#9aa5b1", linewidth=1, linestyle="--")
        sure, right = size.sure(rung).ravel(), size.right(rung).ravel()
        bins = bins_of(sure)
        shares = [float(right[chunk].mean()) for chunk in bins]
        reach = [wilson(share, len(chunk)) for share, chunk in zip(shares, bins, strict=True)]
        error = [
            [share - low for share, (low, _) in zip(shares, reach, strict=True)],
            [high - share for share, (_, high) in zip(shares, reach, strict=True)],
        ]
        axes.errorbar(
            [sure[chunk].mean() for chunk in bins], shares, yerr=error, color=COLOURS[rung], marker="o", markersize=4,
            capsize=2, linewidth=0, elinewidth=1.2,
        )  # fmt: skip
        axes.set_title(rung, fontsize=10)
        axes.set_xlim(0, 1)
        axes.set_ylim(0, 1)
        axes.grid(alpha=0.25)
    for axes in panels:
        axes.set_axis_off()
    figure.supxlabel("how sure it says it is", fontsize=10)
    figure.supylabel("share of right answers", fontsize=10)
    figure.savefig(path, metadata={"Software": None})


def _draw_coverage(size: Size, path: Path) -> None:
    """Accuracy of what is answered against the share that is, when the least sure answers are left to people."""
    figure, axes = _figure()
    for rung in size.rungs():
        order = np.argsort(-size.sure(rung).ravel(), kind="stable")
        right = np.cumsum(size.right(rung).ravel()[order])
        count = np.arange(1, len(order) + 1)
        shown = count >= max(5, len(order) // 20)  # the first few say nothing
        axes.plot(count[shown] / len(order), right[shown] / count[shown], color=COLOURS[rung], label=rung)
    axes.axhline(_target(size), color="#9aa5b1", linewidth=1, linestyle="--")
    _finish(figure, axes, path, x="share of the texts that is answered", y="share of right answers")


def _figure() -> tuple[Figure, Any]:
    figure = Figure(figsize=(8, 4.5), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)  # draws without a display and without pyplot's global state
    return figure, figure.subplots()


def _finish(figure: Figure, axes: Any, path: Path, *, x: str, y: str) -> None:
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    axes.grid(alpha=0.25)
    axes.legend(frameon=False)
    figure.savefig(path, metadata={"Software": None})
