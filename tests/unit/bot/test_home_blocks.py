"""The Home tab and the digest stay inside Slack's limits, whatever there is to show."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from bot.blocks.digest import Digest, digest_message
from bot.blocks.home import charts_message, home_view
from bot.domain.effort import Effort, Trend
from bot.domain.ladder import Rank
from bot.domain.next_action import Action, NextAction
from bot.domain.overview import Contributor, DraftCounts, Home, StyleOverview
from bot.domain.spend import Spend
from bot.domain.weeks import WeekSeries
from bot.rehearsal.blockkit import validate_blocks, validate_view

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
WEEKS = tuple(date(2026, 11, 16) - timedelta(weeks=back) for back in range(11, -1, -1))
#: Control characters, mentions, Slack's brackets: whatever somebody may be called.
words = st.text(min_size=0, max_size=200)
#: What we name ourselves.
ours = st.text("abcdefg-v0123456789", max_size=128)
cents = st.integers(0, 10**10).map(lambda one: one / 100)
counts = st.integers(0, 10**7)
shares = st.floats(0, 1)
series = st.lists(st.none() | shares, min_size=12, max_size=12).map(lambda v: WeekSeries(weeks=WEEKS, values=tuple(v)))
counted = st.lists(counts, min_size=12, max_size=12).map(
    lambda v: WeekSeries(weeks=WEEKS, values=tuple(float(one) for one in v))
)
efforts = st.none() | st.builds(Effort, n=st.integers(1, 10**6), mean=shares, low=shares, high=shares)
ranks = st.none() | st.just(
    Rank(
        rung="lora", base_model="m", adapter_name="support-v2", n=36, unrelated=36, bits_per_byte=1.5, low=1.2,
        high=1.9, chrf=None, exact_match=None, edit_similarity=None, prompt_tokens=None, completion_tokens=None,
        seconds_per_draft=None, is_champion=True,
    )
)  # fmt: skip
contributors = st.lists(st.builds(Contributor, user_id=words, name=words, count=counts), max_size=30).map(tuple)
drafts = st.builds(DraftCounts, made=counts, kept=counts, edited=counts, discarded=counts, posted=counts, used=counts)
spends = st.builds(
    Spend, spent=st.floats(0, 1e9), limit=st.none() | cents, team_spent=st.floats(0, 1e9),
    team_limit=st.none() | cents, currency=st.sampled_from(["EUR", "USD"]), renews_at=st.just(NOW),
)  # fmt: skip
overviews = st.builds(
    StyleOverview,
    style_id=st.uuids().map(lambda one: f"sty_{one.hex[:19]}"),
    name=st.text("abcdefghij-", min_size=1, max_size=64),
    kind=st.just("draft"),
    is_private=st.booleans(),
    channel_id=st.just("C1"),
    champion_rung=st.just("lora"),
    champion_adapter=ours,
    champion_since=st.none() | st.just(NOW),
    score=ranks,
    pairs_needed=st.integers(0, 100),
    verdict=st.just("") | st.just("Stay on retrieved: " + "<lora> & more " * 12),
    approved=counts,
    proposed=counts,
    new_by_week=counted,
    total_by_week=counted,
    contributors=contributors,
    effort_by_week=series,
    effort=efforts,
    trend=st.sampled_from(Trend),
    drafts=drafts,
    next_training=st.text("abc .`", max_size=5000),
    is_training_due=st.booleans(),
    spend=spends,
    next_action=st.builds(NextAction, action=st.sampled_from(Action), count=counts, amount=shares, name=ours),
)


@settings(max_examples=25, deadline=None)
@given(st.lists(overviews, max_size=8, unique_by=lambda one: one.style_id), st.booleans())
def test_a_full_tab_is_a_view_that_slack_takes(shown: list[StyleOverview], is_admin: bool) -> None:
    pages = ("styles", "reviews", "settings", "changes") if is_admin else ("styles",)
    home = Home(page="styles", pages=pages, overviews=tuple(shown), is_admin=is_admin, total=99, parts=13, part=1)
    validate_view(home_view(home), "home")


@settings(max_examples=25, deadline=None)
@given(overviews, drafts, efforts, contributors, contributors)
def test_any_week_is_a_digest_that_slack_takes(
    overview: StyleOverview, made: DraftCounts, effort: Effort | None, taught: tuple[Contributor, ...],
    reviewed: tuple[Contributor, ...],
) -> None:  # fmt: skip
    text, blocks = digest_message(
        Digest(
            overview=overview, since=NOW - timedelta(days=7), until=NOW, drafts=made, effort=effort,
            trend=Trend.SAME, new_examples=3, taught=taught, reviewed=reviewed, cost=1.0,
        )
    )  # fmt: skip
    validate_blocks(blocks)
    assert text
    assert "<!channel" not in str(blocks) and "<@" not in str(blocks)
    validate_blocks(charts_message(overview)[1])
