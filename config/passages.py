"""Which passages of the team's documents stand in a prompt. Measuring and serving both choose them here.

A passage has to be about what was asked: facts that nobody asked for only cost tokens and lead a draft astray.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rapidfuzz import fuzz

from config.choosing import Candidate, Choice, Retriever, Vector
from config.likeness import NEAR_DUPLICATE, normalise

#: Passages in one prompt, and what they may take of it together (estimated tokens).
MOST_PASSAGES, MOST_TOKENS = 3, 500
#: How like the request a passage has to be. With the embedding model that ships, passages that answer a request came
#: out at 0.27 to 0.65 and others at 0.24 or less; by words alone, whatever shares little more than "the" and "of" is
#: half alike.
NEAR_BY_MEANING, NEAR_BY_WORDS = 0.25, 0.6
#: The nearest, looked at for ones that may be shown: by meaning where that is known, else by words.
NEAREST = Choice(k=24, lexical_weight=0.0, diversity=0.0, may_repeat=True, min_similarity=0.0)
#: A shorter answer stands in many a passage by chance.
LEAST_COPIED_CHARS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotablePassage:
    """A passage with what choosing and quoting need to know of it."""

    passage_id: str
    document_id: str
    title: str
    heading: str
    page: int | None
    text: str
    #: Estimated.
    tokens: int
    embedding: Vector | None = None

    @property
    def source(self) -> str:
        """Where it stands, for a model: `handbook.pdf, Leave, page 3`."""
        return ", ".join(part for part in (self.title, self.heading, f"page {self.page}" if self.page else "") if part)


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundPassages:
    #: The least like the request first, as examples stand in a prompt.
    passages: tuple[QuotablePassage, ...]
    #: Near ones that were left out, because the answer that is measured stands in them.
    left_out: int


class PassageSearch:
    """Search over the passages of one style. Built once, asked for every request."""

    def __init__(self, passages: Sequence[QuotablePassage]) -> None:
        self._by_id = {one.passage_id: one for one in passages}
        self._retriever = Retriever(
            [
                Candidate(
                    example_id=one.passage_id, prompt=f"{one.title}\n{one.heading}\n{one.text}", completion="",
                    embedding=one.embedding,
                )
                for one in passages
            ]
        )  # fmt: skip

    def find(self, request: str, embedding: Vector | None, *, unlike: str = "") -> FoundPassages:
        """The passages for a request, within their budget; none where nothing is near enough.

        `unlike` is the completion that is being measured: a passage in which it stands would make reading a win of
        copying, so it is left out.
        """
        chosen: list[QuotablePassage] = []
        left_out, room = 0, MOST_TOKENS
        for hit in reversed(self._retriever.retrieve(request, embedding, NEAREST)):
            passage = self._by_id[hit.example.example_id]
            is_by_meaning = passage.embedding is not None and embedding is not None and embedding.size > 0
            by_words = fuzz.token_set_ratio(request.casefold(), hit.example.prompt.casefold()) / 100
            if (hit.similarity < NEAR_BY_MEANING) if is_by_meaning else (by_words < NEAR_BY_WORDS):
                continue
            if unlike and holds_copy(passage.text, unlike):
                left_out += 1
            elif passage.tokens <= room and len(chosen) < MOST_PASSAGES:
                chosen.append(passage)
                room -= passage.tokens
        return FoundPassages(passages=tuple(reversed(chosen)), left_out=left_out)


def holds_copy(passage: str, completion: str, threshold: float = NEAR_DUPLICATE) -> bool:
    """Does this text, or nearly so, stand in the passage? Long ones also count when the passage is a part of them."""
    one, other = normalise(passage), normalise(completion)
    if min(len(one), len(other)) < LEAST_COPIED_CHARS:
        return fuzz.ratio(one, other) >= threshold
    return fuzz.partial_ratio(one, other) >= threshold
