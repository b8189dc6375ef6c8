"""Which approved examples stand in a prompt. The only place where they are chosen: measuring, training and serving
all call it, so that what a rung was measured with is what it serves with.

Two ways: the ones most like a request (`Retriever`), or a fixed set that covers the style (`choose_covering`). Pure:
values in, a choice out. Where the examples come from, and whose they may be, is the caller's matter (db/search.py,
trainer/dataset.py).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray
from rapidfuzz import fuzz

from config.style_terms import find_terms
from config.words import Bag, WordIndex, bag_of, jaccard

#: (dimensions,) float32.
Vector = NDArray[np.float32]

#: What a tokenizer makes of a text is estimated, because the bot has none: bytes a token, so few that it is rather too
#: many tokens; and what a chat template adds to a pair.
BYTES_PER_TOKEN, TEMPLATE_TOKENS = 3.0, 12
#: How many of the best are looked at for diversity.
SHORT_LIST = 64
#: The quality of an example of which nothing is known.
NEUTRAL_QUALITY = 0.5
#: From which likeness of the prompts (0 to 1) and of the completions (0 to 100) on one shown example copies another.
COPY_LIKENESS, COPY_RATIO = 0.95, 80.0
#: What quality weighs beside coverage, and how unusual a length may be.
QUALITY_WEIGHT, LENGTH_SPREADS = 0.1, 3.0
#: A fixed set is chosen from so many examples at most: the time grows with their square.
MOST_COVERED = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """How examples are chosen. The defaults were chosen on validation pairs; trainer/LOG.md has the numbers."""

    #: Examples at most.
    k: int
    #: What they may take of the prompt together, in estimated tokens.
    max_tokens: int = 100_000
    #: Share of the words in the similarity, 0 to 1; the rest is the embedding's.
    lexical_weight: float = 0.5
    #: How much an example loses by being like one that is shown already, 0 to 1.
    diversity: float = 0.3
    #: May an example be shown beside one that says nearly the same?
    may_repeat: bool = False
    #: Below this similarity an example is about something else and only costs tokens.
    min_similarity: float = 0.1
    #: Terms that the style never uses: what stands in a prompt is imitated, so no completion that holds one is shown.
    forbidden: tuple[str, ...] = ()

    def may_show(self, example: Choosable) -> bool:
        """Is it free of forbidden terms? Its request may hold one: people ask in their own words."""
        return not self.forbidden or not find_terms(example.completion, self.forbidden)


class Texts(Protocol):
    """What comparing examples needs to know of one."""

    @property
    def prompt(self) -> str: ...
    @property
    def completion(self) -> str: ...
    @property
    def embedding(self) -> Vector | None:
        """Of the prompt; None until it is computed."""


class Choosable(Texts, Protocol):
    """What a choice needs to know of an example."""

    @property
    def example_id(self) -> str: ...
    @property
    def quality(self) -> float:
        """What people did with it, 0 to 1 (db/quality.py)."""


T = TypeVar("T", bound=Choosable)


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """An example that may be chosen, where no richer value is at hand."""

    example_id: str
    prompt: str
    completion: str
    embedding: Vector | None = None
    quality: float = NEUTRAL_QUALITY


@dataclass(frozen=True, slots=True, kw_only=True)
class Found(Generic[T]):
    """An example that was found for a request."""

    example: T
    #: Weighted sum of the cosine of both prompts' embeddings and of what their words have in common, about 0 to 1;
    #: by words alone where one of them has no embedding.
    similarity: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Entry(Generic[T]):
    """An example with what is computed of its texts, once."""

    example: T
    bag: Bag
    tokens: int


# ------------------------------------------------------------------------------------------------ by request


class Retriever(Generic[T]):
    """Exact search over a pool of examples, by meaning and by words. Built once, asked for every request; it is never
    changed, so threads may share it."""

    def __init__(self, examples: Sequence[T]) -> None:
        self._fill([_entry(one) for one in examples])

    @property
    def examples(self) -> list[T]:
        return [entry.example for entry in self._entries]

    def changed(self, *, gone: Collection[str], new: Sequence[T]) -> Retriever[T]:
        """One with these ids taken out and these examples added; what was computed of the others is kept."""
        other: Retriever[T] = Retriever.__new__(Retriever)
        kept = [entry for entry in self._entries if entry.example.example_id not in gone]
        other._fill([*kept, *(_entry(one) for one in new)])
        return other

    def _fill(self, entries: list[_Entry[T]]) -> None:
        self._entries = sorted(entries, key=lambda entry: entry.example.example_id)
        vectors = [entry.example.embedding for entry in self._entries]
        self._is_embedded = np.array([vector is not None for vector in vectors], dtype=bool)
        known = [vector for vector in vectors if vector is not None]
        self._vectors = unit(np.stack(known)) if known else np.zeros((0, 1), dtype=np.float32)
        self._row = np.cumsum(self._is_embedded) - 1  # of an example, in the vectors
        self._words = WordIndex([entry.bag for entry in self._entries])

    def retrieve(
        self,
        request: str,
        embedding: Vector | None,
        choice: Choice,
        *,
        is_barred: Callable[[T], bool] = lambda example: False,
    ) -> list[Found[T]]:
        """The examples for a request, the least like it first, so that the best one stands next to it.

        `embedding` is the request's, (dimensions,), or None where none could be had: then words are compared, as they
        are for an example that has none yet. `is_barred` says what may never be shown; in training and in measuring
        that is the pair itself and whatever would tell its answer.

        Diversity is maximal marginal relevance (Carbonell & Goldstein 1998); besides, a copy of one that is chosen
        already is passed over, and so is one that does not fit into what is left of the tokens.
        """
        if not self._entries or choice.k < 1:
            return []
        scores = self.similarities(request, embedding, choice.lexical_weight)
        near = np.array(
            self._short_list(scores, choice, lambda one: is_barred(one) or not choice.may_show(one)), dtype=np.int64
        )
        is_left = np.ones(len(near), dtype=bool)
        likeness = np.zeros(len(near))  # to the most similar one that is chosen
        chosen: list[int] = []
        room = choice.max_tokens
        while is_left.any() and len(chosen) < choice.k:
            gains = (1 - choice.diversity) * scores[near] - choice.diversity * likeness
            place = int(np.argmax(np.where(is_left, gains, -np.inf)))
            is_left[place] = False
            best = int(near[place])
            if self._entries[best].tokens > room:
                continue
            room -= self._entries[best].tokens
            chosen.append(best)
            alike = self._likenesses(near, best)
            likeness = np.maximum(likeness, alike)
            if not choice.may_repeat:
                for other in np.flatnonzero(is_left & (alike >= COPY_LIKENESS)):
                    answers = self._entries[best].example, self._entries[near[other]].example
                    is_left[other] = not are_same_answers(*answers)
        chosen.sort(key=lambda i: (scores[i], -i))
        return [Found(example=self._entries[i].example, similarity=float(scores[i])) for i in chosen]

    def similarities(self, request: str, embedding: Vector | None, lexical_weight: float) -> NDArray[np.float32]:
        """(examples,), in the order of `examples`."""
        by_words = self._words.similarities(bag_of(request))
        meaning = by_words.copy()
        if embedding is not None and embedding.size and len(self._vectors):
            meaning[self._is_embedded] = self._vectors @ unit(embedding)
        scores: NDArray[np.float32] = (1 - lexical_weight) * meaning + lexical_weight * by_words
        return scores

    def _short_list(self, scores: NDArray[np.float32], choice: Choice, is_barred: Callable[[T], bool]) -> list[int]:
        """The best, best first, without what is barred; of equal ones the older first."""
        enough = max(SHORT_LIST, 4 * choice.k)
        found: list[int] = []
        wanted = enough
        while True:
            near = np.argpartition(-scores, wanted - 1)[:wanted] if wanted < len(scores) else np.arange(len(scores))
            order = near[np.lexsort((near, -scores[near]))]
            found = [
                int(i) for i in order
                if scores[i] >= choice.min_similarity and not is_barred(self._entries[i].example)
            ][:enough]  # fmt: skip
            if len(found) == enough or wanted >= len(scores) or scores[order[-1]] < choice.min_similarity:
                return found
            wanted *= 4

    def _likenesses(self, some: NDArray[np.int64], one: int) -> NDArray[np.float64]:
        """(some,): how like one example these are, by their prompts."""
        found = np.zeros(len(some))
        by_meaning = self._is_embedded[some] & self._is_embedded[one]
        if by_meaning.any():
            found[by_meaning] = self._vectors[self._row[some[by_meaning]]] @ self._vectors[self._row[one]]
        for place in np.flatnonzero(~by_meaning):
            found[place] = jaccard(self._entries[some[place]].bag, self._entries[one].bag)
        return found


def _entry(example: T) -> _Entry[T]:
    return _Entry(example=example, bag=bag_of(example.prompt), tokens=estimate_tokens(example))


def estimate_tokens(example: Choosable) -> int:
    """What a pair takes in a prompt, rather too many."""
    size = len(example.prompt.encode("utf-8", "replace")) + len(example.completion.encode("utf-8", "replace"))
    return math.ceil(size / BYTES_PER_TOKEN) + TEMPLATE_TOKENS


# ------------------------------------------------------------------------------------------------ a fixed set


def choose_covering(examples: Sequence[T], choice: Choice) -> list[T]:
    """What `few_shot` shows: examples that together stand for the style, always the same ones for the same examples.

    Coverage is facility location on the embeddings: every example counts by the cosine to the nearest one that is
    shown, and greedy choice reaches 63 % of the best set at least (Nemhauser, Wolsey & Fisher 1978). k-center, which
    takes whatever is farthest from all chosen so far, picks outliers first; here one covers nobody but itself. Added
    to it is quality: what people did with the example, and a length that is typical of the style. Of unusual length
    (more than LENGTH_SPREADS robust deviations from the median, in logarithms) none is shown, nor a near-copy of one
    that is shown already. The tokens are bounded. The one that stands for most comes last, next to the request.
    """
    shown = [one for one in examples if choice.may_show(one)]
    pool = spread_evenly(sorted(shown, key=lambda one: one.example_id), MOST_COVERED)
    if not pool:
        return []
    distances = _length_distances([len(one.completion) for one in pool])
    merit = np.array([one.quality for one in pool]) * np.exp(-distances / LENGTH_SPREADS)
    likeness = _likeness_matrix(pool)
    covered = np.zeros(len(pool))
    may_be_shown = distances <= LENGTH_SPREADS
    chosen: list[int] = []
    room = choice.max_tokens
    while len(chosen) < choice.k and may_be_shown.any():
        gains = np.maximum(likeness - covered, 0).mean(axis=1) + QUALITY_WEIGHT * merit
        best = int(np.argmax(np.where(may_be_shown, gains, -np.inf)))
        may_be_shown[best] = False
        if estimate_tokens(pool[best]) > room:
            continue
        room -= estimate_tokens(pool[best])
        chosen.append(best)
        covered = np.maximum(covered, likeness[best])
        for other in np.flatnonzero(may_be_shown & (likeness[best] >= COPY_LIKENESS)):
            may_be_shown[other] = not are_same_answers(pool[best], pool[int(other)])
    return [pool[index] for index in reversed(chosen)]


def are_same_answers(one: Choosable, other: Choosable) -> bool:
    """Do these completions say nearly the same?"""
    return fuzz.ratio(one.completion, other.completion, score_cutoff=COPY_RATIO) > 0


def spread_evenly(ordered: list[T], most: int) -> list[T]:
    """So many of them at most, from beginning to end."""
    if len(ordered) <= most:
        return ordered
    return [ordered[int(place)] for place in np.linspace(0, len(ordered) - 1, most)]


def _length_distances(lengths: Sequence[int]) -> NDArray[np.float64]:
    """How far each length is from the middle one, in robust deviations of their logarithms."""
    logs = np.log1p(np.array(lengths, dtype=np.float64))
    away = np.abs(logs - np.median(logs))
    # A floor, so that among texts of one length a letter more is not unusual.
    found: NDArray[np.float64] = away / max(1.4826 * float(np.median(away)), 0.2)
    return found


def _likeness_matrix(pool: Sequence[Choosable]) -> NDArray[np.float32]:
    """(n, n), 0 to 1: of the prompts' embeddings where both have one, and nothing otherwise."""
    likeness = np.eye(len(pool), dtype=np.float32)
    known = [index for index, one in enumerate(pool) if one.embedding is not None]
    if known:
        vectors = unit(np.stack([one.embedding for one in pool if one.embedding is not None]))
        likeness[np.ix_(known, known)] = np.clip(vectors @ vectors.T, 0, 1)
    return likeness


def unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """The same directions with length 1, along the last axis; zeros stay zeros."""
    norms = np.linalg.norm(vectors, axis=-1, keepdims=True)
    result: NDArray[np.float32] = (vectors / np.maximum(norms, 1e-12)).astype(np.float32)
    return result
