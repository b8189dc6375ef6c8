"""Approved examples and passages of documents get their embeddings: at once when somebody approves or adds, later where
the model server was away.

They are found by their words until then, so nothing waits for this thread.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

import structlog
from sqlalchemy.orm import Session

from bot.errors import ModelError
from bot.services import Services
from db.examples import list_unembedded, save_embeddings
from db.knowledge import list_unembedded_passages, save_passage_embeddings, text_to_embed
from db.search import vector_to_bytes
from db.session import DatabaseUnavailable

log = structlog.get_logger()

BATCH = 32
EMBED_SECONDS = 30.0
LONGEST_PAUSE_SECONDS = 30.0

#: Keeps vectors by id under the name of the model that made them.
Save = Callable[[Session, str, Iterable[tuple[str, bytes]]], None]


class Embedder:
    """One thread that embeds what is approved or was added, and is not yet embedded."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="embedder", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._services.wakeups.embeddings.ring()
        self._thread.join(timeout=10)

    def _run(self) -> None:
        bell, poll_seconds = self._services.wakeups.embeddings, self._services.settings.poll_seconds
        failures = 0
        while not self._stopping.is_set():
            try:
                worked = self.embed_once()
                if failures:
                    log.info("embedding.resumed", after_failures=failures)
                failures = 0
            except (ModelError, DatabaseUnavailable) as error:
                failures += 1
                if failures == 1:  # once, not at every try
                    log.warning("embedding.waiting", error=type(error).__name__)
                self._stopping.wait(min(poll_seconds * 2**failures, LONGEST_PAUSE_SECONDS))
                continue
            except Exception:
                log.exception("embedding.failed")
                self._stopping.wait(LONGEST_PAUSE_SECONDS)
                continue
            if not worked:
                bell.wait(poll_seconds)

    def embed_once(self) -> bool:
        """Embed one batch; False when everything is embedded. Raises ModelError."""
        return self._embed_examples() or self._embed_passages()

    def _embed_examples(self) -> bool:
        name = self._services.settings.embedding_model
        with self._services.database.read() as session:
            found = [(one.example_id, one.prompt) for one in list_unembedded(session, name, BATCH)]
        return self._embed("examples.embedded", found, save_embeddings)

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
