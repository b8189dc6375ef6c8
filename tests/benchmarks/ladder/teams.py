"""Is the verdict right? Simulated teams draw a few unseen pairs of a large stored study, and their verdicts are held
against what all of its pairs say.

    python -m tests.benchmarks.ladder.teams [--teams 200] [--pairs 40 80 160]

The truth is a study of at least 2,000 unseen pairs (`study --unseen 2000 --drafts 0 --name truth`). Where an adapter is
far ahead every verdict is easy, so the teams are asked twice: with all rungs, and with the prompts alone, which lie
closer. Writes docs/ladder/teams.json; `python -m tests.benchmarks.ladder.report` makes a part of docs/gate.md of it.

Right is a verdict that names, to stay on or to move to, a rung that is not worse than the truly best one by more than
the margin. One that stays for want of pairs, and says so, is *undecided* where moving would have been right; every
other one that is not right is *wrong*.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from config.rungs import Rung
from tests.benchmarks.ladder.gate import list_studies
from trainer.metrics import PairScore, Scorecard
from trainer.promotion import Policy, Verdict, decide, pairs_to_settle

STORED = Path(__file__).resolve().parents[3] / "docs" / "ladder"
LEAST = 2000
PAIRS = (20, 40, 80, 160)
#: What the teams have: every rung of the study, or those that need no training.
SETS = {"all rungs": None, "prompts alone": (Rung.ZERO_SHOT, Rung.FEW_SHOT, Rung.RETRIEVED)}


class Outcome(StrEnum):
    RIGHT = "right"
    UNDECIDED = "undecided"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """Every rung's bits on all pairs of a study, and each pair's bytes and prompt tokens."""

    size: NDArray[np.float64]
    bits: dict[str, NDArray[np.float64]]
    prompt_tokens: dict[str, NDArray[np.float64]]

    @property
    def n(self) -> int:
        return len(self.size)

    def only(self, rungs: Collection[str] | None) -> Truth:
        """The same with these rungs alone; None is all of them."""
        return replace(self, bits={one: bits for one, bits in self.bits.items() if rungs is None or one in rungs})

    def bits_per_byte(self, rung: str) -> float:
        return float(self.bits[rung].sum() / self.size.sum())

    @property
    def best(self) -> str:
        return min(self.bits, key=self.bits_per_byte)

    def card(self, rung: str, chosen: NDArray[np.int64]) -> Scorecard:
        """What a team measures that has these pairs."""
        bits, tokens = self.bits[rung], self.prompt_tokens[rung]
        pairs = tuple(
            PairScore(
                example_id=str(n), nll_nats=float(bits[n]) * math.log(2), reference_bytes=int(self.size[n]),
                prompt_tokens=int(tokens[n]),
            )
            for n in chosen
        )  # fmt: skip
        return Scorecard(rung=rung, pairs=pairs, seconds_per_draft=0.0, scoring_seconds=0.0)


def read_truth(study: dict[str, Any]) -> Truth:
    """A stored study of the ladder's own rungs."""
    cards = {rung.value: study["cards"][rung.value] for rung in Rung if rung.value in study["cards"]}
    first = next(iter(cards.values()))
    return Truth(
        size=np.array(first["reference_bytes"], dtype=float),
        bits={rung: np.array(card["nll_nats"]) / math.log(2) for rung, card in cards.items()},
        prompt_tokens={rung: np.array(card["prompt_tokens"], dtype=float) for rung, card in cards.items()},
    )


def find_truths(folder: Path, least: int = LEAST) -> list[Truth]:
    """All stored studies with at least so many unseen pairs: one for each seed."""
    studies = [json.loads(file.read_text(encoding="utf-8")) for file in list_studies(folder)]
    return [read_truth(one) for one in studies if one.get("unseen", 0) >= least and len(one.get("cards", {})) > 1]


def judge(verdict: Verdict, champion: str, truth: Truth, policy: Policy) -> Outcome:
    """See the top of this file."""
    if truth.bits_per_byte(verdict.rung) <= truth.bits_per_byte(truth.best) + policy.margin_bits:
        return Outcome.RIGHT
    if verdict.rung != champion:
        return Outcome.WRONG
    best = max(verdict.comparisons, key=lambda one: one.gain.mean, default=None)
    is_open = best is None or (pairs_to_settle(best.gain, policy.min_gain_bits) or 0) > best.gain.n
    return Outcome.UNDECIDED if is_open else Outcome.WRONG


def ask_teams(truths: Sequence[Truth], *, teams: int, pairs: int, policy: Policy, seed: int = 1) -> list[Json]:
    """So many teams, each with its own pairs; their champions are the rungs in turn, so that each has to be left, and
    each has to be stayed on where it is the best. Whose adapters they have is drawn among the truths."""
    random = np.random.default_rng(seed)
    rows = []
    for number in range(teams):
        truth = truths[int(random.integers(len(truths)))]
        champion = list(truth.bits)[number % len(truth.bits)]
        chosen = random.choice(truth.n, size=pairs, replace=False)
        others = [truth.card(rung, chosen) for rung in truth.bits if rung != champion]
        verdict = decide(truth.card(champion, chosen), others, policy)
        rows.append(
            {
                "champion": champion, "named": verdict.rung, "best": truth.best,
                "outcome": judge(verdict, champion, truth, policy).value,
            }
        )  # fmt: skip
    return rows


def count_outcomes(rows: Sequence[Json]) -> dict[str, Any]:
    """Of the teams: each outcome, how often the very best rung is named; and by the champion that they begin with, how
    many are right, of how many."""
    by_champion: dict[str, list[int]] = {}
    for row in rows:
        counted = by_champion.setdefault(row["champion"], [0, 0])
        counted[0] += row["outcome"] == Outcome.RIGHT
        counted[1] += 1
    counts = {one.value: sum(row["outcome"] == one for row in rows) for one in Outcome}
    best_named = sum(row["named"] == row["best"] for row in rows)
    return counts | {"best_named": best_named, "by_champion": by_champion}


Json = dict[str, Any]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--teams", type=int, default=200)
    parser.add_argument("--pairs", type=int, nargs="+", default=list(PAIRS))
    parser.add_argument("--stored", type=Path, default=STORED)
    parser.add_argument("--least", type=int, default=LEAST, help="unseen pairs that a study needs to be the truth")
    chosen = parser.parse_args()
    truths = find_truths(chosen.stored, chosen.least)
    if not truths:
        sys.stderr.write(
            f"No study with {chosen.least} unseen pairs is stored in {chosen.stored}. Make one with `python -m "
            "tests.benchmarks.ladder.study --data FILE --unseen 2000 --drafts 0 --name truth`; it takes hours.\n"
        )
        return 1
    policy = Policy()
    rows = [
        {"set": name, "pairs": pairs, "teams": chosen.teams}
        | count_outcomes(ask_teams(mine, teams=chosen.teams, pairs=pairs, policy=policy))
        for name, rungs in SETS.items()
        for mine in [[one.only(rungs) for one in truths]]
        for pairs in chosen.pairs
    ]
    stored = {
        "unseen": truths[0].n, "seeds": len(truths), "margin": policy.margin_bits,
        "truth": [{rung: round(truth.bits_per_byte(rung), 4) for rung in truth.bits} for truth in truths],
        "sets": {name: list(truths[0].only(rungs).bits) for name, rungs in SETS.items()}, "rows": rows,
    }  # fmt: skip
    (chosen.stored / "teams.json").write_text(json.dumps(stored, indent=1), encoding="utf-8")
    for row in rows:
        sys.stdout.write(f"{row}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
