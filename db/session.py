"""The only place that commits. A `write()` block is one transaction: all of it or nothing.

SQLite: WAL with synchronous=FULL (what was acknowledged survives a power cut), and every writing transaction
starts with BEGIN IMMEDIATE, because a deferred one that reads first fails at its first write as soon as another
process has committed in between, whatever the time-out.

PostgreSQL locks rows, and two transactions that lock the same ones in different orders wait for each other. So each
locks what it needs of this list in this order, and rows of one table by their ids:

    base change → run → style → team → trial → comparison → draft → example → preference → scorecard

Storing a row locks, too, as `keep_style` does, the style that it names. Whoever has to lock something later in the list
before that (a trial, then a new draft of it) takes `keep_style` (db/styles.py) first.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import ModuleType
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session

#: How long a statement waits for the lock of another process.
_BUSY_SECONDS = 15.0
#: Emptying the log holds up writers, so each try is short.
_TRUNCATIONS, _TRUNCATION_MILLISECONDS = 20, 100
#: Below this SQLite can corrupt a WAL database that several processes reset at the same moment.
SAFE_SQLITE = (3, 51, 3)


class DatabaseUnavailable(Exception):
    """The database cannot be reached or written. Check that it runs and that its disk has space, then try again."""


class NestedWrite(Exception):
    """A `write()` was opened inside another of the same thread. One operation is one transaction: pass its session."""


class Database:
    """One engine; `read()` and `write()` hand out sessions. Threads share it, processes make their own."""

    def __init__(self, url: str, *, echo: bool = False, log_pages: int = 1_000) -> None:
        """`log_pages`: how long SQLite's log gets before a commit moves it into the file, see db/checkpoints.py."""
        self.url = make_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self._one_writer = _Turns()  # wakes the next writer at once, where SQLite's own waiting is a poll
        self._here = threading.local()
        self.engine = (
            _sqlite_engine(self.url.database, url, echo, log_pages) if self.is_sqlite else _server_engine(url, echo)
        )

    @contextmanager
    def read(self) -> Iterator[Session]:
        """For looking; anything changed in it is discarded. SQLite shows one moment, PostgreSQL one per statement.

        Raises DatabaseUnavailable.
        """
        with _telling_faults_apart(), Session(self.engine, expire_on_commit=False) as session:
            yield session  # closing rolls back; an explicit rollback would make every loaded row unreadable outside

    @contextmanager
    def write(self, *, goes_first: bool = False) -> Iterator[Session]:
        """One transaction. It commits when the block ends and rolls back when the block raises.

        `goes_first`: on SQLite, where writers take turns, it is the next. For who keeps Slack waiting.
        Raises DatabaseUnavailable when the database could not be reached or written; NestedWrite.
        """
        if getattr(self._here, "writes", False):
            raise NestedWrite
        self._here.writes = True
        try:
            with _telling_faults_apart(), self._transaction(goes_first) as session:
                yield session
        finally:
            self._here.writes = False

    @contextmanager
    def _transaction(self, goes_first: bool) -> Iterator[Session]:
        if not self.is_sqlite:
            with Session(self.engine, expire_on_commit=False) as session, session.begin():
                yield session
            return
        with self._one_writer.turn(goes_first), self.engine.connect() as connection:
            connection = connection.execution_options(huisstijl_writes=True)
            with Session(connection, expire_on_commit=False) as session:
                yield session
                session.commit()

    def checkpoint(self, *, while_nobody_writes: bool = False) -> tuple[int, int]:
        """Move what can be moved from SQLite's log into the file. Returns the pages in the log, and those moved so far.

        Once all are moved, the next write starts the log anew. Raises DatabaseUnavailable.
        """
        turn = self._one_writer.turn(goes_first=False) if while_nobody_writes else nullcontext()
        with _telling_faults_apart(), turn, self.engine.connect() as connection:
            connection = connection.execution_options(isolation_level="AUTOCOMMIT")
            _, in_log, moved = connection.exec_driver_sql("PRAGMA wal_checkpoint(PASSIVE)").one()
        return in_log, moved

    def truncate_log(self) -> bool:
        """Move all of SQLite's log into the file and empty it, so that no earlier version of a row is left in it.

        False when readers or writers of other processes kept it in use; then try again later. Nobody is kept waiting
        for longer than a moment. Without SQLite there is nothing to do. Raises DatabaseUnavailable.
        """
        if not self.is_sqlite:
            return True
        for _ in range(_TRUNCATIONS):
            with _telling_faults_apart(), self._one_writer.turn(goes_first=False), self.engine.connect() as connection:
                connection = connection.execution_options(isolation_level="AUTOCOMMIT")
                connection.exec_driver_sql(f"PRAGMA busy_timeout={_TRUNCATION_MILLISECONDS}")
                try:
                    is_busy, _, _ = connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").one()
                finally:
                    connection.exec_driver_sql(f"PRAGMA busy_timeout={int(1000 * _BUSY_SECONDS)}")
            if not is_busy:
                return True
        return False

    def dispose(self) -> None:
        self.engine.dispose()


