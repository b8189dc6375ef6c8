"""Finding the approved examples most like a request. The scope is a mandatory argument.

Only rows are found here; which of them are like the request is decided by `config.choosing`, as it is for the trainer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from config.choosing import Candidate, Choice, Retriever
from db.examples import Example, list_approved_examples
from db.scope import Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    example: Example
    similarity: float


def vector_to_bytes(vector: NDArray[np.float32]) -> bytes:
    return np.ascontiguousarray(vector, dtype="<f4").tobytes()


def bytes_to_vector(stored: bytes) -> NDArray[np.float32]:
    return np.frombuffer(stored, dtype="<f4")


def as_candidates(examples: Sequence[Example], embedding_model: str) -> list[Candidate]:
    """What is chosen from; an embedding of another model counts as none, because it cannot be compared."""
    return [_as_candidate(one, embedding_model) for one in examples]


def _as_candidate(one: Example, embedding_model: str) -> Candidate:
    vector = bytes_to_vector(one.embedding) if one.embedding and one.embedding_model == embedding_model else None
    return Candidate(example_id=one.example_id, prompt=one.prompt, completion=one.completion, embedding=vector)


def find_similar_examples(
    session: Session,
    style_id: str,
    scope: Scope,
    query: NDArray[np.float32],
    *,
    embedding_model: str,
    choice: Choice,
    request: str = "",
) -> list[Hit]:
    """The approved examples nearest to a request's embedding (a normalised vector), nearest first.

    An example that has no embedding yet (approved this very second, or while the model server was down) is
    compared by its words with `request`, so that it can shape the next draft all the same.
    """
    examples = {one.example_id: one for one in list_approved_examples(session, style_id, scope)}
    retriever = Retriever(as_candidates(list(examples.values()), embedding_model))
    found = retriever.retrieve(request, query if query.size else None, choice)
    return [Hit(example=examples[one.example.example_id], similarity=one.similarity) for one in reversed(found)]
