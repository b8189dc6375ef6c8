"""When two pairs are the same pair: equal once normalised (exact), or nearly so (near).

Only a normalised copy is ever compared; what was typed is stored as it was typed. Two pairs are near duplicates when
prompt and completion together are at least 95 % alike and each by itself at least 90 %, so that a corrected
completion under the same long prompt is not mistaken for the draft it corrects. For labels the completion must be
equal: the same ticket with another label is a contradiction and not a duplicate.
"""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rapidfuzz import fuzz

from config.likeness import ZERO_WIDTH, normalise

#: Percent, of both texts together and of each.
NEAR_TOGETHER = 95.0
NEAR_EACH = 90.0

_BINS = 64


def count_visible(text: str) -> int:
    """Characters that a reader can see."""
    return sum(unicodedata.category(c)[0] not in "CZ" for c in ZERO_WIDTH.sub("", text))


@dataclass(frozen=True, slots=True, kw_only=True)
class NormalPair:
    """A pair, normalised, with the key that its owner knows it by."""

    key: str
    prompt: str
    completion: str

    @property
    def content_hash(self) -> str:
        """`sha256:…`, equal for exact duplicates."""
        text = json.dumps([self.prompt, self.completion], ensure_ascii=False)
        return f"sha256:{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()}"

    @property
    def together(self) -> str:
        return f"{self.prompt}\n{self.completion}"


def normal_pair(key: str, prompt: str, completion: str) -> NormalPair:
    return NormalPair(key=key, prompt=normalise(prompt), completion=normalise(completion))


def are_near(one: NormalPair, other: NormalPair, *, labels: bool = False) -> bool:
    """Are these the same pair, but for a slip of the pen? `labels`: completions must be equal."""
    if labels and one.completion != other.completion:
        return False
    return (
        fuzz.ratio(one.together, other.together, score_cutoff=NEAR_TOGETHER) > 0
        and fuzz.ratio(one.completion, other.completion, score_cutoff=NEAR_EACH) > 0
        and fuzz.ratio(one.prompt, other.prompt, score_cutoff=NEAR_EACH) > 0
    )


def find_near_duplicate(pair: NormalPair, known: Sequence[NormalPair], *, labels: bool = False) -> NormalPair | None:
    """The first of `known` that is the same pair, exactly or nearly."""
    return next((other for other in known if are_near(pair, other, labels=labels)), None)


def collapse(
    new: Sequence[NormalPair], known: Sequence[NormalPair] = (), *, labels: bool = False
) -> list[NormalPair | None]:
    """For each new pair, the pair that it duplicates (one known, or an earlier one that was kept), or None.

    For n pairs this is far from n² comparisons: near duplicates have similar lengths and similar counts of letters,
    and both are compared in bulk before a single pair of texts is.
    """
    pairs = [*known, *new]
    first_of: dict[str, int] = {}
    exact: dict[int, int] = {}
    for index, pair in enumerate(pairs):
        earlier = first_of.setdefault(pair.content_hash, index)
        if earlier != index:
            exact[index] = earlier
    near: dict[int, list[int]] = {}
    distinct = [index for index in range(len(pairs)) if index not in exact]
    for a, b in _candidates([pairs[index].together for index in distinct]):
        earlier, later = sorted((distinct[a], distinct[b]))
        if later >= len(known) and are_near(pairs[earlier], pairs[later], labels=labels):
            near.setdefault(later, []).append(earlier)
    found: dict[int, int] = {}
    for index in range(len(known), len(pairs)):
        if index in exact:
            found[index] = found.get(exact[index], exact[index])
            continue
        kept = [other for other in sorted(near.get(index, ())) if other not in found]
        if kept:
            found[index] = kept[0]
    return [pairs[found[i]] if i in found else None for i in range(len(known), len(pairs))]


def _candidates(texts: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Index pairs that may be near: whatever this leaves out is provably less alike than NEAR_TOGETHER.

    A ratio of r means (1 - r) x (length + length) insertions and deletions at most, and each of them changes the
    count of one letter by one. Counts are kept in bins, which can only bring two texts closer together.
    """
    if len(texts) < 2:
        return
    lengths = np.array([len(text) for text in texts], dtype=np.int32)
    order = np.argsort(lengths, kind="stable")
    lengths = lengths[order]
    counts = np.stack([_letter_counts(texts[index]) for index in order])  # (n, bins)
    share = 1.0 - NEAR_TOGETHER / 100.0
    for position in range(len(texts) - 1):
        most = lengths[position] * (1.0 + share) / (1.0 - share)
        end = int(np.searchsorted(lengths, most, side="right"))
        others = slice(position + 1, end)
        if end <= position + 1:
            continue
        apart = np.abs(counts[others] - counts[position]).sum(axis=1, dtype=np.int32)
        allowed = share * (lengths[others] + lengths[position]) + 1e-6
        for other in np.flatnonzero(apart <= allowed):
            yield int(order[position]), int(order[position + 1 + int(other)])


def _letter_counts(text: str) -> NDArray[np.int16]:
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")
    return np.bincount(codes % _BINS, minlength=_BINS).astype(np.int16)