class _Turns:
    """A lock with two queues: who goes first is served before all others. Not reentrant."""

    def __init__(self) -> None:
        lock = threading.Lock()
        self._first, self._others = threading.Condition(lock), threading.Condition(lock)
        self._first_waiting, self._is_taken = 0, False

    @contextmanager
    def turn(self, goes_first: bool) -> Iterator[None]:
        with self._first:
            if goes_first:
                self._first_waiting += 1
                try:
                    self._first.wait_for(lambda: not self._is_taken)
                finally:
                    self._first_waiting -= 1
            else:
                self._others.wait_for(lambda: not self._is_taken and not self._first_waiting)
            self._is_taken = True
        try:
            yield
        finally:
            with self._first:
                self._is_taken = False
                (self._first if self._first_waiting else self._others).notify()


def is_busy_or_full(error: OperationalError) -> bool:
    """True for faults of the disk, a lock or the connection, which pass, as against faults of the statement."""
    text = str(error.orig).lower()
    return error.connection_invalidated or any(word in text for word in _PASSING_FAULTS)


#: In the words of SQLite and of PostgreSQL.
_PASSING_FAULTS = (
    "locked", "busy", "full", "disk i/o", "readonly", "unable to open database file",
    "connection", "lock timeout", "deadlock", "no space left", "starting up", "shutting down",
)  # fmt: skip


@contextmanager
def _telling_faults_apart() -> Iterator[None]:
    try:
        yield
    except PoolTimeout as error:
        raise DatabaseUnavailable("every connection is in use") from error
    except OperationalError as error:
        if not is_busy_or_full(error):
            raise
        raise DatabaseUnavailable(str(error.orig).strip()) from error


def _sqlite_module() -> ModuleType:
    """A SQLite new enough for WAL with several processes: the interpreter's own, or the bundled one."""
    if sqlite3.sqlite_version_info >= SAFE_SQLITE:
        return sqlite3
    from pysqlite3 import dbapi2

    module: ModuleType = dbapi2
    return module


def _switch_to_wal(connection: Any) -> None:
    """Kept in the file once it is done. Where several processes open a new file at the same moment, SQLite tells some
    of them at once that it is locked, whatever the time-out; so we wait ourselves."""
    deadline = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except _sqlite_module().OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def _sqlite_engine(database: str | None, url: str, echo: bool, log_pages: int) -> Engine:
    if database and database != ":memory:":
        Path(database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(
        url, echo=echo, module=_sqlite_module(), connect_args={"timeout": _BUSY_SECONDS, "check_same_thread": False}
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, record: Any) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves, below
        _switch_to_wal(connection)
        for pragma in (
            "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON",
            f"wal_autocheckpoint={log_pages}",
        ):  # fmt: skip
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("huisstijl_writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _server_engine(url: str, echo: bool) -> Engine:
    return create_engine(
        url,
        echo=echo,
        pool_pre_ping=True,
        pool_size=10,
        max_overflow=20,
        connect_args={"options": "-c lock_timeout=10000 -c timezone=UTC", "connect_timeout": 10},
    )
