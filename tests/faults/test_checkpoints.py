"""SQLite's log is moved into the file beside the writers: it starts anew, and nothing is lost."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text

from db.base import new_id
from db.checkpoints import LONG_LOG_PAGES, MANY_PAGES, Checkpoints, checkpoint
from db.outbox import owe
from db.session import Database
from tests.support.wait import wait_until

pytestmark = pytest.mark.faults


@pytest.fixture
def busy(sqlite_database):
    """A process that leaves its log to the thread."""
    database = Database(str(sqlite_database.url), log_pages=LONG_LOG_PAGES)
    yield database
    database.dispose()


def test_a_moved_log_starts_anew_and_one_left_alone_grows(busy):
    write_a_long_log(busy)
    once = log_bytes(busy)
    write_a_long_log(busy)
    assert log_bytes(busy) > 1.9 * once
    checkpoint(busy)
    write_a_long_log(busy)
    assert log_bytes(busy) < 2.1 * once  # the same file, written over from its start
    with busy.read() as session:
        assert session.execute(text("PRAGMA integrity_check")).scalar_one() == "ok"


def test_the_thread_keeps_the_log_short_while_somebody_writes_without_end(busy):
    checkpoints, written = Checkpoints(busy), 0
    checkpoints.start()
    write_a_long_log(busy)

    def is_short_again() -> bool:
        nonlocal written
        owe_something(busy, 10)
        written += 1
        in_log, _ = busy.checkpoint()
        return bool(in_log < MANY_PAGES)

    wait_until(is_short_again, seconds=20)
    checkpoints.stop()
    with busy.read() as session:
        assert session.execute(text("SELECT count(*) FROM outbox")).scalar_one() == LONG + written


def test_a_server_has_no_such_thread_and_stopping_twice_is_no_fault(database):
    checkpoints = Checkpoints(database)
    checkpoints.start()
    checkpoints.stop()
    checkpoints.stop()


LONG = MANY_PAGES // 4


def write_a_long_log(database: Database) -> None:
    for _ in range(LONG):
        owe_something(database, 32_768)


def owe_something(database: Database, chars: int) -> None:
    with database.write() as session:
        owe(session, team_id="T1", dedupe_key=new_id("x"), verb="post_message", arguments={"text": "x" * chars})


def log_bytes(database: Database) -> int:
    return Path(f"{database.url.database}-wal").stat().st_size
