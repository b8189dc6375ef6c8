"""What is shown of a style, and of the settings, as values: the Home tab, the digest and the charts share them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from bot.domain.effort import Effort, Trend
from bot.domain.ladder import Rank
from bot.domain.next_action import NextAction
from bot.domain.spend import Spend
from bot.domain.weeks import WeekSeries

#: The pages of the tab; the last two are the admins' alone.
STYLES, REVIEWS, SETTINGS, CHANGES = "styles", "reviews", "settings", "changes"
ADMIN_PAGES = (SETTINGS, CHANGES)
#: Styles on one part of a page: a view has room for 100 blocks, and a style takes up to 9.
STYLES_PER_PART = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Contributor:
    """Somebody who helped. The name is empty when Slack never told it."""

    user_id: str
    name: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftCounts:
    """What became of the drafts of some time."""

    made: int
    kept: int
    edited: int
    discarded: int
    #: Posted as somebody's choice, whether kept for learning or not.
    posted: int
    #: Kept, edited or posted; each draft counts once.
    used: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StyleOverview:
    """Everything that is shown of a style."""

    style_id: str
    name: str
    kind: str
    is_private: bool
    channel_id: str
    #: The rung and adapter that serve; "" when nothing has been promoted.
    champion_rung: str
    champion_adapter: str
    champion_since: datetime | None
    #: How far its blind trial is, in a sentence; "" when none is running.
    trial: str
    #: The champion's row of the latest measurement; None when it was not in it.
    score: Rank | None
    #: Unseen pairs below which a figure says nothing yet.
    pairs_needed: int
    #: The latest measurement's verdict in one sentence; "" before any.
    verdict: str
    approved: int
    proposed: int
    #: Newly approved examples a week, and how many there were at each week's end.
    new_by_week: WeekSeries
    total_by_week: WeekSeries
    contributors: tuple[Contributor, ...]
    #: Mean edit effort a week; of the last four weeks; and this week against the weeks before.
    effort_by_week: WeekSeries
    effort: Effort | None
    trend: Trend
    drafts: DraftCounts
    #: Why the next training comes when it comes.
    next_training: str
    is_training_due: bool
    spend: Spend
    next_action: NextAction


@dataclass(frozen=True, slots=True, kw_only=True)
class TeamSettings:
    """A workspace's own settings, or the installation's where it has none."""

    zone: ZoneInfo
    digest_weekday: int
    digest_hour: int
    monthly_budget: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StyleSettings:
    """A style's policy, as its settings page shows it."""

    style_id: str
    name: str
    train_after_examples: int
    #: Bits per byte that a run has to be expected to gain; None: the number of examples decides.
    train_on_gain_bits: float | None
    train_from_hour: int
    train_to_hour: int
    approvals_required: int
    may_approve_own: bool
    reviewer_ids: tuple[str, ...]
    spent: float
    monthly_budget: float | None
    is_digest_on: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """One page of the tab, for one person."""

    page: str
    pages: tuple[str, ...]
    #: Which styles of how many are on this part, counted from 0.
    part: int = 0
    parts: int = 1
    total: int = 0
    currency: str = ""
    overviews: tuple[StyleOverview, ...] = ()
    settings: tuple[StyleSettings, ...] = ()
    team: TeamSettings | None = None
    team_spent: float = 0.0
    admin_ids: tuple[str, ...] = ()
    #: Sentences, newest first.
    changes: tuple[str, ...] = ()
    is_admin: bool = False
