"""Taps at once, requests at once: of two people the first decides, and a trial decides once. On both databases."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from bot.domain.values import Actor
from bot.errors import AlreadyDecided
from bot.operations.comparisons import choose_draft
from bot.operations.second_drafts import add_second_draft, plan_comparison
from bot.operations.trials import UNANSWERED, end_due_trials
from db.base import new_id, now_in_database
from db.drafts import Draft, DraftStatus
from db.outbox import list_by_prefix
from db.promotions import Promotion, PromotionKind
from db.session import Database
from db.styles import get_style
from db.trials import Choice, Comparison, Trial, TrialStatus, count_comparisons
from tests.support.trials import make_answers, make_comparison, make_measured_style, make_trial


def member(number: int) -> Actor:
    return Actor(team_id="T1", user_id=f"U{number}", name=f"u{number}", is_full_member=True, is_admin=False)


def test_of_many_taps_at_once_one_decides_and_the_trial_ends_once(database: Database) -> None:
    with database.write() as session:
        style = make_measured_style(session, team_id="T1", scope_key="T1")
        trial = make_trial(session, style)
        make_answers(session, style, trial, wins=7)
        comparison = make_comparison(session, style, trial)
        channel = session.get_one(Draft, comparison.draft_a_id).channel_id

    def tap(number: int) -> str:
        choice = Choice.A if number % 2 == 0 else Choice.B
        try:
            choose_draft(database, member(number), comparison.comparison_id, choice, channel)
        except AlreadyDecided:
            return "late"
        return choice.value

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(tap, range(8)))
    assert outcomes.count("late") == 7
    won = "a" in outcomes
    with database.read() as session:
        counts = count_comparisons(session, trial.trial_id)
        assert (counts.wins, counts.losses) == ((8, 0) if won else (7, 1))
        ended = session.get_one(Trial, trial.trial_id)
        assert ended.status is (TrialStatus.CHALLENGER_WON if won else TrialStatus.RUNNING)
        assert session.query(Promotion).filter_by(kind=PromotionKind.TRIAL).count() == int(won)
        assert len(list_by_prefix(session, "trial_end:")) == int(won)
        statuses = [session.get_one(Draft, draft_id).status for draft_id in comparison.draft_ids]
        assert sorted(statuses) == [DraftStatus.PASSED_OVER, DraftStatus.SHOWN]


def test_taps_on_different_comparisons_at_once_end_the_trial_once(database: Database) -> None:
    with database.write() as session:
        style = make_measured_style(session, team_id="T1", scope_key="T1")
        trial = make_trial(session, style)
        make_answers(session, style, trial, wins=6)
        open_ones = [make_comparison(session, style, trial).comparison_id for _ in range(6)]
        channel = session.query(Draft).first().channel_id  # type: ignore[union-attr]
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda one: choose_draft(database, member(1), one, Choice.A, channel), open_ones))
    with database.read() as session:
        assert session.get_one(Trial, trial.trial_id).status is TrialStatus.CHALLENGER_WON
        assert session.query(Promotion).filter_by(kind=PromotionKind.TRIAL).count() == 1
        assert session.query(Comparison).filter_by(is_counted=True).count() == 8


def test_requests_at_once_make_no_more_comparisons_than_there_may_be(database: Database) -> None:
    with database.write() as session:
        style = make_measured_style(session, team_id="T1", scope_key="T1")
        trial = make_trial(session, style, most=3)

    def request(number: int) -> bool:
        with database.write() as session:
            planned = plan_comparison(session, get_style(session, style.style_id), lambda: True)
            if planned is None:
                return False
            row = {
                "draft_id": new_id("dra"), "request_key": f"r{number}", "team_id": "T1", "style_id": style.style_id,
                "channel_id": "C1", "thread_ts": "1.1", "requested_by": "U1", "request": "x",
                "requested_at": now_in_database(session), "comparison_id": planned.comparison_id,
            }  # fmt: skip
            session.add(Draft(**row))
            session.flush()
            add_second_draft(session, planned, row)
            return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(request, range(8))) == 3
    with database.read() as session:
        assert count_comparisons(session, trial.trial_id).made == 3


def test_the_coin_falls_both_ways_and_nothing_else_depends_on_it(database: Database) -> None:
    with database.write() as session:
        style = make_measured_style(session, team_id="T1", scope_key="T1")
        make_trial(session, style)
        for number in range(64):
            planned = plan_comparison(session, style, lambda: True)
            assert planned is not None
            row = {
                "draft_id": new_id("dra"), "request_key": f"r{number}", "team_id": "T1", "style_id": style.style_id,
                "channel_id": "C1", "thread_ts": "1.1", "requested_by": "U1", "request": "x",
                "requested_at": now_in_database(session), "comparison_id": planned.comparison_id,
            }  # fmt: skip
            session.add(Draft(**row))
            session.flush()
            add_second_draft(session, planned, row)
        session.flush()
        made = session.query(Comparison).all()
        # Once in ten million million would fewer than 8 of 64 fair coins fall one way.
        assert 8 <= sum(comparison.is_challenger_a for comparison in made) <= 56
        assert all(comparison.draft_a_id < comparison.draft_b_id for comparison in made)


def test_comparisons_that_nobody_answers_do_not_keep_a_trial_open_for_ever(database: Database) -> None:
    with database.write() as session:
        style = make_measured_style(session, team_id="T1", scope_key="T1")
        trial = make_trial(session, style, most=10)
        make_answers(session, style, trial, wins=5, losses=4)
        make_comparison(session, style, trial)
        now = now_in_database(session)
    assert end_due_trials(database, now) == []
    assert end_due_trials(database, now + UNANSWERED + timedelta(hours=1)) == [trial.trial_id]
    with database.read() as session:
        assert session.get_one(Trial, trial.trial_id).status is TrialStatus.NO_DIFFERENCE
