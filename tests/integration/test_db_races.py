"""Two transactions at the same row: the second waits, then sees what the first has made of it."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import select, text

from db.base import now_in_database
from db.datasets import Dataset, DatasetExample, SplitName, list_withdrawn_ids
from db.examples import ExampleStatus, get_example, transition
from db.people import Person, save_person
from db.session import Database
from db.teams import Team, get_team
from tests.support.factories import make_example, make_run, make_style
from tests.support.wait import wait_until


def _freeze(database: Database) -> str:
    """A dataset `ds` of one approved example, whose id is returned."""
    with database.write() as session:
        style = make_style(session)
        example = make_example(session, style, status=ExampleStatus.APPROVED)
        run = make_run(session, style)
        session.add(
            Dataset(
                dataset_id="ds", run_id=run.run_id, style_id=style.style_id, scope_key="T1", content_hash="sha256:0",
                seed=1, instructions="", prompt_hash="sha256:0", versions={}, skipped=[],
                frozen_at=now_in_database(session),
            )
        )  # fmt: skip
        session.flush()
        session.add(
            DatasetExample(
                dataset_id="ds", example_id=example.example_id, split=SplitName.TRAIN, position=0,
                content_hash=example.content_hash,
            )
        )  # fmt: skip
        return example.example_id


def test_a_withdrawal_waits_for_a_publication_that_has_looked(database):
    example_id = _freeze(database)
    order: list[str] = []

    def withdraw() -> None:
        with database.write() as session:
            transition(session, get_example(session, example_id), ExampleStatus.WITHDRAWN, decided_by="U_AUTHOR")
        order.append("withdrawn")

    with ThreadPoolExecutor(1) as pool:
        with database.write() as session:
            assert list_withdrawn_ids(session, "ds") == []
            withdrawal = pool.submit(withdraw)
            if not database.is_sqlite:  # where SQLite's second writer has not even begun, PostgreSQL's must be waiting
                wait_until(lambda: _is_somebody_waiting(database))
            assert not withdrawal.done()
            order.append("published")
        withdrawal.result(timeout=30)
    assert order == ["published", "withdrawn"]
    with database.read() as session:
        assert list_withdrawn_ids(session, "ds") == [example_id]


def _is_somebody_waiting(database: Database) -> bool:
    with database.read() as session:
        return bool(session.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")))


@pytest.mark.parametrize("attempt", range(3))
def test_people_and_teams_met_by_several_threads_at_once_are_stored_once(database, attempt):
    everybody = threading.Barrier(6)

    def meet(number: int) -> None:
        everybody.wait(timeout=10)
        with database.write() as session:
            get_team(session, "T1")
            now = now_in_database(session)
            person = Person(
                team_id="T1", user_id="U1", name=f"name {number}", is_admin=False, is_bot=False, is_guest=False,
                is_stranger=False, is_deactivated=False, fetched_at=now,
            )  # fmt: skip
            save_person(session, person)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(meet, range(6)))
    with database.read() as session:
        assert len(session.scalars(select(Team)).all()) == 1
        person = session.scalars(select(Person)).one()
        assert (person.name[:5], person.locale) == ("name ", "en-US")


def test_a_person_who_changed_is_updated(database):
    def save(**different: object) -> None:
        with database.write() as session:
            values: dict[str, object] = {
                "team_id": "T1", "user_id": "U1", "name": "Anna", "locale": "nl-NL", "is_admin": True, "is_bot": False,
                "is_guest": False, "is_stranger": False, "is_deactivated": False,
                "fetched_at": now_in_database(session),
            }  # fmt: skip
            save_person(session, Person(**(values | different)))

    save()
    save(is_admin=False, name="Anna B.")
    with database.read() as session:
        person = session.scalars(select(Person)).one()
        assert (person.name, person.locale, person.is_admin) == ("Anna B.", "nl-NL", False)
