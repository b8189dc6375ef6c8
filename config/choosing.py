"""Which approved examples stand in a prompt. The only place where they are chosen: measuring, training and serving
all call it, so that what a rung was measured with is what it serves with.

Two ways: the ones most like a request (`Retriever`), or a fixed set that covers the style (`choose_covering`). Pure:
values in, a choice out. Where the examples come from, and whose they may be, is the caller's matter (db/search.py,
trainer/dataset.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray
from rapidfuzz import fuzz, process

from config.likeness import normalise

#: (dimensions,) float32.
Vector = NDArray[np.float32]

#: Below this similarity an example is about something else and only costs tokens.
MIN_SIMILARITY = 0.15
#: At least this alike (0 to 100, rapidfuzz ratio of the normalised pairs) an example is the pair that is asked about.
NEAR_DUPLICATE = 92.0


class Choosable(Protocol):
    """What a choice needs to know of an example."""

    @property
    def example_id(self) -> str: ...
    @property
    def prompt(self) -> str: ...
    @property
    def completion(self) -> str: ...
    @property
    def embedding(self) -> Vector | None:
        """Of the prompt; None until it is computed."""


T = TypeVar("T", bound=Choosable)


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """An example that may be chosen, where no richer value is at hand."""

    example_id: str
    prompt: str
    completion: str
    embedding: Vector | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Found(Generic[T]):
    """An example that was found for a request."""

    example: T
    #: Cosine of the prompts' embeddings; by words (0 to 1) where one of them has none.
    similarity: float


class Retriever(Generic[T]):
    """Exact search over a pool of examples. Built once, asked for every request."""

    def __init__(self, examples: Sequence[T], near_duplicate: float = NEAR_DUPLICATE) -> None:
        self.examples = list(examples)
        self._near_duplicate = near_duplicate
        self._embedded = [i for i, one in enumerate(self.examples) if one.embedding is not None]
        vectors = [one.embedding for one in self.examples if one.embedding is not None]
        self._vectors = unit(np.stack(vectors)) if vectors else np.zeros((0, 1), dtype=np.float32)

    def retrieve(
        self, request: str, embedding: Vector | None, k: int, *, exclude: Choosable | None = None
    ) -> list[Found[T]]:
        """At most k examples, the least like the request first, so that the best one stands next to it.

        `embedding` is the request's, (dimensions,), or None where none could be had: then words are compared, as they
        are for an example that has none yet. `exclude` is the pair that the prompt is built for, in training and in
        measuring: itself and its near-duplicates never appear, or the answer would stand in the question.
        """
        if not self.examples or k < 1:
            return []
        scores = self._similarities(request, embedding)
        order = sorted(range(len(scores)), key=lambda i: (-scores[i], self.examples[i].example_id))
        found: list[Found[T]] = []
        for index in order:
            if scores[index] < MIN_SIMILARITY or len(found) == k:
                break
            if exclude is None or not self._is_same(exclude, self.examples[index]):
                found.append(Found(example=self.examples[index], similarity=float(scores[index])))
        return found[::-1]

    def _similarities(self, request: str, embedding: Vector | None) -> NDArray[np.float64]:
        scores = np.full(len(self.examples), -1.0)
        by_words = list(range(len(self.examples)))
        if embedding is not None and embedding.size and self._embedded:
            scores[self._embedded] = self._vectors @ unit(embedding)
            by_words = sorted(set(by_words) - set(self._embedded))
        if by_words and request:
            prompts = [self.examples[index].prompt.casefold() for index in by_words]
            found = process.cdist([request.casefold()], prompts, scorer=fuzz.token_set_ratio)
            scores[by_words] = found[0] / 100
        return scores

    def _is_same(self, one: Choosable, other: T) -> bool:
        if one.example_id == other.example_id:
            return True
        return fuzz.ratio(pair_text(one), pair_text(other)) >= self._near_duplicate


def choose_covering(examples: Sequence[T], k: int) -> list[T]:
    """k examples that together cover all, always the same ones for the same examples: what `few_shot` shows.

    Greedy k-center on the embeddings (Gonzalez 1985), begun at the example nearest to the centre of all. Without
    embeddings: the first k by id, which are the oldest.
    """
    ordered = sorted(examples, key=lambda one: one.example_id)
    known = [one for one in ordered if one.embedding is not None]
    if not known:
        return ordered[:k]
    vectors = unit(np.stack([one.embedding for one in known if one.embedding is not None]))
    chosen = [int(np.argmax(vectors @ vectors.mean(axis=0)))]
    nearest = vectors @ vectors[chosen[0]]  # cosine to the closest chosen one
    while len(chosen) < min(k, len(known)):
        nearest[chosen] = np.inf
        chosen.append(int(np.argmin(nearest)))
        nearest = np.maximum(nearest, vectors @ vectors[chosen[-1]])
    return [known[index] for index in chosen]


def pair_text(one: Choosable) -> str:
    """Both texts of an example, normalised: what is compared to find near-duplicates."""
    return normalise(f"{one.prompt}\n{one.completion}")


def unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """The same directions with length 1, along the last axis; zeros stay zeros."""
    norms = np.linalg.norm(vectors, axis=-1, keepdims=True)
    result: NDArray[np.float32] = (vectors / np.maximum(norms, 1e-12)).astype(np.float32)
    return result
