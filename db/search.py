"""Finding the approved examples most like a request. The scope is a mandatory argument.

Only rows are found here; which of them are like the request is decided by `config.choosing`, as it is for the trainer.
What is computed of the examples is kept between drafts, a style, scope and embedding model each, in this process. Every
search first asks the database whether anything has changed, by one look at an index, and then reads what did and
nothing else: an example that was approved or withdrawn a moment ago counts at once.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Engine, case, func, select
from sqlalchemy.orm import Session

from config.choosing import NEUTRAL_QUALITY, Candidate, Choice, Retriever, choose_covering
from db.examples import Example, ExampleStatus, list_approved_by_id
from db.quality import list_qualities
from db.scope import Scope

#: Examples that are kept in memory, of all styles together: a hundred thousand take about 300 MB.
MOST_KEPT = 200_000
#: Ids in one statement.
_BATCH = 500


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
    choice: Choice,
    request: str = "",
    barred: Collection[str] = frozenset(),
) -> list[Hit]:
    """The approved examples most like a request, the best first, without those that are barred (ids). `query` is its
    embedding, (dimensions,), or empty.

    An example that has no embedding yet (approved this very second, or while the model server was down) is
    compared by its words with `request`, so that it can shape the next draft all the same.
    """
    kept = _up_to_date(session, style_id, scope, embedding_model)
    vector = query if query.size else None
    found = kept.retriever.retrieve(request, vector, choice, is_barred=lambda one: one.example_id in barred)[::-1]
    rows = list_approved_by_id(session, scope, [one.example.example_id for one in found])
    similarity = {one.example.example_id: one.similarity for one in found}
    return [Hit(example=row, similarity=similarity[row.example_id]) for row in rows]


def find_fixed_examples(
    session: Session,
    style_id: str,
    scope: Scope,
    *,
    embedding_model: str,
    choice: Choice,
    members: Collection[str] = (),
    barred: Collection[str] = frozenset(),
) -> list[Example]:
    """The approved examples that cover the style, in the prompt's order; chosen from `members` (ids) where any of them
    may be shown still. `barred` (ids): chosen as if there were none of these."""
    kept = _up_to_date(session, style_id, scope, embedding_model)
    key = (choice, frozenset(members))
    chosen = None if barred else kept.fixed.get(key)
    if chosen is None:
        everything = [one for one in kept.retriever.examples if one.example_id not in barred]
        pool = [one for one in everything if one.example_id in key[1] and choice.may_show(one)] or everything
        chosen = tuple(one.example_id for one in choose_covering(pool, choice))
        if not barred:
            kept.fixed[key] = chosen
    return list_approved_by_id(session, scope, chosen)


def as_candidates(
    examples: Sequence[Example], embedding_model: str, qualities: Mapping[str, float] | None = None
) -> list[Candidate]:
    """What is chosen from; an embedding of another model counts as none, because it cannot be compared."""
    return [
        _candidate(
            one.example_id, one.prompt, one.completion, one.embedding, one.embedding_model, embedding_model,
            qualities or {},
        )
        for one in examples
    ]  # fmt: skip


def _candidate(
    example_id: str, prompt: str, completion: str, embedding: bytes | None, embedded_by: str | None,
    embedding_model: str, qualities: Mapping[str, float],
) -> Candidate:  # fmt: skip
    return Candidate(
        example_id=example_id, prompt=prompt, completion=completion,
        embedding=bytes_to_vector(embedding) if embedding and embedded_by == embedding_model else None,
        quality=qualities.get(example_id, NEUTRAL_QUALITY),
    )  # fmt: skip


# ------------------------------------------------------------------------------------------------ kept in memory


@dataclass(slots=True, kw_only=True)
class _Kept:
    """What was computed of a style's approved examples, and of which state of the database."""

    stamp: tuple[Any, ...] | None = None
    #: example_id → version and embedding model.
    states: dict[str, tuple[int, str | None]] = field(default_factory=dict)
    retriever: Retriever[Candidate] = field(default_factory=lambda: Retriever([]))
    fixed: dict[tuple[Choice, frozenset[str]], tuple[str, ...]] = field(default_factory=dict)


class _Memory:
    """What is kept of one database, the least lately used let go first."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self._kept: OrderedDict[tuple[str, str, str], _Kept] = OrderedDict()

    def get(self, key: tuple[str, str, str]) -> _Kept:
        return self._kept.get(key) or _Kept()

    def put(self, key: tuple[str, str, str], kept: _Kept) -> None:
        self._kept[key] = kept
        self._kept.move_to_end(key)
        while len(self._kept) > 1 and sum(len(one.states) for one in self._kept.values()) > MOST_KEPT:
            self._kept.popitem(last=False)


def forget_kept(engine: Engine) -> None:
    """Let go of all texts that are kept: some were erased, and nobody may ever search their style again."""
    with _memories_lock:
        _memories.pop(engine, None)


_memories: WeakKeyDictionary[Engine, _Memory] = WeakKeyDictionary()
_memories_lock = threading.Lock()


def _up_to_date(session: Session, style_id: str, scope: Scope, embedding_model: str) -> _Kept:
    engine = session.get_bind().engine
    with _memories_lock:
        memory = _memories.setdefault(engine, _Memory())
    key = (style_id, scope.key, embedding_model)
    with memory.lock:
        kept = memory.get(key)
        # Before anything is read: what changes in between only makes the next search look again.
        stamp = _read_stamp(session, style_id, scope, embedding_model)
        if kept.stamp != stamp:
            kept = _refreshed(session, style_id, scope, embedding_model, kept, stamp)
        memory.put(key, kept)
    return kept


def _approved(style_id: str, scope: Scope) -> Any:
    return (
        (Example.style_id == style_id)
        & (Example.scope_key == scope.key)
        & (Example.status == ExampleStatus.APPROVED)
    )  # fmt: skip


def _read_stamp(session: Session, style_id: str, scope: Scope, embedding_model: str) -> tuple[Any, ...]:
    """Differs whenever an example was approved, left, changed or embedded; read from an index alone."""
    is_embedded = case((Example.embedding_model == embedding_model, 1), else_=0)
    query = select(
        func.count(), func.sum(Example.version), func.max(Example.approved_at), func.max(Example.example_id),
        func.sum(is_embedded),
    ).where(_approved(style_id, scope))  # fmt: skip
    return tuple(session.execute(query).one())


def _refreshed(
    session: Session, style_id: str, scope: Scope, embedding_model: str, kept: _Kept, stamp: tuple[Any, ...]
) -> _Kept:
    query = select(Example.example_id, Example.version, Example.embedding_model).where(_approved(style_id, scope))
    states = {row[0]: (int(row[1]), row[2]) for row in session.execute(query)}
    stale = {one for one, state in kept.states.items() if states.get(one) != state}
    wanted = [one for one in states if one in stale or one not in kept.states]
    qualities = list_qualities(session, style_id, scope) if wanted else {}
    new: list[Candidate] = []
    texts = select(  # columns alone: the session need not keep all these rows
        Example.example_id, Example.prompt, Example.completion, Example.embedding, Example.embedding_model
    )
    for start in range(0, len(wanted), _BATCH):
        some = texts.where(Example.example_id.in_(wanted[start : start + _BATCH]))
        new += [_candidate(*row, embedding_model, qualities) for row in session.execute(some)]
    return _Kept(stamp=stamp, states=states, retriever=kept.retriever.changed(gone=stale, new=new))
