"""Moving SQLite's write-ahead log into the database file, beside the writers instead of in the middle of a commit.

By itself SQLite does this in whichever commit fills the log: 60 to 130 ms on a busy machine, once a second under load,
for somebody who waits. A passive checkpoint keeps no writer and no reader waiting.
"""

from __future__ import annotations

import threading
from contextlib import suppress

from db.session import Database, DatabaseUnavailable

#: How often the log is moved.
EVERY_SECONDS = 0.5
#: From this many pages (of 4 KiB) on, the log is to start anew.
MANY_PAGES = 1_000
#: For the `Database` of a process that runs this thread: only a log that outgrows it is moved by a commit (80 MiB).
LONG_LOG_PAGES = 20_000


class Checkpoints:
    """A thread that keeps the log short; without SQLite it does nothing. For a process that must commit fast."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="checkpoints", daemon=True)

    def start(self) -> None:
        if self._database.is_sqlite:
            self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join(timeout=10)

    def _run(self) -> None:
        while not self._stopping.wait(EVERY_SECONDS):
            with suppress(DatabaseUnavailable):  # then the commits notice it too
                checkpoint(self._database)


def checkpoint(database: Database) -> None:
    """Move the log into the file, nearly all of it beside the writers. Raises DatabaseUnavailable."""
    in_log, _ = database.checkpoint()
    if in_log >= MANY_PAGES:  # what was written meanwhile is still there, a millisecond or two of work
        database.checkpoint(while_nobody_writes=True)
