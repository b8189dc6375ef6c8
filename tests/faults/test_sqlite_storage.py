"""SQLite under kill -9 and on a full disk: what was acknowledged is there, and the fault has a name."""

from __future__ import annotations

import os
import random
import resource
import signal
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text

from db.base import new_id, now_in_database
from db.outbox import OutboxMessage, find_by_dedupe_key, owe
from db.session import Database, DatabaseUnavailable, NestedWrite
from tests.support.processes import run_together
from tests.support.wait import wait_until

pytestmark = pytest.mark.faults


def test_fifteen_kills_during_commits_lose_no_acknowledged_row(sqlite_database, tmp_path):
    url, dice, context = str(sqlite_database.url), random.Random(7), get_context("forkserver")
    acknowledged: list[str] = []
    for kill in range(15):
        log = tmp_path / f"acknowledged-{kill}"
        log.touch()
        writer = context.Process(target=_write_until_killed, args=(url, kill, log))
        writer.start()
        _wait_for_size(log, dice.randrange(40, 1500))  # bytes of acknowledgements: somewhere amid a commit
        writer.kill()
        writer.join(timeout=30)
        acknowledged += log.read_text().split("\n")[:-1]
    with sqlite_database.read() as session:
        stored = set(session.scalars(select(OutboxMessage.dedupe_key)))
        assert session.execute(text("PRAGMA integrity_check")).scalar_one() == "ok"
    assert len(acknowledged) > 200
    assert set(acknowledged) <= stored
    assert len(stored) - len(acknowledged) <= 15  # at most the one commit under way at each kill


def _wait_for_size(path: Path, size_bytes: int) -> None:
    wait_until(lambda: path.stat().st_size >= size_bytes, seconds=30)


def _write_until_killed(url: str, kill: int, log: Path) -> None:
    """Commit one message after the other, and say so in the log after each commit."""
    database, number = Database(url), 0
    with log.open("w", buffering=1) as acknowledgements:
        while True:
            key = f"{kill}:{number}"
            with database.write() as session:
                owe(session, team_id="T1", dedupe_key=key, verb="post_message", arguments={"text": "x" * 500})
            acknowledgements.write(f"{key}\n")
            number += 1


def test_a_full_disk_is_named_and_everything_stored_before_stays_readable(sqlite_database):
    [stored] = run_together(_write_until_the_disk_is_full, [(str(sqlite_database.url),)])
    assert stored > 10
    with sqlite_database.read() as session:
        for number in range(stored):
            message = find_by_dedupe_key(session, f"card:{number}")
            assert message is not None
            assert len(message.arguments["text"]) == 10_000
        assert find_by_dedupe_key(session, f"card:{stored}") is None
        assert session.execute(text("PRAGMA integrity_check")).scalar_one() == "ok"
    _owe(sqlite_database, stored)  # space is back, and so are the writes


def _write_until_the_disk_is_full(url: str) -> int:
    """In a process that may write no file beyond 1 MiB: the limit that works without a disk of our own."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, resource.RLIM_INFINITY))
    database = Database(url)
    stored = 0
    try:
        while stored < 1000:
            try:
                _owe(database, stored)
            except DatabaseUnavailable as error:
                assert "full" in str(error) or "disk" in str(error)
                assert error.__cause__ is not None
                break
            stored += 1
        else:
            raise AssertionError("the disk never filled")
        with pytest.raises(DatabaseUnavailable):  # it stays named, and the connection stays usable
            _owe(database, stored)
        with database.read() as session:
            assert len(session.scalars(select(OutboxMessage)).all()) == stored
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        database.dispose()
    return stored


def _owe(database: Database, number: int) -> None:
    with database.write() as session:
        owe(session, team_id="T1", dedupe_key=f"card:{number}", verb="post_message", arguments={"text": "x" * 10_000})


def test_a_folder_that_cannot_hold_a_database_is_named(tmp_path):
    (tmp_path / "huisstijl.db").mkdir()
    database = Database(f"sqlite:///{tmp_path / 'huisstijl.db'}")
    with pytest.raises(DatabaseUnavailable, match="unable to open"), database.write() as session:
        now_in_database(session)
    database.dispose()


def test_a_server_that_is_away_is_named(tmp_path):
    database = Database(f"postgresql+psycopg://postgres@/huisstijl?host={tmp_path}")
    with pytest.raises(DatabaseUnavailable), database.read() as session:
        now_in_database(session)
    database.dispose()


def test_a_server_that_ends_our_connection_is_named_and_the_next_write_works(postgres_database):
    with pytest.raises(DatabaseUnavailable), postgres_database.write() as session:
        session.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
    _owe(postgres_database, 1)


def test_a_fault_of_the_statement_keeps_its_own_name(database):
    with pytest.raises(Exception, match="no_such_table") as caught, database.write() as session:
        session.execute(text("SELECT * FROM no_such_table"))
    assert not isinstance(caught.value, DatabaseUnavailable)


def test_a_block_that_raises_stores_nothing(database):
    with pytest.raises(ZeroDivisionError), database.write() as session:
        owe(session, team_id="T1", dedupe_key="card:0", verb="post_message", arguments={})
        raise ZeroDivisionError
    with database.read() as session:
        assert find_by_dedupe_key(session, "card:0") is None


def test_what_was_read_stays_readable_and_what_was_changed_there_is_discarded(database):
    _owe(database, 1)
    with database.read() as session:
        message = find_by_dedupe_key(session, "card:1")
        assert message is not None
        message.verb = "changed"
        session.flush()
    assert message.dedupe_key == "card:1"
    with database.read() as session:
        again = find_by_dedupe_key(session, "card:1")
        assert again is not None
        assert again.verb == "post_message"


def test_a_write_inside_a_write_is_refused_at_once(database):
    with pytest.raises(NestedWrite), database.write(), database.write():
        pass
    _owe(database, 1)  # and the outer one has let go


def test_a_writer_that_waits_for_another_process_gets_its_turn(sqlite_database):
    context = get_context("forkserver")
    ours, theirs = context.Pipe()
    other = context.Process(target=_hold_the_write_lock, args=(str(sqlite_database.url), theirs))
    other.start()
    assert ours.recv() == "held"
    ours.send("let go")
    _owe(sqlite_database, 1)
    other.join(timeout=30)
    with sqlite_database.read() as session:
        assert len(session.scalars(select(OutboxMessage)).all()) == 2


def _hold_the_write_lock(url: str, pipe: Any) -> None:
    database = Database(url)
    with database.write() as session:
        owe(session, team_id="T1", dedupe_key=new_id("card"), verb="post_message", arguments={})
        pipe.send("held")
        pipe.recv()
        os.sched_yield()
    database.dispose()


def test_two_processes_open_a_new_database_at_the_same_moment(tmp_path):
    for attempt in range(3):
        url = f"sqlite:///{tmp_path / f'new-{attempt}.db'}"
        assert run_together(_journal_mode, [(url,)] * 4) == ["wal"] * 4


def _journal_mode(url: str) -> str:
    database = Database(url)
    with database.read() as session:
        mode = str(session.execute(text("PRAGMA journal_mode")).scalar_one())
    database.dispose()
    return mode
