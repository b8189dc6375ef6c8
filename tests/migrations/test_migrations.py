"""Migrations go up, down and up again on both databases, one process at a time, and end where the tables are."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import event, inspect, text

from db import upgrade
from db.base import now_in_database
from db.datasets import Dataset
from db.models import metadata
from db.runs import get_run
from db.session import Database
from db.styles import get_style
from db.upgrade import (
    WrongRevision,
    check_revision,
    current_revision,
    downgrade_database,
    head_revision,
    upgrade_database,
)
from tests.support.factories import make_dataset, make_run, make_style
from tests.support.processes import meet, run_together
from tests.support.wait import wait_until


def _tables(database: Database) -> set[str]:
    return set(inspect(database.engine).get_table_names())


@pytest.fixture
def empty_database(empty_url):
    database = Database(empty_url)
    yield database
    database.dispose()


def test_migrations_have_a_single_head():
    assert len(ScriptDirectory(str(upgrade.MIGRATIONS)).get_heads()) == 1


def test_upgrade_downgrade_upgrade_makes_removes_and_makes_every_table(empty_database):
    wanted = set(metadata.tables) | {"alembic_version"}
    upgrade_database(empty_database)
    assert _tables(empty_database) == wanted
    downgrade_database(empty_database, "base")
    assert _tables(empty_database) == {"alembic_version"}
    upgrade_database(empty_database)
    assert _tables(empty_database) == wanted


def test_each_step_down_can_be_gone_up_again(empty_database):
    upgrade_database(empty_database)
    for script in ScriptDirectory(str(upgrade.MIGRATIONS)).walk_revisions():
        downgrade_database(empty_database, f"{script.revision}@-1" if script.down_revision else "base")
        upgrade_database(empty_database)
        assert current_revision(empty_database) == head_revision()


def test_the_migrated_tables_are_the_declared_tables(database):
    command.check(upgrade._config(database))


def test_two_migrators_at_once_leave_one_migrated_database(empty_url):
    assert run_together(_migrate_and_report, [(empty_url,)] * 4) == [head_revision()] * 4


def test_a_new_file_can_be_opened_by_several_processes_at_the_same_moment(tmp_path):
    """SQLite refuses all but one of them while the file is switched to WAL, without waiting."""
    urls = [f"sqlite:///{tmp_path / f'{number}.db'}" for number in range(100)]
    assert run_together(_open_each, [(urls,)] * 4) == [["wal"] * len(urls)] * 4


def _open_each(urls: list[str]) -> list[str]:
    modes = []
    for url in urls:
        meet()
        database = Database(url)
        with database.engine.connect() as connection:
            modes.append(str(connection.exec_driver_sql("PRAGMA journal_mode").scalar()))
        database.dispose()
    return modes


def test_a_migrator_waits_for_another_before_it_reads_the_revision(tmp_path):
    url, log = f"sqlite:///{tmp_path / 'empty.db'}", tmp_path / "begun"
    log.touch()
    database = Database(url)
    with ThreadPoolExecutor(1) as pool, database.engine.connect() as other:
        other = other.execution_options(huisstijl_writes=True)
        other.exec_driver_sql("CREATE TABLE in_the_way (id INTEGER)")
        migrators = pool.submit(run_together, _migrate_and_report, [(url, log)] * 2)
        wait_until(lambda: len(log.read_text()) == 2, seconds=30)
        other.commit()
        assert migrators.result() == [head_revision()] * 2
    database.dispose()


def _migrate_and_report(url: str, log: Path | None = None) -> str | None:
    database = Database(url)
    has_begun = False

    @event.listens_for(database.engine, "before_cursor_execute")
    def note_the_begin(connection, cursor, statement, *rest):
        nonlocal has_begun
        if log and not has_begun and statement.startswith("BEGIN"):
            has_begun = True
            with log.open("a") as file:
                file.write(".")

    upgrade_database(database)
    revision = current_revision(database)
    check_revision(database)
    database.dispose()
    return revision


def test_a_failed_migration_leaves_nothing_behind(empty_database):
    with empty_database.engine.begin() as connection:
        connection.execute(text("CREATE TABLE inbox (something_else INTEGER)"))  # in the way of the second table
    with pytest.raises(Exception, match="already exists"):
        upgrade_database(empty_database)
    assert _tables(empty_database) == {"inbox"}


def test_another_revision_than_the_programs_is_refused(database):
    check_revision(database)
    with database.write() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(WrongRevision, match="9999"):
        check_revision(database)


def test_an_empty_database_is_refused(empty_database):
    with pytest.raises(WrongRevision, match="none"):
        check_revision(empty_database)


def test_styles_and_datasets_of_before_have_no_terms(database):
    """Rows that are there keep what they have, on the way down and up."""
    with database.write() as session:
        style = make_style(session, instructions="Be brief.", required_terms=["sign in"], forbidden_terms=["login"])
        dataset = make_dataset(session, make_run(session, style))
    downgrade_database(database, "0020")
    upgrade_database(database)
    with database.read() as session:
        found, frozen = get_style(session, style.style_id), session.get_one(Dataset, dataset.dataset_id)
        assert (found.required_terms, found.forbidden_terms, found.full_instructions) == ([], [], "Be brief.")
        assert (frozen.required_terms, frozen.forbidden_terms) == ([], [])


def test_runs_of_before_have_been_held_from_their_start_to_their_last_sign_of_life(database):
    with database.write() as session:
        style, now = make_style(session), now_in_database(session)
        began, beat = now - timedelta(hours=3), now - timedelta(hours=1)
        ran = make_run(session, style, started_at=began, heartbeat_at=beat, ended_at=now).run_id
        waits = make_run(session, style).run_id
    downgrade_database(database, "0024")
    upgrade_database(database)
    with database.read() as session:
        assert get_run(session, ran).held_seconds == pytest.approx(7200, abs=1)
        assert get_run(session, waits).held_seconds == 0
