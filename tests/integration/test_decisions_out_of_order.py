"""Decisions that arrive in any order, some twice: a thousand histories end where an oracle of a dozen lines says.

What was taken back, or whose message was deleted, is never learnt from, whatever arrived before or after.
"""

from __future__ import annotations

import random
from contextlib import suppress
from dataclasses import dataclass

import pytest

from bot.domain.values import Actor
from bot.errors import HuisstijlError
from bot.operations.examples import withdraw_example, withdraw_examples_of_message
from bot.operations.reviews import approve_example, edit_example, reject_example
from config.settings import Settings
from db.examples import ExampleStatus, get_example, list_approved_examples
from db.scope import Scope
from db.session import Database
from db.styles import StyleReviewer, get_style
from tests.support.factories import make_example, make_style

HISTORIES = 1_000
TEAM, CHANNEL = "T1", "C1"
AUTHOR = Actor(team_id=TEAM, user_id="U_AUTHOR", name="author")
REVIEWERS = [Actor(team_id=TEAM, user_id=f"U_R{n}", name=f"reviewer {n}") for n in range(3)]
ARRIVALS = ("approve", "approve late", "edit", "reject", "withdraw", "delete")


@dataclass
class Oracle:
    """What must come out: the first decision about the text that was seen stands; taking back always works."""

    status: ExampleStatus = ExampleStatus.PROPOSED
    version: int = 1

    def hear(self, arrival: str) -> None:
        is_open = self.status is ExampleStatus.PROPOSED
        if arrival in ("withdraw", "delete"):
            if self.status in (ExampleStatus.PROPOSED, ExampleStatus.APPROVED):
                self.status = ExampleStatus.WITHDRAWN
        elif is_open and self.version == 1:  # every card here was seen before any edit
            self.status = ExampleStatus.REJECTED if arrival == "reject" else ExampleStatus.APPROVED
            self.version += arrival == "edit"  # the editor's own approval counts for the new text


def arrive(
    database: Database, settings: Settings, arrival: str, example_id: str, ts: str, chance: random.Random
) -> None:
    reviewer = chance.choice(REVIEWERS)
    match arrival:
        case "withdraw":
            withdraw_example(database, settings, AUTHOR, example_id)
        case "delete":
            withdraw_examples_of_message(database, settings, TEAM, CHANNEL, ts)
        case "reject":
            reject_example(database, reviewer, example_id, reason="no", place=CHANNEL, seen_version=1)
        case "edit":
            text = f"A better text for {example_id}. Team Support"
            edit_example(
                database, reviewer, example_id, prompt=f"Asks {ts}", completion=text, place=CHANNEL, seen_version=1
            )
        case _:
            approve_example(database, reviewer, example_id, place=CHANNEL, seen_version=1)


@pytest.mark.long
def test_a_thousand_shuffled_histories_end_where_the_oracle_says(sqlite_database: Database, settings: Settings) -> None:
    database, chance = sqlite_database, random.Random(2)
    with database.write() as session:
        style_id = make_style(session, team_id=TEAM, scope_key=TEAM).style_id
        session.add_all(StyleReviewer(style_id=style_id, user_id=reviewer.user_id) for reviewer in REVIEWERS)
    agreed = taken_back = 0
    for number in range(HISTORIES):
        ts, oracle = f"17.{number:06d}", Oracle()
        with database.write() as session:
            example_id = make_example(
                session, get_style(session, style_id), author_id=AUTHOR.user_id, proposed_by=AUTHOR.user_id,
                channel_id=CHANNEL, message_ts=ts,
            ).example_id  # fmt: skip
        history = chance.sample(ARRIVALS, chance.randint(2, len(ARRIVALS)))
        history += chance.sample(history, chance.randint(0, 2))  # some are delivered again
        for arrival in history:
            oracle.hear(arrival)
            with suppress(HuisstijlError):  # too late: somebody decided before
                arrive(database, settings, arrival, example_id, ts, chance)
        with database.read() as session:
            ended = get_example(session, example_id).status
            approved = {one.example_id for one in list_approved_examples(session, style_id, Scope(team_id=TEAM))}
        assert ended is oracle.status, (history, ended, oracle)
        if {"withdraw", "delete"} & set(history):
            taken_back += 1
            assert example_id not in approved, history
        agreed += 1
    assert agreed == HISTORIES
    assert taken_back > HISTORIES / 2
