"""Where a workspace's state lives between restarts: one SQLite file of (kind, key, JSON), written through.

Without a path nothing is kept. Writes of one request share one transaction.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Store:
    """Key-value rows by kind. Thread-safe."""

    def __init__(self, path: Path | None) -> None:
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        if path is None:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        self._connection = sqlite3.connect(path, check_same_thread=False)
        # WAL and NORMAL: a killed process loses nothing; only a power cut may lose the last writes.
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=NORMAL")
        self._connection.execute(
            "CREATE TABLE IF NOT EXISTS entries (kind TEXT NOT NULL, key TEXT NOT NULL, position INTEGER,"
            " value TEXT NOT NULL, PRIMARY KEY (kind, key))"
        )
        self._connection.commit()

    def put(self, kind: str, key: str, value: Any) -> None:
        if self._connection is None:
            return
        text = json.dumps(value, ensure_ascii=False)
        with self._lock:
            # position keeps the order of first insertion, which is the order that messages are listed in.
            self._connection.execute(
                "INSERT INTO entries (kind, key, position, value) VALUES (?, ?,"
                " (SELECT COALESCE(MAX(rowid), 0) + 1 FROM entries), ?)"
                " ON CONFLICT (kind, key) DO UPDATE SET value = excluded.value",
                (kind, key, text),
            )

    def delete(self, kind: str, key: str) -> None:
        if self._connection is None:
            return
        with self._lock:
            self._connection.execute("DELETE FROM entries WHERE kind = ? AND key = ?", (kind, key))

    def commit(self) -> None:
        if self._connection is not None:
            with self._lock:
                self._connection.commit()

    def items(self, kind: str) -> Iterator[tuple[str, Any]]:
        """Every row of this kind, oldest first."""
        if self._connection is None:
            return
        with self._lock:
            rows = self._connection.execute(
                "SELECT key, value FROM entries WHERE kind = ? ORDER BY position", (kind,)
            ).fetchall()
        for key, value in rows:
            yield key, json.loads(value)

    def close(self) -> None:
        if self._connection is not None:
            with self._lock:
                self._connection.commit()
                self._connection.close()
                self._connection = None
