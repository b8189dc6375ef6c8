"""The advice to move down, by simulation: how often is it given where the lower rung is too much worse?

    python -m tests.benchmarks.ladder.moves_down [--simulations 1000]

The lower rungs are truly worse than the champion by `loss` bits per byte. At the margin itself the advice is an error
that is as likely as any can be; at no loss it is right. Each evaluation goes through the gate (`trainer.promotion`).
Writes docs/ladder/moves_down.json; `python -m tests.benchmarks.ladder.report` makes a part of docs/gate.md of it.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from config.rungs import Rung
from tests.benchmarks.ladder.gate import MADE_UP, SIZES, STORED, Family, find_study, make_cards, real_family
from trainer.promotion import MoveDown, Policy, decide

#: The champion, and the lower rungs that challenge it: one of them, or three at once.
CHAMPION, LOWER = Rung.LORA, (Rung.ZERO_SHOT, Rung.FEW_SHOT, Rung.RETRIEVED)
CHALLENGERS = (1, 3)
#: Bits per byte that every lower rung is truly worse by, beside the margin.
LOSSES = (0.0, 0.1)


def simulate_moves(
    family: Family, pairs: int, challengers: int, *, loss: float, simulations: int, seed: int = 1,
    policy: Policy | None = None,
) -> int:  # fmt: skip
    """In how many simulated evaluations the verdict is to move down to any of them."""
    policy, random = policy or Policy(), np.random.default_rng(seed)
    rungs = {"champion": CHAMPION} | {f"c{number}": LOWER[number] for number in range(challengers)}
    advised = 0
    for _ in range(simulations):
        size, saved = family.draw(random, pairs, challengers)
        champion, others = make_cards(size, saved - loss * size[:, None])
        advised += isinstance(decide(champion, others, policy, rungs), MoveDown)
    return advised


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--simulations", type=int, default=1000)
    parser.add_argument("--stored", type=Path, default=STORED)
    chosen = parser.parse_args()
    study, margin = find_study(chosen.stored), Policy().margin_bits
    real = real_family(study) if study else None
    rows: list[dict[str, Any]] = []
    for family in (*MADE_UP[:2], *([real] if real else [])):
        for challengers in CHALLENGERS:
            for pairs in SIZES:
                advised = {
                    f"{loss:g}": simulate_moves(
                        family, pairs, challengers, loss=loss,
                        simulations=chosen.simulations if loss == margin else chosen.simulations // 2,
                    )
                    for loss in sorted({*LOSSES, margin})
                }  # fmt: skip
                rows.append(
                    {
                        "family": family.name, "challengers": challengers, "pairs": pairs, "spread": family.spread,
                        "simulations": chosen.simulations, "tries": chosen.simulations // 2, "advised": advised,
                    }
                )  # fmt: skip
                sys.stderr.write(f"{rows[-1]}\n")
    stored = {"margin": margin, "rows": rows}
    (chosen.stored / "moves_down.json").write_text(json.dumps(stored, indent=1), encoding="utf-8")
    sys.stdout.write("moves_down.json is written.\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
