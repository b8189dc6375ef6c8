"""Resamples of pairs of which some tell about one another: the bootstrap draws whole groups. Pure numpy.

A conversation of eight pairs says hardly more than one of them: an interval that draws single pairs takes what they
share for evidence eight times over (Field & Welsh 2007; Cameron, Gelbach & Miller 2008: the cluster bootstrap).
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray


def number_groups(kin_groups: Iterable[int | None]) -> NDArray[np.int64]:
    """(pairs,): the number of each pair's group, from 0 on and none left out. A pair of no known group is its own."""
    numbers: dict[tuple[bool, int], int] = {}
    found = [
        numbers.setdefault((group is None, place if group is None else group), len(numbers))
        for place, group in enumerate(kin_groups)
    ]
    return np.array(found, dtype=np.int64)


#: See `count_unrelated`.
EFFECTIVE = 2.5


def count_unrelated(kin_groups: Iterable[int | None]) -> int:
    """For how many pairs that tell nothing about one another these count: a group for one.

    But for EFFECTIVE times the effective number of groups at most (Kish 1965: n² over the sum of their squared sizes):
    where one group holds half of all pairs, an interval over groups hangs on that one, however many single pairs stand
    beside it, and errs far too often (trainer/LOG.md). For groups of one size the effective number is their number.
    """
    sizes = np.bincount(number_groups(kin_groups))
    if not len(sizes):
        return 0
    return min(len(sizes), int(EFFECTIVE * sizes.sum() ** 2 / (sizes**2).sum()))


def sum_by_group(values: NDArray[np.float64], groups: NDArray[np.int64]) -> NDArray[np.float64]:
    """(pairs, …) → (groups, …): the sum over each group's pairs."""
    total = np.zeros((int(groups.max(initial=-1)) + 1, *values.shape[1:]))
    np.add.at(total, groups, values)
    return total


@lru_cache(maxsize=8)
def resample_counts(n: int, resamples: int, seed: int) -> NDArray[np.float64]:
    """How often each of n pairs, or groups of them, is in each resample: (resamples, n)."""
    chosen = np.random.default_rng(seed).integers(0, n, size=(resamples, n))
    counts = np.zeros((resamples, n))
    np.add.at(counts, (np.arange(resamples)[:, None], chosen), 1.0)
    counts.flags.writeable = False
    return counts


def resample_pairs(groups: NDArray[np.int64], resamples: int, seed: int) -> NDArray[np.float64]:
    """How often each pair is in each resample of whole groups: (resamples, pairs). Raises ValueError of no pairs."""
    if not len(groups):
        raise ValueError("There is nothing to resample.")
    counts: NDArray[np.float64] = resample_counts(int(groups.max()) + 1, resamples, seed)[:, groups]
    return counts


def resampled_ratios(
    above: NDArray[np.float64], below: NDArray[np.float64], groups: NDArray[np.int64], resamples: int, seed: int
) -> NDArray[np.float64]:
    """(resamples,): sum(above) / sum(below) over the pairs of each resample. `above`, `below`: (pairs,)."""
    counts = resample_counts(int(groups.max()) + 1, resamples, seed)
    ratios: NDArray[np.float64] = counts @ sum_by_group(above, groups) / (counts @ sum_by_group(below, groups))
    return ratios
