"""The weekly digest on real databases, with a clock turned by hand: once a week, late rather than never."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import update
from sqlalchemy.orm import Session

from bot.clock import Clock
from bot.domain.values import Actor
from bot.errors import OverBudget
from bot.operations.digest import digest_key, queue_due_digests
from bot.operations.runs import confirm_training, queue_due_runs, quote_training
from bot.rehearsal.blockkit import validate_blocks
from config.rungs import Rung
from config.settings import Settings
from db.audit import list_audit
from db.base import now_in_database
from db.drafts import DraftStatus
from db.examples import ExampleStatus
from db.outbox import OutboxMessage, find_by_dedupe_key, list_by_prefix
from db.people import Person
from db.promotions import PromotionKind
from db.reviews import Review, ReviewDecision, save_review
from db.runs import RunStatus
from db.session import Database
from db.styles import Style, get_style
from db.teams import get_team
from tests.support import factories

AMSTERDAM = ZoneInfo("Europe/Amsterdam")
MONDAY_NINE = datetime(2026, 11, 23, 9, 0, tzinfo=AMSTERDAM)
WEEK_48 = "2026-W48"


def make_style(session: Session, **different: Any) -> Style:
    """A style of some age in a workspace that lives in Amsterdam and wants its digest on Monday at nine."""
    team = get_team(session, "T1")
    team.time_zone, team.digest_weekday, team.digest_hour = "Europe/Amsterdam", 0, 9
    values = {"created_at": MONDAY_NINE - timedelta(weeks=20), "channel_id": "C_HOME", "recipe": "tiny-test"}
    style = factories.make_style(session, **(values | different))
    factories.make_promotion(session, style, kind=PromotionKind.INITIAL, rung=Rung.RETRIEVED)
    return style


def digests(database: Database, style: Style) -> list[OutboxMessage]:
    with database.read() as session:
        return list_by_prefix(session, f"digest:{style.style_id}:")


def read(database: Database, style: Style, week: str = WEEK_48) -> str:
    """All that the digest says."""
    with database.read() as session:
        message = find_by_dedupe_key(session, digest_key(style.style_id, week))
    assert message is not None
    validate_blocks(message.arguments["blocks"])
    return str(message.arguments)


def test_turning_the_hand_over_ten_weeks_and_back_gives_one_digest_a_week(
    database: Database, settings: Settings
) -> None:
    with database.write() as session:
        style = make_style(session)
    hours = [*range(0, 10 * 7 * 24, 5), *range(10 * 7 * 24, 0, -5)]
    for hour in hours:
        queue_due_digests(database, settings, MONDAY_NINE + timedelta(hours=hour))
    weeks = [one.dedupe_key.rsplit(":", 1)[1] for one in digests(database, style)]
    assert len(weeks) == len(set(weeks)) == 11
    assert weeks[0] == WEEK_48


def test_before_its_hour_there_is_none_and_at_its_hour_there_is(database: Database, settings: Settings) -> None:
    with database.write() as session:
        style = make_style(session, created_at=MONDAY_NINE - timedelta(days=6))
    assert queue_due_digests(database, settings, MONDAY_NINE - timedelta(seconds=1)) == []
    assert queue_due_digests(database, settings, MONDAY_NINE) == [style.style_id]
    assert queue_due_digests(database, settings, MONDAY_NINE + timedelta(seconds=1)) == []
    [message] = digests(database, style)
    assert (message.verb, message.arguments["channel_id"]) == ("post_message", "C_HOME")
    with database.read() as session:
        assert [(one.actor, one.action) for one in list_audit(session, style.style_id)] == [("clock", "digest.queued")]


def test_a_clock_that_was_down_at_the_moment_catches_up_and_tells_of_the_same_week(
    database: Database, settings: Settings
) -> None:
    with database.write() as session:
        style = make_style(session)
        factories.make_draft(session, style, status=DraftStatus.KEPT, requested_at=MONDAY_NINE - timedelta(days=1))
        factories.make_draft(session, style, status=DraftStatus.KEPT, requested_at=MONDAY_NINE + timedelta(days=1))
    clock = Clock(database, settings, now=lambda: MONDAY_NINE + timedelta(days=3, hours=5))
    clock.tick()
    clock.tick()
    said = read(database, style)
    assert len(digests(database, style)) == 1
    assert "1 made; 1 kept as written" in said


def test_four_clocks_at_the_same_moment_owe_each_style_one_digest(database: Database, settings: Settings) -> None:
    with database.write() as session:
        styles = [make_style(session) for _ in range(10)]
    start = threading.Barrier(4)

    def one_clock() -> list[str]:
        start.wait()
        return queue_due_digests(database, settings, MONDAY_NINE)

    with ThreadPoolExecutor(4) as pool:
        queued = [one for clock in [pool.submit(one_clock) for _ in range(4)] for one in clock.result()]
    assert sorted(queued) == sorted(style.style_id for style in styles)
    assert [len(digests(database, style)) for style in styles] == [1] * 10


def test_a_changed_weekday_gives_no_second_digest_in_the_same_week(database: Database, settings: Settings) -> None:
    with database.write() as session:
        style = make_style(session)
    queue_due_digests(database, settings, MONDAY_NINE)
    with database.write() as session:
        get_team(session, "T1").digest_weekday = 4
    for day in range(6):
        queue_due_digests(database, settings, MONDAY_NINE + timedelta(days=day, hours=1))
    assert len(digests(database, style)) == 1
    queue_due_digests(database, settings, MONDAY_NINE + timedelta(days=11, hours=1))
    assert len(digests(database, style)) == 2


def test_a_style_that_wants_none_and_one_that_is_new_get_none(database: Database, settings: Settings) -> None:
    with database.write() as session:
        silent = make_style(session, is_digest_on=False)
        archived = make_style(session, is_archived=True)
        new = make_style(session, created_at=MONDAY_NINE + timedelta(hours=1))
    assert queue_due_digests(database, settings, MONDAY_NINE + timedelta(hours=2)) == []
    assert [digests(database, style) for style in (silent, archived, new)] == [[], [], []]
    assert queue_due_digests(database, settings, MONDAY_NINE + timedelta(weeks=1)) == [new.style_id]


def test_a_private_styles_digest_goes_to_its_own_channel_whatever_the_style_says(
    database: Database, settings: Settings
) -> None:
    with database.write() as session:
        style = make_style(session, scope_key="T1/C_SECRET", channel_id="C_ELSEWHERE")
    queue_due_digests(database, settings, MONDAY_NINE)
    assert digests(database, style)[0].arguments["channel_id"] == "C_SECRET"


def test_a_style_that_cannot_be_read_does_not_keep_the_others_waiting(database: Database, settings: Settings) -> None:
    with database.write() as session:
        broken = make_style(session, scope_key="T9")
        broken.champion_promotion_id = None
        make_draft = factories.make_draft
        make_draft(session, broken, status=DraftStatus.KEPT, requested_at=MONDAY_NINE)
        other = make_style(session)
        team = get_team(session, "T9")
        broken.team_id = "T9"
        team.time_zone = "Not/A_Zone"
    assert queue_due_digests(database, settings, MONDAY_NINE) == [other.style_id]


def test_the_digest_says_what_the_week_was(database: Database, settings: Settings) -> None:
    """Drafts made and used, effort with its interval and trend, examples, thanks by name, cost, the next step."""
    with database.write() as session:
        style = make_style(session, name="support", monthly_budget=10.0)
        for user_id, name in (("U_MIA", "Mia <&>"), ("U_RAVI", "Ravi")):
            session.add(
                Person(
                    team_id="T1", user_id=user_id, name=name, is_admin=False, is_bot=False, is_guest=False,
                    is_stranger=False, is_deactivated=False, fetched_at=now_in_database(session),
                )
            )  # fmt: skip
        for week in range(5):
            for number in range(6):
                changed = 5 if week else 1 + number % 2
                factories.make_draft(
                    session, style, status=DraftStatus.EDITED, completion="0123456789",
                    edited_completion=f"{'x' * changed}{'0123456789'[changed:]}",
                    requested_at=MONDAY_NINE - timedelta(days=3, weeks=week),
                )  # fmt: skip
        for status in (DraftStatus.KEPT, DraftStatus.DISCARDED, DraftStatus.SHOWN, DraftStatus.FAILED):
            # Two are posted: one that is kept too, and one of which nobody has said anything.
            is_posted = status in (DraftStatus.KEPT, DraftStatus.SHOWN)
            factories.make_draft(
                session, style, status=status, requested_at=MONDAY_NINE - timedelta(days=2),
                used_at=MONDAY_NINE if is_posted else None,
            )  # fmt: skip
        for number in range(3):
            example = factories.make_example(
                session, style, status=ExampleStatus.APPROVED, proposed_by="U_MIA",
                approved_at=MONDAY_NINE - timedelta(days=number + 1),
            )  # fmt: skip
            save_review(session, example.example_id, "U_RAVI", ReviewDecision.APPROVE, seen_version=1)
            session.flush()
        session.execute(update(Review).values(reviewed_at=MONDAY_NINE - timedelta(days=1)))
        for number in range(9):
            factories.make_example(
                session, style, status=ExampleStatus.PROPOSED if number < 7 else ExampleStatus.REJECTED
            )
        factories.make_run(
            session, style, status=RunStatus.SUCCEEDED, receipt={"cost": 2.5, "currency": "EUR"},
            ended_at=MONDAY_NINE - timedelta(days=2), verdict={},
        )  # fmt: skip
    queue_due_digests(database, settings, MONDAY_NINE)
    said = read(database, style)
    assert "The week of support: 9 drafts made, 8 used." in said
    assert "*Drafts:* 9 made; 1 kept as written, 6 kept after an edit, 1 not our style; 2 posted" in said
    assert "people changed 13% of what they kept (95 % interval" in said and "7 drafts)" in said
    assert "People change less than in the four weeks before." in said
    assert "*Examples:* 3 new; 3 approved in all." in said
    assert "*Thank you* for teaching: Mia &lt;&amp;&gt; (3). For reviewing: Ravi (3)." in said
    assert "<@" not in said
    assert "*Cost:* €2.50 this week; €2.50 of €10.00 this month (25%)." in said
    assert "*Next best step:* 7 proposals wait for review." in said
    assert said.count("'data_visualization'") == 2
    assert "not measured yet" in said


def test_the_budget_keeps_a_due_run_back_and_says_so_once_a_month(database: Database, settings: Settings) -> None:
    settings = settings.model_copy(update={"price_per_hour": 1000.0})
    with database.write() as session:
        style = make_style(session, monthly_budget=0.01, train_after_examples=10)
        for _ in range(20):
            factories.make_example(session, style, status=ExampleStatus.APPROVED)
        get_team(session, "T1").terms_accepted_at = now_in_database(session)
    for hour in range(3):
        assert queue_due_runs(database, settings, MONDAY_NINE + timedelta(hours=hour)) == []
    with database.read() as session:
        [message] = list_by_prefix(session, f"budget:{style.style_id}:")
        told = message.arguments["text"]
        assert "A month's budget is €0.01, so it never starts." in told and "by itself" not in told
    queue_due_runs(database, settings, MONDAY_NINE + timedelta(days=10))
    with database.read() as session:
        assert len(list_by_prefix(session, f"budget:{style.style_id}:")) == 2
    with database.write() as session:
        get_style(session, style.style_id).monthly_budget = None
    assert len(queue_due_runs(database, settings, MONDAY_NINE)) == 1


def test_the_workspaces_budget_counts_the_runs_of_all_its_styles(database: Database, settings: Settings) -> None:
    settings = settings.model_copy(update={"price_per_hour": 1000.0})
    with database.write() as session:
        style, other = make_style(session, train_after_examples=10), make_style(session)
        for _ in range(20):
            factories.make_example(session, style, status=ExampleStatus.APPROVED)
        team = get_team(session, "T1")
        team.terms_accepted_at, team.monthly_budget = now_in_database(session), 5000.0
        factories.make_run(
            session, other, status=RunStatus.FAILED, held_seconds=5 * 3600, ended_at=MONDAY_NINE - timedelta(hours=1)
        )  # fmt: skip
    assert queue_due_runs(database, settings, MONDAY_NINE) == []
    assert len(queue_due_runs(database, settings, MONDAY_NINE + timedelta(days=9))) == 1


def test_a_run_that_would_go_over_the_budget_is_refused_to_an_admin_too(database: Database, settings: Settings) -> None:
    settings = settings.model_copy(update={"price_per_hour": 1000.0})
    with database.write() as session:
        style = make_style(session, name="support")
        for _ in range(20):
            factories.make_example(session, style, status=ExampleStatus.APPROVED)
        get_team(session, "T1").terms_accepted_at = now_in_database(session)
    admin = Actor(team_id="T1", user_id="U_ADMIN", name="Ana", is_admin=True)
    quote = quote_training(database, settings, admin, "C_HOME", "support")
    with database.write() as session:
        get_style(session, style.style_id).monthly_budget = 0.01
    with pytest.raises(OverBudget, match=r"A month's budget is €0\.01"):
        quote_training(database, settings, admin, "C_HOME", "support")
    with pytest.raises(OverBudget):
        confirm_training(database, settings, admin, quote.quote_id)
