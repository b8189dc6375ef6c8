"""Pairs set aside: ten of a thread at most, for a week, in styles that may learn there; on both databases."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from bot.domain.values import Actor, Channel
from bot.errors import BadInput, MembersOnly, OutOfScope, UnusablePair
from bot.operations.set_aside import TaughtPair, list_set_aside, propose_set_aside, set_aside_pair
from config.prompt_sources import PromptSource
from db.base import now_in_database
from db.examples import get_example
from db.session import Database
from db.set_aside_pairs import KEPT_DAYS, SetAsidePair
from db.styles import StyleNotFound
from tests.support.factories import make_style

MIA = Actor(team_id="T1", user_id="U_MIA", name="mia")
PUBLIC = Channel(channel_id="C1", name="general", is_private=False)
PRIVATE = Channel(channel_id="G1", name="leads", is_private=True)


def a_pair(style_id: str, **different: Any) -> TaughtPair:
    values: dict[str, Any] = {
        "style_id": style_id, "prompt": "Say that we close early", "completion": "We close at noon on Friday!",
        "prompt_source": PromptSource.SUGGESTED_EDITED, "suggested_prompt": "Say that we close", "message_ts": "11.0",
        "thread_ts": "10.0", "permalink": "https://x.slack.com/p11", "author_id": "U_NOOR", "draft_id": None,
    }  # fmt: skip
    return TaughtPair(**(values | different))


def a_style(database: Database, **different: Any) -> str:
    with database.write() as session:
        return make_style(session, **different).style_id


def test_what_is_proposed_in_the_end_is_the_pair_as_it_was_set_aside(database: Database) -> None:
    style_id = a_style(database)
    assert set_aside_pair(database, MIA, PUBLIC, a_pair(style_id)) == 1
    assert set_aside_pair(database, MIA, PUBLIC, a_pair(style_id, completion="We close at twelve on Friday!")) == 1
    [kept] = list_set_aside(database, MIA, "C1", "10.0")
    [done] = propose_set_aside(database, MIA, PUBLIC, style_id, [kept])
    assert done.proposal is not None
    with database.read() as session:
        example = get_example(session, done.proposal.example_id)
    assert (example.completion, example.permalink) == ("We close at twelve on Friday!", "https://x.slack.com/p11")
    assert (example.prompt_source, example.suggested_prompt) == (PromptSource.SUGGESTED_EDITED, "Say that we close")
    assert (example.author_id, example.message_ts, example.thread_ts) == ("U_NOOR", "11.0", "10.0")
    assert list_set_aside(database, MIA, "C1", "10.0") == []


def test_ten_pairs_of_a_thread_are_the_most_and_a_week_is_the_longest(database: Database) -> None:
    style_id = a_style(database)
    for number in range(10):
        pair = a_pair(style_id, message_ts=f"{number + 20}.0")
        assert set_aside_pair(database, MIA, PUBLIC, pair) == number + 1
    with pytest.raises(BadInput, match="set aside 10 pairs"):
        set_aside_pair(database, MIA, PUBLIC, a_pair(style_id))
    with database.write() as session:
        long_ago = now_in_database(session) - timedelta(days=KEPT_DAYS, minutes=1)
        session.execute(update(SetAsidePair).values(set_aside_at=long_ago))
    assert list_set_aside(database, MIA, "C1", "10.0") == []
    assert set_aside_pair(database, MIA, PUBLIC, a_pair(style_id)) == 1


def test_what_may_not_be_learnt_is_not_even_set_aside(database: Database) -> None:
    style_id = a_style(database)
    foreign = a_style(database, team_id="T2", scope_key="T2")
    with pytest.raises(OutOfScope):
        set_aside_pair(database, MIA, PRIVATE, a_pair(style_id))
    with pytest.raises(StyleNotFound):
        set_aside_pair(database, MIA, PUBLIC, a_pair(foreign))
    with pytest.raises(UnusablePair):
        set_aside_pair(database, MIA, PUBLIC, a_pair(style_id, prompt=" "))
    guest = Actor(team_id="T1", user_id="U_GUS", name="gus", is_full_member=False)
    with pytest.raises(MembersOnly):
        set_aside_pair(database, guest, PUBLIC, a_pair(style_id))
    assert list_set_aside(database, MIA, "C1", "10.0") == list_set_aside(database, guest, "C1", "10.0") == []
