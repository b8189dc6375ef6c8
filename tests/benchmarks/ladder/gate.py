"""The gate's chances, by simulation: how often it promotes what is not better, and how often it finds what is.

    python -m tests.benchmarks.ladder.gate [--simulations 1000] [--families "real pairs"]

Every simulated evaluation goes through the gate itself (`trainer.promotion.decide`). Writes docs/ladder/gate.json;
`python -m tests.benchmarks.ladder.report` makes docs/gate.md of it.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import cycle, islice, permutations
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from config.resampling import resample_counts
from trainer.metrics import PairScore, Scorecard
from trainer.promotion import Policy, Promote, decide

STORED = Path(__file__).resolve().parents[3] / "docs" / "ladder"
SIZES, CHALLENGERS = (20, 40, 80, 160), (1, 4)
#: Of a family whose pairs come in groups: so many groups.
GROUPS = (20, 40)
#: True gains to find, in units of the pair-to-pair spread of the difference.
GAINS = (0.25, 0.5)
Floats = NDArray[np.float64]
#: (random, pairs, challengers) → bytes of each pair, and bits that each challenger saves on it, whose true gains are 0.
Draw = Callable[[np.random.Generator, int, int], tuple[Floats, Floats]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """A population of pairs on which no challenger is truly better."""

    name: str
    #: For people who read the table.
    described: str
    draw: Draw
    #: Standard deviation over pairs of what a challenger saves, in bits per byte of a mean pair.
    spread: float
    #: How many pairs each group has, in turn; those of a group tell about one another.
    group_sizes: tuple[int, ...] = (1,)

    @property
    def has_groups(self) -> bool:
        return self.group_sizes != (1,)

    @property
    def sizes(self) -> list[int]:
        """How many pairs are simulated."""
        if not self.has_groups:
            return list(SIZES)
        whole = len(self.group_sizes)
        counts = GROUPS if whole < max(GROUPS) else (whole, 2 * whole)
        return [sum(islice(cycle(self.group_sizes), count)) for count in counts]

    def groups_of(self, pairs: int) -> NDArray[np.int64]:
        """(pairs,): the group of each."""
        return _groups(self.group_sizes, pairs)


def _groups(group_sizes: Sequence[int], pairs: int) -> NDArray[np.int64]:
    return np.repeat(np.arange(pairs), list(islice(cycle(group_sizes), pairs)))[:pairs]


# ------------------------------------------------------------------------------------------------ made up

#: What two challengers' differences have in common: both are measured against the same champion.
SHARED = 0.6
_MEAN_BYTES = 47.0


def make_family(
    name: str, described: str, noise: Callable[[np.random.Generator, tuple[int, int]], Floats], *,
    group_sizes: tuple[int, ...] = (1,), correlation: float = 0.0,
) -> Family:  # fmt: skip
    """`noise` has mean 0 and variance 1. A pair's difference grows with the root of its length, as a sum does, and is
    correlated so much with that of another pair of its group."""

    def mixed(random: np.random.Generator, count: int, challengers: int) -> Floats:
        own, common = noise(random, (count, challengers)), noise(random, (count, 1))
        return math.sqrt(SHARED) * common + math.sqrt(1 - SHARED) * own

    def draw(random: np.random.Generator, pairs: int, challengers: int) -> tuple[Floats, Floats]:
        size = random.integers(15, 80, pairs).astype(float)
        saved = mixed(random, pairs, challengers)
        if correlation:
            groups = _groups(group_sizes, pairs)
            of_groups = mixed(random, int(groups.max()) + 1, challengers)[groups]
            saved = math.sqrt(correlation) * of_groups + math.sqrt(1 - correlation) * saved
        return size, np.sqrt(size * _MEAN_BYTES)[:, None] * 0.25 * saved

    return Family(name=name, described=described, draw=draw, spread=0.25, group_sizes=group_sizes)


def heavy(random: np.random.Generator, shape: tuple[int, int]) -> Floats:
    """Student's t with 5 degrees of freedom, mean 0 and variance 1."""
    return random.standard_t(5, shape) / math.sqrt(5 / 3)


def _losing(sigma: float) -> Callable[[np.random.Generator, tuple[int, int]], Floats]:
    """Mostly a little better, now and then much worse: the mirrored lognormal, standardised."""
    mean, spread = math.exp(sigma**2 / 2), math.sqrt((math.exp(sigma**2) - 1) * math.exp(sigma**2))
    return lambda random, shape: (mean - random.lognormal(0, sigma, shape)) / spread


