"""Lexical search: BM25 over the words of many texts (Robertson & Zaragoza 2009, in Lucene's form), numpy only.

Each posting's weight is computed when the index is built, as BM25S does (Lù 2024, arXiv 2407.03618), so that a query is
a few additions. Ours and not the library because the words of a text are kept beside it: an index with one text more is
put together again without reading the others.
"""

from __future__ import annotations

import re
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from config.likeness import UNSPACED, normalise

#: How soon more of the same word stops counting, and how much a long text is held back.
K1, B = 1.5, 0.75
#: Postings looked at for one query at most, those of the rarest words first: what bounds the time of a long request.
MOST_POSTINGS = 400_000

#: Texts that are imagined beside the real ones, without any of their words: a handful does not tell how rare a word is.
PRIOR_TEXTS = 20

_WORD = re.compile(r"\w+")
#: Scripts that put no blanks between words are compared by pairs of characters.
_UNSPACED = re.compile(UNSPACED + "{2,}")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Bag:
    """The words of a text by their hashes, ascending, and how often each is there."""

    words: NDArray[np.uint32]
    counts: NDArray[np.float32]

    @property
    def length(self) -> float:
        return float(self.counts.sum())


def bag_of(text: str) -> Bag:
    """Case, forms of characters and punctuation do not count."""
    counted = Counter(zlib.crc32(word.encode("utf-8", "surrogatepass")) for word in _words(normalise(text)))
    words = np.array(sorted(counted), dtype=np.uint32)
    return Bag(words=words, counts=np.array([counted[int(word)] for word in words], dtype=np.float32))


def _words(text: str) -> list[str]:
    found: list[str] = []
    for word in _WORD.findall(text):
        if _UNSPACED.search(word):
            found += [word[start : start + 2] for start in range(len(word) - 1)]
        else:
            found.append(word)
    return found


def jaccard(one: Bag, other: Bag) -> float:
    """Share of the words of either that both have, 0 to 1."""
    both = len(np.intersect1d(one.words, other.words, assume_unique=True))
    return both / max(len(one.words) + len(other.words) - both, 1)


class WordIndex:
    """BM25 over bags. Never changed once built."""

    def __init__(self, bags: Sequence[Bag]) -> None:
        self._n = len(bags)
        sizes = np.array([len(bag.words) for bag in bags], dtype=np.int64)
        words = np.concatenate([bag.words for bag in bags]) if bags else np.zeros(0, dtype=np.uint32)
        counts = np.concatenate([bag.counts for bag in bags]) if bags else np.zeros(0, dtype=np.float32)
        texts = np.repeat(np.arange(self._n, dtype=np.int32), sizes)
        order = np.argsort(words, kind="stable")
        self._texts, words, counts = texts[order], words[order], counts[order]
        self._vocabulary, self._starts = np.unique(words, return_index=True)
        self._frequencies = np.diff(np.append(self._starts, len(words)))  # in how many texts a word is
        self._mean_length = float(counts.sum()) / max(self._n, 1) or 1.0
        lengths = np.array([bag.length for bag in bags], dtype=np.float32)[self._texts]
        idf = np.repeat(self._idf(self._frequencies), self._frequencies)
        self._weights = (idf * self._saturated(counts, lengths)).astype(np.float32)

    def similarities(self, query: Bag) -> NDArray[np.float32]:
        """(texts,): each text's BM25 score, as a share of what the query itself would score; about 0 to 1.

        The share makes scores of different requests comparable, which a cut-off and a sum with a cosine need.
        """
        scores = np.zeros(self._n, dtype=np.float32)
        if not len(self._vocabulary) or not len(query.words):
            return scores
        places = np.minimum(np.searchsorted(self._vocabulary, query.words), len(self._vocabulary) - 1)
        is_known = self._vocabulary[places] == query.words
        frequencies = np.where(is_known, self._frequencies[places], 0)
        looked_at = 0
        for index in np.argsort(frequencies, kind="stable"):
            if not is_known[index]:
                continue
            looked_at += int(frequencies[index])
            if looked_at > MOST_POSTINGS:
                break
            span = slice(self._starts[places[index]], self._starts[places[index]] + frequencies[index])
            scores[self._texts[span]] += self._weights[span]
        own = self._idf(frequencies) * self._saturated(query.counts, np.full(len(query.counts), query.length))
        shares: NDArray[np.float32] = np.minimum(scores / max(float(own.sum()), 1e-9), 1.0).astype(np.float32)
        return shares

    def _idf(self, frequencies: NDArray[np.int64]) -> NDArray[np.float64]:
        texts = self._n + PRIOR_TEXTS
        inverse: NDArray[np.float64] = np.log1p((texts - frequencies + 0.5) / (frequencies + 0.5))
        return inverse

    def _saturated(self, counts: NDArray[np.float32], lengths: NDArray[np.float32]) -> NDArray[np.floating[Any]]:
        held_back = 1 - B + B * lengths / self._mean_length
        part: NDArray[np.floating[Any]] = counts * (K1 + 1) / (counts + K1 * held_back)
        return part
