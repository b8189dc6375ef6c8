"""What comes of "so many more unseen pairs would settle it": how often that is said, and whether they do.

    python -m tests.benchmarks.ladder.settling [--simulations 500]

A team with 40 unseen pairs is told how many it takes, comes back with its own and as many new ones, and asks the gate
again. Writes docs/ladder/settling.json; `python -m tests.benchmarks.ladder.report` puts it into docs/gate.md.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from pathlib import Path
from typing import Any

import numpy as np

from tests.benchmarks.ladder.gate import MADE_UP, STORED, Family, find_study, make_cards, real_family
from trainer.promotion import Policy, Promote, decide, pairs_to_settle

FIRST = 40
#: True gains of the one challenger, in units of the pair-to-pair spread.
GAINS = (0.0, 0.25, 0.5)
#: A team that is told to bring more than this does not come back.
MOST = 2000


def simulate_settling(
    family: Family, *, gain: float, simulations: int, first: int = FIRST, seed: int = 1, policy: Policy | None = None
) -> dict[str, Any]:
    """`undecided`: simulated teams that are told a number; `median` of it; `asked`: those of them who bring so many in
    all (no more than MOST); `settled`: those who then see the challenger promoted."""
    policy, random = policy or Policy(), np.random.default_rng(seed)
    told: list[int] = []
    asked = settled = 0
    for _ in range(simulations):
        size, saved = family.draw(random, first, 1)
        saved += gain * family.spread * size[:, None]
        verdict = decide(*make_cards(size, saved), policy)
        needed = pairs_to_settle(verdict.comparisons[0].gain, policy.min_gain_bits)
        if isinstance(verdict, Promote) or needed is None:
            continue
        told.append(needed)
        if needed > MOST:
            continue
        asked += 1
        more, saved_there = family.draw(random, needed - first, 1)
        saved_there += gain * family.spread * more[:, None]
        again = decide(*make_cards(np.concatenate([size, more]), np.concatenate([saved, saved_there])), policy)
        settled += isinstance(again, Promote)
    return {
        "undecided": len(told), "median": statistics.median(told) if told else None, "asked": asked, "settled": settled,
    }  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--simulations", type=int, default=500)
    parser.add_argument("--stored", type=Path, default=STORED)
    chosen = parser.parse_args()
    study = find_study(chosen.stored)
    real = real_family(study) if study else None
    rows = []
    for family in (*MADE_UP[:2], *([real] if real else [])):
        for gain in GAINS:
            found = simulate_settling(family, gain=gain, simulations=chosen.simulations)
            rows.append({"family": family.name, "gain": gain, "simulations": chosen.simulations} | found)
            sys.stderr.write(f"{rows[-1]}\n")
    stored = {"first": FIRST, "most": MOST, "rows": rows}
    (chosen.stored / "settling.json").write_text(json.dumps(stored, indent=1), encoding="utf-8")
    sys.stdout.write("settling.json is written.\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
