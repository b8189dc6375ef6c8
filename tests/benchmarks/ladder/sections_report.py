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

from config.likeness import normalise
from trainer.label_metrics import accuracy_gain, answered, calibration_error, macro_f1, macro_f1_gain, reliability
from trainer.metrics import Interval, PairScore, Scorecard, paired_bootstrap

COLOURS = {
    "neighbours": "#7c3aed", "logistic": "#0f766e", "zero_shot": "#9aa5b1", "few_shot": "#ecb22e",
    "retrieved": "#2eb67d", "lora": "#1264a3", "lora_retrieved": "#e01e5a",
}  # fmt: skip
CHEAP = ("neighbours", "logistic")

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

    def together(self, rung: str) -> Scorecard:
        """The pairs of all seeds in one card: what calibration is judged on."""
        pairs = tuple(pair for card in self.cards(rung) for pair in card.pairs)
        return Scorecard(rung=rung, pairs=pairs, seconds_per_draft=0.0, scoring_seconds=0.0)

    def accuracy(self, rung: str) -> Interval:
        """The share of right answers, each pair's the mean over the seeds, with its interval over pairs."""
        right = np.mean([[bool(pair.exact) for pair in card.pairs] for card in self.cards(rung)], axis=0)
        return paired_bootstrap(right, np.zeros(len(right)))

    def gain(self, rung: str, over: str) -> Interval:
        """How much more often one is right than the other, pair by pair, each the mean over the seeds."""
        if len(self.seeds) == 1:
            return accuracy_gain(self.cards(over)[0], self.cards(rung)[0])
        means = [
            np.mean([[bool(pair.exact) for pair in card.pairs] for card in self.cards(name)], axis=0)
            for name in (rung, over)
        ]
        return paired_bootstrap(means[0], means[1])

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
    columns = (stored["ids"], stored["truths"], stored["answers"], stored["confidence"], stored["nll_nats"])
    pairs = tuple(
        PairScore(
            example_id=example_id, nll_nats=nats, reference_bytes=len(truth.encode()), prompt_tokens=0, draft=answer,
            exact=normalise(answer) == normalise(truth), truth=truth, confidence=confidence,
        )
        for example_id, truth, answer, confidence, nats in zip(*columns, strict=True)
    )  # fmt: skip
    return Scorecard(
        rung=rung, pairs=pairs, seconds_per_draft=stored["seconds_per_draft"], scoring_seconds=0.0,
        calibration=stored["calibration"],
    )  # fmt: skip


def write(stored: Path, page: Path) -> bool:
    """False when nothing is stored."""
    sizes = load(stored)
    if not sizes:
        return False
    page.write_text(_page(sizes), encoding="utf-8")
    _draw_reliability(sizes[-1], stored / "sections-reliability.png")
    _draw_coverage(sizes[-1], stored / "sections-coverage.png")
    return True


# ------------------------------------------------------------------------------------------------ the page


def _page(sizes: list[Size]) -> str:
    largest = sizes[-1]
    one = largest.seeds[0]
    versions = ", ".join(f"{name} {version}" for name, version in sorted(one["versions"].items()))
    seeds = f"{len(largest.seeds)} seed{'s' if len(largest.seeds) > 1 else ''}"
    return f"""# Styles that classify, measured

A package's description → its section in Debian's archive ({len(one["labels"])} labels in training). The model is
{one["base_model"].removeprefix("embedded:")}, the recipe `{one["recipe"]}`, the embeddings all-MiniLM-L6-v2. The
{one["unseen"]} unseen pairs are of package families that no training pair belongs to, one pair a family;
{one["validation"]} further pairs, drawn alike, calibrate and choose the threshold. {_unknown(largest)} {seeds}.
Figures are of {one["cores"]} cores; {versions}.

This page and its pictures are made by `python -m tests.benchmarks.ladder.report` from docs/ladder/sections-*.json,
which `python -m tests.benchmarks.ladder.sections --data FILE` measures. What the words mean: [styles that
classify](labels.md).

## {largest.train} training pairs

{_table(largest)}

Accuracy with its 95 % interval over pairs, each pair's value the mean over the seeds. "Against logistic" is the paired
difference in accuracy. Log score: nats that the right label costs, lower is better; the gate decides by it.

{_verdict(largest)}

## Is it as sure as it should be?

{_calibration_table(largest)}

"Before" is the bare softmax over the labels. The threshold was chosen on the validation pairs for
{_percent(_target(largest))} right answers; the last two columns are what it did on the unseen
pairs, and how much of what is answered is right.

![Reliability diagram](ladder/sections-reliability.png)

![Accuracy against coverage](ladder/sections-coverage.png)

## How it grows with the number of pairs

{_sizes_table(sizes)}
"""


