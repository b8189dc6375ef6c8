"""What a run does with the style's documents: the rung `knowledge` is measured with those that the freeze noted.

Nothing is trained on documents, so one that is removed during a run only leaves the measurement.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from config.passages import PassageSearch, QuotablePassage
from config.prompts import Quote
from config.rungs import Rung
from config.sentences import Note, note
from db.knowledge import (
    find_documents,
    list_frozen_documents,
    list_passages,
    list_quotable,
    save_passage_embeddings,
    text_to_embed,
)
from db.scope import Scope
from db.search import vector_to_bytes
from trainer.dataset import TrainingExample
from trainer.hold import Hold

#: (texts, dimensions) float32 of so many texts.
Embed = Callable[[Sequence[str]], NDArray[np.float32]]


class Knowledge:
    """The documents of a run, as the prompts of its unseen pairs quote them."""

    def __init__(self, passages: Sequence[QuotablePassage], *, digest: str) -> None:
        #: `sha256:…` of the documents: a scorecard counts for these and no others.
        self.digest = digest
        self._search = PassageSearch(passages)
        self._left_out: dict[str, int] = {}

    def quotes_for(self, example: TrainingExample) -> list[Quote]:
        """The passages that a draft for this request would carry, but none in which its own completion stands."""
        found = self._search.find(example.prompt, example.embedding, unlike=example.completion)
        self._left_out[example.example_id] = found.left_out
        return [Quote(source=one.source, text=one.text) for one in found.passages]

    @property
    def clauses(self) -> tuple[Note, ...]:
        """What has to be said of this measurement."""
        count = sum(self._left_out.values())
        return (
            note("all prompts but those of `knowledge` were measured without documents, and are served with them"),
            *(
                [
                    note(
                        "left out of `knowledge`, because the unseen answer stands in them: {count} passages",
                        count=count,
                    )
                ]
                if count
                else []
            ),
        )


def load_knowledge(hold: Hold, style_id: str, scope: Scope, embedding_model: str, embed: Embed) -> Knowledge | None:
    """The run's documents that are still there, embedded; None when it has none."""
    with hold.database.read() as session:
        frozen = list_frozen_documents(session, hold.run_id, scope)
        documents = find_documents(session, [one.document_id for one in frozen])
        same = {one.document_id: one.content_hash for one in frozen
                if documents[one.document_id].content_hash == one.content_hash}  # fmt: skip
        passages = list_passages(session, style_id, scope, document_ids=list(same))
    if not passages:
        return None
    missing = [one for one in passages if one.embedding is None or one.embedding_model != embedding_model]
    if missing:
        vectors = embed([text_to_embed(documents[one.document_id].title, one) for one in missing])
        stored = [(one.passage_id, vector_to_bytes(vector)) for one, vector in zip(missing, vectors, strict=True)]
        with hold.write() as session:
            save_passage_embeddings(session, embedding_model, stored)
    with hold.database.read() as session:
        quotable = list_quotable(session, style_id, scope, embedding_model, document_ids=list(same))
    digest = hashlib.sha256(json.dumps(sorted(same.items())).encode()).hexdigest()
    return Knowledge(quotable, digest=f"sha256:{digest}")


def rungs_of(knowledge: Knowledge | None) -> tuple[Rung, ...]:
    """What is measured besides, where there are documents."""
    return (Rung.KNOWLEDGE,) if knowledge else ()
