"""Approving and withdrawing at the same moment: of two who click at once one wins, and the audit log tells who.

A withdrawn example stays withdrawn, so a "pair" here is a chain: when its live example has reached an end, whoever
finds it so proposes the pair anew. A toggle is: read what is there, choose a transition at random, try it.
"""

from __future__ import annotations

import random
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from db.audit import AuditEntry, record
from db.examples import TRANSITIONS, Example, ExampleChanged, ExampleStatus, transition
from db.session import Database, DatabaseUnavailable
from db.styles import get_style
from tests.support.factories import make_example, make_style
from tests.support.processes import run_together

pytestmark = [pytest.mark.faults, pytest.mark.timeout(600)]

#: On PostgreSQL, where they really meet; SQLite lets one write at a time, and a quarter of them shows it.
PROCESSES, TOGGLES, PAIRS = 8, 10_000, 100


@pytest.mark.long
def test_eight_processes_toggling_a_hundred_pairs_lose_nothing(database):
    toggles = TOGGLES // 4 if database.is_sqlite else TOGGLES
    with database.write() as session:
        style = make_style(session)
        for pair in range(PAIRS):
            make_example(session, style, content_hash=f"sha256:{pair}", draft_id=f"chain-{pair}")
    url = database.url.render_as_string(hide_password=False)
    each = [(url, style.style_id, seed, toggles // PROCESSES) for seed in range(PROCESSES)]
    results = run_together(_toggle, each)

    accepted = [change for result in results for change in result["accepted"]]
    assert sum(result["tried"] for result in results) == toggles // PROCESSES * PROCESSES
    assert max(result["retries"] for result in results) <= 3
    with database.read() as session:
        log = session.scalars(select(AuditEntry)).all()
        examples = session.scalars(select(Example)).all()
    assert len(accepted) + sum(result["refused"] for result in results) == toggles // PROCESSES * PROCESSES
    assert sorted(tuple(entry.detail["change"]) for entry in log) == sorted(accepted)
    transitions_of: dict[str, int] = {}
    for example_id, before, after in accepted:
        assert ExampleStatus(after) in TRANSITIONS[ExampleStatus(before)]
        transitions_of[example_id] = transitions_of.get(example_id, 0) + 1
    for example in examples:  # no update was lost: the version counts every accepted one
        assert example.version == 1 + transitions_of.get(example.example_id, 0)
    final = {(change[0], change[2]) for change in accepted}
    assert all((e.example_id, e.status.value) in final for e in examples if e.version > 1)
    assert any(result["refused"] for result in results), "nothing competed"


def _toggle(url: str, style_id: str, seed: int, times: int) -> dict[str, Any]:
    database, dice = Database(url), random.Random(seed)
    accepted: list[tuple[str, str, str]] = []
    refused = retries = 0
    for _ in range(times):
        # Four busy chains as well as all of them, so that processes meet.
        chain = f"chain-{dice.randrange(4) if dice.random() < 0.5 else dice.randrange(PAIRS)}"
        with database.read() as session:
            seen = session.scalars(
                select(Example).where(Example.draft_id == chain).order_by(Example.example_id.desc()).limit(1)
            ).one()
        while True:
            try:
                with database.write() as session:
                    change = _change(session, seen, style_id, dice)
            except DatabaseUnavailable:
                retries += 1
            except ExampleChanged:
                refused += 1
                break
            else:
                accepted.append(change)
                break
    database.dispose()
    return {"accepted": accepted, "refused": refused, "retries": retries, "tried": times}


def _change(session: Session, seen: Example, style_id: str, dice: random.Random) -> tuple[str, str, str]:
    """Move the example as it was seen on the card; a pair that has reached its end is proposed anew first."""
    if not TRANSITIONS[seen.status]:
        seen = make_example(
            session, get_style(session, style_id), content_hash=seen.content_hash, draft_id=seen.draft_id
        )
    before = seen.status
    after = dice.choice(sorted(TRANSITIONS[before]))
    row = seen if seen in session else session.merge(seen, load=False)
    transition(session, row, after, decided_by="U_REVIEWER")
    change = (row.example_id, before.value, after.value)
    record(session, team_id="T1", actor="U_REVIEWER", action="example.moved", subject=row.example_id, change=change)
    return change