MADE_UP = (
    make_family("heavy tails", "Student's t with 5 degrees of freedom, either way alike", heavy),
    make_family("skewed", "mostly a little better, now and then much worse (lognormal, skewness −2.3)", _losing(0.6)),
    make_family("very skewed", "the same, far worse (skewness −6.2); beyond what the gate promises", _losing(1.0)),
)
#: Pairs that tell about one another: a conversation, near-duplicates, one author's burst.
IN_GROUPS = (
    *(
        make_family(
            f"groups of {pairs}, {correlation}",
            f"heavy tails in groups of {pairs}, whose differences are correlated by {correlation}",
            heavy, group_sizes=(pairs,), correlation=correlation,
        )
        for pairs in (4, 8)
        for correlation in (0.1, 0.3)
    ),
    make_family(
        "mixed groups", "skewed, in groups of 1, 1, 1, 2, 4 and 9 in turn, correlated by 0.3", _losing(0.6),
        group_sizes=(1, 1, 1, 2, 4, 9), correlation=0.3,
    ),
    make_family(
        "one large group", "heavy tails, 40 single pairs to each group of 20, correlated by 0.3", heavy,
        group_sizes=(20, *(1 for _ in range(40))), correlation=0.3,
    ),
)  # fmt: skip

# ------------------------------------------------------------------------------------------------ real pairs


#: Those of a study, the challengers of `real_family` in this order.
RUNGS = ("lora", "lora_retrieved", "few_shot", "zero_shot", "retrieved")


def real_family(
    study: dict[str, Any], champion: str = "retrieved", challengers: Sequence[str] = RUNGS
) -> Family | None:  # fmt: skip
    """Resamples the pairs of a stored study, each challenger's differences moved so that its true gain is 0; None when
    it holds no champion with a challenger. What the challengers have in common is kept."""
    cards = study["cards"]
    others = [rung for rung in challengers if rung in cards and rung != champion]
    if champion not in cards or not others:
        return None
    size = np.array(cards[champion]["reference_bytes"], dtype=float)
    own = np.array(cards[champion]["nll_nats"]) / math.log(2)
    saved = np.array([own - np.array(cards[rung]["nll_nats"]) / math.log(2) for rung in others]).T
    saved = saved - saved.sum(axis=0) / size.sum() * size[:, None]
    spread = float(np.sqrt((saved[:, 0] ** 2).mean()) / size.mean())
    skewness = float((saved[:, 0] ** 3).mean() / (saved[:, 0] ** 2).mean() ** 1.5)

    def draw(random: np.random.Generator, pairs: int, challengers: int) -> tuple[Floats, Floats]:
        chosen = random.integers(0, len(size), pairs)
        return size[chosen], saved[chosen][:, np.arange(challengers) % len(others)]

    described = (
        f"{len(size)} unseen pairs of the study ({study['train']} training pairs): {', '.join(others)} against "
        f"{champion}; spread {spread:.2f} bits per byte, skewness {skewness:+.1f} ({others[0]})"
    )
    return Family(name="real pairs", described=described, draw=draw, spread=spread)


def list_studies(folder: Path) -> list[Path]:
    """The files of `study`, whatever they were named for."""
    return sorted([*folder.glob("synopsis-*.json"), *folder.glob("truth-*.json")])


def _read(file: Path) -> dict[str, Any]:
    study: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return study


def find_study(folder: Path) -> dict[str, Any] | None:
    """The stored study with the most unseen pairs, of the most training pairs."""
    studies = [_read(file) for file in list_studies(folder)]
    known = [study for study in studies if "retrieved" in study.get("cards", {}) and len(study["cards"]) > 1]
    return max(known, key=lambda study: (study["unseen"], study["train"]), default=None)


#: Every rung as champion against every other one, on so many pairs.
PAIRING_SIZES = (20, 30, 40, 60, 80)


def measure_pairings(study: dict[str, Any], name: str, simulations: int) -> dict[str, Any]:
    """By number of pairs, of every champion with every single challenger: how many of the simulations promote by luck.

    The largest of many counts is partly luck itself, so that pairing is simulated once more, with other draws.
    """
    rungs = [rung for rung in RUNGS if rung in study["cards"]]
    rows = []
    for pairs in PAIRING_SIZES:
        found: dict[tuple[str, str], int] = {}
        for champion, challenger in permutations(rungs, 2):
            family = real_family(study, champion, [challenger])
            assert family is not None
            found[champion, challenger] = simulate(family, pairs, 1, simulations=simulations)[0]
        worst = max(found, key=lambda one: found[one])
        again = real_family(study, worst[0], [worst[1]])
        assert again is not None
        rows.append(
            {
                "pairs": pairs, "pairings": len(found), "median": statistics.median(found.values()),
                "simulations": simulations, "champion": worst[0], "challenger": worst[1], "most": found[worst],
                "again": simulate(again, pairs, 1, simulations=2 * simulations, seed=3)[0],
            }
        )  # fmt: skip
        sys.stderr.write(f"{name}: {rows[-1]}\n")
    return {"study": name, "unseen": study["unseen"], "rows": rows}


# ------------------------------------------------------------------------------------------------ the simulation


