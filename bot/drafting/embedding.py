"""Approved examples and passages of documents get their embeddings: at once when somebody approves or adds, later where
the model server was away.

They are found by their words until then, so nothing waits for this thread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import structlog
from sqlalchemy.orm import Session

from bot.drafting.background import Background
from bot.services import Services
from db.examples import list_unembedded, save_embeddings
from db.knowledge import list_unembedded_passages, save_passage_embeddings, text_to_embed
from db.search import vector_to_bytes

log = structlog.get_logger()

BATCH = 32
EMBED_SECONDS = 30.0

#: Keeps vectors by id under the name of the model that made them.
Save = Callable[[Session, str, Iterable[tuple[str, bytes]]], None]


class Embedder(Background):
    """One thread that embeds what is approved or was added, and is not yet embedded."""

    def __init__(self, services: Services) -> None:
        super().__init__(
            "embedder", bell=services.wakeups.embeddings, poll_seconds=services.settings.poll_seconds
        )  # fmt: skip
        self._services = services

    def work_once(self) -> bool:
        """Embed one batch; False when everything is embedded. Raises ModelError."""
        return self._embed_examples() or self._embed_passages()

    def _embed_examples(self) -> bool:
        name = self._services.settings.embedding_model
        with self._services.database.read() as session:
            found = [(one.example_id, one.prompt) for one in list_unembedded(session, name, BATCH)]
        has_new = self._embed("examples.embedded", found, save_embeddings)
        if has_new:
            self._services.wakeups.measuring.ring()
        return has_new

    def _embed_passages(self) -> bool:
        name = self._services.settings.embedding_model
        with self._services.database.read() as session:
            rows = list_unembedded_passages(session, name, BATCH)
            found = [(passage.passage_id, text_to_embed(title, passage)) for passage, title in rows]
        return self._embed("passages.embedded", found, save_passage_embeddings)

    def _embed(self, event: str, found: list[tuple[str, str]], save: Save) -> bool:
        """Embed what was found (id, text) and keep the vectors; False when that was nothing."""
        if not found:
            return False
        services = self._services
        vectors = services.model.embed([text for _, text in found], timeout_seconds=EMBED_SECONDS)
        stored = [(one_id, vector_to_bytes(vector)) for (one_id, _), vector in zip(found, vectors, strict=True)]
        with services.database.write() as session:
            save(session, services.settings.embedding_model, stored)
        log.info(event, count=len(stored))
        return True