def _unknown(size: Size) -> str:
    shares = [
        np.mean([normalise(truth) not in {normalise(label) for label in seed["labels"]} for truth in truths])
        for seed in size.seeds
        for truths in [next(iter(seed["cards"].values()))["truths"]]
    ]
    share = _percent(float(np.mean(shares)))
    return f"{share} of the unseen pairs have a label that training never saw: nobody can be right there."


def _table(size: Size) -> str:
    lines = [
        "| rung | accuracy | against logistic | macro-F1 | log score | seconds an answer |",
        "|---|---|---|---|---|---|",
    ]
    for rung in sorted(size.rungs(), key=lambda name: -size.accuracy(name).mean):
        own = size.accuracy(rung)
        against = "" if rung == "logistic" else _signed(size.gain(rung, "logistic"))
        nats = size.mean(rung, lambda card: np.mean([pair.nll_nats for pair in card.pairs]))
        seconds = size.mean(rung, lambda card: card.seconds_per_draft)
        lines.append(
            f"| `{rung}` | **{own.mean:.1%}** ({own.low:.1%} to {own.high:.1%}) | {against} "
            f"| {size.mean(rung, lambda card: macro_f1(card.pairs)):.3f} | {nats:.3f} | {seconds:.3f} |"
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
    return f"{said}: {_signed(gain)}. In macro-F1, seed by seed: {by_seed}."


def _calibration_table(size: Size) -> str:
    lines = [
        "| rung | calibration error before | after | temperature | prior corrected | threshold | answered | right |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for rung in size.rungs():
        cards = size.cards(rung)
        known = [card.calibration or {} for card in cards]
        covered = [answered(card.pairs, fitted["threshold"]) for card, fitted in zip(cards, known, strict=True)]
        right = [share for _, share in covered if share is not None]
        before = float(np.mean([fitted["uncalibrated"]["ece"] for fitted in known]))
        thresholds = ", ".join("never" if one["threshold"] > 1 else f"{one['threshold']:.2f}" for one in known)
        lines.append(
            f"| `{rung}` | {before:.3f} | {size.mean(rung, lambda card: calibration_error(card.pairs)):.3f} "
            f"| {', '.join(format(one['temperature'], '.2f') for one in known)} "
            f"| {sum(bool(one['prior']) for one in known)} of {len(known)} | {thresholds} "
            f"| {_percent(float(np.mean([share for share, _ in covered])))} "
            f"| {_percent(float(np.mean(right))) if right else '–'} |"
        )
    return "\n".join(lines)


def _target(size: Size) -> float:
    return float(next(iter(size.seeds[0]["cards"].values()))["calibration"]["target_precision"])


def _sizes_table(sizes: list[Size]) -> str:
    rungs = sizes[-1].rungs()
    lines = ["| training pairs | seeds | unseen | " + " | ".join(f"`{rung}`" for rung in rungs) + " |"]
    lines.append("|" + "---|" * (len(rungs) + 3))
    for size in sizes:
        cells = [f"{size.accuracy(rung).mean:.1%}" if rung in size.rungs() else "" for rung in rungs]
        lines.append(f"| {size.train} | {len(size.seeds)} | {size.seeds[0]['unseen']} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _percent(share: float) -> str:
    return f"{share:.0%}"


def _signed(interval: Interval) -> str:
    return f"{interval.mean:+.1%} ({interval.low:+.1%} to {interval.high:+.1%})"


# ------------------------------------------------------------------------------------------------ pictures


def _draw_reliability(size: Size, path: Path) -> None:
    """Share of right answers against confidence, in bins of equally many pairs: on the diagonal it is honest."""
    figure, axes = _figure()
    axes.plot([0, 1], [0, 1], color="#9aa5b1", linewidth=1, linestyle="--")
    for rung in size.rungs():
        bins = reliability(size.together(rung).pairs)
        axes.plot(
            [one["confidence"] for one in bins], [one["accuracy"] for one in bins], color=COLOURS[rung], marker="o",
            markersize=4, label=rung,
        )  # fmt: skip
    _finish(figure, axes, path, x="how sure it says it is", y="share of right answers")


def _draw_coverage(size: Size, path: Path) -> None:
    """Accuracy of what is answered against the share that is, when the least sure answers are left to people."""
    figure, axes = _figure()
    for rung in size.rungs():
        pairs = sorted(size.together(rung).pairs, key=lambda pair: -(pair.confidence or 0.0))
        right = np.cumsum([bool(pair.exact) for pair in pairs])
        count = np.arange(1, len(pairs) + 1)
        shown = count >= max(5, len(pairs) // 20)  # the first few say nothing
        axes.plot(count[shown] / len(pairs), right[shown] / count[shown], color=COLOURS[rung], label=rung)
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