def simulate(
    family: Family, pairs: int, challengers: int, *, gain: float = 0.0, simulations: int, seed: int = 1,
    policy: Policy | None = None,
) -> tuple[int, int]:  # fmt: skip
    """In how many simulated evaluations the gate promotes a challenger, and in how many its predecessor would have:
    where pairs come in groups, the same with single pairs as the unit, otherwise percentiles.

    `gain`: of the first challenger, in spreads; the others are no better than the champion. With a gain only the
    first one's promotion counts. Every number of pairs sees the same draws under every policy.
    """
    policy = policy or Policy()
    random = np.random.default_rng(seed)
    groups = family.groups_of(pairs) if family.has_groups else None
    promoted = before = 0
    for _ in range(simulations):
        size, saved = family.draw(random, pairs, challengers)
        saved[:, 0] += gain * family.spread * size
        verdict = decide(*make_cards(size, saved, groups), policy)
        promoted += isinstance(verdict, Promote) and (not gain or verdict.rung == "c0")
        if not gain and groups is not None:
            before += isinstance(decide(*make_cards(size, saved), policy), Promote)
        elif not gain:
            before += _promotes_by_percentiles(size, saved, policy)
    return promoted, before


def make_cards(
    size: Floats, saved: Floats, groups: NDArray[np.int64] | None = None
) -> tuple[Scorecard, list[Scorecard]]:  # fmt: skip
    champion = np.full(len(size), 200.0)
    kin_groups = [None] * len(size) if groups is None else groups.tolist()

    def card(name: str, bits: Floats) -> Scorecard:
        pairs = tuple(
            PairScore(
                example_id=str(n), nll_nats=float(b) * math.log(2), reference_bytes=int(s), prompt_tokens=0, kin_group=g
            )
            for n, (b, s, g) in enumerate(zip(bits, size, kin_groups, strict=True))
        )
        return Scorecard(rung=name, pairs=pairs, seconds_per_draft=0.0, scoring_seconds=0.0)

    return card("champion", champion), [card(f"c{n}", champion - column) for n, column in enumerate(saved.T)]


def _promotes_by_percentiles(size: Floats, saved: Floats, policy: Policy) -> bool:
    """What the gate did before: the percentile interval of each challenger, corrected after Bonferroni."""
    counts = resample_counts(len(size), policy.resamples, policy.seed)
    ratios = counts @ saved / (counts @ size)[:, None]
    return bool((np.quantile(ratios, policy.false_promotion_rate / saved.shape[1] / 2, axis=0) > 0).any())


def share_interval(count: int, of: int) -> tuple[float, float, float]:
    """A share with its 95 % interval (Wilson 1927)."""
    z, share = 1.96, count / of
    middle = (share + z * z / (2 * of)) / (1 + z * z / of)
    reach = z * math.sqrt(share * (1 - share) / of + z * z / (4 * of * of)) / (1 + z * z / of)
    return share, max(middle - reach, 0.0), min(middle + reach, 1.0)


def measure(families: Sequence[Family], simulations: int) -> list[dict[str, Any]]:
    rows = []
    for family in families:
        for challengers in CHALLENGERS:
            for pairs in family.sizes:
                false, before = simulate(family, pairs, challengers, simulations=simulations)
                found = {
                    str(gain): simulate(family, pairs, challengers, gain=gain, simulations=simulations // 2, seed=2)[0]
                    for gain in GAINS
                }
                rows.append(
                    {
                        "family": family.name, "described": family.described, "challengers": challengers,
                        "pairs": pairs, "simulations": simulations, "false": false,
                        "by_single_pairs" if family.has_groups else "by_percentiles": before,
                        "groups": len(set(family.groups_of(pairs).tolist())), "tries": simulations // 2, "found": found,
                        "spread": family.spread,
                    }
                )  # fmt: skip
                sys.stderr.write(f"{rows[-1]}\n")
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--simulations", type=int, default=1000)
    parser.add_argument("--stored", type=Path, default=STORED)
    parser.add_argument(
        "--families", nargs="*", help="measure these alone, and keep what is stored of the others, and of the pairings"
    )
    chosen = parser.parse_args()
    study = find_study(chosen.stored)
    real = real_family(study) if study else None
    if real is None:
        sys.stderr.write(f"No study with an adapter is stored in {chosen.stored}: made-up differences only.\n")
    known = [*MADE_UP, *IN_GROUPS, *([real] if real else [])]
    wanted = [one for one in known if chosen.families is None or one.name in chosen.families]
    target = chosen.stored / "gate.json"
    stored = json.loads(target.read_text(encoding="utf-8")) if target.exists() else {"rows": []}
    rows = [row for row in stored["rows"] if row["family"] not in {one.name for one in wanted}]
    rows += measure(wanted, chosen.simulations)
    pairings = stored.get("pairings", [])
    if chosen.families is None:
        files = list_studies(chosen.stored)
        pairings = [measure_pairings(_read(file), file.stem, chosen.simulations) for file in files]
    chosen.stored.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps({"rows": rows, "pairings": pairings}, indent=1), encoding="utf-8")
    sys.stdout.write("gate.json is written.\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
