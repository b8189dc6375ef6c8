"""Run after run: how often does the gate promote anything by luck when a team's runs look again and again?

    python -m tests.benchmarks.ladder.looks [--teams 500]

A team's first run has FIRST unseen pairs, and each later one a tenth more. No challenger is ever truly better. Each
look goes through the gate itself (`trainer.promotion.decide`). What counts is that any of the first k runs promoted
anything. Writes docs/ladder/looks.json; `python -m tests.benchmarks.ladder.report` makes a part of docs/gate.md of it.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np

from tests.benchmarks.ladder.gate import CHALLENGERS, SHARED, STORED, Floats, heavy, make_cards
from trainer.promotion import Policy, Promote, decide

LOOKS = (1, 4, 12)
FIRST, GROWTH = 40, 1.1
_MEAN_BYTES, _SPREAD = 47.0, 0.25


class Again(StrEnum):
    """What a later run has in common with those before it."""

    SAME = "the same challengers"  #: Prompts, which stay what they are: only the new pairs are new.
    TRAINED_ANEW = (
        "trained anew"  #: On the same pairs and the new ones, but each run's challengers err in other places.
    )
    OTHER_PAIRS = "other pairs each time"  #: As where every run judged by pairs that none looked at before.


def run_sizes(looks: int) -> list[int]:
    """How many unseen pairs each run has."""
    return [round(FIRST * GROWTH**look) for look in range(looks)]


def draw_looks(
    random: np.random.Generator, challengers: int, again: Again, looks: int
) -> Iterator[tuple[Floats, Floats]]:
    """Each run's pairs: their bytes, and what each challenger saves on them. (pairs,) and (pairs, challengers)."""
    most = run_sizes(looks)[-1]

    def own() -> Floats:
        return heavy(random, (most, challengers))

    def pairs() -> tuple[Floats, Floats]:
        return random.integers(15, 80, most).astype(float), heavy(random, (most, 1))

    (size, of_champion), of_challengers = pairs(), own()
    for count in run_sizes(looks):
        mixed = math.sqrt(SHARED) * of_champion + math.sqrt(1 - SHARED) * of_challengers
        yield size[:count], (np.sqrt(size * _MEAN_BYTES)[:, None] * _SPREAD * mixed)[:count]
        if again is not Again.SAME:
            of_challengers = own()
        if again is Again.OTHER_PAIRS:
            size, of_champion = pairs()


def first_promotions(
    challengers: int, again: Again, *, teams: int, looks: int = LOOKS[-1], seed: int = 1, policy: Policy | None = None
) -> list[int | None]:
    """Of each team the run (from 1 on) that first promoted something; None where none did."""
    random, policy = np.random.default_rng(seed), policy or Policy()
    found: list[int | None] = []
    for _ in range(teams):
        runs = enumerate(draw_looks(random, challengers, again, looks), start=1)
        found.append(next((run for run, one in runs if isinstance(decide(*make_cards(*one), policy), Promote)), None))
    return found


def count_within(promoted: list[int | None], looks: int) -> int:
    """Teams of which one of the first so many runs promoted something."""
    return sum(run is not None and run <= looks for run in promoted)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--teams", type=int, default=500)
    parser.add_argument("--stored", type=Path, default=STORED)
    chosen = parser.parse_args()
    rows: list[dict[str, Any]] = []
    for challengers in CHALLENGERS:
        for again in Again:
            promoted = first_promotions(challengers, again, teams=chosen.teams)
            counts = {str(looks): count_within(promoted, looks) for looks in LOOKS}
            rows.append({"challengers": challengers, "again": again.value, "teams": chosen.teams, "promoted": counts})
            sys.stderr.write(f"{rows[-1]}\n")
    stored = {"first": FIRST, "growth": GROWTH, "sizes": run_sizes(LOOKS[-1]), "rows": rows}
    (chosen.stored / "looks.json").write_text(json.dumps(stored, indent=1), encoding="utf-8")
    sys.stdout.write("looks.json is written.\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
