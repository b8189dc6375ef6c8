"""Finding the approved examples most like a request: exact cosine search. The scope is a mandatory argument.

At 10,000 examples the search takes under half a millisecond; reading the vectors is the larger part. Nothing
approximate is worth its errors at this size.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rapidfuzz import fuzz, process
from sqlalchemy.orm import Session

from db.examples import Example, list_approved_examples
from db.scope import Scope

#: Below this cosine an example is about something else and only costs tokens.
MIN_SIMILARITY = 0.15


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    example: Example
    similarity: float


def vector_to_bytes(vector: NDArray[np.float32]) -> bytes:
    return np.ascontiguousarray(vector, dtype="<f4").tobytes()


def bytes_to_vector(stored: bytes) -> NDArray[np.float32]:
    return np.frombuffer(stored, dtype="<f4")


def find_similar_examples(
    session: Session,
    style_id: str,
    scope: Scope,
    query: NDArray[np.float32],
    *,
    embedding_model: str,
    limit: int,
    request: str = "",
) -> list[Hit]:
    """The approved examples nearest to a request's embedding (a normalised vector), nearest first.

    An example that has no embedding yet (approved this very second, or while the model server was down) is
    compared by its words with `request`, so that it can shape the next draft all the same.
    """
    examples = list_approved_examples(session, style_id, scope)
    embedded = [e for e in examples if e.embedding is not None and e.embedding_model == embedding_model]
    hits: list[Hit] = []
    if embedded and query.size:
        matrix = np.frombuffer(b"".join(e.embedding or b"" for e in embedded), dtype="<f4")
        similarities = matrix.reshape(len(embedded), -1) @ query  # (n,)
        hits = [Hit(example=e, similarity=float(s)) for e, s in zip(embedded, similarities, strict=True)]
    known = {e.example_id for e in embedded} if query.size else set()
    hits += _by_words([e for e in examples if e.example_id not in known], request)
    hits = [hit for hit in hits if hit.similarity >= MIN_SIMILARITY]
    return sorted(hits, key=lambda hit: (-hit.similarity, hit.example.example_id))[:limit]


def _by_words(examples: list[Example], request: str) -> list[Hit]:
    if not examples or not request:
        return []
    scores = process.cdist([request.casefold()], [e.prompt.casefold() for e in examples], scorer=fuzz.token_set_ratio)
    return [Hit(example=e, similarity=float(s) / 100) for e, s in zip(examples, scores[0], strict=True)]
