"""What the drafts of the unseen pairs score, candidate against champion, draft by draft. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from config.resampling import count_unrelated, number_groups, resampled_ratios

#: Fewer drafts than this say nothing yet.
MIN_DRAFTS = 10
RESAMPLES = 1000
#: How many standard errors a 95 % interval reaches to each side.
Z_95 = 1.96
#: What a draft scores, as a stored scorecard calls it; more is better.
FIGURES = ("chrf", "edit_similarity", "exact")
#: Whether it has the form of the house, and whether it keeps to the style's terms: known of a draft of which there is
#: something to keep, and measured by no early version.
IN_FORM, KEEPS_TERMS = "in_form", "keeps_terms"
#: What a draft has or has not: compared as shares.
SHARES = frozenset({"exact", IN_FORM, KEEPS_TERMS})

#: Example id → its stored scores, of the pairs for which a text was drafted.
DraftScores = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """How much more one candidate scores than another on the same drafts, with its 95 % interval."""

    mean: float
    low: float
    high: float
    #: How many drafts of each.
    n: int


def read_draft_scores(pairs: Sequence[Mapping[str, Any]]) -> DraftScores:
    """Of a stored scorecard's pairs; the answers of a style that classifies are no drafts."""
    return {pair["example_id"]: pair for pair in pairs if pair.get("chrf") is not None}


def compare_drafts(
    champion: DraftScores, other: DraftScores, figures: Sequence[str] = FIGURES
) -> dict[str, Difference]:
    """By figure, positive where `other` is better; without those that fewer than MIN_DRAFTS drafts of the same pairs
    have on both sides.

    Of scores by the paired bootstrap, which resamples whole pairs, or groups of related ones; of SHARES by
    `_compare_shares`.
    """
    both = [(theirs, other[key]) for key, theirs in champion.items() if key in other]
    found = {}
    for figure in figures:
        known = [(theirs, mine) for theirs, mine in both if None not in (theirs.get(figure), mine.get(figure))]
        if len(known) < MIN_DRAFTS:
            continue
        kin_groups = [theirs.get("kin_group") for theirs, _ in known]
        gains = np.array([float(mine[figure]) - float(theirs[figure]) for theirs, mine in known])
        if figure in SHARES:
            found[figure] = _compare_shares(gains, count_unrelated(kin_groups))
            continue
        means = resampled_ratios(gains, np.ones(len(gains)), number_groups(kin_groups), RESAMPLES, seed=0)
        low, high = np.quantile(means, [0.025, 0.975])
        found[figure] = Difference(mean=float(gains.mean()), low=float(low), high=float(high), n=len(known))
    return found


def _compare_shares(gains: NDArray[np.float64], unrelated: int) -> Difference:
    """By how much one share is larger than another of the same drafts; `gains` (drafts,): 1 where only the first has
    it, −1 where only the other has, 0 where both or neither.

    Agresti & Min (2005): half a draft more of each of the four kinds before the usual interval of matched shares. The
    bootstrap cannot know what no draft shows: of 20 drafts that all agree it says that the shares are equal for
    certain, and where one draft in twenty differs its 95 % interval holds the truth in 64 of 100 cases (this one in 99;
    tests/unit/bot/domain/test_draft_figures.py). Related drafts count for `unrelated` ones.
    """
    n = len(gains)
    weight = unrelated / n
    total, apart = weight * float(gains.sum()), weight * float(np.abs(gains).sum())
    middle = total / (unrelated + 2)
    reach = Z_95 * math.sqrt(apart + 1 - total * middle) / (unrelated + 2)
    low, high = max(-1.0, middle - reach), min(1.0, middle + reach)
    return Difference(mean=float(gains.mean()), low=low, high=high, n=n)
