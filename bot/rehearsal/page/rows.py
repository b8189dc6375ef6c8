"""Which rows of the bot's database changed since the last look: read-only, by comparing the newest rows of each table.

Nothing in the database helps with this and nothing is written to it, so what is seen here is what any other reader
would have seen. Of each table the newest rows are watched; a change of nothing but a heartbeat is left out.
"""

from __future__ import annotations

import json
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Table, select
from sqlalchemy.exc import SQLAlchemyError

from db.models import metadata
from db.session import Database, DatabaseUnavailable

if TYPE_CHECKING:
    from bot.rehearsal.options import Json

WATCHED_ROWS = 400
MAX_TEXT = 300
_NO_FILE = (0, 0)
#: Columns that change while nothing happens.
_BEATS = frozenset({"lease_expires_at", "heartbeat_at", "fetched_at", "seen_at"})

Row = dict[str, Any]


class RowWatch:
    """Looks at one database. Use from one thread at a time."""

    def __init__(self, url: str) -> None:
        self._database = Database(url)
        self._known: dict[str, dict[tuple[Any, ...], Row]] | None = None
        self._stamp: tuple[Any, ...] | None = None

    def close(self) -> None:
        self._database.dispose()

    def changes(self) -> list[Json]:
        """What changed since the last call; nothing at the first. A database that is not there changes nothing."""
        stamp = self._file_stamp()
        if stamp is not None and (stamp == self._stamp or stamp[0] == _NO_FILE):
            return []
        try:
            now = self._look()
        except (DatabaseUnavailable, SQLAlchemyError):  # it is not there, or not at this program's revision yet
            return []
        before, self._known, self._stamp = self._known, now, stamp
        if before is None:
            return []
        return [
            change
            for table in metadata.sorted_tables
            for change in _compare(table, before[table.name], now[table.name])
        ]

    def _file_stamp(self) -> tuple[Any, ...] | None:
        """What tells that an SQLite database was written to, without opening it; None for others."""
        if not self._database.is_sqlite or not self._database.url.database:
            return None
        return tuple(_stat(f"{self._database.url.database}{suffix}") for suffix in ("", "-wal"))

    def _look(self) -> dict[str, dict[tuple[Any, ...], Row]]:
        found: dict[str, dict[tuple[Any, ...], Row]] = {}
        with self._database.read() as session:
            for table in metadata.sorted_tables:
                newest = select(table).order_by(*(column.desc() for column in table.primary_key)).limit(WATCHED_ROWS)
                rows = [dict(row) for row in session.execute(newest).mappings()]
                found[table.name] = {tuple(row[c.name] for c in table.primary_key): _shown(row) for row in rows}
        return found


def _stat(path: str) -> tuple[int, int]:
    try:
        found = Path(path).stat()
    except OSError:
        return _NO_FILE
    return (found.st_mtime_ns, found.st_size)


def _compare(table: Table, before: dict[tuple[Any, ...], Row], now: dict[tuple[Any, ...], Row]) -> list[Json]:
    oldest = min(now) if len(now) == WATCHED_ROWS else None
    gone = [key for key in before.keys() - now.keys() if oldest is None or key > oldest]  # not only too old to watch
    oldest = min(before) if len(before) == WATCHED_ROWS else None
    new = [key for key in sorted(now.keys() - before.keys(), key=str) if oldest is None or key > oldest]
    changes = [_told(table, key, "deleted", {}, []) for key in gone]
    changes += [_told(table, key, "inserted", now[key], []) for key in new]
    for key in now.keys() & before.keys():
        changed = [name for name, value in now[key].items() if before[key].get(name) != value]
        if set(changed) - _BEATS:
            changes.append(_told(table, key, "updated", {name: now[key][name] for name in changed}, changed))
    return changes


def _told(table: Table, key: tuple[Any, ...], change: str, columns: Row, changed: list[str]) -> Json:
    row_id = "/".join(str(part) for part in key)
    return {"table": table.name, "id": row_id, "change": change, "columns": columns, "changed": changed}


def _shown(row: Row) -> Row:
    return {name: _value(value) for name, value in row.items()}


def _value(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, bytes):
        return f"<{len(value)} bytes>"
    if isinstance(value, str):
        return value if len(value) <= MAX_TEXT else value[: MAX_TEXT - 1] + "…"
    if isinstance(value, (dict, list)):
        text = json.dumps(value, ensure_ascii=False, default=str)
        return json.loads(text) if len(text) <= 4 * MAX_TEXT else text[: 4 * MAX_TEXT - 1] + "…"
    return value
